"""One fit of a kind's parameters on several GPUs at once: each GPU its own, all held together by the prior.

Fitted alone, a GPU's parameters trade with each other (launch with prologue, efficiency with throttling), and
an average of such trades describes no GPU. Fitted together, only what the samples insist on differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from infersim.domain.arrays import Array
from infersim.fitting.fits.least_squares import SOFT_ERROR, forward_differences
from infersim.transfer.gpu_facts import law_offset
from infersim.transfer.kriging import covariance, value_at
from infersim.transfer.pool import GpuFacts, PooledParameter

NOISE = 0.25
"""Log error of one sample as evidence: the model's errors repeat over similar kernels, so it is not small."""

ITERATIONS = 10
LONGEST_STEP = 0.7
"""In coordinates, natural log: the models are far from linear beyond a factor of two."""

ENOUGH = 2e-3
"""A step that lowers the cost by less than this share ends the search."""

DAMPING = (1e-2, 5.0, 6)
"""Of Levenberg and Marquardt: its start, the factor it moves by, how often it may rise in a step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredGpu:
    """One GPU: its facts, natural log of its samples' latencies, and of those that values predict."""

    facts: GpuFacts
    measured: Array
    modelled: Callable[[Mapping[str, float]], Array]


def fit_jointly(
    gpus: Sequence[MeasuredGpu], parameters: Mapping[str, PooledParameter]
) -> list[dict[str, float]]:
    """Values of `parameters` on each GPU: the maximum a posteriori, by damped Gauss-Newton.

    The loss of samples is soft-L1, as in `least_squares`; coordinates are normal with the covariance of each
    parameter's spread. `found` of the parameters is not read.
    """
    search = _Search(gpus, parameters)
    coordinates = search.start()
    cost, errors = search.cost(coordinates)
    damping, factor, rises = DAMPING
    for _ in range(ITERATIONS):
        curvature, slope = search.normal_equations(coordinates, errors)
        for _ in range(rises):
            damped = curvature + damping * np.diag(np.diag(curvature))
            step = np.linalg.solve(damped, slope).reshape(coordinates.shape)
            moved = search.inside(coordinates + np.clip(step, -LONGEST_STEP, LONGEST_STEP))
            moved_cost, moved_errors = search.cost(moved)
            if moved_cost < cost:
                break
            damping *= factor
        else:
            break
        gain, cost = cost - moved_cost, moved_cost
        coordinates, errors, damping = moved, moved_errors, damping / factor
        if gain < ENOUGH * cost:
            break
    return [search.values(gpu, x) for gpu, x in zip(gpus, coordinates, strict=True)]


class _Search:
    """The problem as arrays: coordinates are GPUs x parameters."""

    def __init__(self, gpus: Sequence[MeasuredGpu], parameters: Mapping[str, PooledParameter]) -> None:
        self.gpus, self.parameters = gpus, parameters
        self.names = list(parameters)
        chosen = list(parameters.values())
        facts = [gpu.facts for gpu in gpus]
        self.typical = np.array([np.log(p.typical) if p.log else p.typical for p in chosen])
        self.precision = [np.linalg.inv(covariance(p.spread, facts)) for p in chosen]
        offsets = np.array([[law_offset(p.law, each) for p in chosen] for each in facts])
        self.low = np.array([np.log(p.low) if p.log else p.low for p in chosen]) - offsets
        self.high = np.array([np.log(p.high) if p.log else p.high for p in chosen]) - offsets

    def start(self) -> Array:
        return self.inside(np.tile(self.typical, (len(self.gpus), 1)))

    def inside(self, coordinates: Array) -> Array:
        clipped: Array = np.clip(coordinates, self.low, self.high)
        return clipped

    def values(self, gpu: MeasuredGpu, x: Array) -> dict[str, float]:
        return {
            name: value_at(self.parameters[name], float(at), gpu.facts)
            for name, at in zip(self.names, x, strict=True)
        }

    def errors_of(self, gpu: MeasuredGpu, x: Array) -> Array:
        return gpu.modelled(self.values(gpu, x)) - gpu.measured

    def cost(self, coordinates: Array) -> tuple[float, list[Array]]:
        errors = [self.errors_of(gpu, x) for gpu, x in zip(self.gpus, coordinates, strict=True)]
        soft = [2 * SOFT_ERROR**2 * (np.sqrt(1 + (e / SOFT_ERROR) ** 2) - 1).sum() for e in errors]
        away = (coordinates - self.typical).T
        prior = sum(x @ precision @ x for x, precision in zip(away, self.precision, strict=True))
        return sum(soft) / NOISE**2 + float(prior), errors

    def normal_equations(self, coordinates: Array, errors: Sequence[Array]) -> tuple[Array, Array]:
        """Curvature and downhill slope; samples weigh as the soft-L1 loss has them at their errors."""
        count, size = len(self.gpus), len(self.names)
        curvature, slope = np.zeros((count * size, count * size)), np.zeros(count * size)
        for index, gpu in enumerate(self.gpus):
            jacobian = forward_differences(
                partial(self.errors_of, gpu), coordinates[index], errors[index], self.high[index]
            )
            weights = 1 / np.sqrt(1 + (errors[index] / SOFT_ERROR) ** 2) / NOISE**2
            own = slice(index * size, (index + 1) * size)
            weighted = jacobian * weights[:, np.newaxis]
            curvature[own, own] = weighted.T @ jacobian
            slope[own] = -weighted.T @ errors[index]
        for position, precision in enumerate(self.precision):
            at = np.arange(count) * size + position
            curvature[np.ix_(at, at)] += precision
            slope[at] -= precision @ (coordinates[:, position] - self.typical[position])
        return curvature, slope
