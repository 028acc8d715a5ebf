"""What is expected of a GPU from others: laws of the datasheet, weights, distance; damaged files."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.domain.fit import IntervalFit
from infersim.profile_files.pool_files import read_pool, write_pool
from infersim.profile_files.profiles import load_profile
from infersim.simulation.kernels.gemm import gemm_latency
from infersim.transfer.borrowing import (
    LEAST_L2_OVER_DRAM,
    reachable_bandwidth,
    reliance,
    transferred_fit,
    widening,
)
from infersim.transfer.gpu_facts import HALVED_OVER_BASE, facts_of, law_offset, sustained_slowdown
from infersim.transfer.kriging import transfer
from infersim.transfer.pool import GpuFacts, Law, Pool, PooledKind, PooledParameter, Spread

SPREAD = Spread(shared=1.0, own=0.1, generation=0.1, rate=0.2, memory=0.1)
H100 = GpuFacts(
    vendor="nvidia",
    generation="hopper",
    clock_max_mhz=1980.0,
    flop_per_clock_per_sm=4096.0,
    memory_bytes_per_clock_per_sm=13.9,
    power_ratio=1.12,
)
L40S = replace(
    H100,
    generation="ada",
    clock_max_mhz=2520.0,
    flop_per_clock_per_sm=1024.0,
    memory_bytes_per_clock_per_sm=2.4,
    power_ratio=1.3,
)
KNOWN = {"h100-sxm": H100, "l40s": L40S}


def parameter(found: dict[str, float], *, law: Law = Law.CONSTANT, typical: float = 2.0) -> PooledParameter:
    return PooledParameter(
        law=law, log=True, low=0.01, high=500.0, typical=typical, spread=SPREAD, found=found
    )


def example_pool() -> Pool:
    kind = PooledKind(
        kind="gemm.bf16",
        parameters={
            "launch_us": parameter({"h100-sxm": 2.4, "l40s": 1.8}, law=Law.CYCLES),
            "l2_bytes_per_clock_per_sm": parameter({"h100-sxm": 8.0, "l40s": 5.0}),
        },
        interval=IntervalFit(by_regime={"decode large": 0.2}, pair=0.1, outside=0.5),
        deviation=0.3,
        ranges={"m": (1.0, 32768.0), "n": (32.0, 65536.0), "k": (32.0, 65536.0)},
        weight_copies=6,
    )
    return Pool(gpus=KNOWN, kinds={"gemm.bf16": kind}, provenance={"date": "2026-01-01"})


def test_a_latency_takes_as_many_cycles_on_a_faster_clock() -> None:
    ratio = math.exp(law_offset(Law.CYCLES, L40S) - law_offset(Law.CYCLES, H100))
    assert ratio == pytest.approx(1980 / 2520)


def test_the_power_law_reproduces_what_is_public() -> None:
    # 72 W carry 57 of an L4's 121 TFLOP/s; an RTX 4090's 450 W carry all of its 165.
    l4, rtx = facts_of(load_profile("l4")), facts_of(load_profile("rtx-4090"))
    assert 1 / (1 + sustained_slowdown(l4)) == pytest.approx(57 / 121, rel=0.05)
    assert 1 / (1 + sustained_slowdown(rtx)) > 0.95


@given(st.floats(0.05, 6.0), st.floats(1.001, 2.0))
def test_less_power_never_makes_a_gpu_faster(ratio: float, factor: float) -> None:
    more = replace(H100, power_ratio=ratio * factor)
    assert sustained_slowdown(more) >= sustained_slowdown(replace(H100, power_ratio=ratio))


def test_what_all_known_gpus_agree_on_is_expected_of_a_new_one() -> None:
    found = transfer(parameter({"h100-sxm": 5.0, "l40s": 5.0}), replace(H100, generation="new"), KNOWN)
    assert found.value == pytest.approx(5.0, rel=0.05)


def test_a_sibling_counts_more_than_another_generation() -> None:
    found = transfer(parameter({"h100-sxm": 4.0, "l40s": 1.0}), H100, KNOWN)
    assert found.weights["h100-sxm"] > found.weights["l40s"]
    assert found.value > 2.0


def test_a_gpu_far_from_all_is_less_certain() -> None:
    pool = example_pool()
    kind = pool.kinds["gemm.bf16"]
    near, far = replace(H100, generation="new"), replace(H100, generation="new", flop_per_clock_per_sm=2**18)
    assert widening(kind, far, KNOWN) > widening(kind, near, KNOWN) >= widening(kind, H100, KNOWN)
    stranger = replace(near, vendor="amd")
    assert widening(kind, stranger, KNOWN) > widening(kind, near, KNOWN)


@given(st.floats(0.2, 400.0), st.floats(0.2, 400.0), st.floats(100.0, 2**20))
def test_a_transferred_value_stays_within_its_limits(first: float, second: float, flop: float) -> None:
    target = replace(H100, generation="new", flop_per_clock_per_sm=flop)
    found = transfer(parameter({"h100-sxm": first, "l40s": second}), target, KNOWN)
    assert 0.01 <= found.value <= 500.0
    assert found.deviation > 0


def test_l2_is_faster_than_memory_however_fast_that_is() -> None:
    profile = load_profile("gb200")
    said = transferred_fit(profile, example_pool())
    assert said is not None
    rate = said.kinds["gemm.bf16"].parameters["l2_bytes_per_clock_per_sm"]
    assert rate >= LEAST_L2_OVER_DRAM * facts_of(profile).memory_bytes_per_clock_per_sm


def test_few_sms_cannot_pull_all_that_memory_gives() -> None:
    """An H20's 78 SMs and an H200's 132 pull 27 GB/s each; an H100's memory gives each of its 132 only 25."""
    for name, sms, bandwidth in (("h20", 78, 4000e9), ("h200-sxm", 132, 4800e9)):
        profile = load_profile(name)
        assert reachable_bandwidth(profile) == pytest.approx(27e9 * sms / bandwidth, rel=1e-6)
        assert profile.fit is not None
        parameters = profile.fit.kinds["gemm.bf16"].parameters
        assert parameters["dram_efficiency"] <= 27e9 * sms / bandwidth * (1 + 1e-9)
    # What an H100's memory gives is within reach but for a hair, and far within for what kernels make of it.
    assert reachable_bandwidth(load_profile("h100-sxm")) == pytest.approx(27e9 * 132 / 3350e9)
    assert reachable_bandwidth(load_profile("b300-sxm")) == math.inf


