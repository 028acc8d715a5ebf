"""How far predictions of a GPU from the others are off, and the intervals that follow from it.

Each pooled GPU is left out of the joint fit, not only of what is transferred from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from infersim.domain.arrays import Array
from infersim.domain.fit import IntervalFit
from infersim.domain.profile import HardwareProfile
from infersim.fitting.fits.intervals import OUTSIDE_WIDENING, conformal_quantile, error_summary, related_pairs
from infersim.fitting.fits.kind_fit import Recipe, log_latency, log_measured, with_kind
from infersim.fitting.transfer.joint_fit import MeasuredGpu, fit_jointly
from infersim.transfer.borrowing import mean_deviation, transferred_kind
from infersim.transfer.kriging import transfer
from infersim.transfer.pool import PooledKind, PooledParameter


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PooledGpu:
    """A GPU of the pool with the samples that its fit says, and these as the joint fit takes them."""

    profile: HardwareProfile
    samples: pd.DataFrame
    measured: MeasuredGpu


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeftOutErrors:
    """Natural log of a GPU's latencies over what the others say of them, one for each of its samples.

    `deviation` is how uncertain the others' word was: of its parameters, root mean square.
    """

    gpu: str
    errors: Array
    deviation: float

    @property
    def mape(self) -> float:
        """Mean absolute error of the predictions, as a fraction."""
        return error_summary(np.exp(-self.errors), np.ones(len(self.errors))).mape


def with_fitted_values(
    prior: Mapping[str, PooledParameter], gpus: Sequence[MeasuredGpu], names: Sequence[str]
) -> dict[str, PooledParameter]:
    """The parameters as a joint fit of these GPUs finds them."""
    fitted = fit_jointly(gpus, prior)
    return {
        parameter: replace(
            known, found={name: values[parameter] for name, values in zip(names, fitted, strict=True)}
        )
        for parameter, known in prior.items()
    }


def left_out_errors(pooled: PooledKind, gpus: Sequence[PooledGpu]) -> list[LeftOutErrors]:
    """Errors of each GPU when it is predicted from a joint fit of the others."""
    return [_without(pooled, left, [gpu for gpu in gpus if gpu is not left]) for left in gpus]


def _without(pooled: PooledKind, left: PooledGpu, others: Sequence[PooledGpu]) -> LeftOutErrors:
    names = [gpu.profile.name for gpu in others]
    parameters = with_fitted_values(pooled.parameters, [gpu.measured for gpu in others], names)
    known = {gpu.profile.name: gpu.measured.facts for gpu in others}
    target = left.measured.facts
    said = transferred_kind(replace(pooled, parameters=parameters), target, known)
    predicted = log_latency(with_kind(left.profile, pooled.kind, said.parameters), left.samples)
    return LeftOutErrors(
        gpu=left.profile.name,
        errors=log_measured(left.samples) - predicted,
        deviation=mean_deviation([transfer(p, target, known) for p in parameters.values()]),
    )


def left_out_interval(
    recipe: Recipe, gpus: Sequence[PooledGpu], left_out: Sequence[LeftOutErrors], deviation: float
) -> IntervalFit:
    """80 % half-widths for a GPU whose parameters are as uncertain as `deviation`.

    GPUs differ in how far they are off, and each counts once: half-widths are the root mean square over
    GPUs of each one's own 80 % quantile, scaled from its deviation. What a fit itself misses of its GPU, and
    so no sample of it tells, adds in quadrature. A regime's few errors count like those of all kernels.
    """
    owns = [gpu.profile.fit.kinds[recipe.kind].interval for gpu in gpus if gpu.profile.fit]
    means = [float(np.mean(list(own.by_regime.values()))) for own in owns]
    scales = [deviation / each.deviation for each in left_out]
    overall = _half_width([each.errors for each in left_out], means, scales)
    regimes = [recipe.regime(gpu.samples) for gpu in gpus]
    by_regime = {}
    for number, name in enumerate(recipe.regime_names):
        inside = [each.errors[regime == number] for each, regime in zip(left_out, regimes, strict=True)]
        missed = [own.by_regime.get(name, mean) for own, mean in zip(owns, means, strict=True)]
        if any(map(len, inside)):
            own_width = _half_width(inside, missed, scales)
            by_regime[name] = float(np.sqrt((own_width**2 + overall**2) / 2))
    related = [
        _related_differences(recipe, gpu.samples, each.errors)
        for gpu, each in zip(gpus, left_out, strict=True)
    ]
    pair = overall * 2**0.5
    if any(map(len, related)):
        pair = _half_width(related, [own.pair for own in owns], scales)
    return IntervalFit(by_regime=by_regime, pair=pair, outside=OUTSIDE_WIDENING * max(by_regime.values()))


def _half_width(errors: Sequence[Array], missed: Sequence[float], scales: Sequence[float]) -> float:
    """Root mean square over the GPUs that have errors."""
    widths = [
        np.hypot(conformal_quantile(each), own) * scale
        for each, own, scale in zip(errors, missed, scales, strict=True)
        if len(each)
    ]
    return float(np.sqrt(np.mean(np.square(widths))))


def _related_differences(recipe: Recipe, samples: pd.DataFrame, errors: Array) -> Array:
    """Differences of errors of one GPU's kernels that `related_pairs` pairs, as for the GPU's own fit."""
    features = recipe.features(samples)
    at = np.stack([features[name] for name in recipe.pair_features], axis=1)
    pairs = related_pairs(at, recipe.pair_reach, recipe.pair_least)
    differences: Array = errors[pairs[:, 0]] - errors[pairs[:, 1]]
    return differences
