"""A stopwatch whose time passes only when work says so, so that timing tests are exact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator


class FakeStopwatch:
    """Work that calls `spend` takes so long; nothing else does."""

    def __init__(self) -> None:
        self.now_us = 0.0

    def spend(self, us: float) -> None:
        self.now_us += us

    def elapsed_us(self, work: Callable[[], object]) -> float:
        started = self.now_us
        work()
        return self.now_us - started


class Kernel:
    """A call that takes the given durations in turn, then the last of them for ever; `calls` counts."""

    def __init__(self, stopwatch: FakeStopwatch, durations_us: Iterable[float]) -> None:
        self._stopwatch = stopwatch
        self._durations: Iterator[float] = iter(durations_us)
        self._last_us = 0.0
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        self._last_us = next(self._durations, self._last_us)
        self._stopwatch.spend(self._last_us)
