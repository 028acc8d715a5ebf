"""Frontiers: quality joined with speedups, who leads, and the source paper's claim."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import infersim as sim
from infersim.domain.errors import InvalidValueError, UnknownNameError, UnsupportedError
from infersim.simulation.frontier import Frontier, frontier
from infersim.simulation.frontier_bands import best_within, leading_bands
from infersim.simulation.frontier_claims import agreement, claimed_bands
from infersim.simulation.frontier_timing import case_timings
from infersim.simulation.speedups.scenarios import Scenarios

PAPER = "arXiv:2606.09080"
LORA = "lora (RedPajama, 164M tokens)"


@pytest.fixture(scope="module")
def paper() -> Frontier:
    """The source paper's own quality points on its GPU, in prefill."""
    return frontier("llama-3.1-8b", "rtx-pro-6000", phase="prefill", context=4096, source=PAPER)


@pytest.fixture(scope="module")
def workloads() -> Frontier:
    return frontier(
        "llama-3.1-8b",
        "a100-sxm-80gb",
        request=["classification", "reasoning"],
        source=PAPER,
        recovery="lora",
    )


def by(frame: pd.DataFrame, *keys: str) -> dict[Any, dict[Hashable, Any]]:
    """Rows of a frame by a key, or several."""
    return {
        row[keys[0]] if len(keys) == 1 else tuple(row[key] for key in keys): row
        for row in frame.to_dict("records")
    }


