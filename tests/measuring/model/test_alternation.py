"""Dense and pruned passes in turn, against a clock that only the passes move."""

from __future__ import annotations

import pytest

from infersim.measuring.devices.timing import Budget, HostStopwatch
from infersim.measuring.model.alternation import alternate

BUDGET = Budget(budget_us=1e6, least_repeats=5, most_repeats=20, tolerance=0.01, quantile=0.5)


class Machine:
    """A clock in nanoseconds, and passes that take what a list says, the last of it for ever."""

    def __init__(self, *, dense_us: list[float], pruned_us: list[float]) -> None:
        self.now = 0
        self.log: list[str] = []
        self._left = {"dense": dense_us, "pruned": pruned_us}

    def run(self, name: str) -> None:
        times = self._left[name]
        self.log.append(name)
        self.now += round(1e3 * (times.pop(0) if len(times) > 1 else times[0]))

    @property
    def stopwatch(self) -> HostStopwatch:
        return HostStopwatch(lambda: self.now)


def test_passes_alternate_and_begin_and_end_with_the_dense_one() -> None:
    machine = Machine(dense_us=[100.0], pruned_us=[50.0])
    found = alternate(machine.stopwatch, lambda: machine.run("dense"), lambda: machine.run("pruned"), BUDGET)
    assert machine.log[:4] == ["dense", "dense", "pruned", "pruned"], "warm-up"
    timed = machine.log[4:]
    assert timed == ["dense", "pruned"] * 5 + ["dense"]
    assert found.speedup == pytest.approx(2.0)
    assert (found.speedup_spread, found.drift) == (0.0, 0.0)


def test_warm_up_does_not_count() -> None:
    machine = Machine(dense_us=[9e5, 9e5, 100.0], pruned_us=[9e5, 9e5, 50.0])
    found = alternate(machine.stopwatch, lambda: machine.run("dense"), lambda: machine.run("pruned"), BUDGET)
    assert found.dense_latency_us == 100.0
    assert found.pruned_latency_us == 50.0


def test_long_passes_warm_themselves_up_in_one() -> None:
    machine = Machine(dense_us=[4e5], pruned_us=[1e5])
    alternate(machine.stopwatch, lambda: machine.run("dense"), lambda: machine.run("pruned"), BUDGET)
    assert machine.log[:4] == ["dense", "pruned", "pruned", "dense"]


def test_drift_shows_and_cancels_in_the_speedup() -> None:
    """A machine that slows down by a tenth: both sides see it alike."""
    slower = [100.0, 100.0] + [100.0] * 3 + [110.0] * 9
    machine = Machine(dense_us=slower, pruned_us=[50.0, 50.0] + [50.0] * 3 + [55.0] * 9)
    found = alternate(machine.stopwatch, lambda: machine.run("dense"), lambda: machine.run("pruned"), BUDGET)
    assert found.drift == pytest.approx(0.1)
    assert found.speedup == pytest.approx(2.0, rel=0.06)


def test_slow_passes_end_after_three_rounds() -> None:
    machine = Machine(dense_us=[9e5], pruned_us=[5e5])
    found = alternate(machine.stopwatch, lambda: machine.run("dense"), lambda: machine.run("pruned"), BUDGET)
    assert len(found.pruned_us) == 3


def test_noisy_passes_are_repeated_up_to_the_limit() -> None:
    machine = Machine(dense_us=[100.0, 150.0] * 60, pruned_us=[50.0, 75.0] * 60)
    found = alternate(machine.stopwatch, lambda: machine.run("dense"), lambda: machine.run("pruned"), BUDGET)
    assert len(found.pruned_us) == BUDGET.most_repeats
    assert found.speedup_spread > 0
