"""Comparisons along a number of the datasheet: physics at its ends, `compare` itself at the own value."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import infersim as sim
from infersim.domain.errors import FileContentError, InvalidValueError, UnknownNameError
from infersim.profile_files.ranges import ImplausibleValueWarning
from infersim.pruning.plan import Plan
from infersim.simulation.speedups.hardware_sweep import compare_along, even_steps, overtakings, stretches

BANDWIDTH, MODEL = "memory.bandwidth_gb_s", "llama-3.1-8b"
OWN = 3350.0
FAMILIES = ("static-m", "static-nk", "static-k-lowrank", "kv-pruning")


def plans() -> list[Plan]:
    model = sim.load_model(MODEL)
    return [sim.prune(model, family, 0.5) for family in FAMILIES]


@pytest.fixture(scope="module")
def decode() -> pd.DataFrame:
    values = even_steps(1675, 6700, 3)
    return compare_along(MODEL, plans(), "h100-sxm", BANDWIDTH, values, phase="decode", context=8192)


def test_the_own_value_is_among_them_and_is_what_compare_says(decode: pd.DataFrame) -> None:
    assert sorted(decode["value"].unique()) == [1675, OWN, 4187.5, 6700]
    own = decode[decode["own"]].reset_index(drop=True)
    assert set(own["value"]) == {OWN}
    compared = sim.compare(MODEL, plans(), "h100-sxm", phase="decode", context=8192)
    pd.testing.assert_frame_equal(own[list(compared.columns)], compared)


def test_rows_keep_the_name_of_the_gpu_and_say_how_they_were_calibrated(decode: pd.DataFrame) -> None:
    assert set(decode["gpu"]) == {"h100-sxm"}
    assert set(decode.loc[decode["own"], "calibration"]) == {"fitted"}
    assert set(decode.loc[~decode["own"], "calibration"]) == {"borrowed"}


def test_more_bandwidth_makes_decoding_faster_but_never_by_more_than_its_factor(decode: pd.DataFrame) -> None:
    for _, rows in decode.groupby("plan"):
        rows = rows.sort_values("value")
        ratio = rows["value"].to_numpy()[1:] / rows["value"].to_numpy()[:-1]
        for column in ("dense_ms", "latency_ms", "floor_ms"):
            gained = rows[column].to_numpy()[:-1] / rows[column].to_numpy()[1:]
            assert (gained > 1).all()
            assert (gained <= ratio * (1 + 1e-9)).all()


def test_bounds_of_decoding_stay_while_launches_eat_more_of_what_pruning_saves(decode: pd.DataFrame) -> None:
    # At one sequence every kernel is bound by memory, on any of these bandwidths: floors scale alike.
    for plan, rows in decode.groupby("plan"):
        assert np.ptp(rows["bound"]) < 0.01 * rows["bound"].mean(), plan
    for family in ("static-nk", "static-k-lowrank"):
        gains = decode[decode["family"] == family].sort_values("value")["predicted"]
        assert gains.is_monotonic_decreasing


def test_half_the_tensor_rate_doubles_the_floor_of_a_prefill() -> None:
    key = "matrix.bf16.flop_per_clock_per_sm"
    found = compare_along(MODEL, plans()[1:2], "l4", key, [512.0], phase="prefill", context=2048)
    slow, fast = (found[found["value"] == value].iloc[0] for value in (512, 1024))
    assert fast["dense_ms"] < slow["dense_ms"]
    assert fast["floor_ms"] == pytest.approx(slow["floor_ms"] / 2, rel=0.05)
    # Both are bound by multiplying: what pruning could gain at most stays.
    assert fast["bound"] == pytest.approx(slow["bound"], rel=0.02)


def test_sms_come_whole_and_a_transferred_gpu_is_transferred_anew() -> None:
    found = compare_along(MODEL, plans()[:1], "l4", "chip.sm_count", [29.2, 116.0], context=1024)
    assert sorted(found["value"]) == [29, 58, 116]
    assert set(found["calibration"]) == {"transferred"}
    assert found.sort_values("value")["dense_ms"].is_monotonic_decreasing


@pytest.mark.parametrize(
    ("key", "values", "error"),
    [
        ("memory.speed", [1.0], UnknownNameError),
        (BANDWIDTH, [], InvalidValueError),
        (BANDWIDTH, [float("nan")], InvalidValueError),
        (BANDWIDTH, [-5.0], InvalidValueError),
        (BANDWIDTH, [3.35], FileContentError),  # TB/s
    ],
)
def test_what_cannot_be_swept_is_an_error(key: str, values: list[float], error: type[Exception]) -> None:
    with pytest.raises(error):
        compare_along(MODEL, plans()[:1], "h100-sxm", key, values, context=1024)


def test_one_number_of_several_gpus_is_warned_of_once() -> None:
    with pytest.warns(ImplausibleValueWarning) as caught:
        compare_along(MODEL, plans()[:1], "l4", BANDWIDTH, [45000.0, 50000.0, 60000.0], context=1024)
    assert [getattr(warning.message, "key", "") for warning in caught] == [BANDWIDTH]


def handmade(speedups: dict[str, list[float]], *, fits: bool = True) -> pd.DataFrame:
    rows = [
        {"plan": plan, "value": 10.0 * index, "predicted": speedup, "fits_memory": fits or plan != "a"}
        for plan, column in speedups.items()
        for index, speedup in enumerate(column)
    ]
    return pd.DataFrame(rows)


def test_stretches_say_who_leads_where() -> None:
    frame = handmade({"a": [2.0, 2.0, 1.0], "b": [1.0, 1.5, 1.5]})
    assert stretches(frame) == [("a", 0.0, 10.0), ("b", 20.0, 20.0)]
    assert stretches(handmade({"a": [2.0, 2.0], "b": [1.0, 1.5]}, fits=False)) == [("b", 0.0, 10.0)]


def test_an_overtaking_is_told_once_and_ties_are_none() -> None:
    # b draws level (within what is told apart), then passes.
    frame = handmade({"a": [2.0, 2.0, 2.0], "b": [1.8, 2.001, 2.2]})
    assert overtakings(frame) == [("b", "a", 0.0, 20.0)]
    assert overtakings(handmade({"a": [2.0, 2.0], "b": [1.8, 2.001]})) == []
