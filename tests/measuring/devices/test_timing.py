"""The timeline of a measurement, against a clock that only moves when it is told to."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.domain.errors import InvalidValueError
from infersim.measuring.devices.timing import (
    TRIAL_ROUNDS,
    Budget,
    HostStopwatch,
    quantile,
    time_calls,
    uncertainty,
)
from tests.measuring.fake_clock import FakeStopwatch, Kernel

BUDGET = Budget(repeat_us=1000, warm_up_us=2000, budget_us=50_000, least_repeats=5, most_repeats=20)


def test_a_steady_kernel_is_measured_exactly_and_only_as_often_as_needed() -> None:
    clock = FakeStopwatch()
    kernel = Kernel(clock, [10.0])

    timing = time_calls(clock, [kernel], budget=BUDGET)

    assert timing.latency_us == timing.median_us == pytest.approx(10.0)
    assert timing.spread_us == pytest.approx(0.0)
    assert timing.calls_per_repeat == 100  # 1000 us of 10 us each
    assert timing.raw_us == pytest.approx([10.0] * BUDGET.least_repeats)
    assert timing.settled
    # The first call, the trials, two replays of 1000 us to warm up, five repeats.
    assert kernel.calls == 1 + TRIAL_ROUNDS + 2 * 100 + 5 * 100


def test_the_first_call_and_the_warm_up_do_not_count() -> None:
    clock = FakeStopwatch()
    slow_start = chain([1e5], repeat(30.0, TRIAL_ROUNDS), repeat(25.0, 2 * 34 + 34), repeat(10.0, 10_000))

    timing = time_calls(clock, [Kernel(clock, slow_start)], budget=BUDGET)

    assert timing.calls_per_repeat == 34  # 1000 us of trials of 30 us each
    assert timing.latency_us == pytest.approx(10.0)


def test_every_copy_of_the_weights_has_its_turn_in_a_captured_round() -> None:
    clock = FakeStopwatch()
    kernels = [Kernel(clock, [4.0]), Kernel(clock, [6.0]), Kernel(clock, [20.0])]

    timing = time_calls(clock, kernels, budget=BUDGET)

    assert timing.calls_per_repeat == 3 * 34  # rounds of 30 us, 1000 us at least
    assert timing.latency_us == pytest.approx(10.0)
    assert len({kernel.calls for kernel in kernels}) == 1


def test_an_uncaptured_repeat_goes_on_where_the_last_one_stopped() -> None:
    clock = FakeStopwatch()
    kernels = [Kernel(clock, [400.0]) for _ in range(7)]

    timing = time_calls(clock, kernels, budget=BUDGET, whole_rounds=False)

    assert timing.calls_per_repeat == 3
    calls = [kernel.calls for kernel in kernels]
    assert max(calls) - min(calls) <= 1  # no copy is used twice before all others were


def test_what_is_captured_is_replayed() -> None:
    clock = FakeStopwatch()
    kernel = Kernel(clock, [10.0])

    def capture(work: Callable[[], object]) -> Callable[[], object]:
        work()
        return lambda: clock.spend(300.0)  # a graph: the host does not call the kernel again

    timing = time_calls(clock, [kernel], budget=BUDGET, capture=capture)

    assert timing.latency_us == pytest.approx(3.0)
    assert kernel.calls == 1 + TRIAL_ROUNDS + 100


def test_an_unsteady_kernel_is_repeated_until_the_budget_is_spent() -> None:
    clock = FakeStopwatch()
    durations = chain.from_iterable(repeat((2000.0, 6000.0)))

    timing = time_calls(clock, [Kernel(clock, durations)], budget=BUDGET)

    assert sum(timing.raw_us) >= BUDGET.budget_us
    assert sum(timing.raw_us[:-1]) < BUDGET.budget_us
    assert not timing.settled
    assert timing.spread_us is not None
    assert timing.spread_us > 1000


def test_the_number_of_repeats_is_bounded() -> None:
    clock = FakeStopwatch()
    durations = chain.from_iterable(repeat((1000.0, 1500.0)))

    timing = time_calls(clock, [Kernel(clock, durations)], budget=Budget(repeat_us=1, most_repeats=7))

    assert len(timing.raw_us) == 7


def test_very_slow_work_is_repeated_three_times_all_the_same() -> None:
    clock = FakeStopwatch()

    timing = time_calls(clock, [Kernel(clock, [1e6])], budget=BUDGET)

    assert len(timing.raw_us) == 3


def test_a_graph_holds_no_more_calls_than_the_budget_allows() -> None:
    clock = FakeStopwatch()
    kernel = Kernel(clock, [0.001])

    timing = time_calls(clock, [kernel], budget=Budget(most_calls=50, warm_up_us=1))

    assert timing.calls_per_repeat == 50


def test_the_lower_quartile_leaves_the_time_of_other_programs_behind() -> None:
    """Of eight repeats in turn five are disturbed: the median is, the lower quartile is not."""
    clock = FakeStopwatch()
    disturbed = chain(
        repeat(1000.0, 1 + TRIAL_ROUNDS + 2),
        chain.from_iterable(repeat((1000.0, 1000.0, 4000.0, 1000.0, 4000.0, 4000.0, 4000.0, 4000.0))),
    )

    timing = time_calls(
        clock,
        [Kernel(clock, disturbed)],
        budget=Budget(
            repeat_us=1000, warm_up_us=2000, budget_us=1e9, least_repeats=40, most_repeats=40, quantile=0.25
        ),
    )

    assert timing.latency_us == pytest.approx(1000.0)
    assert timing.median_us == pytest.approx(4000.0)


def test_nothing_to_time_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="at least one call"):
        time_calls(FakeStopwatch(), [], budget=BUDGET)


def test_a_clock_that_stands_still_ends_all_the_same() -> None:
    timing = time_calls(FakeStopwatch(), [lambda: None], budget=Budget(most_calls=10, warm_up_us=5))

    assert timing.latency_us == 0.0
    assert not timing.settled


def test_the_host_stopwatch_reads_the_clock_before_and_after() -> None:
    readings = iter([5_000, 12_500])

    assert HostStopwatch(lambda: next(readings)).elapsed_us(lambda: None) == 7.5


@given(st.lists(st.floats(0.1, 1e6), min_size=1, max_size=50), st.floats(0, 1))
def test_quantiles_lie_among_the_values_and_rise(values: list[float], at: float) -> None:
    assert min(values) == quantile(values, 0.0) <= quantile(values, at) * (1 + 1e-12)
    assert quantile(values, at) <= max(values) * (1 + 1e-12)


def test_quantiles_by_hand() -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0, 5.0], 0.5) == 3.0
    assert quantile([1.0, 2.0], 0.25) == 1.25
    assert uncertainty([1.0, 2.0], 0.5) == math.inf
    # Ranks of the median of 25 values: 0.5 +- sqrt(0.25 / 25) = 0.4 to 0.6 of 24 steps: 9.6 to 14.4.
    assert uncertainty([float(i) for i in range(100, 125)], 0.5) == pytest.approx((114.4 - 109.6) / 2 / 112)
