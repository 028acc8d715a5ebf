"""Exchanges on GPUs: monotone, never below what the links allow, by the algorithm that is fastest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.cost.collectives.algorithms import ALGORITHMS, ONE_SHOT, RING, SWITCH, candidates, fastest
from infersim.cost.collectives.parameters import COLLECTIVE_PARAMETERS, fit_name
from infersim.cost.collectives.volumes import least_bytes
from infersim.cost.kernels import calibration_of, kernel_cost
from infersim.cost.parameters import kind_parameters
from infersim.domain.arrays import Array
from infersim.domain.costs import LIMITERS, Limiter
from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.domain.interconnect import Link, LinkKind
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.domain.shapes import Collective, Exchange
from infersim.profile_files.profiles import datasheet_alone, list_profiles, load_profile

BARE = datasheet_alone(load_profile("h100-sxm"))
SIZES = 2.0 ** np.arange(8, 31)
DEFAULTS = COLLECTIVE_PARAMETERS["all_reduce.nvlink"].defaults


def us(shape: Collective, gpu: HardwareProfile = BARE, *, cuda_graph: bool = True) -> Array:
    cost = kernel_cost(shape, gpu, cuda_graph=cuda_graph)
    return (cost.kernel_s + cost.launch_s) * 1e6


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(["h100-sxm", "a100-pcie-80gb", "l40s", "mi300x", "v100-sxm", "gb200"]),
    gpus=st.integers(2, 8),
    exchange=st.sampled_from(list(Exchange)),
    library=st.sampled_from([None, "nccl"]),
)
def test_more_bytes_take_longer_and_no_link_is_outrun(
    name: str, gpus: int, exchange: Exchange, library: str | None
) -> None:
    gpu = datasheet_alone(load_profile(name))
    shape = Collective(message_bytes=SIZES, gpus=gpus, exchange=exchange, library=library)
    link = gpu.link_between(gpus)
    cost = kernel_cost(shape, gpu)
    assert (np.diff(us(shape, gpu)) > 0).all()
    floor_s = least_bytes(shape, link) / link.bytes_per_s
    assert (cost.kernel_s >= floor_s * (1 - 1e-12)).all()
    assert cost.matrix_floor_s == pytest.approx(floor_s)
    assert (cost.model_bytes == 0).all()


@pytest.mark.parametrize("name", ["h100-sxm", "b200-sxm", "l40s"])
def test_fitted_exchanges_grow_with_bytes_and_keep_above_the_floor(name: str) -> None:
    for exchange in Exchange:
        for gpus in (2, 4, 8):
            shape = Collective(message_bytes=SIZES, gpus=gpus, exchange=exchange)
            cost = kernel_cost(shape, load_profile(name))
            times = cost.kernel_s + cost.launch_s
            assert (times[4:] > 0.9 * times[:-4]).all()  # over a factor of 16, whatever the residual says
            assert (cost.kernel_s >= cost.matrix_floor_s).all()


def test_a_small_all_reduce_waits_and_a_large_one_sends() -> None:
    limiters = kernel_cost(Collective(message_bytes=SIZES, gpus=8), BARE).limiter
    assert LIMITERS[limiters[0]] in (Limiter.LAUNCH, Limiter.CHAIN)
    assert LIMITERS[limiters[-1]] is Limiter.LINK


def crossover(link: Link, gpus: int = 8) -> float:
    """The first size at which reading all buffers is no longer the fastest."""
    sizes = 2.0 ** np.arange(8, 30, 0.01)
    codes, _ = fastest(DEFAULTS, Collective(message_bytes=sizes, gpus=gpus), link)
    return float(sizes[np.argmax(codes != ONE_SHOT)])


def test_the_crossover_moves_with_the_bandwidth() -> None:
    slow = Link(kind=LinkKind.NVLINK, bytes_per_s=300e9, direct=True)
    # Waiting is the same on both: sending outweighs it at twice the bytes.
    assert crossover(replace(slow, bytes_per_s=600e9)) == pytest.approx(2 * crossover(slow), rel=0.02)


def test_the_crossover_moves_with_the_gpus() -> None:
    link = Link(kind=LinkKind.NVLINK, bytes_per_s=450e9, direct=True)
    assert crossover(link, 8) < crossover(link, 4)


def test_algorithms_are_those_that_the_link_has() -> None:
    shape = Collective(message_bytes=1e6, gpus=4)
    nvlink, pcie = (load_profile(name).link_between(4) for name in ("a100-sxm-80gb", "l40s"))
    assert [ALGORITHMS[code] for code in candidates(DEFAULTS, shape, nvlink)] == [
        "ring",
        "one-shot",
        "two-shot",
    ]
    assert list(candidates(DEFAULTS, shape, pcie)) == [RING]
    assert SWITCH in candidates(DEFAULTS, shape, BARE.link_between(4))
    for other in (replace(shape, library="nccl"), replace(shape, exchange=Exchange.ALL_GATHER)):
        assert list(candidates(DEFAULTS, other, BARE.link_between(4))) == [RING]


def test_large_sums_go_through_the_switch_where_many_share_it() -> None:
    shape = Collective(message_bytes=2.0**29, gpus=8)
    codes, _ = fastest({**DEFAULTS, "doubling": 1.0}, shape, BARE.link_between(8))
    assert ALGORITHMS[int(codes)] == "switch"


def test_a_ring_by_hand() -> None:
    p = kind_parameters(BARE, COLLECTIVE_PARAMETERS["all_gather.nvlink"]).values
    gpus, small, large = 4, 1024.0, 2.0**33
    link = BARE.link_between(gpus)
    rate = link.bytes_per_s * p["efficiency"] * p["doubling"]
    flagged = p["launch_us"] + 3 * p["hop_us"] + 0.75 * small / rate / p["flagged_share"] * 1e6
    filled = p["launch_us"] + 3 * p["hop_us"] * p["filled_steps"] + 0.75 * large / rate * 1e6
    shape = Collective(message_bytes=np.array([small, large]), gpus=gpus, exchange=Exchange.ALL_GATHER)
    assert us(shape) == pytest.approx([flagged, filled])


def test_the_host_issues_what_no_graph_holds() -> None:
    shape = Collective(message_bytes=np.array([1024.0, 2.0**29]), gpus=8)
    graph, host = us(shape), us(shape, cuda_graph=False)
    assert host[0] == pytest.approx(kind_parameters(BARE, "launch").values["host_us"])
    assert host[1] == graph[1]


@pytest.mark.parametrize(
    ("name", "gpus", "kind", "gb_s", "direct"),
    [
        ("h100-sxm", 8, LinkKind.NVLINK, 450, True),
        ("h100-pcie", 2, LinkKind.NVLINK, 300, True),  # a bridge
        ("h100-pcie", 4, LinkKind.PCIE, 63, False),
        ("l40s", 2, LinkKind.PCIE, 31.5, True),
        ("mi300x", 8, LinkKind.INFINITY_FABRIC, 448, True),
        ("mi300x", 2, LinkKind.INFINITY_FABRIC, 64, True),  # one of seven links
        ("gh200-96gb", 3, LinkKind.NVLINK, 300, True),
    ],
)
def test_what_connects_some_gpus_of_a_node(
    name: str, gpus: int, kind: LinkKind, gb_s: float, direct: bool
) -> None:
    link = load_profile(name).link_between(gpus)
    assert (link.kind, link.direct) == (kind, direct)
    assert link.bytes_per_s == pytest.approx(gb_s * 1e9)


@pytest.mark.parametrize(
    ("name", "gpus", "said"),
    [
        ("h100-sxm", 1, r"gpus = 1; expected at least 2"),
        ("h100-sxm", 9, r"gpus = 9; expected at most 8, the GPUs of a node of h100-sxm"),
        ("jetson-orin-agx", 2, r"gpus = 2; expected 1: nothing connects jetson-orin-agx"),
    ],
)
def test_more_gpus_than_a_node_has_are_refused(name: str, gpus: int, said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        kernel_cost(Collective(message_bytes=1024.0, gpus=gpus), load_profile(name))


def test_a_gpu_whose_links_nobody_states_exchanges_nothing() -> None:
    alone = replace(BARE, interconnect=None)
    with pytest.raises(UnsupportedError, match=r"h100-sxm: nobody states how several.*\[interconnect\]"):
        kernel_cost(Collective(message_bytes=1024.0, gpus=2), alone)


@pytest.mark.slow
def test_every_gpu_with_neighbours_has_a_price_for_two() -> None:
    shape = Collective(message_bytes=65536.0, gpus=2)
    for name in list_profiles():
        gpu = load_profile(name)
        assert gpu.interconnect is not None
        if gpu.interconnect.gpus_per_node > 1:
            assert 2 < float(us(shape, gpu)) < 100


def test_no_other_fit_stands_in_for_an_exchange() -> None:
    shape = Collective(message_bytes=65536.0, gpus=2)
    fitted = load_profile("h100-sxm")
    assert fitted.fit is not None
    name = fit_name(shape, fitted.link_between(2))
    kinds = {kind: fit for kind, fit in fitted.fit.kinds.items() if kind != name}
    without = replace(fitted, fit=replace(fitted.fit, kinds=kinds))
    assert calibration_of(shape, fitted) is Calibration.FITTED
    assert calibration_of(shape, without) is Calibration.NONE
