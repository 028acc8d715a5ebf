"""Passes taken apart: how many there are, and how long a GPU waits for the host to be ahead of it."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from infersim.domain.ops import Part  # noqa: E402
from infersim.measuring.model.breakdown import break_down, pause_cycles  # noqa: E402
from infersim.measuring.model.execution.stream import Probe  # noqa: E402
from tests.measuring.fake_cuda import FakeCudaDevice  # noqa: E402


class Gpu:
    """Events and pauses of torch.cuda; each op of a pass takes 2 ms, and the host `host_s` to issue it."""

    def __init__(self, host_s: float) -> None:
        self._host_s, self.now_s, self.marks, self.pauses = host_s, 0.0, 0, list[int]()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "Event", lambda enable_timing: self.event())  # noqa: ARG005
        monkeypatch.setattr(torch.cuda, "_sleep", self.pauses.append)
        monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
        clock = SimpleNamespace(perf_counter=lambda: self.now_s)
        monkeypatch.setattr("infersim.measuring.model.breakdown.time", clock)

    def event(self) -> SimpleNamespace:
        at = self.places()
        return SimpleNamespace(record=lambda: None, at=next(at), elapsed_time=lambda end: 2.0 * (end.at > 0))

    def places(self) -> Iterator[int]:
        self.marks += 1
        yield self.marks

    def run(self, probe: Probe) -> None:
        for name in ("qkv", "attention", "qkv"):
            self.now_s += self._host_s
            probe(name, Part.QKVO if name == "qkv" else Part.ATTENTION)


def test_the_gpu_waits_as_long_as_the_host_needed_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpu = Gpu(host_s=0.01)
    gpu.install(monkeypatch)

    found = break_down(FakeCudaDevice(), gpu.run)

    assert {op.name: op.time_us for op in found} == {"qkv": 4000.0, "attention": 2000.0}
    # 10 ms before the first pass, then a quarter more than 3 ops x 10 ms.
    assert gpu.pauses == [pytest.approx(20e6), *[pytest.approx(75e6)] * 4]


def test_long_passes_are_as_many_as_the_time_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu(host_s=0.0)
    gpu.install(monkeypatch)

    break_down(FakeCudaDevice(), gpu.run, budget_us=11e3)

    assert len(gpu.pauses) == 2


def test_pauses_have_a_least_and_a_most_length() -> None:
    assert pause_cycles(0.0) == 20e6
    assert pause_cycles(1.0) == 200e6
