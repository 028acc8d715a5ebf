"""TF32 or FP32: PyTorch keeps which of them 32-bit products use for the whole process."""

from __future__ import annotations

import torch

from infersim.domain.errors import UnsupportedError


def set_float32(dtype: str, device: torch.device) -> None:
    """Multiply 32-bit values in TF32 if `dtype` is tf32, else in FP32; UnsupportedError off a GPU."""
    if dtype == "tf32" and device.type != "cuda":
        raise UnsupportedError("tf32 needs a GPU")
    torch.set_float32_matmul_precision("high" if dtype == "tf32" else "highest")
