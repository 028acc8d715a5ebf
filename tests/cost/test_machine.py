"""What L2 keeps of a loop, and how long waves of work take."""

from __future__ import annotations

import numpy as np
import pytest

from infersim.cost.machine import at_least_one, filled_waves, kept_in_l2, missed_in_l2
from infersim.domain.arrays import Array

P = {"l2_residency": 0.5, "residency_sharpness": 15.0}
L2_BYTES = 40e6


def test_a_loop_finds_what_fits_and_nothing_of_what_does_not() -> None:
    touched = np.geomspace(1e5, 1e10, 50)
    kept = kept_in_l2(P, L2_BYTES, touched)
    assert (np.diff(kept) <= 0).all()
    assert kept[0] == pytest.approx(1)
    assert kept[-1] == pytest.approx(0)
    # Half is left where a loop touches just the part of L2 that a GPU uses for it.
    assert kept_in_l2(P, L2_BYTES, np.array(0.5 * L2_BYTES)) == pytest.approx(0.5)


@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_what_is_not_kept_is_missed(number: type[np.float32]) -> None:
    touched = np.geomspace(1e4, 1e12, 60).astype(number)
    kept, missed = kept_in_l2(P, L2_BYTES, touched), missed_in_l2(P, L2_BYTES, touched)
    assert kept.dtype == missed.dtype == number
    np.testing.assert_allclose(missed / touched, 1 - kept, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("load", "fill", "waves"),
    # 2.25 waves take 3; a fill of 1 makes them 2.25, one of 0.4 gives back 0.4 of the 0.75 that is lacking.
    [(2.25, 0.0, 3.0), (2.25, 1.0, 2.25), (2.25, 0.4, 2.7), (2.0, 0.4, 2.0), (0.1, 1.0, 1.0)],
)
def test_a_part_of_a_wave_takes_up_to_a_whole_one(load: float, fill: float, waves: float) -> None:
    assert filled_waves(at_least_one(np.array([load])), fill) == pytest.approx([waves])


def test_a_buffer_is_written_and_the_load_is_left() -> None:
    load: Array = np.array([[2.25, 1.0], [3.5, 1.5]])
    buffer = np.empty_like(load)
    assert filled_waves(load, 0.4, buffer=buffer) == pytest.approx(filled_waves(load, 0.4))
    assert buffer == pytest.approx(0.4 * (np.ceil(load) - load))
    assert load.tolist() == [[2.25, 1.0], [3.5, 1.5]]


def test_less_than_one_wave_takes_as_long_as_one() -> None:
    load: Array = np.array([[2.25, 0.5], [0.1, 1.5]])
    assert at_least_one(load).tolist() == [[2.25, 1.0], [1.0, 1.5]]
    assert load[0, 1] == 0.5
    assert at_least_one(load, out=load) is load
    assert load[0, 1] == 1.0
