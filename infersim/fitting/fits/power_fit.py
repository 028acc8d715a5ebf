"""Fitting the power of a board to metered kernels: samples with a `power_w` column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.cost.energy import POWER, kernel_energy_j, power_law
from infersim.cost.kernels import kernel_cost
from infersim.domain.arrays import Array
from infersim.domain.costs import KernelCost
from infersim.domain.fit import Fit, IntervalFit, KindFit
from infersim.domain.profile import MEGA, Calibration, HardwareProfile
from infersim.domain.shapes import Shape
from infersim.fitting.fits.intervals import OUTSIDE_WIDENING, conformal_quantile, error_summary
from infersim.fitting.fits.least_squares import PhysicalFit, fit_parameters
from infersim.fitting.fits.parameter_space import Parameter, ParameterSpace
from infersim.fitting.samples.shapes import kernel_shapes

LEAST_US = 20.0
"""A board's meter answers slowly: kernels that are shorter say more of the pauses between them."""

MAX_ROWS = 4000
FOLDS = 4

_BOUNDS: Mapping[str, tuple[float, float]] = {
    "idle_share": (0.02, 0.6),
    "busy_share": (0.01, 0.9),
    "picojoule_per_flop": (0.02, 20.0),
    "picojoule_per_byte": (2.0, 500.0),
}
_PULLS: Mapping[str, float] = {"idle_share": 5.0, "picojoule_per_byte": 1.0}
"""Kernels that load a board cannot tell its idle power from what each byte costs: both are held."""

_SPACE = ParameterSpace(
    tuple(
        Parameter(name=name, start=POWER.defaults[name], low=low, high=high, pull=_PULLS.get(name, 0.05))
        for name, (low, high) in _BOUNDS.items()
    )
)

_GROUPS = ("n", "k", "batch", "num_heads", "num_kv_heads", "read_bytes")
"""Columns whose rows are left out together."""

Metered = Sequence[tuple[npt.NDArray[np.intp], Shape, KernelCost]]


def metered_rows(samples: pd.DataFrame, profile: HardwareProfile) -> pd.DataFrame:
    """Samples that say what the board drew while a kernel of LEAST_US or more ran; none without a limit."""
    if "power_w" not in samples or profile.chip.tdp_w is None:
        return samples.iloc[:0]
    known = (samples["power_w"] > 0) & (samples["latency_us"] >= LEAST_US) & (samples["kind"] != "launch")
    return samples[known].reset_index(drop=True)


def fit_power(profile: HardwareProfile, metered: pd.DataFrame) -> KindFit:
    """The `power` kind from `metered_rows`; what few rows cannot say stays near the datasheet's."""
    every = -(-len(metered) // MAX_ROWS)
    rows = metered.iloc[::every].reset_index(drop=True)
    present = [name for name in _GROUPS if name in rows]
    groups = np.asarray(rows.groupby(present, dropna=False).ngroup(), dtype=np.intp)
    costs = _costs(profile, rows)
    measured = np.log(rows["power_w"].to_numpy(dtype=np.float64))
    errors = np.zeros(len(rows))
    folds = _folds(groups)
    for fold in np.unique(folds):
        left_out = folds == fold
        found = _fitted(profile, costs, measured, ~left_out) if not left_out.all() else None
        values = POWER.defaults if found is None else found.values
        errors[left_out] = (_log_watts(profile, costs, values, len(rows)) - measured)[left_out]
    whole = _fitted(profile, costs, measured, np.ones(len(rows), dtype=np.bool_))
    width = conformal_quantile(errors)
    summary = error_summary(np.exp(errors), np.ones(len(errors)))
    return KindFit(
        kind=POWER.name,
        parameters=whole.values,
        uncertainties=whole.uncertainties,
        at_bound=whole.at_bound,
        residuals=(),
        interval=IntervalFit(by_regime={"all": width}, pair=width, outside=OUTSIDE_WIDENING * width),
        ranges={},
        rows=len(metered),
        held_out={
            "groups": "whole " + ", ".join(present),
            "mape": round(summary.mape, 4),
            "median_ape": round(summary.median_ape, 4),
            "p90_ape": round(summary.p90_ape, 4),
            "bias": round(summary.bias, 4),
        },
    )


def _folds(groups: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """A fold for each row, whole groups together; the same for the same rows."""
    order = np.random.default_rng(0).permutation(int(groups.max(initial=0)) + 1)
    folds: npt.NDArray[np.intp] = order[groups] % FOLDS
    return folds


def _fitted(
    profile: HardwareProfile, costs: Metered, measured: Array, used: npt.NDArray[np.bool_]
) -> PhysicalFit:
    def modelled(values: Mapping[str, float]) -> Array:
        return _log_watts(profile, costs, values, len(measured))[used]

    return fit_parameters(_SPACE, modelled, measured[used])


def _costs(profile: HardwareProfile, rows: pd.DataFrame) -> Metered:
    """Each shape with its cost, the time in it as measured: the law of power is not to mend latencies."""
    seconds = rows["latency_us"].to_numpy(dtype=np.float64) / MEGA
    found = []
    for positions, shape in kernel_shapes(rows):
        cost = kernel_cost(shape, profile)
        launch_s = np.minimum(cost.launch_s, seconds[positions] / 2)
        kernel_s = seconds[positions] - launch_s
        found.append((positions, shape, replace(cost, kernel_s=kernel_s, launch_s=launch_s)))
    return found


def _log_watts(profile: HardwareProfile, costs: Metered, values: Mapping[str, float], rows: int) -> Array:
    law = power_law(_with_power(profile, values))
    assert law is not None
    watts = np.empty(rows)
    for positions, shape, cost in costs:
        joules = kernel_energy_j(shape, profile, cost, law)
        watts[positions] = joules / (cost.kernel_s + cost.launch_s)
    logarithms: Array = np.log(watts)
    return logarithms


def _with_power(profile: HardwareProfile, values: Mapping[str, float]) -> HardwareProfile:
    kind = KindFit(
        kind=POWER.name,
        parameters=values,
        uncertainties={},
        at_bound=(),
        residuals=(),
        interval=POWER.uncalibrated,
        ranges={},
        rows=0,
    )
    kinds = {} if profile.fit is None else dict(profile.fit.kinds)
    fit = Fit(gpu=profile.name, kinds=kinds | {POWER.name: kind}, provenance={})
    return replace(profile, fit=fit, calibration=Calibration.FITTED)
