"""`calibrate --pool`: from the fits of several GPUs to the pool that all other GPUs' predictions lean on."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd

from infersim.domain.arrays import Array
from infersim.domain.errors import InvalidValueError
from infersim.domain.fit import IntervalFit
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.fitting.fits.kind_fit import log_latency_of, log_measured, with_kind
from infersim.fitting.fits.parameter_space import ParameterSpace
from infersim.fitting.fits.recipes import recipes
from infersim.fitting.samples.shapes import kernel_shapes
from infersim.fitting.transfer.joint_fit import MeasuredGpu
from infersim.fitting.transfer.left_out import (
    PooledGpu,
    left_out_errors,
    left_out_interval,
    with_fitted_values,
)
from infersim.fitting.transfer.relating import relate
from infersim.fitting.transfer.spreads import prior_of
from infersim.fitting.transfer.surrogate import is_related, poolable, surrogate_samples
from infersim.transfer.borrowing import FEWEST_GPUS, transferred_kind
from infersim.transfer.gpu_facts import facts_of
from infersim.transfer.pool import FormatRelation, Pool, PooledKind, PooledParameter


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
    return Pool(gpus=gpus, kinds=kinds, provenance=record, relations=_relations(profiles, kinds))


BASE = "gemm.bf16"
"""What formats are related to."""


def _relations(
    profiles: Sequence[HardwareProfile], kinds: Mapping[str, PooledKind]
) -> dict[str, FormatRelation]:
    """Each format that some GPU was fitted in and that is not pooled, related to 16 bit."""
    if BASE not in kinds:
        return {}
    behind: dict[str, list[HardwareProfile]] = {}
    for profile in profiles:
        based = profile.fit is not None and BASE in profile.fit.kinds
        for kind in profile.fit.kinds.values() if profile.fit and based else ():
            if is_related(kind):
                behind.setdefault(kind.kind, []).append(profile)
    if not behind:
        return {}
    gpus = [_pooled_gpu(p, BASE) for p in profiles if p.fit and BASE in p.fit.kinds]
    without = cache(lambda left: _bases_without(kinds[BASE], gpus, left))
    bases = _found(kinds[BASE].parameters)
    return {kind: relate(kind, BASE, several, bases, without) for kind, several in sorted(behind.items())}


def _found(parameters: Mapping[str, PooledParameter]) -> dict[str, dict[str, float]]:
    """Values by GPU, of parameters by GPU."""
    gpus = dict.fromkeys(gpu for parameter in parameters.values() for gpu in parameter.found)
    return {gpu: {name: each.found[gpu] for name, each in parameters.items()} for gpu in gpus}


def _bases_without(
    pooled: PooledKind, gpus: Sequence[PooledGpu], left: str
) -> Mapping[str, Mapping[str, float]]:
    """The base on all GPUs from a joint fit without one of them, which has what the others say."""
    others = [gpu for gpu in gpus if gpu.profile.name != left]
    if len(others) < FEWEST_GPUS:
        return _found(pooled.parameters)
    parameters = with_fitted_values(
        pooled.parameters, [gpu.measured for gpu in others], [gpu.profile.name for gpu in others]
    )
    known = {gpu.profile.name: gpu.measured.facts for gpu in others}
    target = next(gpu.measured.facts for gpu in gpus if gpu.profile.name == left)
    said = transferred_kind(replace(pooled, parameters=parameters), target, known)
    return {**_found(parameters), left: said.parameters}


def _pool_kind(kind: str, profiles: Sequence[HardwareProfile]) -> PooledKind:
    gpus = [_pooled_gpu(profile, kind) for profile in profiles]
    recipe = next(recipes(profiles[0], gpus[0].samples))[0]
    prior = _parameters(kind, recipe.space)
    fits = [profile.fit.kinds[kind] for profile in profiles if profile.fit]
    pooled = PooledKind(
        kind=kind,
        parameters=with_fitted_values(
            prior, [gpu.measured for gpu in gpus], [gpu.profile.name for gpu in gpus]
        ),
        interval=IntervalFit(by_regime={}, pair=0.0, outside=0.0),
        deviation=1.0,
        ranges={
            name: known_range([fit.ranges[name] for fit in fits if name in fit.ranges])
            for name in recipe.range_columns
        },
        weight_copies=fits[0].weight_copies,
    )
    errors = left_out_errors(pooled, gpus)
    deviation = float(np.mean([each.deviation for each in errors]))
    return replace(
        pooled,
        deviation=deviation,
        interval=left_out_interval(recipe, gpus, errors, deviation),
        left_out={"groups": "whole GPUs", "mape": {each.gpu: round(each.mape, 4) for each in errors}},
    )


def _pooled_gpu(profile: HardwareProfile, kind: str) -> PooledGpu:
    samples = surrogate_samples(profile, kind)
    return PooledGpu(profile=profile, samples=samples, measured=_measured(profile, kind, samples))


def known_range(ranges: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Lowest and highest of what at least two GPUs were sampled on: one alone says nothing of others."""
    lows, highs = sorted(low for low, _ in ranges), sorted(high for _, high in ranges)
    return lows[FEWEST_GPUS - 1], highs[-FEWEST_GPUS]


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
