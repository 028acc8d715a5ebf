"""What a planned kernel takes: bytes of its operands and FLOPs, against the limits of its plan."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.cost.floor import (
    attention_flop,
    attention_kv_bytes,
    attention_query_bytes,
    gemm_activation_bytes,
    gemm_flop,
    gemm_weight_bytes,
)
from infersim.domain.arrays import Array, as_array
from infersim.domain.shapes import Attention, Gemm, Shape
from infersim.fitting.design_schema import Limits
from infersim.fitting.sample_shapes import kernel_shapes

GIB = 2**30


def within(rows: pd.DataFrame, limits: Limits) -> npt.NDArray[np.bool_]:
    """Mask of the kernels that take no more than `limits` allow; launches take nothing."""
    inside = np.ones(len(rows), dtype=np.bool_)
    for places, shape in kernel_shapes(rows):
        inside[places] = (operand_bytes(shape) <= limits.operand_gib * GIB) & (
            flop(shape) <= limits.tflop * 1e12
        )
    return inside


def operand_bytes(shape: Shape) -> Array:
    """All that a kernel reads and writes, each byte once."""
    if isinstance(shape, Gemm):
        return gemm_weight_bytes(shape) + gemm_activation_bytes(shape)
    if isinstance(shape, Attention):
        return attention_kv_bytes(shape) + attention_query_bytes(shape)
    return as_array(shape.read_bytes) + shape.write_bytes


def flop(shape: Shape) -> Array:
    """The work of a kernel; 0 for memory-bound ones."""
    if isinstance(shape, Gemm):
        return gemm_flop(shape.m, shape.n, shape.k)
    if isinstance(shape, Attention):
        return attention_flop(shape)
    return np.zeros(np.shape(shape.read_bytes))
