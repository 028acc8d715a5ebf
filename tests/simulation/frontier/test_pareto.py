"""Pareto sets: what dominates, what is not told apart, and who leads at which loss."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from infersim.simulation.frontier.pareto import (
    Band,
    Curve,
    Standing,
    bands,
    best_speedup,
    leading_family,
    standings,
)

POINTS = st.lists(st.tuples(st.floats(-5, 60), st.floats(0.5, 4)), min_size=1, max_size=12)
UNSURE = np.array([np.nan])


def judged(points: list[tuple[float, float]], width: float = 0.0, unsure: float = np.nan) -> list[Standing]:
    loss, speedup = np.array(points, dtype=float).T
    return standings(loss, np.full(len(points), unsure), np.log(speedup), lambda _j, _i: width)


def test_less_loss_and_more_speed_dominate() -> None:
    assert judged([(3, 1.1), (4, 1.05), (10, 1.3), (10, 1.2)]) == [
        Standing.FRONTIER,
        Standing.DOMINATED,
        Standing.FRONTIER,
        Standing.DOMINATED,
    ]


def test_within_the_interval_of_the_ratio_nothing_dominates() -> None:
    points = [(3.0, 1.10), (4.0, 1.05)]  # log(1.10 / 1.05) = 0.0465
    assert judged(points, width=0.046) == [Standing.FRONTIER, Standing.DOMINATED]
    assert judged(points, width=0.047) == [Standing.FRONTIER, Standing.NOT_TOLD_APART]


def test_losses_within_their_uncertainty_are_not_told_apart() -> None:
    points = [(3.0, 1.2), (4.0, 1.1)]
    assert judged(points, unsure=0.5) == [Standing.FRONTIER, Standing.DOMINATED]
    assert judged(points, unsure=0.6) == [Standing.FRONTIER, Standing.NOT_TOLD_APART]


def test_equal_points_do_not_dominate_each_other() -> None:
    assert judged([(3, 1.1), (3, 1.1)]) == [Standing.FRONTIER, Standing.FRONTIER]


def test_a_point_without_a_speedup_is_unknown_and_dominates_nothing() -> None:
    loss = np.array([1.0, 2.0])
    found = standings(loss, np.full(2, np.nan), np.array([np.nan, 0.1]), lambda _j, _i: 0.0)
    assert found == [Standing.UNKNOWN, Standing.FRONTIER]


@given(POINTS)
@example([(0.0, 3.9999999999999996), (1.0, 4.0)])
def test_without_uncertainty_the_frontier_is_the_pareto_set(points: list[tuple[float, float]]) -> None:
    for (loss, speedup), standing in zip(points, judged(points), strict=True):
        gains = (
            (other, np.log(faster) - np.log(speedup)) for other, faster in points
        )  # as standings compare
        better = any(other <= loss and gain >= 0 and (other < loss or gain > 0) for other, gain in gains)
        assert (standing is Standing.DOMINATED) == better
        assert standing is not Standing.NOT_TOLD_APART


@given(POINTS, st.floats(0, 0.5), st.floats(0, 0.5))
def test_more_uncertainty_never_dominates_more(
    points: list[tuple[float, float]], width: float, more: float
) -> None:
    surer, less_sure = judged(points, width), judged(points, width + more)
    for one, other in zip(surer, less_sure, strict=True):
        assert (one is Standing.FRONTIER) == (other is Standing.FRONTIER)
        assert other is not Standing.DOMINATED or one is Standing.DOMINATED


@given(POINTS)
def test_bands_follow_each_other_and_only_frontier_points_lead(points: list[tuple[float, float]]) -> None:
    loss, speedup = np.array(points, dtype=float).T
    led = bands(loss, speedup)
    standing = judged(points)
    assert led[0].low == loss.min()
    assert led[-1].high == np.inf
    for band, following in pairwise(led):
        assert band.high == following.low
        assert speedup[band.leader] < speedup[following.leader]
    for band in led:
        # Two speedups that differ may have one logarithm.
        tied = np.log(speedup[band.leader]) in np.log(np.delete(speedup, band.leader))
        assert standing[band.leader] is Standing.FRONTIER or tied


def test_bands_by_hand() -> None:
    led = bands(np.array([6.0, 3.0, 4.0, 20.0]), np.array([1.2, 1.1, 1.05, np.nan]))
    assert led == [Band(low=3.0, high=6.0, leader=1), Band(low=6.0, high=np.inf, leader=0)]
    assert bands(np.array([1.0]), UNSURE) == []


def test_between_points_a_straight_line_counts_only_if_asked() -> None:
    curve = Curve(family="a", loss=np.array([2.0, 6.0]), speedup=np.array([1.1, 1.3]))
    allowed = np.array([1.0, 2.0, 4.0, 6.0, 9.0])
    assert best_speedup(curve, allowed, interpolate=False).tolist() == [0.0, 1.1, 1.1, 1.3, 1.3]
    between = best_speedup(curve, allowed, interpolate=True)
    np.testing.assert_allclose(between, [0.0, 1.1, 1.2, 1.3, 1.3])


def test_the_leader_is_faster_than_dense_or_nobody() -> None:
    slow = Curve(family="slow", loss=np.array([0.0]), speedup=np.array([0.9]))
    fast = Curve(family="fast", loss=np.array([5.0]), speedup=np.array([1.2]))
    found = leading_family([slow, fast], np.array([1.0, 5.0]), interpolate=False)
    assert found == ["", "fast"]


@pytest.mark.parametrize("interpolate", [True, False])
@given(points=POINTS)
def test_a_greater_allowance_is_never_slower(interpolate: bool, points: list[tuple[float, float]]) -> None:
    loss, speedup = np.array(sorted(points), dtype=float).T
    curve = Curve(family="a", loss=loss, speedup=speedup)
    reached = best_speedup(curve, np.linspace(-6, 70, 40), interpolate=interpolate)
    assert (np.diff(reached) >= -1e-9).all()