def test_a_gpu_does_not_lean_on_itself() -> None:
    profile = load_profile("l40s")
    assert reliance(profile, example_pool(), "gemm.bf16") == {"h100-sxm": 1.0}
    # Of two, one is left: too few to say how GPUs differ.
    assert transferred_fit(profile, example_pool(), without=("l40s",)) is None


@pytest.mark.parametrize(
    ("keys", "value", "expectation"),
    [
        (("kinds", "gemm.bf16", "parameters", "launch_us", "typical"), -1.0, "a number above 0"),
        (("kinds", "gemm.bf16", "parameters", "launch_us", "low"), 900.0, "a number up to high"),
        (("kinds", "gemm.bf16", "parameters", "launch_us", "found", "l5"), 1.0, "one of h100-sxm, l40s"),
        (("kinds", "gemm.bf16", "parameters", "launch_us", "law"), "magic", "constant"),
        (("kinds", "gemm.bf16", "deviation"), 0.0, "a number above 0"),
        (("version",), 2, "1"),
    ],
)
def test_a_damaged_pool_is_refused_with_the_key(
    tmp_path: Path, keys: tuple[str, ...], value: object, expectation: str
) -> None:
    path = tmp_path / "pool.json"
    write_pool(example_pool(), path)
    table = json.loads(path.read_text())
    place = table
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(json.dumps(table))
    with pytest.raises(FileContentError, match=expectation) as caught:
        read_pool(path)
    assert caught.value.file == "pool.json"
    assert keys[-1] in f"{caught.value.key} {caught.value.value}"


def test_a_pool_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="an existing file"):
        read_pool(tmp_path / "pool.json")


def test_a_halved_tensor_rate_is_no_other_design() -> None:
    # AD102 in three cards: FP32 sums at half rate (RTX 4090), every rate halved (L40), none (L40S).
    designs = {
        name: facts_of(load_profile(name)).flop_per_clock_per_sm
        for name in ("rtx-4090", "l40", "l40s", "rtx-5090", "rtx-pro-6000", "rtx-3090", "a40")
    }
    assert set(designs.values()) == {1024.0}
    assert facts_of(load_profile("h20")).flop_per_clock_per_sm == 4096.0
    assert facts_of(load_profile("b300-sxm")).flop_per_clock_per_sm == 8192.0


