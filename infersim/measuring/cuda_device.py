"""An NVIDIA GPU as a device: CUDA events as its clock, CUDA graphs against the host's launches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch

from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.measuring.names import profile_name
from infersim.measuring.stopwatch import Stopwatch
from infersim.measuring.timing import Budget, Call

CUDA_BUDGET = Budget(repeat_us=2e3, warm_up_us=2e4)
"""Launching a graph takes some 10 us after the first event: half a percent of a repeat."""


class EventStopwatch:
    """Time between two CUDA events on the current stream, which the GPU itself takes down."""

    def elapsed_us(self, work: Callable[[], object]) -> float:
        """Microseconds from the GPU's reaching `work` to its finishing it."""
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        work()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) * 1e3


class CudaDevice:
    """The GPU number `index`; while it is entered, it is PyTorch's current one."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._properties = torch.cuda.get_device_properties(index)
        self._stopwatch = EventStopwatch()
        self._entered = torch.cuda.device(index)

    @property
    def torch_device(self) -> torch.device:
        return torch.device("cuda", self._index)

    @property
    def title(self) -> str:
        return str(self._properties.name)

    @property
    def gpu(self) -> str:
        return profile_name(self.title)

    @property
    def threads(self) -> int | None:
        return None

    @property
    def clock(self) -> str:
        return "CUDA events"

    @property
    def cache_bytes(self) -> float:
        return float(self._properties.L2_cache_size)

    @property
    def stopwatch(self) -> Stopwatch:
        return self._stopwatch

    @property
    def budget(self) -> Budget:
        return CUDA_BUDGET

    def __enter__(self) -> Self:
        self._entered.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._entered.__exit__(*exception)

    def capture(self, work: Call) -> Call:
        """A CUDA graph of `work`. Libraries prepare themselves on the capturing stream first."""
        stream = torch.cuda.Stream(self.torch_device)
        stream.wait_stream(torch.cuda.current_stream(self.torch_device))
        with torch.cuda.stream(stream):
            work()
        torch.cuda.current_stream(self.torch_device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            work()
        return graph.replay

    def synchronise(self) -> None:
        torch.cuda.synchronize(self.torch_device)

    def free_bytes(self) -> float:
        return float(torch.cuda.mem_get_info(self.torch_device)[0])

    def release(self) -> None:
        torch.cuda.empty_cache()


def open_cuda(index: int) -> CudaDevice:
    """The GPU number `index`; the error says what there is instead."""
    if not torch.cuda.is_available():
        why = "this PyTorch is built without CUDA" if torch.version.cuda is None else "no GPU or no driver"
        raise InfersimError(f"CUDA cannot be used here ({why}): measure the CPU with --device cpu")
    count = torch.cuda.device_count()
    if index >= count:
        expected = f"cuda:0 to cuda:{count - 1}, or cpu"
        raise InvalidValueError("device", f"cuda:{index}", expected)
    return CudaDevice(index)
