"""The source paper reproduced: what must be near its numbers is, and every number has one beside it."""

from __future__ import annotations

import math
from functools import cache

import pandas as pd
import pytest

from infersim.pruning.composition import prune
from infersim.simulation.paper.claims import EXPLAINED_FROM, reason_of
from infersim.simulation.paper.reproduction import (
    BATCHES,
    CONTEXTS,
    GPU,
    MODEL,
    TOTAL,
    Reproduction,
    reproduce_beyond_flops,
)
from infersim.simulation.paper.source import SHORT_CONTEXT, load_mean_speedups
from infersim.simulation.speedups.comparison import compare
from infersim.workload.presets import load_model

STATIC = ["static-m", "static-nk", "static-k-lowrank"]


@cache
def reproduced() -> Reproduction:
    return reproduce_beyond_flops()


def component(phase: str, name: str) -> pd.Series:
    frame = reproduced().components
    return frame[(frame["phase"] == phase) & (frame["component"] == name)].iloc[0]


def test_static_families_are_within_a_quarter_of_the_published_means() -> None:
    frame = reproduced().speedups
    means = frame[frame["family"].isin(STATIC) & frame["sparsity"].isin([0.25, 0.5])]
    assert len(means) == len(STATIC) * 2 * 2
    assert (means["predicted"] - means["paper"]).abs().max() < 0.25


@pytest.mark.parametrize(
    ("phase", "published_ms", "tolerance"), [("prefill", 2190, 0.30), ("decode", 14.97, 0.20)]
)
def test_the_dense_latency_is_near_the_published_one(
    phase: str, published_ms: float, tolerance: float
) -> None:
    total = component(phase, TOTAL)
    assert total["paper_ms"] == published_ms
    assert abs(total["difference"]) < tolerance
    assert total["difference"] == pytest.approx(total["predicted_ms"] / published_ms - 1)
    assert total["lower_ms"] < total["predicted_ms"] < total["upper_ms"]


@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_components_add_up_to_the_total(phase: str) -> None:
    frame = reproduced().components
    parts = frame[(frame["phase"] == phase) & (frame["component"] != TOTAL)]
    assert parts["predicted_ms"].sum() == pytest.approx(component(phase, TOTAL)["predicted_ms"])
    assert parts["predicted_share"].sum() == pytest.approx(1)
    # A share that the paper only bounds from above has nothing to differ from.
    assert parts["difference"].isna().tolist() == parts["paper_upper_limit"].tolist()


def test_every_published_mean_has_a_prediction_beside_it() -> None:
    frame = reproduced().speedups
    published = {(row.family, row.sparsity, row.phase, row.measured_speedup) for row in load_mean_speedups()}
    assert (
        set(zip(frame["family"], frame["sparsity"], frame["phase"], frame["paper"], strict=True)) == published
    )
    assert frame["phase"].drop_duplicates().tolist() == ["prefill", "decode", "prefill+decode"]
    assert (frame["predicted_min"] <= frame["predicted"]).all()
    assert (frame["predicted"] <= frame["predicted_max"]).all()
    assert (frame["bound_min"] <= frame["bound_max"]).all()
    assert (frame["scenarios"] > 0).all()


def test_a_mean_is_that_of_the_scenarios_that_fit() -> None:
    model = load_model(MODEL)
    alone = compare(
        model,
        prune(model, "static-nk", 0.5),
        GPU,
        phase="decode",
        batch=BATCHES,
        context=CONTEXTS,
        execution="separate",
    )
    fitting = alone[alone["dense_fits_memory"]]
    assert 0 < len(fitting) < len(alone)
    frame = reproduced().speedups
    chosen = (frame["family"] == "static-nk") & (frame["sparsity"] == 0.5) & (frame["phase"] == "decode")
    row = frame[chosen].iloc[0]
    assert row["scenarios"] == len(fitting)
    assert row["predicted"] == pytest.approx(math.fsum(fitting["predicted"]) / len(fitting))
    assert row["bound_max"] == pytest.approx(fitting["bound"].max())


