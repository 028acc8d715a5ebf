"""From what the physical model leaves to residual grids: a Gaussian process, evaluated once at every knot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infersim.domain.arrays import Array
from infersim.domain.fit import GridAxis, ResidualGrid
from infersim.fitting.fits.gaussian_process import Component, Posterior, condition, scaled

LARGEST_RESIDUAL = 0.6
"""Log residuals are clipped here: beyond, a sample tells of itself, not of its neighbours."""

HOLD_ABOVE = (
    *("log2 m", "log2 query", "log2 context", "log2 batch", "log2 heads in flight"),
    "log2 bytes",
)
"""Features of how much work there is: beyond the samples a kernel goes on as it did at their edge."""

MAX_ROWS = 2000
"""Rows that the process is conditioned on; more would take minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smooth:
    """One component of the residual.

    `axes` are the features of the cost model that its grid spans, `knots_per_unit` how fine each is.
    `derive` turns values of those features (by name) into the process's own (rows x features).
    """

    component: Component
    axes: tuple[str, ...]
    knots_per_unit: tuple[float, ...]
    derive: Callable[[Mapping[str, Array]], Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothFit:
    """Grids to ship, and errors (natural log) of predicting samples whose whole groups are left out.

    `left_out_errors` one a sample; `left_out_differences` one a pair, of its first sample less its second.
    """

    grids: tuple[ResidualGrid, ...]
    left_out_errors: Array
    left_out_differences: Array


def fit_smooth(
    smooths: Sequence[Smooth],
    features: Mapping[str, Array],
    residuals: Array,
    groups: npt.NDArray[np.intp],
    pairs: npt.NDArray[np.intp],
) -> SmoothFit:
    """Fit the residuals (natural log of measured over modelled) of at most MAX_ROWS samples.

    `features` by name; `groups` integer labels of what is left out together; `pairs` (pairs x 2) samples
    whose errors are compared.
    """
    inputs = [scaled(s.component, s.derive({name: features[name] for name in s.axes})) for s in smooths]
    clipped = np.clip(residuals, -LARGEST_RESIDUAL, LARGEST_RESIDUAL)
    posterior = condition([s.component for s in smooths], inputs, clipped)
    beyond = residuals - clipped
    grids = tuple(_grid(s, i, posterior, features) for i, s in enumerate(smooths))
    return SmoothFit(
        grids=grids,
        left_out_errors=posterior.left_out(clipped, groups) + beyond,
        left_out_differences=posterior.left_out_differences(groups, pairs)
        + (beyond[pairs[:, 0]] - beyond[pairs[:, 1]]),
    )


def _grid(smooth: Smooth, index: int, posterior: Posterior, features: Mapping[str, Array]) -> ResidualGrid:
    axes = tuple(
        _axis(name, features[name], per_unit)
        for name, per_unit in zip(smooth.axes, smooth.knots_per_unit, strict=True)
    )
    knots = [np.linspace(axis.low, axis.high, axis.count) for axis in axes]
    mesh = np.meshgrid(*knots, indexing="ij")
    points = {name: at.ravel() for name, at in zip(smooth.axes, mesh, strict=True)}
    values = posterior.mean(index, scaled(smooth.component, smooth.derive(points)))
    return ResidualGrid(axes=axes, values=values.reshape(mesh[0].shape).astype(np.float32))


def _axis(name: str, values: Array, knots_per_unit: float) -> GridAxis:
    low, high = float(np.floor(values.min())), float(np.ceil(values.max()))
    high = max(high, low + 1.0)
    count = max(round((high - low) * knots_per_unit), 1) + 1
    return GridAxis(name=name, low=low, high=high, count=count, holds_above=name in HOLD_ABOVE)
