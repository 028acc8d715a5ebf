"""`calibrate --pool`: from the fits of several GPUs to the pool that all other GPUs' predictions lean on."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from infersim.domain.arrays import Array
from infersim.domain.errors import InvalidValueError
from infersim.domain.fit import IntervalFit
from infersim.domain.pool import GpuFacts, Pool, PooledKind, PooledParameter
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.fitting.intervals import OUTSIDE_WIDENING, conformal_quantile
from infersim.fitting.kind_fit import Recipe, log_latency, log_latency_of, log_measured, with_kind
from infersim.fitting.metrics import error_summary
from infersim.fitting.parameter_space import ParameterSpace
from infersim.fitting.recipes import recipes
from infersim.fitting.sample_shapes import kernel_shapes
from infersim.fitting.transfer.joint_fit import MeasuredGpu, fit_jointly
from infersim.fitting.transfer.spreads import prior_of
from infersim.fitting.transfer.surrogate import poolable, surrogate_samples
from infersim.profile_files.gpu_facts import facts_of
from infersim.profile_files.kriging import transfer
from infersim.profile_files.transfer import FEWEST_GPUS, mean_deviation, transferred_kind


def pool_fits(profiles: Sequence[HardwareProfile], **provenance: object) -> Pool:
    """Learn from calibrated profiles what to expect of any other GPU; kinds that two of them have.

    Raises InvalidValueError for a profile that was not fitted itself, and where there are not two.
    """
    for profile in profiles:
        if profile.calibration is not Calibration.FITTED:
            raise InvalidValueError("pool", profile.name, "a GPU with a fit of its own")
    names = [profile.name for profile in profiles]
    if len(set(names)) < FEWEST_GPUS or len(set(names)) < len(names):
        raise InvalidValueError("pool", ", ".join(names), "the fits of at least two GPUs, each once")
    behind: dict[str, list[HardwareProfile]] = {}
    for profile in profiles:
        assert profile.fit is not None
        for kind in profile.fit.kinds.values():
            if poolable(kind):
                behind.setdefault(kind.kind, []).append(profile)
    kinds = {
        kind: _pool_kind(kind, several)
        for kind, several in sorted(behind.items())
        if len(several) >= FEWEST_GPUS
    }
    record = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "fits": {profile.name: dict(profile.fit.provenance) for profile in profiles if profile.fit},
        **provenance,
    }
    gpus = {profile.name: facts_of(profile) for profile in profiles}
    return Pool(gpus=gpus, kinds=kinds, provenance=record)


def _pool_kind(kind: str, profiles: Sequence[HardwareProfile]) -> PooledKind:
    samples = [surrogate_samples(profile, kind) for profile in profiles]
    recipe = next(recipes(profiles[0], samples[0]))[0]
    prior = _parameters(kind, recipe.space)
    gpus = [_measured(profile, kind, rows) for profile, rows in zip(profiles, samples, strict=True)]
    found = fit_jointly(gpus, prior)
    parameters = {
        name: replace(
            parameter,
            found={profile.name: values[name] for profile, values in zip(profiles, found, strict=True)},
        )
        for name, parameter in prior.items()
    }
    fits = [profile.fit.kinds[kind] for profile in profiles if profile.fit]
    facts = {profile.name: facts_of(profile) for profile in profiles}
    pooled = PooledKind(
        kind=kind,
        parameters=parameters,
        interval=IntervalFit(by_regime={}, pair=0.0, outside=0.0),
        deviation=_left_out_deviation(parameters, facts),
        ranges={
            name: (max(fit.ranges[name][0] for fit in fits), min(fit.ranges[name][1] for fit in fits))
            for name in recipe.range_columns
        },
        weight_copies=fits[0].weight_copies,
    )
    errors = [
        _left_out_errors(pooled, profile, facts, rows)
        for profile, rows in zip(profiles, samples, strict=True)
    ]
    return replace(
        pooled,
        interval=_interval(recipe, samples, errors, [fit.interval for fit in fits]),
        left_out={
            "groups": "whole GPUs",
            "mape": {
                profile.name: round(error_summary(np.exp(-e), np.ones(len(e))).mape, 4)
                for profile, e in zip(profiles, errors, strict=True)
            },
        },
    )


def _parameters(kind: str, space: ParameterSpace) -> dict[str, PooledParameter]:
    chosen = {}
    for parameter in space.parameters:
        prior = prior_of(kind, parameter.name, log=parameter.log)
        chosen[parameter.name] = PooledParameter(
            law=prior.law,
            log=parameter.log,
            low=parameter.low,
            high=parameter.high,
            typical=parameter.start if prior.typical is None else prior.typical,
            spread=prior.spread,
            found={},
        )
    return chosen


def _measured(profile: HardwareProfile, kind: str, samples: pd.DataFrame) -> MeasuredGpu:
    shapes = list(kernel_shapes(samples))

    def modelled(values: Mapping[str, float]) -> Array:
        return log_latency_of(with_kind(profile, kind, values), shapes, len(samples))

    return MeasuredGpu(facts=facts_of(profile), measured=log_measured(samples), modelled=modelled)


def _left_out_deviation(parameters: Mapping[str, PooledParameter], facts: Mapping[str, GpuFacts]) -> float:
    """Mean over GPUs of the root mean square deviation when each is predicted from the others."""
    each = [
        mean_deviation([transfer(p, facts[name], _without(facts, name)) for p in parameters.values()])
        for name in facts
    ]
    return float(np.mean(each))


def _without(facts: Mapping[str, GpuFacts], name: str) -> dict[str, GpuFacts]:
    return {other: known for other, known in facts.items() if other != name}


def _left_out_errors(
    pooled: PooledKind, profile: HardwareProfile, facts: Mapping[str, GpuFacts], samples: pd.DataFrame
) -> Array:
    """Natural log of a GPU's latencies over what the other GPUs say of it."""
    said = transferred_kind(pooled, facts[profile.name], _without(facts, profile.name))
    return log_measured(samples) - log_latency(with_kind(profile, pooled.kind, said.parameters), samples)


