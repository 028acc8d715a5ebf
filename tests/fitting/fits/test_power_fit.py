"""The power of a board from metered kernels: known parameters come back, and few rows say little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from infersim.cost.energy import POWER
from infersim.domain.fit import Fit
from infersim.domain.profile import HardwareProfile
from infersim.fitting.calibration import calibrate
from infersim.fitting.fits.power_fit import LEAST_US, fit_power, metered_rows
from infersim.fitting.validation.validation import validate
from infersim.profile_files.fit_files import read_fit, write_fit
from infersim.profile_files.profiles import load_profile
from infersim.simulation.kernels.gemm import gemm_latency
from tests.fitting.synthetic_samples import known_kind, known_profile

KNOWN = {"idle_share": 0.25, "busy_share": 0.2, "picojoule_per_flop": 0.4, "picojoule_per_byte": 60.0}


def board() -> HardwareProfile:
    """An H100 with a known law of power."""
    kind = replace(known_kind("gemm.bf16"), kind=POWER.name, parameters=KNOWN, ranges={})
    return known_profile(known_kind("gemm.bf16", half_width=0.1), kind)


def metered(rows: int, noise: float = 0.02) -> pd.DataFrame:
    """GEMMs as that board runs them and as a meter reads it."""
    rng = np.random.default_rng(7)
    m = 2.0 ** rng.integers(0, 14, rows)
    n, k = (512.0 * rng.integers(1, 32, rows) for _ in range(2))
    latency = gemm_latency(board(), m, n, k)
    frame = pd.DataFrame({"gpu": "h100-sxm", "kind": "gemm", "dtype": "bf16", "m": m, "n": n, "k": k})
    watts = latency.watts * np.exp(noise * rng.standard_normal(rows))
    return frame.assign(weight_copies=np.nan, latency_us=latency.latency_s * 1e6, power_w=watts)


def bare_board() -> HardwareProfile:
    gpu = board()
    assert gpu.fit is not None
    kinds = {name: kind for name, kind in gpu.fit.kinds.items() if name != POWER.name}
    return replace(gpu, fit=Fit(gpu=gpu.name, kinds=kinds, provenance={}))


def test_known_parameters_come_back() -> None:
    frame = metered(360)
    found = fit_power(bare_board(), metered_rows(frame, board()))
    assert found.parameters["busy_share"] == pytest.approx(KNOWN["busy_share"], rel=0.1)
    assert found.parameters["picojoule_per_flop"] == pytest.approx(KNOWN["picojoule_per_flop"], rel=0.15)
    assert found.parameters["picojoule_per_byte"] == pytest.approx(KNOWN["picojoule_per_byte"], rel=0.15)
    assert found.held_out["mape"] < 0.025
    assert found.interval.by_regime["all"] == pytest.approx(1.28 * 0.02, rel=0.3)


def test_short_kernels_are_over_before_a_meter_answers() -> None:
    frame = metered(300)
    rows = metered_rows(frame, board())
    assert 0 < len(rows) < len(frame)
    assert rows["latency_us"].min() >= LEAST_US
    unlimited = replace(board(), chip=replace(board().chip, tdp_w=None))
    assert metered_rows(frame, unlimited).empty
    assert metered_rows(frame.drop(columns="power_w"), board()).empty


def test_one_row_leaves_the_law_where_the_datasheet_has_it() -> None:
    rows = metered_rows(metered(300), board()).iloc[:1]
    found = fit_power(bare_board(), rows)
    assert found.rows == 1
    for name, value in POWER.defaults.items():
        assert found.parameters[name] == pytest.approx(value, rel=2.0), name


def test_validation_shows_watts_beside_microseconds() -> None:
    gpu = board()
    errors = validate(gpu, metered(200)).errors
    (power,) = errors[(errors["kind"] == "power") & (errors["division"] == "all")].to_dict("records")
    assert power["mape"] < 0.03
    assert 0 < power["rows"] < errors["rows"].max()


def test_a_law_travels_in_the_fit_file(tmp_path: object) -> None:
    gpu = board()
    assert gpu.fit is not None
    path = f"{tmp_path}/h100-sxm.fit.json"
    write_fit(gpu.fit, path)
    assert read_fit(path).kinds[POWER.name].parameters == KNOWN
    assert load_profile("h100-sxm").name == gpu.name


@pytest.mark.slow
def test_calibrate_fits_power_with_the_rest() -> None:
    fitted = calibrate(load_profile("h100-sxm"), metered(120))
    assert fitted.fit is not None
    assert {"gemm.bf16", "power"} <= set(fitted.fit.provenance["fitted"])
    power = gemm_latency(fitted, 8192, 4096, 4096).power
    assert power is not None
    assert power.calibration == "fitted"
