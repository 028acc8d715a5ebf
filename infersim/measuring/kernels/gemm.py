"""Dense GEMMs as linear layers: 32- and 16-bit by `linear`, 8-bit with their activations quantised, and
weight-only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch.nn import functional

from infersim.domain.errors import UnsupportedError
from infersim.measuring.devices.torch_tools import set_float32
from infersim.measuring.kernels.bench import Bench, Prepared, Row, stored_as
from infersim.measuring.kernels.eight_bit import Linear, fp8_linear, int8_linear
from infersim.measuring.kernels.weight_only import eight_bit_weights, four_bit_weights

NEED_A_GPU = ("tf32", "fp8", "fp8_static")

CAPABILITY: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(("tf32", "bf16", "w8a16", "w4a16"), (8, 0)),
    **dict.fromkeys(("fp8", "fp8_static"), (8, 9)),
}
"""Of the first GPUs with tensor cores for a type; older ones emulate it, or fail at every single row."""

EIGHT_BIT: Mapping[str, Callable[[torch.Tensor, torch.Tensor], Linear]] = {
    "fp8": fp8_linear,
    "int8": int8_linear,
    "fp8_static": partial(fp8_linear, static=True),
    "int8_static": partial(int8_linear, static=True),
}

WEIGHT_ONLY: Mapping[str, tuple[Callable[[torch.Tensor, torch.Tensor], Linear], int]] = {
    "w8a16": (eight_bit_weights, 1),
    "w4a16": (four_bit_weights, 2),
}
"""Of weights alone: the linear layer, and how many weights a byte holds."""


def prepare_gemm(row: Row, bench: Bench) -> Prepared:
    """`O[m,n] = A[m,k] @ W[n,k]^T` in `row["dtype"]`, rotating over copies of W; A stays where it was.

    8-bit kernels quantise A in each call. Raises UnsupportedError for a type that the device cannot multiply.
    """
    m, n, k, dtype = int(row["m"]), int(row["n"]), int(row["k"]), str(row["dtype"])
    stored = stored_as(dtype)
    if dtype in NEED_A_GPU and not bench.is_cuda:
        raise UnsupportedError(f"{dtype} GEMMs need a GPU")
    if dtype in CAPABILITY:
        bench.check_capability(*CAPABILITY[dtype], f"{dtype} GEMMs")
    # Kept for the whole process, so that every kernel says what it needs.
    set_float32(dtype, bench.device.torch_device)
    linear_of, in_a_byte = WEIGHT_ONLY.get(dtype, (None, 1))
    rotation = bench.rotation(n * k * stored.itemsize / in_a_byte)
    weights = bench.data.copies(rotation.copies, n, k // in_a_byte, dtype=stored)
    weight_copies = None if rotation.is_cold else rotation.copies
    if dtype in EIGHT_BIT:
        activations = bench.data.tensor(m, k, dtype=torch.bfloat16)
        linears = [EIGHT_BIT[dtype](activations, weight) for weight in weights]
        return Prepared(
            calls=tuple(linear.call for linear in linears),
            implementation=linears[0].implementation,
            rotating_buffers=rotation.copies,
            weight_copies=weight_copies,
            includes_act_quant=True,
        )
    if linear_of is not None:
        activations = bench.data.tensor(m, k, dtype=torch.bfloat16)
        linears = [linear_of(activations, weight) for weight in weights]
        return Prepared(
            calls=tuple(linear.call for linear in linears),
            implementation=linears[0].implementation,
            rotating_buffers=rotation.copies,
            weight_copies=weight_copies,
        )
    activations = bench.data.tensor(m, k, dtype=stored)
    return Prepared(
        calls=tuple(partial(functional.linear, activations, weight) for weight in weights),
        implementation="linear",
        rotating_buffers=rotation.copies,
        weight_copies=weight_copies,
    )
