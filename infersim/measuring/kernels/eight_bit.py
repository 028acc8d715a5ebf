"""Linear layers in FP8 and INT8 as PyTorch has them: activations are quantised for each token in every call.

What a serving engine does in one kernel (find the scale of a token, divide, round) is one compiled kernel
here on a GPU; on a CPU, and where compiling fails, it is several.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from infersim.measuring.devices.timing import Call
from infersim.measuring.kernels.fusing import fused

FP8 = torch.float8_e4m3fn
FP8_LARGEST = torch.finfo(FP8).max
INT8_LARGEST = 127.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A call of a quantised linear layer, and which PyTorch functions it is made of."""

    call: Call
    implementation: str


def fp8_linear(activations: torch.Tensor, weight: torch.Tensor, *, static: bool = False) -> Linear:
    """`activations` [m, k] in 16 bits times `weight` [n, k] in FP8, 16-bit result.

    One scale for each token and output feature where this GPU's kernels take them, else one for a tensor;
    `static`: one that is known beforehand.
    """
    method = narrowed_fp8 if static else quantise_fp8
    quantise = fused(method, activations) or method
    transposed = weight.t()
    of_features = torch.ones(1, weight.shape[0], device=weight.device)
    one = torch.ones((), device=weight.device)

    def by_rows() -> torch.Tensor:
        values, scales = quantise(activations)
        return _scaled_mm(values, transposed, scales, of_features)

    def by_tensor() -> torch.Tensor:
        values, _ = quantise(activations)
        return _scaled_mm(values, transposed, one, one)

    if static:
        by_tensor()
        return Linear(call=by_tensor, implementation="_scaled_mm, a static scale")
    try:
        by_rows()
    except (RuntimeError, NotImplementedError):
        by_tensor()
        return Linear(call=by_tensor, implementation="_scaled_mm, one scale a tensor")
    return Linear(call=by_rows, implementation="_scaled_mm, one scale a row")


def int8_linear(activations: torch.Tensor, weight: torch.Tensor, *, static: bool = False) -> Linear:
    """`activations` [m, k] in 16 bits times `weight` [n, k] in INT8; a 32-bit sum, then a 16-bit result.

    `static`: with one scale of activations that is known beforehand.
    """
    method = narrowed_int8 if static else quantise_int8
    quantise = fused(method, activations) or method
    transposed = weight.t()
    values, scales = quantise(activations)
    rescale = fused(rescaled, torch._int_mm(values, transposed), scales) or rescaled

    def call() -> torch.Tensor:
        values, scales = quantise(activations)
        return rescale(torch._int_mm(values, transposed), scales)

    return Linear(call=call, implementation="_int_mm, rescaled after it")


def quantise_fp8(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """`x` [m, k] as FP8 and the scale [m, 1] of each row, whose largest value becomes FP8's largest."""
    scales = x.abs().amax(dim=-1, keepdim=True).float().clamp(min=1e-12) / FP8_LARGEST
    return (x / scales).clamp(-FP8_LARGEST, FP8_LARGEST).to(FP8), scales


def quantise_int8(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """`x` [m, k] as INT8 and the scale [m, 1] of each row, whose largest value becomes 127."""
    scales = x.abs().amax(dim=-1, keepdim=True).float().clamp(min=1e-12) / INT8_LARGEST
    return (x / scales).round().to(torch.int8), scales


STATIC_SCALE = 1 / 16
"""Any will do: it takes as long."""


def narrowed_fp8(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """`x` [m, k] as FP8 by STATIC_SCALE, and that scale."""
    scale = torch.full((), STATIC_SCALE, device=x.device)
    return (x * (1 / STATIC_SCALE)).clamp(-FP8_LARGEST, FP8_LARGEST).to(FP8), scale


def narrowed_int8(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """`x` [m, k] as INT8 by STATIC_SCALE, and that scale."""
    scale = torch.full((), STATIC_SCALE, device=x.device)
    return (x * (1 / STATIC_SCALE)).round().clamp(-INT8_LARGEST, INT8_LARGEST).to(torch.int8), scale


def rescaled(sums: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """The 32-bit `sums` [m, n] of a product with quantised rows, in 16 bits."""
    return (sums * scales).to(torch.bfloat16)


def _scaled_mm(
    a: torch.Tensor, b: torch.Tensor, scale_a: torch.Tensor, scale_b: torch.Tensor
) -> torch.Tensor:
    return torch._scaled_mm(a, b, scale_a=scale_a, scale_b=scale_b, out_dtype=torch.bfloat16)