def test_a_card_with_power_to_spare_is_not_slowed_by_its_die() -> None:
    """One die: 2235 MHz warranted at 450 W, and 350 W for 362 TFLOP/s; power sets the slowdown."""
    spared, limited = facts_of(load_profile("rtx-4090")), facts_of(load_profile("l40s"))
    assert spared.power_ratio == pytest.approx(2520 / 2235 / HALVED_OVER_BASE)
    assert sustained_slowdown(spared) < sustained_slowdown(limited) / 5


def test_a_halved_card_holds_its_warranted_clock_not_its_boost() -> None:
    """Of one design and boost clock, an L20 is warranted twice the L40's base clock."""
    l40, l20 = load_profile("l40"), load_profile("l20")
    assert 1 / (1 + sustained_slowdown(facts_of(l40))) == pytest.approx(
        HALVED_OVER_BASE * 735 / 2490, rel=0.01
    )
    m = n = k = 8192
    found = {gpu.name: 2 * m * n * k / gemm_latency(gpu, m, n, k).latency_s / 1e12 for gpu in (l40, l20)}
    # A public table of torch.mm (zzc0721/torch-performence-test-data): L20 114.1 in bf16.
    assert found["l20"] == pytest.approx(114.1, rel=0.05)
    assert found["l40"] < 0.65 * 181.05


def test_error_correction_among_the_data_takes_its_share_of_bandwidth() -> None:
    """An A40 reports 46,068 of 49,152 MiB, an RTX A6000 of the same die all: its check bits are off."""
    a40, a6000 = load_profile("a40"), load_profile("rtx-a6000")
    assert facts_of(a40).memory_share == pytest.approx(46068 / 49152, rel=1e-3)
    assert facts_of(a6000).memory_share == facts_of(load_profile("h100-sxm")).memory_share == 1.0
    for kind in ("gemm.bf16", "attention.decode"):
        corrected, plain = (
            gpu.fit.kinds[kind].parameters["dram_efficiency"] for gpu in (a40, a6000) if gpu.fit is not None
        )
        assert corrected / plain == pytest.approx(15 / 16, rel=1e-3)


def test_amd_cards_reach_what_their_vendor_measures() -> None:
    """Max-Achievable FLOPs of AMD's own blog (2025), in bf16: the best sizes, so the most to expect."""
    m, n, k = 4096, 4864, 32896
    for gpu, tflops in (("mi300x", 708), ("mi325x", 843)):
        found = gemm_latency(gpu, m, n, k)
        assert 2 * m * n * k / found.latency_s / 1e12 == pytest.approx(tflops, rel=0.12)
        assert found.lower_s < 2 * m * n * k / (tflops * 1e12) < found.upper_s


def test_a_consumer_die_leans_on_dies_like_it() -> None:
    """GA102 (A40, RTX 3090) bears the name of the A100's generation, and is no such die."""
    assert facts_of(load_profile("a40")).generation == facts_of(load_profile("rtx-3090")).generation
    assert facts_of(load_profile("a40")).generation != facts_of(load_profile("a100-pcie-40gb")).generation


def test_gpus_with_expert_kernels_of_one_design_do_not_outvote_others() -> None:
    """Three that run Triton's kernels weigh about what one of another design does, and most for their own."""
    spread = Spread(shared=1.0, own=0.1, generation=0.1, rate=0.0, memory=0.0, kernels=1.0)
    known = {
        "a100": replace(H100, generation="ampere"),
        "h100": H100,
        "l40s": L40S,
        "rtx": replace(L40S, generation="blackwell-geforce"),
    }
    found = replace(parameter(dict.fromkeys(known, 1.0)), spread=spread)
    weights = transfer(found, replace(H100, generation="blackwell"), known).weights
    assert weights["a100"] + weights["h100"] + weights["l40s"] == pytest.approx(weights["rtx"], rel=0.05)
    weights = transfer(found, replace(H100, generation="turing"), known).weights
    assert weights["a100"] > 3 * weights["rtx"]


def test_a_spread_of_designs_is_written_where_there_is_one(tmp_path: Path) -> None:
    pool = example_pool()
    kind = pool.kinds["gemm.bf16"]
    name, plain = next(iter(kind.parameters.items()))
    write_pool(pool, tmp_path / "plain.json")
    assert '"kernels"' not in (tmp_path / "plain.json").read_text()
    told = replace(kind, parameters={name: replace(plain, spread=replace(plain.spread, kernels=0.5))})
    write_pool(replace(pool, kinds={"gemm.bf16": told}), tmp_path / "told.json")
    assert read_pool(tmp_path / "told.json").kinds["gemm.bf16"].parameters[name].spread.kernels == 0.5
