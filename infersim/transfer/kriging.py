"""How parameters of GPUs are related, and what some say of another: partial pooling, in closed form.

Coordinates over GPUs are normal around the typical value. Their covariance adds what all GPUs share, what a
generation shares, what goes along with the datasheet, and what is each GPU's own. The expectation for a new
GPU given the known ones is then a weighted sum (simple kriging, Krige 1951; random effects in statistics).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from infersim.domain.arrays import Array
from infersim.transfer.gpu_facts import covariates, expert_kernels, law_offset
from infersim.transfer.pool import GpuFacts, PooledParameter, Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """A parameter on a new GPU: value, standard deviation of its coordinate, weight of each known GPU."""

    value: float
    deviation: float
    weights: Mapping[str, float]


def covariance(spread: Spread, facts: Sequence[GpuFacts]) -> Array:
    """Covariance of one parameter's coordinates over these GPUs."""
    rate, memory = np.array([covariates(each) for each in facts]).T
    kind = [(each.vendor, each.generation) for each in facts]
    same_generation = np.array([[a == b for a in kind] for b in kind])
    links = np.array([each.links for each in facts])
    same_links = (links[:, np.newaxis] == links) & (links != "")
    kernels = np.array([expert_kernels(each) for each in facts])
    same_kernels = (kernels[:, np.newaxis] == kernels) & (kernels != "")
    shared: Array = (
        spread.shared**2
        + spread.generation**2 * same_generation
        + spread.links**2 * same_links
        + spread.kernels**2 * same_kernels
        + spread.own**2 * np.eye(len(facts))
        + spread.rate**2 * np.outer(rate, rate)
        + spread.memory**2 * np.outer(memory, memory)
    )
    return shared


def coordinate(parameter: PooledParameter, value: float, facts: GpuFacts) -> float:
    """The coordinate of a value on a GPU."""
    return (math.log(value) if parameter.log else value) - law_offset(parameter.law, facts)


def value_at(parameter: PooledParameter, coordinate: float, facts: GpuFacts) -> float:
    """The value of a coordinate on a GPU, within the parameter's limits."""
    x = coordinate + law_offset(parameter.law, facts)
    return float(np.clip(math.exp(x) if parameter.log else x, parameter.low, parameter.high))


def transfer(parameter: PooledParameter, target: GpuFacts, known: Mapping[str, GpuFacts]) -> Transferred:
    """The parameter on `target` from the GPUs in `known` where it was found; typical where none is."""
    names = [name for name in parameter.found if name in known]
    weights, deviation = _weights(parameter.spread, tuple(known[name] for name in names), target)
    typical = math.log(parameter.typical) if parameter.log else parameter.typical
    distance = sum(
        weight * (coordinate(parameter, parameter.found[name], known[name]) - typical)
        for name, weight in zip(names, weights, strict=True)
    )
    return Transferred(
        value=value_at(parameter, typical + distance, target),
        deviation=deviation,
        weights=dict(zip(names, weights, strict=True)),
    )


@lru_cache(maxsize=256)
def _weights(
    spread: Spread, known: tuple[GpuFacts, ...], target: GpuFacts
) -> tuple[tuple[float, ...], float]:
    """Weights of the known GPUs, and the standard deviation that is left: many parameters share them."""
    joint = covariance(spread, [*known, target])
    weights = np.linalg.solve(joint[:-1, :-1], joint[:-1, -1])
    variance = float(joint[-1, -1] - weights @ joint[:-1, -1])
    return tuple(weights.tolist()), math.sqrt(max(variance, 0.0))
