"""Residual grids: linear between knots, additive, fading outside."""

from __future__ import annotations

import numpy as np
import pytest

from infersim.cost.residual import residual_correction
from infersim.domain.fit import GridAxis, ResidualGrid


def _plane() -> ResidualGrid:
    """0.1 x + 0.01 y on [0, 4] x [0, 2], which linear interpolation reproduces."""
    x, y = np.meshgrid(np.linspace(0, 4, 5), np.linspace(0, 2, 3), indexing="ij")
    axes = (GridAxis(name="x", low=0, high=4, count=5), GridAxis(name="y", low=0, high=2, count=3))
    return ResidualGrid(axes=axes, values=(0.1 * x + 0.01 * y).astype(np.float32))


def _at(**features: float) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float32]]]:
    return {name: np.array([value], dtype=np.float32) for name, value in features.items()}


@pytest.mark.parametrize(("x", "y"), [(0, 0), (4, 2), (1.25, 0.5), (3.9, 1.99)])
def test_a_plane_comes_back(x: float, y: float) -> None:
    assert residual_correction((_plane(),), _at(x=x, y=y)) == pytest.approx(0.1 * x + 0.01 * y, abs=1e-6)


def test_grids_add_up() -> None:
    point = _at(x=2.0, y=1.0)
    assert residual_correction((_plane(), _plane()), point) == pytest.approx(0.42, abs=1e-6)


@pytest.mark.parametrize(("x", "share"), [(4.0, 1.0), (5.0, 0.5), (6.0, 0.0), (60.0, 0.0), (-1.0, 0.5)])
def test_a_correction_fades_over_two_octaves_outside(x: float, share: float) -> None:
    edge = 0.1 * min(max(x, 0.0), 4.0) + 0.02
    assert residual_correction((_plane(),), _at(x=x, y=2.0)) == pytest.approx(share * edge, abs=1e-6)
