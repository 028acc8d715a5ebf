"""A GPU without a GPU: PyTorch's fake tensors on the device "cuda" have shapes and types, but no values.

What runs on them calls no kernel, but is refused where tensors of different devices or types meet, where the
host would have to wait for a value, and here also where anything is copied between host and GPU: none of that
can be captured in a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Self

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from infersim.measuring.devices.timing import Budget, Call, HostStopwatch, Stopwatch

CUDA = torch.device("cuda", 0)


class FakeGenerator(torch.Generator):
    """A generator that says to be the GPU's."""

    device = CUDA

    def __new__(cls, _: object = None) -> Self:
        return super().__new__(cls, "cpu")  # type: ignore[call-arg]


PRODUCTS = (torch.ops.aten.mm, torch.ops.aten.addmm, torch.ops.aten.bmm, torch.ops.aten.linear)
"""Fake ones take factors of any types; kernels take equal ones."""


class NothingCrosses(TorchDispatchMode):
    """Refuses copies between devices, and results whose size only the GPU knows."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        if func in (torch.ops.aten.nonzero.default, torch.ops.aten.masked_select.default):
            raise AssertionError(f"{func} waits for the GPU to count")
        result = func(*args, **(kwargs or {}))
        tensors: list[Any] = [value for value in (*args, result) if isinstance(value, torch.Tensor)]
        # A number that PyTorch made a tensor of goes to the GPU as an argument of the kernel.
        devices = {tensor.device.type for tensor in tensors if tensor.dim()}
        if len(devices) > 1:
            raise AssertionError(f"{func} copies between {' and '.join(sorted(devices))}")
        if func.overloadpacket in PRODUCTS and len({tensor.dtype for tensor in tensors}) > 1:
            raise AssertionError(f"{func} of {', '.join(str(tensor.dtype) for tensor in tensors)}")
        return result


def indexed(tensor: torch.Tensor, key: Any) -> torch.Tensor:
    """`tensor[key]` by other functions: where PyTorch is built without CUDA, brackets ask for CUDA itself."""
    keys = key if isinstance(key, tuple) else (key,)
    axes = tensor.dim() - sum(each is not None and each is not Ellipsis for each in keys)
    at, tensors = 0, list[Any]()
    for each in keys:
        if each is None:
            tensor = tensor.unsqueeze(at)
            at += 1
        elif each is Ellipsis:
            at += axes
        elif isinstance(each, int):
            tensor = tensor.select(at, each)
        elif isinstance(each, slice):
            assert each.step is None
            tensor = torch.ops.aten.slice(tensor, at, each.start, each.stop)
            at += 1
        else:
            tensors += [*[None] * (at - len(tensors)), each]
            at += 1
    return torch.ops.aten.index(tensor, tensors) if tensors else tensor


def put(tensor: torch.Tensor, key: Any, value: Any) -> None:
    """`tensor[key] = value`, likewise, for one tensor of places."""
    assert isinstance(key, torch.Tensor)
    tensor.index_put_((key,), torch.full((), value, dtype=tensor.dtype, device=tensor.device))


def copied(tensor: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """`tensor.copy_(source)`, likewise; there are no values to be copied."""
    torch.ops.aten.copy(tensor, source)
    return tensor


class FakeCudaDevice:
    """A device of fake tensors; what is captured runs once, under the rules of a capture."""

    torch_device = CUDA
    title, gpu, threads, clock = "Fake GPU", "fake-gpu", None, "CUDA events"
    cache_bytes = 2.0**20
    budget = Budget(repeat_us=10, warm_up_us=10, budget_us=100)

    def __init__(self) -> None:
        self.captures = 0
        self.stopwatch: Stopwatch = HostStopwatch(count(step=10_000).__next__)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def capture(self, work: Call) -> Call:
        self.captures += 1
        with NothingCrosses():  # type: ignore[no-untyped-call]
            work()
        return lambda: None

    def synchronise(self) -> None:
        pass

    def free_bytes(self) -> float:
        return 2.0**36

    def release(self) -> None:
        pass


def _flex_kernel(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **options: Any) -> torch.Tensor:
    """What flex attention, compiled, would return; its block lists are as it asks for them."""
    mask, kernel = options["block_mask"], options["kernel_options"]
    assert mask.kv_indices.device == mask.full_kv_indices.device == q.device == k.device == v.device
    assert mask.kv_indices.dtype is mask.kv_num_blocks.dtype is torch.int32
    assert all(block % kernel["BLOCK_M"] == block % kernel["BLOCK_N"] == 0 for block in mask.BLOCK_SIZE)
    return torch.empty_like(q)


@contextmanager
def fake_gpu(monkeypatch: Any, capability: tuple[int, int] = (9, 0)) -> Iterator[FakeCudaDevice]:
    """Tensors on "cuda" are fake inside; functions that would be compiled for it run as they are."""
    from infersim.measuring.kernels import fusing
    from infersim.measuring.model.execution import block_attention, elementwise

    monkeypatch.setattr(torch, "Generator", FakeGenerator)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _=None: capability)
    for module in (fusing, elementwise):
        monkeypatch.setattr(module, "compiled", lambda work, dynamic=True: work)  # noqa: ARG005
    monkeypatch.setattr(block_attention, "_flex", lambda _: _flex_kernel)
    monkeypatch.setattr(block_attention, "_shared_memory_bytes", lambda _: 2.0**18)
    monkeypatch.setattr(FakeTensor, "__getitem__", indexed)
    monkeypatch.setattr(FakeTensor, "__setitem__", put)
    monkeypatch.setattr(FakeTensor, "copy_", copied)
    with FakeTensorMode():
        yield FakeCudaDevice()
