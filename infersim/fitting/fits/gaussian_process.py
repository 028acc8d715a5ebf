"""A Gaussian process for the smooth residual: what the physical model leaves, as a sum of components.

Each component has an exponential (Laplace) kernel of a weighted L1 distance between its features: rough
enough for kernels that a library switches between, and good with few samples. Length scales are fixed;
amplitudes and noise come from the evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from infersim.domain.arrays import Array

EVIDENCE_ROWS = 500
"""Rows that amplitudes and noise are learned from; more would cost time and change little."""

CHUNK = 256
"""Points predicted at once: their distances to the samples stay in cache."""

_Float = TypeVar("_Float", np.float32, np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Length scales of a component's features, and the amplitude it starts from."""

    length_scales: tuple[float, ...]
    amplitude: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """A conditioned process. `features` are the samples' (rows x features), one array a component."""

    features: tuple[Array, ...]
    amplitudes: Array
    noise: float
    weights: Array
    inverse: Array

    def mean(self, component: int, features: Array) -> Array:
        """Expected residual of one component at new points (rows x features, already scaled)."""
        at, points = self.features[component].astype(np.float32), features.astype(np.float32)
        weights = (self.weights * self.amplitudes[component] ** 2).astype(np.float32)
        parts = [
            np.exp(-_distance(points[i : i + CHUNK], at)) @ weights for i in range(0, len(points), CHUNK)
        ]
        mean: Array = np.concatenate(parts).astype(np.float64)
        return mean

    def left_out(self, values: Array, groups: npt.NDArray[np.intp]) -> Array:
        """Errors of predicting each group's `values` from all other groups, in closed form."""
        errors: Array = np.empty_like(values)
        for group in np.unique(groups):
            rows = np.flatnonzero(groups == group)
            errors[rows] = np.linalg.solve(self.inverse[np.ix_(rows, rows)], self.weights[rows])
        return errors

    def left_out_differences(self, groups: npt.NDArray[np.intp], pairs: npt.NDArray[np.intp]) -> Array:
        """Error of each pair's first sample less that of its second (pairs x 2 rows), both groups left out.

        Left out one at a time, each of two neighbours would be predicted from the other's measurement, and
        their errors would differ more than those of two kernels that were both never seen.
        """
        differences = np.empty(len(pairs))
        labels = np.sort(groups[pairs], axis=1)
        for left_out in np.unique(labels, axis=0):
            rows = np.flatnonzero(np.isin(groups, left_out))
            errors = np.linalg.solve(self.inverse[np.ix_(rows, rows)], self.weights[rows])
            of_these = np.flatnonzero((labels == left_out).all(axis=1))
            first, second = np.searchsorted(rows, pairs[of_these].T)
            differences[of_these] = errors[first] - errors[second]
        return differences


def scaled(component: Component, features: Array) -> Array:
    """Features (rows x features) in units of the component's length scales."""
    in_scales: Array = features / np.array(component.length_scales)
    return in_scales


def condition(components: Sequence[Component], features: Sequence[Array], values: Array) -> Posterior:
    """Learn amplitudes and noise, then condition on all samples; `features` as from `scaled`."""
    subset = _spread_rows(len(values))
    kernels = [np.exp(-_distance(f[subset], f[subset])) for f in features]
    amplitudes, noise = _most_likely(components, kernels, values[subset])
    kernel = sum(
        (a**2 * np.exp(-_distance(f, f)) for a, f in zip(amplitudes, features, strict=True)),
        start=noise**2 * np.eye(len(values)),
    )
    inverse = np.linalg.inv(kernel)
    return Posterior(
        features=tuple(features),
        amplitudes=amplitudes,
        noise=noise,
        weights=inverse @ values,
        inverse=inverse,
    )


def _distance(a: npt.NDArray[_Float], b: npt.NDArray[_Float]) -> npt.NDArray[_Float]:
    """L1 distances of all rows of `a` to all rows of `b`."""
    total = np.zeros((len(a), len(b)), dtype=a.dtype)
    for column in range(a.shape[1]):
        total += np.abs(a[:, column : column + 1] - b[:, column])
    return total


def _spread_rows(rows: int) -> npt.NDArray[np.intp]:
    """At most EVIDENCE_ROWS row positions, spread evenly over the samples' order."""
    return np.unique(np.linspace(0, rows - 1, min(rows, EVIDENCE_ROWS)).astype(np.intp))


def _most_likely(
    components: Sequence[Component], kernels: Sequence[Array], values: Array
) -> tuple[Array, float]:
    """Amplitudes and noise that maximise the evidence, with a weak pull to the components' own."""
    from scipy.linalg import cho_factor, cho_solve
    from scipy.optimize import minimize

    rows = len(values)
    start = np.log(np.array([*(c.amplitude for c in components), 0.05]))

    def negative_evidence(log_sizes: Array) -> tuple[float, Array]:
        squares = np.exp(2 * log_sizes)
        parts = [square * kernel for square, kernel in zip(squares, kernels, strict=False)]
        total = sum(parts, start=(squares[-1] + 1e-9) * np.eye(rows))
        factor = cho_factor(total, lower=True)
        inverse = cho_solve(factor, np.eye(rows))
        weights = inverse @ values
        slope = inverse - np.outer(weights, weights)
        gradient = [float((slope * part).sum()) for part in parts] + [squares[-1] * float(np.trace(slope))]
        pull = 0.5 * (log_sizes - start)
        evidence = 0.5 * values @ weights + float(np.log(np.diag(factor[0])).sum())
        return float(evidence + 0.5 * (pull * pull).sum()), np.array(gradient) + 0.5 * pull

    optimum = minimize(
        negative_evidence,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(-7.0, 0.0)] * len(components) + [(-5.0, -0.5)],
        options={"maxiter": 25},
    )
    sizes = np.exp(optimum.x)
    return sizes[:-1], float(sizes[-1])
