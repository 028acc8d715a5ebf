"""Intervals of the world: wider than a table's own, narrow again for one's own machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import infersim as sim
from infersim.cost.gemm.tiles import values_half_width
from infersim.cost.regimes import ATTENTION_REGIMES, GEMM_REGIMES
from infersim.domain.dtypes import DType
from infersim.domain.fit import Claim, IntervalFit
from infersim.domain.profile import HardwareProfile
from infersim.profile_files import read_fit, write_fit
from infersim.profile_files.profiles import with_fit
from infersim.transfer.strangers import (
    ENGINE_ATTENTION,
    ENGINE_GEMM,
    HANDS,
    LIBRARY_GEMM,
    among_strangers,
    claimed_interval,
    spread_between,
)
from tests.fitting.synthetic_samples import gemm_shapes, measured

GPU = "h100-sxm"
BF16 = sim.load_profile(GPU).fit.kinds["gemm.bf16"].parameters  # type: ignore[union-attr]
PEAK = sim.load_profile(GPU).datasheet_flop_per_s(DType.BF16) / 1e6


def half_width(profile: HardwareProfile, dtype: str = "bf16", m: int = 2048) -> float:
    found = sim.gemm_latency(profile, m, 4096, 4096, dtype=dtype)
    return float(np.log(found.upper_s / found.latency_s))


def claiming(claim: Claim) -> HardwareProfile:
    profile = sim.load_profile(GPU)
    assert profile.fit is not None
    return replace(profile, fit=among_strangers(profile.fit, claim))


def test_every_regime_has_a_spread() -> None:
    assert LIBRARY_GEMM.keys() == ENGINE_GEMM.keys() == set(GEMM_REGIMES)
    assert all(spreads.keys() == set(ATTENTION_REGIMES) for spreads in ENGINE_ATTENTION.values())


def test_a_fit_that_ships_speaks_of_other_peoples_machines() -> None:
    assert half_width(sim.load_profile(GPU)) == half_width(claiming(Claim.WORLD))
    own = half_width(claiming(Claim.SETUP))
    # What values the operands hold is no matter of hands.
    values = float(values_half_width(BF16, np.array(2 * 2048 * 4096**2 / PEAK)))
    expected = np.hypot(np.sqrt(own**2 - values**2) * HANDS, values)
    assert half_width(claiming(Claim.WORLD)) == pytest.approx(expected, rel=1e-3)


def test_hands_add_nothing_to_how_gpus_differ_where_all_call_one_library() -> None:
    """Each pooled GPU was measured on another board, with other versions: leaving it out tells of both."""
    fit = sim.load_profile("h200-sxm").fit
    assert fit is not None
    kind = fit.kinds["gemm.bf16"]
    assert kind.transferred
    assert kind.claim is Claim.WORLD
    assert claimed_interval(kind) == kind.interval
    measured = replace(kind, transferred=False)
    assert claimed_interval(measured).by_regime["mid large"] > kind.interval.by_regime["mid large"]


def test_hands_widen_formats_of_a_gpu_that_was_not_measured() -> None:
    fit = sim.load_profile("h200-sxm").fit
    assert fit is not None
    kind = fit.kinds["gemm.int8"]
    own = kind.interval.by_regime["mid large"]
    assert kind.transferred
    added = np.hypot(own, 2 * LIBRARY_GEMM["mid large"])
    assert claimed_interval(kind, library=True).by_regime["mid large"] == pytest.approx(added)
    assert own < added < claimed_interval(kind).by_regime["mid large"]


def test_a_librarys_8_bit_gemm_is_surer_than_an_engines() -> None:
    """Without quantising activations fp8 is cuBLASLt's; scales of blocks need an engine's kernels."""
    for dtype, surer in (("fp8", True), ("fp8_block", False)):
        widths = [
            np.log(found.upper_s / found.latency_s)
            for found in (
                sim.gemm_latency(GPU, 2048, 4096, 4096, dtype=dtype, act_quant=act_quant)
                for act_quant in (False, True)
            )
        ]
        assert (widths[0] < 0.8 * widths[1]) == surer


@pytest.mark.parametrize("dtype", ["bf16", "fp8"])
@pytest.mark.parametrize("m", [1, 128, 2048])
def test_who_knows_more_of_the_measurement_is_surer(dtype: str, m: int) -> None:
    claims = (Claim.SETUP, Claim.ENGINE, Claim.WORLD)
    setup, engine, world = (half_width(claiming(claim), dtype, m) for claim in claims)
    assert setup < engine <= world
    # In 16 bit all engines call one library: the engine says nothing more.
    assert (engine == world) == (dtype == "bf16")


def test_a_ratio_of_two_kernels_gains_less_than_either() -> None:
    for kind in ("gemm.bf16", "gemm.fp8", "gemm.nvfp4", "attention.decode"):
        spread = spread_between(kind, Claim.WORLD)
        assert spread is not None
        assert spread.pair < np.sqrt(2) * min(spread.by_regime.values())


@pytest.mark.slow
def test_ones_own_samples_bring_the_narrow_interval_back() -> None:
    """Of the kind that was measured; what ships of the other kinds stays other people's, in a file too."""
    profile = sim.load_profile(GPU)
    mine = sim.calibrate(profile, measured(gemm_shapes(250, seed=1), profile, noise=0.02))
    assert mine.fit is not None
    assert mine.fit.kinds["gemm.bf16"].claim is Claim.SETUP
    assert half_width(mine) < 0.8 * half_width(profile)
    assert mine.fit.kinds["attention.decode"].claim is Claim.WORLD


