"""The physical fit: it finds known parameters, resists outliers, and says what it does not know."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from infersim.domain.arrays import Array
from infersim.fitting.fits.least_squares import fit_parameters
from infersim.fitting.fits.parameter_space import Parameter, ParameterSpace

SPACE = ParameterSpace(
    (
        Parameter(name="launch_us", start=3.0, low=0.1, high=50.0),
        Parameter(name="rate", start=1.0, low=0.01, high=100.0),
        Parameter(name="unused", start=2.0, low=0.1, high=10.0),
        Parameter(name="offset", start=0.0, low=-1.0, high=1.0, pull=0.5, log=False),
    )
)
WORK = 2.0 ** np.linspace(0, 16, 80)


def _model(values: Mapping[str, float]) -> Array:
    latency: Array = np.log(values["launch_us"] + WORK / values["rate"])
    return latency


def _measured(noise: float = 0.0) -> Array:
    return _model({"launch_us": 2.0, "rate": 7.0}) + np.random.default_rng(0).normal(0, noise, len(WORK))


def test_known_parameters_are_found() -> None:
    fit = fit_parameters(SPACE, _model, _measured())
    assert fit.values["launch_us"] == pytest.approx(2.0, rel=0.01)
    assert fit.values["rate"] == pytest.approx(7.0, rel=0.01)


def test_gross_outliers_cost_little() -> None:
    measured = _measured(0.02)
    measured[::20] += np.log(10.0)
    fit = fit_parameters(SPACE, _model, measured)
    assert fit.values["launch_us"] == pytest.approx(2.0, rel=0.1)
    assert fit.values["rate"] == pytest.approx(7.0, rel=0.1)


def test_what_samples_do_not_move_stays_and_has_no_uncertainty() -> None:
    fit = fit_parameters(SPACE, _model, _measured(0.02))
    assert fit.values["unused"] == pytest.approx(2.0)
    assert fit.uncertainties["unused"] is None
    assert 1.8 < fit.freedom < 2.1  # two of three: what nothing moves is no freedom
    uncertainty = fit.uncertainties["rate"]
    assert uncertainty is not None
    assert 0 < uncertainty < 0.5


def test_a_parameter_at_its_bound_is_named() -> None:
    narrow = ParameterSpace((SPACE.parameters[0], Parameter(name="rate", start=1.0, low=0.5, high=3.0)))
    assert fit_parameters(narrow, _model, _measured()).at_bound == ("rate",)


def test_one_sample_does_not_crash() -> None:
    fit = fit_parameters(SPACE, lambda values: _model(values)[:1], _measured()[:1])
    assert all(np.isfinite(value) for value in fit.values.values())
