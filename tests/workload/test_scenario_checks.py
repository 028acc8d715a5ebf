"""Scenarios that must be refused, and those that are merely flagged."""

from __future__ import annotations

import numpy as np
import pytest

from infersim.domain.errors import InvalidValueError
from infersim.workload.scenario_checks import MAX_BATCH, MAX_CONTEXT, check_scenario
from tests.workload.examples import MakeScenario, decode, prefill


@pytest.mark.parametrize(
    ("batch", "context"),
    [(1, 1), (MAX_BATCH, MAX_CONTEXT), (8.0, 1024.0), (np.array([[1], [8]]), np.array([1024, 32768]))],
)
@pytest.mark.parametrize("make", [prefill, decode])
def test_good_scenarios_pass(make: MakeScenario, batch: object, context: object) -> None:
    check_scenario(make(batch, context))


@pytest.mark.parametrize(
    "bad",
    [0, -3, 0.5, float("nan"), float("inf"), 2**30, 10**30, "8", True, None, np.array([4, 0]), np.array([])],
    ids=repr,
)
@pytest.mark.parametrize("key", ["batch", "context"])
def test_bad_numbers_are_named(key: str, bad: object) -> None:
    good = {"batch": 4, "context": 128}
    with pytest.raises(InvalidValueError, match=f"{key} = ") as caught:
        check_scenario(decode(**(good | {key: bad})))  # type: ignore[arg-type]  # wrong on purpose
    assert "expected" in str(caught.value)


def test_the_first_bad_entry_of_an_array_is_shown() -> None:
    with pytest.raises(InvalidValueError, match=r"batch = -7.*1048576"):
        check_scenario(decode(np.array([1, -7, 0]), 128))


def test_arrays_must_broadcast() -> None:
    with pytest.raises(InvalidValueError, match=r"context = .*\(3,\).*broadcasts with batch's, \(2,\)"):
        check_scenario(decode(np.array([1, 2]), np.array([1, 2, 3])))
