"""Intervals of sums and ratios, by hand and against drawn errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.domain.arrays import Array
from infersim.simulation.timing.op_costs import OpCosts
from infersim.simulation.timing.uncertainty import RHO, half_width_of_ratio, half_width_of_sum

NOTHING_UNCHANGED = np.asarray(False)


def op_costs(
    seconds: Sequence[float], widths: Sequence[float], groups: Sequence[str], pair: float = 0.0
) -> OpCosts:
    """Costs of ops in one scenario; only times, half-widths and error groups matter here."""
    times = np.array(seconds, dtype=np.float64)[:, np.newaxis]
    zeros = np.zeros_like(times)
    return OpCosts(
        flop=zeros,
        model_bytes=zeros,
        kernel_bytes=zeros,
        peak_s=zeros,
        matrix_s=zeros,
        stream_s=zeros,
        kernel_s=times,
        launch_s=zeros,
        log_half_width=np.array(widths, dtype=np.float64)[:, np.newaxis],
        pair_log_half_width=np.full_like(times, pair),
        limiter=zeros.astype(np.int8),
        in_range=zeros.astype(np.bool_),
        busy=zeros,
        error_group=np.array(groups),
    )


def ratio(dense: OpCosts, d: Sequence[str], plan: OpCosts, p: Sequence[str], *, unchanged: bool) -> Array:
    return half_width_of_ratio(dense, d, plan, p, np.asarray(unchanged))


def test_one_op_has_its_own_width() -> None:
    assert half_width_of_sum(op_costs([3.0], [0.2], ["gemm"]), ["a"]) == pytest.approx(0.2)


def test_equal_ops_of_a_group_average_their_own_part_only() -> None:
    costs = op_costs([1.0] * 4, [0.2] * 4, ["gemm"] * 4)
    expected = 0.2 * np.sqrt(RHO + (1 - RHO) / 4)
    assert half_width_of_sum(costs, ["a", "b", "c", "d"]) == pytest.approx(expected)


def test_groups_are_independent() -> None:
    costs = op_costs([1.0, 1.0], [0.2, 0.2], ["gemm", "attention"])
    assert half_width_of_sum(costs, ["a", "b"]) == pytest.approx(0.2 / np.sqrt(2))


def test_blocks_that_differ_are_no_more_certain_than_equal_ones() -> None:
    costs = op_costs([1.0] * 4, [0.2] * 4, ["gemm"] * 4)
    assert half_width_of_sum(costs, ["qkv"] * 4) == pytest.approx(0.2)


def test_a_model_against_itself_has_no_error() -> None:
    costs = op_costs([1.0, 2.0], [0.2, 0.4], ["gemm", "attention"], pair=0.3)
    assert ratio(costs, "ab", costs, "ab", unchanged=True) == pytest.approx(0.0, abs=1e-12)


def test_half_of_the_executions_of_everything_has_no_error() -> None:
    dense = op_costs([1.0, 2.0], [0.2, 0.4], ["gemm", "gemm"], pair=0.3)
    half = op_costs([0.5, 1.0], [0.2, 0.4], ["gemm", "gemm"], pair=0.3)
    assert ratio(dense, "ab", half, "ab", unchanged=True) == pytest.approx(0.0, abs=1e-12)


def test_one_changed_kernel_has_the_width_of_a_pair() -> None:
    dense, plan = (op_costs([time], [0.2], ["gemm"], pair=0.07) for time in (2.0, 1.0))
    assert ratio(dense, "a", plan, "a", unchanged=False) == pytest.approx(0.07)


def test_a_pair_is_never_less_certain_than_two_independent_kernels() -> None:
    dense, plan = (op_costs([time], [0.2], ["gemm"], pair=5.0) for time in (2.0, 1.0))
    expected = 0.2 * np.sqrt(2 * (1 - RHO))
    assert ratio(dense, "a", plan, "a", unchanged=False) == pytest.approx(expected)


def test_a_replaced_kernel_shares_the_common_part_only() -> None:
    dense, plan = (op_costs([time], [0.2], ["gemm"], pair=0.0) for time in (2.0, 1.0))
    expected = 0.2 * np.sqrt(2 * (1 - RHO))
    assert ratio(dense, ["qkv"], plan, ["qkv.a"], unchanged=False) == pytest.approx(expected)


def test_the_general_case_of_one_label_is_the_formula() -> None:
    # Weights 0.5 and 0.25 of a label on both sides; the rest is certain.
    dense = op_costs([1.0, 1.0], [0.2, 0.0], ["gemm", "memory"], pair=0.1)
    plan = op_costs([1.0, 3.0], [0.2, 0.0], ["gemm", "memory"], pair=0.1)
    v = (1 - RHO) * 0.2**2
    own = (0.5 - 0.25) ** 2 * v + 0.5 * 0.25 * 0.1**2
    common = RHO * (0.5 * 0.2 - 0.25 * 0.2) ** 2
    assert ratio(dense, "ab", plan, "ab", unchanged=False) == pytest.approx(np.sqrt(own + common))


def test_drawn_errors_spread_as_predicted() -> None:
    """Errors drawn as the docstring says: a matched changed pair, a matched equal one, two replaced ones."""
    dense = op_costs([4.0, 3.0, 2.0], [0.02, 0.03, 0.04], ["gemm", "attention", "gemm"], pair=0.015)
    plan = op_costs([2.0, 3.0, 1.5], [0.02, 0.03, 0.03], ["gemm", "attention", "gemm"], pair=0.015)
    unchanged = np.array([[False], [True], [False]])
    expected = half_width_of_ratio(dense, ("a", "b", "c"), plan, ("a", "b", "d"), unchanged)

    rng, draws = np.random.default_rng(1), 200_000
    common = {group: rng.standard_normal(draws) for group in ("gemm", "attention")}
    own, shared = np.sqrt(1 - RHO), np.sqrt(RHO)
    # Own parts of the changed pair: variance v each, and q^2 of their difference.
    v, q2 = (1 - RHO) * 0.02**2, 0.015**2
    pair = rng.multivariate_normal([0, 0], [[v, v - q2 / 2], [v - q2 / 2, v]], draws).T
    same = own * 0.03 * rng.standard_normal(draws)
    errors_dense = [
        shared * 0.02 * common["gemm"] + pair[0],
        shared * 0.03 * common["attention"] + same,
        shared * 0.04 * common["gemm"] + own * 0.04 * rng.standard_normal(draws),
    ]
    errors_plan = [
        shared * 0.02 * common["gemm"] + pair[1],
        shared * 0.03 * common["attention"] + same,
        shared * 0.03 * common["gemm"] + own * 0.03 * rng.standard_normal(draws),
    ]
    total_dense = sum(t * np.exp(e) for t, e in zip((4.0, 3.0, 2.0), errors_dense, strict=True))
    total_plan = sum(t * np.exp(e) for t, e in zip((2.0, 3.0, 1.5), errors_plan, strict=True))
    assert np.std(np.log(total_dense / total_plan)) == pytest.approx(expected[0], rel=0.02)
    assert np.std(np.log(total_dense)) == pytest.approx(
        half_width_of_sum(dense, ("a", "b", "c"))[0], rel=0.02
    )


seconds = st.lists(st.floats(1e-6, 1.0), min_size=3, max_size=3)
widths = st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3)


@given(dense=seconds, plan=seconds, one=widths, other=widths, pair=st.floats(0, 2))
def test_a_ratio_is_no_less_certain_than_its_two_sides_apart(
    dense: list[float], plan: list[float], one: list[float], other: list[float], pair: float
) -> None:
    groups = ["gemm", "gemm", "attention"]
    d, p = op_costs(dense, one, groups, pair), op_costs(plan, other, groups, pair)
    found = half_width_of_ratio(d, "abc", p, "abx", NOTHING_UNCHANGED)
    apart = half_width_of_sum(d, "abc") + half_width_of_sum(p, "abx")
    assert (found <= apart + 1e-9).all()
    assert (found >= 0).all()


@given(times=seconds, width=widths, factor=st.floats(0.1, 10))
def test_a_sum_lies_between_independence_and_lockstep(
    times: list[float], width: list[float], factor: float
) -> None:
    groups = ["gemm", "gemm", "attention"]
    costs = op_costs(times, width, groups)
    found = half_width_of_sum(costs, "abc")[0]
    contributions = np.array(times) / sum(times) * width
    assert np.sqrt(np.square(contributions).sum()) <= found + 1e-9
    assert found <= contributions.sum() + 1e-9
    scaled = op_costs([factor * time for time in times], width, groups)
    assert half_width_of_sum(scaled, "abc")[0] == pytest.approx(found)
