"""Opening a device: what can be opened, and what a user lacks is named."""

from __future__ import annotations

import importlib.util
import os

import pytest

from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.measuring.device import open_device
from infersim.measuring.kernels_setup import busy_warning

torch = pytest.importorskip("torch")


def test_a_cpu_computes_with_the_threads_that_it_was_opened_with() -> None:
    before = torch.get_num_threads()
    with open_device("cpu", 1) as device:
        assert torch.get_num_threads() == 1
        assert device.threads == 1
        assert device.gpu.endswith("-1-thread")
        assert device.free_bytes() > 0
        assert device.stopwatch.elapsed_us(lambda: None) >= 0
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CPU", "mps"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidValueError, match="cpu, cuda, or cuda:0"):
        open_device(name)


def test_threads_and_clocks_that_cannot_be_are_refused() -> None:
    cores = len(os.sched_getaffinity(0))
    for threads in (0, cores + 1):
        with pytest.raises(InvalidValueError, match=f"1 to {cores}"):
            open_device("cpu", threads)
    with pytest.raises(InvalidValueError, match="wall, cpu"):
        open_device("cpu", 1, "sundial")
    with pytest.raises(InvalidValueError, match="threads = 4"):
        open_device("cuda:0", 4)
    with pytest.raises(InvalidValueError, match=r"clock = 'cpu'"):
        open_device("cuda:0", clock="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_cuda_the_cpu_is_named() -> None:
    with pytest.raises(InfersimError, match=r"CUDA.*--device cpu"):
        open_device("cuda:0")


def test_without_pytorch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with pytest.raises(InfersimError, match=r"pip install 'infersim\[measure\]'"):
        open_device("cpu")


def test_only_wall_clock_times_suffer_from_a_busy_machine() -> None:
    assert "--clock cpu" in str(busy_warning({"clock": "wall", "load_average": 3.2}))
    assert busy_warning({"clock": "wall", "load_average": 0.1}) is None
    assert busy_warning({"clock": "cpu", "load_average": 3.2}) is None
    assert busy_warning({"clock": "CUDA events"}) is None


def test_a_gpu_that_others_use_is_told() -> None:
    assert "this GPU busy for 80 %" in str(busy_warning({"clock": "CUDA events", "gpu_busy_percent": 80.0}))
    assert busy_warning({"clock": "CUDA events", "gpu_busy_percent": 3.0}) is None