def _interval(
    recipe: Recipe, samples: Sequence[pd.DataFrame], errors: Sequence[Array], own: Sequence[IntervalFit]
) -> IntervalFit:
    """Half-widths of leaving GPUs out; what the fits themselves miss of their GPUs adds in quadrature."""
    together = np.concatenate(errors)
    regimes = np.concatenate([recipe.regime(rows) for rows in samples])
    by_regime = {}
    for index, name in enumerate(recipe.regime_names):
        missed = [interval.by_regime[name] for interval in own if name in interval.by_regime]
        if missed and np.any(regimes == index):
            width = conformal_quantile(together[regimes == index])
            by_regime[name] = float(np.hypot(width, np.mean(missed)))
    differences = np.concatenate(
        [_related_differences(recipe, rows, each) for rows, each in zip(samples, errors, strict=True)]
    )
    pair = conformal_quantile(differences) if len(differences) else conformal_quantile(together) * 2**0.5
    return IntervalFit(
        by_regime=by_regime,
        pair=float(np.hypot(pair, np.mean([interval.pair for interval in own]))),
        outside=OUTSIDE_WIDENING * max(by_regime.values()),
    )


def _related_differences(recipe: Recipe, samples: pd.DataFrame, errors: Array) -> Array:
    """Differences of errors of one GPU's kernels that are related as a pruned one is to the dense one."""
    features = recipe.features(samples)
    at = np.stack([features[name] for name in recipe.pair_features], axis=1)
    large = np.flatnonzero((at >= np.array(recipe.pair_least)).all(axis=1))
    first, second = (large[index] for index in np.triu_indices(len(large), k=1))
    near = np.flatnonzero((np.abs(at[first] - at[second]) <= np.array(recipe.pair_reach)).all(axis=1))
    differences: Array = errors[first[near]] - errors[second[near]]
    return differences
