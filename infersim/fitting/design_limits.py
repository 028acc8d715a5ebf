"""What a planned kernel takes: bytes of its operands and FLOPs, against the limits of its plan."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.cost.kernels import kernel_kind
from infersim.fitting.design_schema import Limits
from infersim.fitting.sample_shapes import kernel_shapes

GIB = 2**30


def within(rows: pd.DataFrame, limits: Limits) -> npt.NDArray[np.bool_]:
    """Mask of the kernels that take no more than `limits` allow; launches take nothing."""
    inside = np.ones(len(rows), dtype=np.bool_)
    for places, shape in kernel_shapes(rows):
        kind = kernel_kind(shape)
        inside[places] = (kind.operand_bytes(shape) <= limits.operand_gib * GIB) & (
            kind.flop(shape) <= limits.tflop * 1e12
        )
    return inside