def test_a_file_keeps_whose_measurements_a_kind_claims(tmp_path: Path) -> None:
    profile = claiming(Claim.ENGINE)
    assert profile.fit is not None
    path = tmp_path / "own.fit.json"
    write_fit(profile.fit, path)
    assert {kind.claim for kind in read_fit(path).kinds.values()} == {Claim.ENGINE}
    again = with_fit(profile, path)
    assert half_width(again) == pytest.approx(half_width(profile), rel=1e-6)


def test_naming_the_engine_rules_the_others_out() -> None:
    profile = sim.load_profile(GPU)
    assert profile.fit is not None
    kinds = {name: profile.fit.kinds[name] for name in ("gemm.fp8", "attention.decode")}
    bare = replace(profile.fit, kernel_sets={}, default_kernels=None, kernels=None)
    sets = bare.with_kinds({"gemm.fp8": kinds["gemm.fp8"]}, "sglang")
    named = replace(profile, fit=sets).with_kernels("sglang").fit
    assert named is not None
    assert named.kinds["gemm.fp8"].claim is Claim.ENGINE
    # Attention was not measured under it: another engine's stands in.
    assert named.kinds["attention.decode"].claim is Claim.WORLD


def test_the_pools_engine_stands_beside_another_that_was_measured(tmp_path: Path) -> None:
    """A GPU measured under SGLang alone: under vLLM its attention is what the pool says, its 16-bit GEMMs are
    the library's own.
    """
    profile = sim.load_profile(GPU)
    assert profile.fit is not None
    kinds = {name: kind for name, kind in profile.fit.kinds.items() if not kind.transferred}
    path = tmp_path / "sglang.fit.json"
    bare = replace(profile.fit, kinds={}, kernel_sets={}, default_kernels=None, kernels=None)
    write_fit(bare.with_kinds(kinds, "sglang"), path)
    measured = with_fit(profile, path)
    assert measured.kernel_sets == ("sglang",)
    default, vllm = measured.fit, measured.with_kernels("vllm").fit
    assert default is not None
    assert vllm is not None
    assert not any(kind.transferred for name, kind in default.kinds.items() if name in kinds)
    assert vllm.kinds["attention.decode"].transferred
    assert vllm.kinds["attention.decode"].claim is Claim.ENGINE
    assert vllm.kinds["gemm.bf16"].parameters == kinds["gemm.bf16"].parameters
    write_fit(default, path)
    assert with_fit(profile, path).kernel_sets == ("sglang",)


def test_what_several_hands_measured_holds_their_spread_already() -> None:
    fit = claiming(Claim.HANDS).fit
    assert fit is not None
    kinds = among_strangers(fit).kinds.values()
    assert all(claimed_interval(kind) == kind.interval for kind in kinds)


def test_a_regime_without_a_spread_gets_the_largest() -> None:
    kind = sim.load_profile(GPU).fit.kinds["gemm.fp8"]  # type: ignore[union-attr]
    odd = replace(kind, interval=IntervalFit(by_regime={"new": 0.0}, pair=0.0, outside=0.0))
    assert claimed_interval(odd).by_regime["new"] == max(ENGINE_GEMM.values())