def test_a_mean_over_both_phases_takes_the_scenarios_of_both() -> None:
    frame = reproduced().speedups
    by_phase = frame[frame["family"] == "static-m"].groupby(["phase"])["scenarios"].first()
    assert by_phase["prefill+decode"] == by_phase["prefill"] + by_phase["decode"]


def test_claims_that_need_no_quality_are_set_beside_predictions() -> None:
    claims = reproduced().claims
    counts = claims.groupby("quantity").size().to_dict()
    assert counts == {"static_m_equivalent": 4, "non_gemm_overhead_growth": 4, "gemm_and_lm_head_share": 2}
    assert claims["predicted"].notna().all()
    equivalents = claims[claims["quantity"] == "static_m_equivalent"]
    assert (equivalents["predicted_min"] < equivalents["predicted"]).all()
    assert equivalents["predicted"].between(0, 0.5).all()


def test_run_time_and_width_families_are_near_the_published_means() -> None:
    frame = reproduced().speedups
    for family, limit in (("dynamic-m", 0.2), ("dynamic-nk", 0.15), ("static-m", 0.15), ("static-nk", 0.15)):
        off = frame[frame["family"] == family]["off"]
        assert len(off) >= 4
        assert off.abs().max() <= limit, family


def test_every_large_difference_has_a_reason_and_no_small_one() -> None:
    frame = reproduced().speedups
    large = frame["off"].abs() > EXPLAINED_FROM
    assert (frame[large]["reason"] != "").all()
    assert (frame[~large]["reason"] == "").all()
    assert reason_of("static-m", "prefill", -0.11) == reason_of("static-m", "prefill", 0.11) != ""
    assert reason_of("static-m", "prefill", 0.09) == ""


def test_token_skipping_loses_in_decode_at_a_quarter() -> None:
    frame = reproduced().speedups.set_index(["family", "sparsity", "phase"])["predicted"]
    assert frame["dynamic-m", 0.25, "decode"] < 1


def test_equivalents_of_static_families_are_within_eight_points() -> None:
    claims = reproduced().claims
    static = claims["family"].isin(["static-nk", "static-nk-cross", "static-k-lowrank"])
    equivalents = claims[(claims["quantity"] == "static_m_equivalent") & static]
    assert len(equivalents) == 3
    assert (equivalents["predicted"] - equivalents["paper"]).abs().max() < 0.08


def test_overheads_of_token_skipping_are_of_the_published_size() -> None:
    claims = reproduced().claims
    growth = claims[claims["quantity"] == "non_gemm_overhead_growth"].set_index(["family", "phase"])
    for phase in ("prefill", "decode"):
        predicted, paper = growth["predicted"]["dynamic-m", phase], growth["paper"]["dynamic-m", phase]
        assert 0.5 < predicted / paper < 2


def test_the_short_mean_is_over_the_batches_at_one_context() -> None:
    frame = reproduced().speedups
    row = frame[(frame["family"] == "static-k-lowrank") & (frame["phase"] == "decode")].iloc[-1]
    model = load_model(MODEL)
    plan = prune(model, "static-k-lowrank", row["sparsity"])
    short = compare(
        model, plan, GPU, phase="decode", batch=BATCHES, context=SHORT_CONTEXT, execution="separate"
    )
    assert row["predicted_short"] == pytest.approx(short["predicted"].mean())


def test_the_second_factor_of_a_low_rank_pair_weighs_on_decode() -> None:
    claims = reproduced().claims
    growth = claims[claims["quantity"] == "non_gemm_overhead_growth"].set_index(["family", "phase"])
    lowrank = growth["predicted"]["static-k-lowrank"]
    assert lowrank["decode"] > 10 * lowrank["prefill"] > 0


def test_the_share_of_gemms_is_what_other_components_leave() -> None:
    claims = reproduced().claims
    share = claims[claims["quantity"] == "gemm_and_lm_head_share"].set_index("phase")["predicted"]
    others = (
        component("decode", "elementwise")["predicted_ms"] + component("decode", "launch")["predicted_ms"]
    )
    assert share["decode"] == pytest.approx(1 - others / component("decode", TOTAL)["predicted_ms"])
