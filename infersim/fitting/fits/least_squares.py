"""Robust least squares on log latency: the physical part of every fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from infersim.domain.arrays import Array
from infersim.fitting.fits.parameter_space import ParameterSpace

SOFT_ERROR = 0.1
"""Log error from which a sample pulls linearly instead of quadratically: outliers do not lead."""

STEP = 0.02
"""Forward-difference step in search coordinates; the models are smooth to about 1e-6 in float32."""

MAX_EVALUATIONS = 45
AT_BOUND = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicalFit:
    """Fitted values, one standard deviation of each (None: the samples say nothing), those at a bound.

    `freedom` is how many parameters the samples decide, as the trace of the hat matrix: a parameter that the
    start's pull holds counts in part.
    """

    values: Mapping[str, float]
    uncertainties: Mapping[str, float | None]
    at_bound: tuple[str, ...]
    freedom: float


def fit_parameters(
    space: ParameterSpace, log_latency: Callable[[Mapping[str, float]], Array], measured: Array
) -> PhysicalFit:
    """Fit `log_latency(values)`, an array like `measured` (natural log), in the space's bounds.

    Soft-L1 loss, the start's pull as extra residuals, forward differences of a fixed step.
    """
    from scipy.optimize import least_squares

    low, high = space.bounds
    start = np.clip(space.start, low, high)

    def residuals(x: Array) -> Array:
        return np.concatenate((log_latency(space.values(x)) - measured, space.pulls * (x - start)))

    def jacobian(x: Array) -> Array:
        return forward_differences(residuals, x, residuals(x), high)

    searches = [
        least_squares(
            residuals,
            np.clip(inside, low + 1e-9, high - 1e-9),
            jac=jacobian,
            bounds=(low, high),
            loss="soft_l1",
            f_scale=SOFT_ERROR,
            max_nfev=MAX_EVALUATIONS,
            ftol=1e-4,
        )
        for inside in space.starts
    ]
    best = min(searches, key=lambda search: search.cost)
    x: Array = best.x
    span = high - low
    at_bound = (x - low < AT_BOUND * span) | (high - x < AT_BOUND * span)
    slopes = jacobian(x)
    return PhysicalFit(
        values=space.values(x),
        uncertainties=_uncertainties(space, x, slopes, residuals(x)),
        at_bound=tuple(p.name for p, there in zip(space.parameters, at_bound, strict=True) if there),
        freedom=_freedom(slopes[: len(measured)], slopes),
    )


def forward_differences(function: Callable[[Array], Array], x: Array, here: Array, high: Array) -> Array:
    """The Jacobian (values x coordinates) at `x`, where `function` is `here`; no step goes above `high`."""
    columns = []
    for index in range(len(x)):
        step = -STEP if x[index] + STEP > high[index] else STEP
        moved = x.copy()
        moved[index] += step
        columns.append((function(moved) - here) / step)
    return np.stack(columns, axis=1)


def _freedom(of_samples: Array, with_pulls: Array) -> float:
    """Trace of the matrix that turns changes of the samples into changes of their fitted values."""
    return float(np.trace(of_samples.T @ of_samples @ np.linalg.pinv(with_pulls.T @ with_pulls)))


def _uncertainties(
    space: ParameterSpace, x: Array, jacobian: Array, residuals: Array
) -> dict[str, float | None]:
    """One standard deviation from the curvature at the solution, in the parameters' own units.

    A parameter that the samples do not move at all has none.
    """
    samples = len(residuals) - len(x)
    noise = float(np.mean(residuals[:samples] ** 2)) if samples else 0.0
    spread = np.sqrt(np.diag(np.linalg.pinv(jacobian.T @ jacobian)) * noise)
    moved = np.abs(jacobian[:samples]).max(axis=0, initial=0.0) > 1e-9
    return {
        p.name: float(sd * (np.exp(value) if p.log else 1.0)) if seen else None
        for p, value, sd, seen in zip(space.parameters, x, spread, moved, strict=True)
    }
