"""Fitting one kind of kernel: parameters, then the residual, then the intervals."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.cost.kernels import kernel_cost
from infersim.domain.arrays import Array
from infersim.domain.fit import Fit, IntervalFit, KindFit
from infersim.domain.profile import MEGA, Calibration, HardwareProfile
from infersim.domain.shapes import Shape
from infersim.fitting.fits.intervals import at_least, blended, error_summary, fit_intervals, related_pairs
from infersim.fitting.fits.least_squares import PhysicalFit, fit_parameters
from infersim.fitting.fits.parameter_space import ParameterSpace
from infersim.fitting.fits.smooth_residual import MAX_ROWS, Smooth, SmoothFit, fit_smooth
from infersim.fitting.samples.schema import WHAT_WAS_RUN
from infersim.fitting.samples.shapes import kernel_shapes
from infersim.fitting.samples.splits import canonical_order

PositionedShape: TypeAlias = tuple[npt.NDArray[np.intp], Shape]
"""Row positions, and the one shape record that holds them."""

PHYSICAL_ROWS = 1000
"""Rows that the parameters are fitted on; the residual sees up to MAX_ROWS."""

MIN_RESIDUAL_ROWS = 40
"""With fewer samples there is no residual: the parameters alone, with wider intervals."""

FEW_ROWS_HALF_WIDTH = 0.25
"""Half-width, natural log, that intervals have at least where errors are of rows that were fitted."""

OUTLIER_SPREADS = 8.0
"""Samples further from the physical model than this many robust standard deviations are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a kind is fitted.

    `features` gives the cost model's features of samples; `group_columns` are held out together.
    `weight_copies` is what most samples rotated over (None: cold). `regime` and `regime_names` divide the
    intervals; `pair_reach` and `pair_least` relate samples along `pair_features` (see `related_pairs`). With
    fewer samples than `least_rows` there is no residual.
    `of_kernels` marks rows whose times tell of kernels alone; parameters are fitted on those (None: all).
    """

    kind: str
    space: ParameterSpace
    smooths: tuple[Smooth, ...]
    features: Callable[[pd.DataFrame], Mapping[str, Array]]
    group_columns: tuple[str, ...]
    range_columns: tuple[str, ...]
    regime: Callable[[pd.DataFrame], npt.NDArray[np.intp]]
    regime_names: Sequence[str]
    weight_copies: int | None
    pair_features: tuple[str, ...]
    pair_reach: tuple[float, ...]
    pair_least: tuple[float, ...]
    least_rows: int = MIN_RESIDUAL_ROWS
    of_kernels: Callable[[pd.DataFrame], npt.NDArray[np.bool_]] | None = None


def fit_kind(
    profile: HardwareProfile, samples: pd.DataFrame, recipe: Recipe, prior: KindFit | None = None
) -> KindFit:
    """Fit one kind from its samples; any number of rows from one up.

    `prior` is what other GPUs say of the kind: with few samples parameters and intervals stay near it.
    """
    if prior is not None:
        space = recipe.space.held_to(prior.parameters, prior.uncertainties)
        recipe = replace(recipe, space=space)
    started = time.perf_counter()
    samples = _merged(canonical_order(samples))
    physical = _fit_physical(profile, spread(_of_kernels(samples, recipe), PHYSICAL_ROWS), recipe)
    rows = spread(samples, MAX_ROWS)
    residuals = log_measured(rows) - log_latency(with_kind(profile, recipe.kind, physical.values), rows)
    kept = _without_outliers(residuals)
    rows, residuals = rows[kept].reset_index(drop=True), residuals[kept]
    features = recipe.features(rows)
    at = np.stack([features[name] for name in recipe.pair_features], axis=1)
    pairs = related_pairs(at, recipe.pair_reach, recipe.pair_least)
    smooth = _fit_residual(recipe, rows, features, residuals, pairs)
    freedom = _spent_freedom(len(rows), physical.freedom)
    interval = fit_intervals(
        smooth.left_out_errors * freedom,
        recipe.regime(rows),
        recipe.regime_names,
        pairs,
        smooth.left_out_differences * freedom,
    )
    if prior is not None:
        interval = blended(interval, prior.interval, len(rows))
    elif len(rows) < recipe.least_rows:
        interval = at_least(interval, FEW_ROWS_HALF_WIDTH)
    return KindFit(
        kind=recipe.kind,
        parameters=physical.values,
        uncertainties=physical.uncertainties,
        at_bound=physical.at_bound,
        residuals=smooth.grids,
        interval=interval,
        ranges={
            name: (float(samples[name].min()), float(samples[name].max())) for name in recipe.range_columns
        },
        rows=len(samples),
        weight_copies=recipe.weight_copies,
        held_out=_held_out(rows, smooth.left_out_errors, recipe)
        | {"outliers_left_out": int((~kept).sum()), "fit_seconds": round(time.perf_counter() - started, 2)},
    )


def _merged(samples: pd.DataFrame) -> pd.DataFrame:
    """Rows that measured the same kernel as one, their median: repeated noise is no evidence."""
    what = [name for name in WHAT_WAS_RUN if name in samples.columns]
    median = samples.groupby(what, dropna=False)["latency_us"].transform("median")
    return samples.assign(latency_us=median).drop_duplicates(what, ignore_index=True)


def _of_kernels(samples: pd.DataFrame, recipe: Recipe) -> pd.DataFrame:
    """The rows that parameters are fitted on."""
    if recipe.of_kernels is None:
        return samples
    chosen = recipe.of_kernels(samples)
    return samples[chosen].reset_index(drop=True) if chosen.any() else samples


def _fit_physical(profile: HardwareProfile, rows: pd.DataFrame, recipe: Recipe) -> PhysicalFit:
    shapes = list(kernel_shapes(rows))

    def modelled(values: Mapping[str, float]) -> Array:
        return log_latency_of(with_kind(profile, recipe.kind, values), shapes, len(rows))

    return fit_parameters(recipe.space, modelled, log_measured(rows))


def _fit_residual(
    recipe: Recipe,
    rows: pd.DataFrame,
    features: Mapping[str, Array],
    residuals: Array,
    pairs: npt.NDArray[np.intp],
) -> SmoothFit:
    """Grids, and errors of samples and pairs when their groups are left out; the residuals, for few rows."""
    if len(rows) < recipe.least_rows or not recipe.smooths:
        differences = residuals[pairs[:, 0]] - residuals[pairs[:, 1]]
        return SmoothFit(grids=(), left_out_errors=residuals, left_out_differences=differences)
    groups = np.asarray(rows.groupby(list(recipe.group_columns)).ngroup(), dtype=np.intp)
    return fit_smooth(recipe.smooths, features, residuals, groups, pairs)


def spread(samples: pd.DataFrame, rows: int) -> pd.DataFrame:
    """At most `rows` samples, one drawn from each of as many equal parts of all in canonical order.

    Tables are grids: every n-th row of one would always have the same few contexts or widths.
    """
    if len(samples) <= rows:
        return samples
    within = np.random.default_rng(0).uniform(size=rows)
    positions = ((np.arange(rows) + within) * (len(samples) / rows)).astype(np.intp)
    return samples.iloc[positions].reset_index(drop=True)


def with_kind(profile: HardwareProfile, kind: str, values: Mapping[str, float]) -> HardwareProfile:
    """The profile with these parameters for `kind` and no residual for it."""
    candidate = KindFit(
        kind=kind,
        parameters=values,
        uncertainties={},
        at_bound=(),
        residuals=(),
        interval=IntervalFit(by_regime={}, pair=0.0, outside=0.0),
        ranges={},
        rows=0,
    )
    others = {} if profile.fit is None else dict(profile.fit.kinds)
    fit = Fit(gpu=profile.name, kinds=others | {kind: candidate}, provenance={})
    return replace(profile, fit=fit, calibration=Calibration.FITTED)


def log_measured(rows: pd.DataFrame) -> Array:
    """Natural log of measured microseconds."""
    logarithms: Array = np.log(rows["latency_us"].to_numpy(dtype=np.float64))
    return logarithms


def log_latency(profile: HardwareProfile, rows: pd.DataFrame) -> Array:
    """Natural log of predicted microseconds of samples, launch included."""
    return log_latency_of(profile, list(kernel_shapes(rows)), len(rows))


def log_latency_of(profile: HardwareProfile, shapes: Sequence[PositionedShape], rows: int) -> Array:
    """Natural log of predicted microseconds, launch included."""
    latency = np.empty(rows)
    for positions, shape in shapes:
        cost = kernel_cost(shape, profile)
        latency[positions] = (cost.kernel_s + cost.launch_s) * MEGA
    logarithms: Array = np.log(latency)
    return logarithms


def _without_outliers(residuals: Array) -> npt.NDArray[np.bool_]:
    centre = np.median(residuals)
    distance = np.abs(residuals - centre)
    robust_deviation = max(1.4826 * float(np.median(distance)), 0.02)
    kept: npt.NDArray[np.bool_] = distance <= OUTLIER_SPREADS * robust_deviation
    return kept


def _spent_freedom(rows: int, freedom: float) -> float:
    """How much larger errors on new samples are than the residuals that parameters were fitted to.

    sqrt((n + p) / (n - p)): least squares takes a share p / n of the variance out of its own residuals, and
    adds as much to what it predicts. With few rows it counts no more than half of them.
    """
    spent = min(freedom, rows / 2)
    return float(np.sqrt((rows + spent) / (rows - spent)))


def _held_out(rows: pd.DataFrame, errors: Array, recipe: Recipe) -> dict[str, Any]:
    """Error when whole groups are left out, in all and by regime."""
    regimes = recipe.regime(rows)
    measured = np.ones(len(errors))
    summary = error_summary(np.exp(-errors), measured)
    by_regime = {
        name: round(error_summary(np.exp(-errors[regimes == i]), measured[regimes == i]).mape, 4)
        for i, name in enumerate(recipe.regime_names)
        if np.any(regimes == i)
    }
    return {
        "groups": "whole " + ", ".join(recipe.group_columns),
        "mape": round(summary.mape, 4),
        "median_ape": round(summary.median_ape, 4),
        "p90_ape": round(summary.p90_ape, 4),
        "bias": round(summary.bias, 4),
        "mape_by_regime": by_regime,
    }
