"""The source paper reproduced: what must be near its numbers is, and every number has one beside it."""

from __future__ import annotations

import math
from functools import cache

import pandas as pd
import pytest

from infersim.pruning.composition import prune
from infersim.simulation.comparison import compare
from infersim.simulation.reproduction import (
    BATCHES,
    CONTEXTS,
    GPU,
    MODEL,
    TOTAL,
    Reproduction,
    reproduce_beyond_flops,
)
from infersim.simulation.source_paper import load_mean_speedups
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
