"""Linear layers with weights of 8 and 4 bit, widened to 16 as they are multiplied, as PyTorch has them.

Serving engines bring kernels of their own (Marlin, Machete, TensorRT-LLM's), which are faster: what is
measured here are PyTorch's.
"""

from __future__ import annotations

import torch

from infersim.domain.errors import UnsupportedError
from infersim.measuring.kernels.eight_bit import Linear

GROUP = 128
"""Weights along K that share a scale and a zero."""

ROWS, TILES = 8, 8
"""The layout of 4-bit weights on a GPU: rows of N in a tile, and tiles of 16 along K that stand together."""


def eight_bit_weights(activations: torch.Tensor, weight: torch.Tensor) -> Linear:
    """`activations` [m, k] in bf16 times `weight` [n, k] in INT8 with a scale a row."""
    scales = torch.ones(weight.shape[0], dtype=torch.bfloat16, device=weight.device)

    def call() -> torch.Tensor:
        return torch._weight_int8pack_mm(activations, weight, scales)

    call()
    return Linear(call=call, implementation="_weight_int8pack_mm")


def four_bit_weights(activations: torch.Tensor, weight: torch.Tensor) -> Linear:
    """`activations` [m, k] in bf16 times packed `weight` [n, k / 2], two a byte, in groups of GROUP.

    What the bytes say is of no interest, so they are taken as packed already. Raises UnsupportedError where
    N or K do not fill the kernel's layout.
    """
    n, k = weight.shape[0], 2 * weight.shape[1]
    if k % GROUP or n % (2 * ROWS):
        raise UnsupportedError(f"w4a16 GEMMs need K in multiples of {GROUP} and N of {2 * ROWS}")
    scales = torch.ones(k // GROUP, n, 2, dtype=torch.bfloat16, device=weight.device)
    if weight.device.type == "cpu":
        multiply, packed = torch.ops.aten._weight_int4pack_mm_for_cpu, weight.view(torch.uint8)
    else:
        multiply = torch.ops.aten._weight_int4pack_mm
        packed = weight.view(torch.int32).view(n // ROWS, k // (TILES * 16), 32, TILES // 2)

    def call() -> torch.Tensor:
        result: torch.Tensor = multiply(activations, packed, GROUP, scales)
        return result

    call()
    return Linear(call=call, implementation="_weight_int4pack_mm")
