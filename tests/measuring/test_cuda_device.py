"""The CUDA device against a recorded torch.cuda: what is issued in which order, and what errors say."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from infersim.domain.errors import InfersimError, InvalidValueError  # noqa: E402
from infersim.measuring.cuda_device import CudaDevice, EventStopwatch, Replay, open_cuda  # noqa: E402
from infersim.measuring.device import DeviceLostError, is_lost  # noqa: E402


class RecordedCuda:
    """Functions of torch.cuda that write down what they are called for; a capture may end badly."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.current = "default"
        self.ends_badly: Exception | None = None

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cuda = torch.cuda
        properties = SimpleNamespace(name="NVIDIA H100 80GB HBM3", L2_cache_size=50 * 2**20)
        for name, value in {
            "is_available": lambda: True,
            "device_count": lambda: 2,
            "get_device_properties": lambda _: properties,
            "device": lambda _: None,
            "Stream": lambda _: self.stream("side"),
            "Event": self.event,
            "CUDAGraph": lambda: SimpleNamespace(replay=lambda: self.log.append("replay")),
            "current_stream": lambda _: self.stream(self.current),
            "set_stream": self.set_stream,
            "stream": self.inside,
            "graph": self.graph,
            "_sleep": lambda _: self.log.append("pause"),
            "synchronize": lambda _: None,
        }.items():
            monkeypatch.setattr(cuda, name, value)

    def stream(self, name: str) -> SimpleNamespace:
        def wait_stream(other: SimpleNamespace) -> None:
            self.log.append(f"{name} waits for {other.name}")

        return SimpleNamespace(name=name, wait_stream=wait_stream)

    def set_stream(self, stream: SimpleNamespace) -> None:
        self.current = stream.name

    def event(self, enable_timing: bool) -> SimpleNamespace:
        assert enable_timing
        return SimpleNamespace(
            record=lambda: self.log.append("event"),
            synchronize=lambda: self.log.append("wait"),
            elapsed_time=lambda _: 1.5,
        )

    @contextmanager
    def inside(self, stream: SimpleNamespace) -> Iterator[None]:
        before, self.current = self.current, stream.name
        yield
        self.current = before

    @contextmanager
    def graph(self, _: Any, stream: SimpleNamespace) -> Iterator[None]:
        """As PyTorch's: where ending the capture fails, the stream stays the current one."""
        before, self.current = self.current, stream.name
        self.log.append("begin capture")
        try:
            yield
        finally:
            self.log.append("end capture")
            if self.ends_badly is not None:
                raise self.ends_badly
            self.current = before


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> RecordedCuda:
    recorded = RecordedCuda()
    recorded.install(monkeypatch)
    return recorded


def test_a_graph_is_captured_after_its_work_ran_on_the_same_stream(cuda: RecordedCuda) -> None:
    device = CudaDevice(0)

    replay = device.capture(lambda: cuda.log.append(f"work on {cuda.current}"))

    assert cuda.log == [
        "side waits for default",
        "work on side",
        "default waits for side",
        "begin capture",
        "work on side",
        "end capture",
    ]
    assert cuda.current == "default"
    replay()
    assert cuda.log[-1] == "replay"


def test_a_replay_is_issued_behind_a_pause_and_other_work_is_not(cuda: RecordedCuda) -> None:
    replay = CudaDevice(0).capture(lambda: None)
    assert isinstance(replay, Replay)
    cuda.log.clear()

    assert EventStopwatch().elapsed_us(replay) == 1500.0
    assert cuda.log == ["pause", "event", "replay", "event", "wait"]

    cuda.log.clear()
    EventStopwatch().elapsed_us(lambda: cuda.log.append("launches"))
    assert cuda.log == ["event", "launches", "event", "wait"]


def test_a_capture_that_breaks_off_loses_the_process_but_not_the_stream(cuda: RecordedCuda) -> None:
    cuda.ends_badly = RuntimeError(
        "CUDA error: operation failed due to a previous error\nsee CUDA_LAUNCH_BLOCKING"
    )

    with pytest.raises(DeviceLostError, match=r"graph: CUDA error: operation failed .* error$"):
        CudaDevice(0).capture(lambda: None)
    assert cuda.current == "default"


def test_a_lack_of_memory_in_a_capture_is_one(cuda: RecordedCuda) -> None:
    work = iter([None])

    def second_time() -> None:
        if next(work, "again") == "again":
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        CudaDevice(0).capture(second_time)
    assert cuda.current == "default"


def test_a_device_is_lost_when_it_cannot_be_waited_for(
    cuda: RecordedCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    del cuda
    device = CudaDevice(0)
    assert not is_lost(device)

    def fail(_: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(torch.cuda, "synchronize", fail)
    assert is_lost(device)


def test_a_gpu_that_is_not_there_is_told_with_those_that_are(cuda: RecordedCuda) -> None:
    del cuda
    with pytest.raises(InvalidValueError, match=r"cuda:0.*cuda:1.*cpu"):
        open_cuda(2)


def test_a_build_without_kernels_for_the_gpu_is_told_with_what_it_has(
    cuda: RecordedCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    del cuda

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nmore")

    monkeypatch.setattr(torch, "zeros", fail)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 0))
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_80"])

    with pytest.raises(InfersimError, match=r"cuda:1.*7\.0.*sm_75, sm_80"):
        open_cuda(1)


def test_a_gpu_that_fails_its_first_kernel_is_told_in_one_line(
    cuda: RecordedCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    del cuda

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable\nCUDA kernel errors")

    monkeypatch.setattr(torch, "zeros", fail)

    with pytest.raises(InfersimError, match=r"cuda:0.*CUDA error: all .* or unavailable$"):
        open_cuda(0)


def test_a_driver_that_is_too_old_is_told_in_pytorchs_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable() -> bool:
        warnings.warn("CUDA initialization: The NVIDIA driver on your system is too old", stacklevel=2)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", unavailable)
    monkeypatch.setattr(torch.version, "cuda", "13.0")

    with pytest.raises(InfersimError, match=r"driver on your system is too old.*--device cpu"):
        open_cuda(0)


def test_a_build_without_cuda_is_told_with_where_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)

    with pytest.raises(InfersimError, match=r"CUDA.*https://pytorch\.org"):
        open_cuda(0)
