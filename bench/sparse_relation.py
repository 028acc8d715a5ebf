"""What a 2:4 GEMM gains over the dense one, fitted on measured speedups of one GPU or of several together.

Latencies of two sources do not mix, but the ratio of a sparse to a dense kernel of the same source can be set
against any dense model. `cost.sparse_parameters` keeps what came out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from infersim.cost.gemm.sparse import KIND
from infersim.cost.kernels import kernel_cost
from infersim.domain.arrays import Array
from infersim.domain.dtypes import precision_named
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Gemm, WeightForm
from infersim.fitting.fits.kind_fit import with_kind
from infersim.fitting.fits.least_squares import PhysicalFit, fit_parameters
from infersim.fitting.fits.parameter_space import SPARSE_SPACE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredPairs:
    """Speedups of 2:4 over dense, measured on one GPU: columns `dtype m n k speedup`."""

    profile: HardwareProfile
    rows: pd.DataFrame
    weight_copies: int | None


def predicted_speedups(
    profile: HardwareProfile, rows: pd.DataFrame, weight_copies: int | None, form: WeightForm
) -> Array:
    """Dense over sparse latency of each of `rows` (columns `dtype m n k`); activations come as they are."""
    speedups = np.empty(len(rows))
    for dtype, positions in rows.groupby("dtype").indices.items():
        m, n, k = (rows[name].to_numpy(dtype=np.float64)[positions] for name in ("m", "n", "k"))
        latency = {}
        for weights in (WeightForm.DENSE, form):
            shape = Gemm(
                m=m,
                n=n,
                k=k,
                precision=precision_named(str(dtype)),
                weights=weights,
                weight_copies=weight_copies,
                act_quant=False,
            )
            cost = kernel_cost(shape, profile)
            latency[weights] = cost.kernel_s + cost.launch_s
        speedups[positions] = latency[WeightForm.DENSE] / latency[form]
    return speedups


def with_relation(
    profile: HardwareProfile, values: Mapping[str, float], dtypes: Sequence[str]
) -> HardwareProfile:
    """The profile with these 2:4 parameters for `dtypes`, whatever it had for them."""
    for dtype in dtypes:
        profile = with_kind(profile, f"{KIND}.{precision_named(dtype).math}", values)
    return profile


def fit_relation(measured: Sequence[MeasuredPairs]) -> PhysicalFit:
    """Fit the 2:4 parameters to the log speedups of all `measured`, each on its GPU's dense model."""

    def log_speedups(values: Mapping[str, float]) -> Array:
        parts = []
        for pairs in measured:
            profile = with_relation(pairs.profile, values, list(pairs.rows["dtype"].unique()))
            predicted = predicted_speedups(profile, pairs.rows, pairs.weight_copies, WeightForm.SPARSE_2_4)
            parts.append(np.log(predicted))
        return np.concatenate(parts)

    speedups = np.concatenate([pairs.rows["speedup"].to_numpy(dtype=np.float64) for pairs in measured])
    return fit_parameters(SPARSE_SPACE, log_speedups, np.log(speedups))
