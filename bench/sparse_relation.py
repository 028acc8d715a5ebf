"""What a 2:4 GEMM gains over the dense one, fitted on measured speedups of one GPU or of several together.

Latencies of two sources do not mix, but the ratio of a sparse to a dense kernel of the same source can be set
upon any dense kernel. `cost.gemm.sparse_relations` keeps what came out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from infersim.cost.gemm.gemm import machine_of, operands_of
from infersim.cost.gemm.sparse_relations import PARAMETERS, TILES_PER_SM, Relation, kernel_generation
from infersim.cost.gemm.sparse_speedup import relation_gain, sides_of
from infersim.cost.kernels import kernel_cost
from infersim.domain.arrays import Array
from infersim.domain.dtypes import precision_named
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Gemm, WeightForm
from infersim.fitting.fits.least_squares import PhysicalFit, fit_parameters
from infersim.fitting.fits.parameter_space import GEMM_SPACE, Parameter, ParameterSpace

DENSE_WEIGHT = 0.15
"""Weight of the log of a dense latency beside that of a speedup: it holds the scale of what both share."""

_GEMM = {parameter.name: parameter for parameter in GEMM_SPACE.parameters}
RELATION_SPACE = ParameterSpace(
    (
        Parameter(name="rate", start=1.7, low=1.02, high=2.6),
        Parameter(name="sparse_launch_us", start=0.8, low=0.01, high=20.0),
        Parameter(name="weight_reread", start=0.3, low=0.01, high=3.0),
        *(replace(_GEMM[name], second_start=None) for name in PARAMETERS if name in _GEMM),
    )
)


def with_values(values: Mapping[str, float]) -> Relation:
    """A relation of fitted values."""
    said: dict[str, Any] = {name: values[name] for name in PARAMETERS}
    return Relation(**said, fitted_on="", library="")


START = with_values({parameter.name: parameter.start for parameter in RELATION_SPACE.parameters})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredPairs:
    """Speedups of 2:4 over dense on one GPU: columns `dtype m n k dense_us speedup`."""

    profile: HardwareProfile
    rows: pd.DataFrame
    weight_copies: int | None


def predicted_speedups(
    profile: HardwareProfile, rows: pd.DataFrame, weight_copies: int | None, form: WeightForm
) -> Array:
    """Dense over sparse latency of each of `rows` (columns `dtype m n k`); activations come as they are."""
    speedups = np.empty(len(rows))
    for positions in rows.groupby("dtype").indices.values():
        shape = _shape(rows.iloc[positions], weight_copies)
        latency = {}
        for weights in (WeightForm.DENSE, form):
            cost = kernel_cost(replace(shape, weights=weights), profile)
            latency[weights] = cost.kernel_s + cost.launch_s
        speedups[positions] = latency[WeightForm.DENSE] / latency[form]
    return speedups


def relation_values(
    relation: Relation, profile: HardwareProfile, rows: pd.DataFrame, weight_copies: int | None
) -> tuple[Array, Array]:
    """The speedups that a relation gives for `rows`, and its dense latencies in microseconds."""
    speedups, dense_us = np.empty(len(rows)), np.empty(len(rows))
    for positions in rows.groupby("dtype").indices.values():
        whole = _shape(rows.iloc[positions], weight_copies)
        sparse = replace(whole, weights=WeightForm.SPARSE_2_4)
        machine = machine_of(profile, whole.precision.math)
        sides = sides_of(machine, operands_of(whole), operands_of(sparse), sparse)
        m, n, k = (np.asarray(side, dtype=np.float32) for side in (whole.m, whole.n, whole.k))
        at_a_time = TILES_PER_SM[kernel_generation(profile)]
        gain = relation_gain(replace(relation, tiles_per_sm=at_a_time), sides, m, n, k)
        speedups[positions], dense_us[positions] = gain.speedup, gain.dense_us
    return speedups, dense_us


def fit_relation(measured: Sequence[MeasuredPairs]) -> PhysicalFit:
    """Fit a relation to the log speedups of all `measured`."""

    def logs(values: Mapping[str, float]) -> Array:
        found = [
            relation_values(with_values(values), pairs.profile, pairs.rows, pairs.weight_copies)
            for pairs in measured
        ]
        return np.concatenate([_logs(speedups, dense_us) for speedups, dense_us in found])

    known = [
        _logs(*(pairs.rows[name].to_numpy(dtype=np.float64) for name in ("speedup", "dense_us")))
        for pairs in measured
    ]
    return fit_parameters(RELATION_SPACE, logs, np.concatenate(known))


def _logs(speedups: Array, dense_us: Array) -> Array:
    return np.concatenate((np.log(speedups), DENSE_WEIGHT * np.log(dense_us)))


def _shape(rows: pd.DataFrame, weight_copies: int | None) -> Gemm:
    """Dense GEMMs of rows of one data type."""
    m, n, k = (rows[name].to_numpy(dtype=np.float64) for name in ("m", "n", "k"))
    precision = precision_named(str(rows["dtype"].iloc[0]))
    return Gemm(m=m, n=n, k=k, precision=precision, weight_copies=weight_copies, act_quant=False)