def quality_file(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "quality.csv"
    path.write_text(
        "\n".join(("family,sparsity,quality_loss_percent,recovery,task_type,method", *rows)) + "\n"
    )
    return path


def test_the_papers_pareto_set_is_that_of_its_stated_points_and_measured_speedups(paper: Frontier) -> None:
    """By hand from its Table 2 and section 5.2: sorted by loss, each point faster than all before it."""
    rows = paper.points[(paper.points["regime"] == LORA) & (paper.points["axis"] == "zero-shot")]
    leading = rows[rows["measured_standing"] == "frontier"].sort_values("quality_loss_percent")
    assert list(
        zip(leading["family"], leading["quality_loss_percent"], leading["measured"], strict=True)
    ) == [
        ("static-m", 2.85, 1.12),
        ("static-k-lowrank", 6.73, 1.15),
        ("static-m", 10.88, 1.29),
        ("dynamic-m", 15.59, 1.44),
        ("static-nk", 17.27, 1.51),
        ("static-nk", 26.4, 1.77),
        ("static-m", 30.83, 1.88),
    ]


def test_measured_speedups_agree_with_the_claim_where_they_do_and_not_where_not(paper: Frontier) -> None:
    """0-4 %: static depth leads all that is decided. 5-16 %: dynamic depth from 10.7 % on, and only with
    straight lines between points. 17-26 %: static width, from its stated point at 17.27 % on.
    """
    found = agreement(paper.points)
    measured = by(found[(found["regime"] == LORA) & (found["basis"] == "measured")], "claimed")
    assert measured["static-m"]["stated_share"] + measured["static-m"]["stated_open"] == pytest.approx(1)
    assert measured["static-m"]["stated_open"] == pytest.approx(2.85 / 4, abs=0.01)
    assert measured["dynamic-m"]["stated_share"] == pytest.approx((16 - 15.59) / 11, abs=0.01)
    assert measured["dynamic-m"]["stated_leader"] == "static-m"
    # From (3.96, 1.08) to (15.59, 1.44) against (2.85, 1.12) to (10.88, 1.29) and flat from there.
    assert measured["dynamic-m"]["between_share"] == pytest.approx((16 - 10.65) / 11, abs=0.02)
    assert measured["static-nk"]["stated_share"] == pytest.approx((26 - 17.27) / 9, abs=0.01)
    assert measured["static-nk"]["between_share"] == 1


def test_the_claim_is_the_papers() -> None:
    assert [band.family for band in claimed_bands()] == ["static-m", "dynamic-m", "static-nk"]
    assert [band.low for band in claimed_bands()] == pytest.approx([0, 5, 17])
    assert [band.high for band in claimed_bands()] == pytest.approx([4, 16, 26])


def test_recovery_regimes_and_axes_are_never_mixed(paper: Frontier) -> None:
    everything = frontier("llama-3.1-8b", "a100-sxm-80gb", context=2048).points
    for (regime, axis), rows in everything.groupby(["regime", "axis"]):
        families = set(rows["family"])
        assert ("sparse attention" in str(axis)) == bool(families & {"dynamic-nk", "kv-pruning"})
        assert rows["regime"].nunique() == 1
        assert str(regime).startswith("none") or set(rows["source"]) != {""}
    # 2:4 of the paper, whose recovery is not stated, does not stand beside its points with LoRA.
    two_four = paper.points[paper.points["family"] == "static-k-2:4"]
    assert set(two_four["regime"]) == {"unstated"}


def test_speedups_are_those_of_compare(paper: Frontier) -> None:
    model = sim.load_model("llama-3.1-8b")
    plan = sim.prune(model, "static-nk", 0.25)
    compared = sim.compare(model, plan, "rtx-pro-6000", phase="prefill", context=4096).iloc[0]
    row = by(paper.points, "plan")[plan.title]
    for name in ("predicted", "predicted_lower", "predicted_upper", "bound", "ceiling"):
        assert row[name] == pytest.approx(compared[name])
    assert row["gain_per_point"] == pytest.approx(100 * (compared["predicted"] - 1) / 12.71)


def test_one_plan_by_two_methods_is_decided_by_the_loss_alone(tmp_path: Path) -> None:
    file = quality_file(tmp_path, "static-nk,0.25,5,none,zero-shot,a", "static-nk,0.25,6,none,zero-shot,b")
    points = frontier("llama-3.2-1b", "l4", context=512, quality=file).points
    assert {key: row["standing"] for key, row in by(points, "method").items()} == {
        "a": "frontier",
        "b": "dominated",
    }


def test_wide_intervals_leave_a_slightly_slower_plan_undecided(tmp_path: Path) -> None:
    file = quality_file(
        tmp_path, "static-nk,0.50,5,none,zero-shot,a", "static-k-lowrank,0.55,6,none,zero-shot,b"
    )
    points = frontier("llama-3.2-1b", "l4", context=4096, batch=8, quality=file).points
    a, b = (by(points, "method")[name] for name in "ab")
    assert a["predicted"] > b["predicted"]
    assert b["standing"] in ("not told apart", "dominated")
    gap = np.log(a["predicted"] / b["predicted"])
    own = sum(np.log(row["predicted_upper"] / row["predicted"]) for row in (a, b))
    assert (b["standing"] == "dominated") or gap < own


def test_the_width_of_a_pair_is_symmetric() -> None:
    model = sim.load_model("llama-3.2-1b")
    plans = [sim.prune(model, "static-nk", 0.5), sim.prune(model, "static-m", 0.5)]
    cases = Scenarios.of(phase="decode", batch=[1, 8], context=512).cases()
    (timings,) = case_timings(model, plans, [sim.load_profile("a100-sxm-80gb")], cases)
    one, other = (plan.title for plan in plans)
    assert timings.half_width(one, one, 0) == 0
    assert timings.half_width(one, other, 1) == timings.half_width(other, one, 1) > 0


def test_reasoning_has_another_frontier_than_classification_and_memory_says_why(workloads: Frontier) -> None:
    told = by(workloads.workloads, "request")
    assert told["classification"]["decode_share"] == 0
    assert told["classification"]["memory_bound_share"] < 0.1
    assert told["reasoning"]["decode_share"] > 0.9
    assert told["reasoning"]["memory_bound_share"] > 0.9
    weights = workloads.points[workloads.points["axis"] == "zero-shot"]
    leading = {
        request: list(zip(rows["plan"], rows["standing"], strict=True))
        for request, rows in weights.groupby("request")
    }
    assert leading["classification"] != leading["reasoning"]
    # Skipping tokens saves the same FLOPs in both, and fewer bytes than FLOPs where one sequence decodes.
    skipping = by(weights[weights["plan"] == "dynamic-m 50 %"], "request")["reasoning"]
    assert skipping["bytes_removed"] <= skipping["flops_removed"] + 0.02


def test_bands_start_at_their_first_point_and_end_at_the_next(paper: Frontier) -> None:
    bands = leading_bands(paper.points, "measured")
    lora = bands[(bands["regime"] == LORA) & (bands["axis"] == "zero-shot")]
    assert lora["family"].tolist() == [
        "static-m",
        "static-k-lowrank",
        "static-m",
        "dynamic-m",
        "static-nk",
        "static-m",
    ]
    assert lora["loss_low"].tolist() == [2.85, 6.73, 10.88, 15.59, 17.27, 30.83]
    assert lora["loss_high"].tolist()[:-1] == lora["loss_low"].tolist()[1:]
    assert lora["speedup_high"].tolist()[4] == 1.77


def test_the_best_within_a_loss(tmp_path: Path) -> None:
    file = quality_file(
        tmp_path,
        "static-m,0.125,2,none,zero-shot,a",
        "static-m,0.5,6,none,zero-shot,a",
        "static-nk,0.25,9,none,zero-shot,b",
    )
    points = frontier("llama-3.2-1b", "a100-sxm-80gb", phase="prefill", context=2048, quality=file).points
    (row,) = best_within(points, 4).to_dict("records")
    assert row["plan"] == "static-m 12.5 %"
    # Half way from 2 to 6 percent, and from 12.5 to 50 % of the layers.
    assert row["between_sparsity"] == pytest.approx(0.3125)
    ends = {plan: row["predicted"] for plan, row in by(points, "plan").items()}
    assert row["between_predicted"] == pytest.approx((ends["static-m 12.5 %"] + ends["static-m 50 %"]) / 2)
    (none,) = best_within(points, 1).to_dict("records")
    assert none["plan"] == ""
    assert none["predicted"] == 1
    with pytest.raises(InvalidValueError, match="max_loss"):
        best_within(points, float("nan"))


def test_a_users_measured_speedup_stands_beside_its_loss(tmp_path: Path) -> None:
    path = tmp_path / "quality.csv"
    path.write_text(
        "family,sparsity,quality_loss_percent,measured_speedup,measured_phase,measured_gpu\n"
        "static-m,0.25,3,1.27,prefill,l4\n"
    )
    rows = frontier("llama-3.2-1b", ["l4", "a10"], phase="both", context=512, quality=path).points
    here = (rows["gpu"] == "l4") & (rows["phase"] == "prefill")
    assert rows.loc[here, "measured"].tolist() == [1.27]
    assert rows.loc[~here, "measured"].isna().all()
    assert set(rows.loc[here, "measured_scope"]) == {"mean"}


def test_plans_that_do_not_fit_lead_nowhere(tmp_path: Path) -> None:
    file = quality_file(tmp_path, "static-m,0.125,2,none,zero-shot,a", "static-m,0.75,20,none,zero-shot,a")
    points = frontier("llama-3.1-8b", "rtx-5080", phase="prefill", context=1024, quality=file).points
    assert points["fits_memory"].tolist() == [False, True]
    assert points["standing"].tolist() == ["", "frontier"]
    assert leading_bands(points)["plan"].tolist() == ["static-m 75 %"]


def test_quality_of_another_model_must_be_asked_for() -> None:
    with pytest.raises(UnsupportedError, match="--quality-model"):
        frontier("qwen3-32b", "l4", context=512)
    points = frontier(
        "qwen3-32b", "l4", context=512, quality_model="llama-2-7b", task_type="knowledge"
    ).points
    assert set(points["quality_model"]) == {"llama-2-7b"}
    assert set(points["model"]) == {"qwen3-32b"}


def test_unknown_choices_list_what_there_is() -> None:
    for wrong in ({"recovery": "prayer"}, {"task_type": "poetry"}, {"source": "arXiv:0"}):
        with pytest.raises(UnknownNameError, match="known: "):
            frontier("llama-3.1-8b", "l4", context=512, **wrong)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match="there is"):
        frontier("llama-3.1-8b", "l4", context=512, recovery="full")


def test_agreement_judges_no_regime_of_a_single_family(tmp_path: Path) -> None:
    file = quality_file(tmp_path, "static-m,0.125,2,none,zero-shot,a", "static-m,0.5,20,none,zero-shot,a")
    points = frontier("llama-3.1-8b", "rtx-pro-6000", phase="prefill", context=1024, quality=file).points
    assert agreement(points).empty
    assert agreement(points.iloc[:0]).empty


def test_json_ready_frames(paper: Frontier) -> None:
    assert isinstance(paper.points, pd.DataFrame)
    assert paper.left_out == ()
    assert set(paper.points["request"]) == {""}
