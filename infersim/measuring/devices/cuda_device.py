"""An NVIDIA GPU as a device: CUDA events as its clock, CUDA graphs against the host's launches."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Self

import torch

from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.measuring.devices.device import DeviceLostError
from infersim.measuring.devices.names import profile_name
from infersim.measuring.devices.timing import Budget, Call, Stopwatch

CUDA_BUDGET = Budget(repeat_us=2e3, warm_up_us=2e4)

HEAD_START_CYCLES = 200_000
"""Some 0.1 ms in which a GPU waits while the host issues a graph that it is to be timed with."""

INSTALL = "https://pytorch.org/get-started/locally has the command for a build with CUDA"


class Replay:
    """A CUDA graph; a call issues it whole."""

    def __init__(self, graph: torch.cuda.CUDAGraph) -> None:
        self._graph = graph

    def __call__(self) -> None:
        self._graph.replay()


class EventStopwatch:
    """Time between two CUDA events on the current stream, which the GPU itself takes down.

    A replay is issued while the GPU is busy waiting, so that the time that the host takes to issue it is not
    in the GPU's. Anything else is timed with the host's launches: they may be what is asked for.
    """

    def elapsed_us(self, work: Callable[[], object]) -> float:
        """Microseconds from the GPU's reaching `work` to its finishing it."""
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        if isinstance(work, Replay):
            torch.cuda._sleep(HEAD_START_CYCLES)
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
        # Libraries keep a workspace for each stream that they have seen: one stream for all captures.
        self._capturing = torch.cuda.Stream(self.torch_device)

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
        """A CUDA graph of `work`. Libraries prepare themselves on the capturing stream first.

        A capture that breaks off leaves PyTorch's allocator as if it went on: the process is lost.
        """
        stream, current = self._capturing, torch.cuda.current_stream(self.torch_device)
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            work()
        current.wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=stream):
                work()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise DeviceLostError(f"capture in a CUDA graph: {str(error).splitlines()[0]}") from error
        finally:
            # Where ending the capture fails, PyTorch leaves its stream the current one.
            torch.cuda.set_stream(current)
        return Replay(graph)

    def synchronise(self) -> None:
        torch.cuda.synchronize(self.torch_device)

    def free_bytes(self) -> float:
        return float(torch.cuda.mem_get_info(self.torch_device)[0])

    def release(self) -> None:
        torch.cuda.empty_cache()


def open_cuda(index: int) -> CudaDevice:
    """The GPU number `index`, tried with one kernel; the error says what is wrong, or what there is."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if not available:
        why = _why_not([str(warning.message) for warning in said])
        raise InfersimError(f"CUDA cannot be used here ({why}): measure the CPU with --device cpu")
    count = torch.cuda.device_count()
    if index >= count:
        expected = f"cuda:0 to cuda:{count - 1}, or cpu"
        raise InvalidValueError("device", f"cuda:{index}", expected)
    try:
        device = CudaDevice(index)
        torch.zeros(1, device=device.torch_device).add_(1).item()
    except RuntimeError as error:
        raise InfersimError(f"cuda:{index} cannot be used: {_explained(error, index)}") from error
    return device


def _why_not(warned: list[str]) -> str:
    if torch.version.cuda is None:
        return f"this PyTorch, {torch.__version__}, is built without CUDA; {INSTALL}"
    # PyTorch warns of a driver that is too old, or of one that does not start, and says that there is none.
    return " ".join(warned[0].split()) if warned else "no GPU or no driver: what does nvidia-smi say?"


def _explained(error: RuntimeError, index: int) -> str:
    """The first line of CUDA's error; of a build that lacks the GPU's kernels, what it has."""
    first = str(error).splitlines()[0]
    if "no kernel image" not in first:
        return first
    major, minor = torch.cuda.get_device_capability(index)
    return (
        f"this PyTorch, {torch.__version__}, has no kernels for its compute capability {major}.{minor}, only "
        f"for {', '.join(torch.cuda.get_arch_list())}; {INSTALL}"
    )
