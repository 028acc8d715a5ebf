"""From fits of a format on some GPUs to what sets it apart from 16 bit on others: an offset a parameter.

Offsets are fitted on all GPUs at once, from the joint fit of the base, whose parameters do not trade with
each other as those of single fits do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from infersim.domain.arrays import Array
from infersim.domain.fit import IntervalFit
from infersim.domain.profile import HardwareProfile
from infersim.fitting.fits.intervals import OUTSIDE_WIDENING, conformal_quantile, error_summary, related_pairs
from infersim.fitting.fits.kind_fit import Recipe, log_latency_of, log_measured, with_kind
from infersim.fitting.fits.parameter_space import ParameterSpace
from infersim.fitting.fits.recipes import recipes
from infersim.fitting.samples.shapes import kernel_shapes
from infersim.fitting.transfer.joint_fit import MeasuredGpu, fit_jointly
from infersim.fitting.transfer.surrogate import surrogate_samples
from infersim.transfer.gpu_facts import facts_of
from infersim.transfer.pool import FormatRelation, RelatedParameter
from infersim.transfer.relations import moved, offset_of, transferred_offsets

REGIME_ERRORS = 25.0
"""A regime's own quantile counts like so many errors of all kernels."""

Values = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Measured:
    """A format on one GPU: what its fit says of kernels, and how parameters price those."""

    profile: HardwareProfile
    samples: pd.DataFrame
    measured: Array
    modelled: Callable[[Values], Array]


def relate(
    kind: str,
    base: str,
    profiles: Sequence[HardwareProfile],
    bases: Mapping[str, Values],
    bases_without: Callable[[str], Mapping[str, Values]],
) -> FormatRelation:
    """Relate `kind`, which all `profiles` were fitted in, to `base`.

    `bases` are the base's values by GPU; `bases_without` gives those where a GPU is left out of what they
    stand on: the others' own, and what they say of it.
    """
    gpus = [_measured(profile, kind) for profile in profiles]
    recipe = next(recipes(profiles[0], gpus[0].samples))[0]
    fits = [profile.fit.kinds[kind] for profile in profiles if profile.fit]
    names = {name for fit in fits for name in fit.ranges}
    relation = FormatRelation(
        kind=kind,
        base=base,
        parameters=_offsets(kind, recipe.space, gpus, bases),
        interval=IntervalFit(by_regime={}, pair=0.0, outside=0.0),
        ranges={
            name: (min(fit.ranges[name][0] for fit in fits), max(fit.ranges[name][1] for fit in fits))
            for name in sorted(names)
        },
        weight_copies=fits[0].weight_copies,
    )
    errors = [_left_out(relation, recipe.space, left, gpus, bases_without) for left in gpus]
    mape = {
        gpu.profile.name: round(error_summary(np.exp(-each), np.ones(len(each))).mape, 4)
        for gpu, each in zip(gpus, errors, strict=True)
    }
    return replace(
        relation,
        interval=_interval(recipe, kind, gpus, errors),
        left_out={"groups": "whole GPUs", "mape": mape},
    )


def _measured(profile: HardwareProfile, kind: str) -> _Measured:
    samples = surrogate_samples(profile, kind)
    shapes = list(kernel_shapes(samples))

    def modelled(values: Values) -> Array:
        return log_latency_of(with_kind(profile, kind, values), shapes, len(samples))

    return _Measured(profile=profile, samples=samples, measured=log_measured(samples), modelled=modelled)


def _offsets(
    kind: str, space: ParameterSpace, gpus: Sequence[_Measured], bases: Mapping[str, Values]
) -> dict[str, RelatedParameter]:
    """The offsets of all GPUs, each its own and all held together by the prior."""
    related = {
        parameter.name: RelatedParameter(
            log=parameter.log,
            low=parameter.low,
            high=parameter.high,
            typical=parameter.start,
            offsets={},
        )
        for parameter in space.parameters
    }

    def by_offsets(gpu: _Measured) -> MeasuredGpu:
        base = bases[gpu.profile.name]
        return MeasuredGpu(
            facts=facts_of(gpu.profile),
            measured=gpu.measured,
            modelled=lambda offsets: gpu.modelled(moved(related, base, offsets)),
        )

    priors = {name: offset_of(name, kind, log=each.log, found={}) for name, each in related.items()}
    found = fit_jointly([by_offsets(gpu) for gpu in gpus], priors)
    names = [gpu.profile.name for gpu in gpus]
    return {
        name: replace(each, offsets=dict(zip(names, (of_gpu[name] for of_gpu in found), strict=True)))
        for name, each in related.items()
    }


def _left_out(
    relation: FormatRelation,
    space: ParameterSpace,
    left: _Measured,
    gpus: Sequence[_Measured],
    bases_without: Callable[[str], Mapping[str, Values]],
) -> Array:
    """Natural log of a GPU's latencies over what the others say of them; alone, over its own offsets."""
    others = [gpu for gpu in gpus if gpu is not left] or [left]
    bases = bases_without(left.profile.name)
    without = replace(relation, parameters=_offsets(relation.kind, space, others, bases))
    known = {gpu.profile.name: facts_of(gpu.profile) for gpu in others}
    offsets = transferred_offsets(without, facts_of(left.profile), known)
    said = {name: each.value for name, each in offsets.items()}
    return left.measured - left.modelled(moved(without.parameters, bases[left.profile.name], said))


def _interval(recipe: Recipe, kind: str, gpus: Sequence[_Measured], errors: Sequence[Array]) -> IntervalFit:
    """80 % half-widths: root mean squares over GPUs of each one's quantile, and what its own fit misses."""
    owns = [gpu.profile.fit.kinds[kind].interval for gpu in gpus if gpu.profile.fit]
    overall = _mean_square([conformal_quantile(each) for each in errors])
    regimes = [recipe.regime(gpu.samples) for gpu in gpus]
    by_regime = {}
    for index, name in enumerate(recipe.regime_names):
        widths = []
        for each, regime, own in zip(errors, regimes, owns, strict=True):
            inside = each[regime == index]
            if len(inside):
                weight = len(inside) / (len(inside) + REGIME_ERRORS)
                width = weight * conformal_quantile(inside) + (1 - weight) * overall
                widths.append(float(np.hypot(width, own.by_regime.get(name, 0.0))))
        by_regime[name] = _mean_square(widths) if widths else overall
    pairs = [
        conformal_quantile(_differences(recipe, gpu.samples, each))
        for gpu, each in zip(gpus, errors, strict=True)
    ]
    known = [float(np.hypot(pair, own.pair)) for pair, own in zip(pairs, owns, strict=True) if pair == pair]
    return IntervalFit(
        by_regime=by_regime,
        pair=_mean_square(known) if known else overall,
        outside=OUTSIDE_WIDENING * max(by_regime.values()),
    )


def _mean_square(widths: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(np.square(widths))))


def _differences(recipe: Recipe, samples: pd.DataFrame, errors: Array) -> Array:
    """Differences of errors of kernels that are related as a pruned one is to the dense."""
    features = recipe.features(samples)
    at = np.stack([features[name] for name in recipe.pair_features], axis=1)
    pairs = related_pairs(at, recipe.pair_reach, recipe.pair_least)
    differences: Array = errors[pairs[:, 0]] - errors[pairs[:, 1]]
    return differences
