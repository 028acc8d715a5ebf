"""`all_reduce_latency` and `exchange_latency`: arrays, floors, engines and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import infersim as sim
from infersim.domain.errors import InvalidValueError, UnknownNameError

SIZES = np.array([2**13, 2**20, 2**29])


def test_arrays_come_back_with_interval_and_floor() -> None:
    found = sim.all_reduce_latency("h100-sxm", message_bytes=SIZES, gpus=8)
    assert found.latency_s.shape == (3,)
    assert (found.floor_s <= found.lower_s).all()
    assert (found.lower_s < found.latency_s).all()
    assert (found.latency_s < found.upper_s).all()
    assert found.in_range.all()
    assert (found.calibration, found.kernels) == ("fitted", "vllm")
    assert found.parts["kernel"] + found.parts["launch"] == pytest.approx(found.latency_s)
    # 512 MiB through a switch that adds up: each GPU sends its buffer once, at 450 GB/s.
    assert found.floor_s[-1] == pytest.approx(2**29 / 450e9)


def test_engines_wait_less_than_the_library() -> None:
    own = sim.all_reduce_latency("h100-sxm", message_bytes=8192, gpus=8)
    library = sim.all_reduce_latency("h100-sxm", message_bytes=8192, gpus=8, library="nccl")
    other = sim.all_reduce_latency("h100-sxm", message_bytes=8192, gpus=8, kernels="tensorrt-llm")
    assert float(library.latency_s) > 2 * float(own.latency_s)
    assert float(other.latency_s) != float(own.latency_s)
    assert other.kernels == "tensorrt-llm"


def test_an_all_reduce_is_a_reduce_scatter_and_an_all_gather_for_long_messages() -> None:
    question: Any = {"message_bytes": 2**28, "gpus": 4}
    whole = sim.all_reduce_latency("a100-sxm-80gb", library="nccl", **question)
    halves = [
        sim.exchange_latency("a100-sxm-80gb", name, **question) for name in ("reduce_scatter", "all_gather")
    ]
    assert float(whole.floor_s) == pytest.approx(sum(float(half.floor_s) for half in halves))
    assert float(whole.latency_s) == pytest.approx(sum(float(half.latency_s) for half in halves), rel=0.2)


def test_a_gpu_that_nobody_measured_leans_on_links_of_its_generation() -> None:
    h200, h100, b200 = (
        float(sim.all_reduce_latency(name, message_bytes=2**26, gpus=8).latency_s)
        for name in ("h200-sxm", "h100-sxm", "b200-sxm")
    )
    assert abs(h200 / h100 - 1) < 0.1 < abs(h200 / b200 - 1)
    assert sim.all_reduce_latency("h200-sxm", message_bytes=2**26, gpus=8).calibration == "transferred"


def test_without_a_graph_the_host_counts() -> None:
    graph, host = (
        sim.all_reduce_latency("b200-sxm", message_bytes=SIZES, gpus=8, cuda_graph=each)
        for each in (True, False)
    )
    assert host.latency_s[0] > 2 * graph.latency_s[0]
    assert host.latency_s[-1] == graph.latency_s[-1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"gpus": 1}, r"gpus = 1; expected at least 2"),
        ({"gpus": 16}, r"gpus = 16; expected at most 8, the GPUs of a node of h100-sxm"),
        ({"gpus": 2.5}, r"gpus = 2.5; expected an integer"),
        ({"message_bytes": 0}, r"message_bytes = 0"),
        ({"message_bytes": [1.5]}, r"message_bytes"),
        ({"library": "mpi"}, r"unknown library 'mpi'.*nccl"),
    ],
)
def test_what_cannot_be_exchanged_is_refused(changes: dict[str, object], said: str) -> None:
    question: Any = {"message_bytes": 8192, "gpus": 4, **changes}
    with pytest.raises((InvalidValueError, UnknownNameError), match=said):
        sim.all_reduce_latency("h100-sxm", **question)


def test_an_unknown_exchange_names_the_known() -> None:
    with pytest.raises(UnknownNameError, match="all_gather"):
        sim.exchange_latency("h100-sxm", "gather", message_bytes=8192, gpus=4)
