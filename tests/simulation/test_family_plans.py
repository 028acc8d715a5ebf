"""Plans of a sweep: all that can be, and why the others cannot."""

from __future__ import annotations

import pytest

from infersim.domain.errors import InvalidValueError, UnknownNameError
from infersim.pruning.composition import family_plans
from infersim.pruning.families.registry import families
from infersim.simulation.speedups.comparison import compare
from infersim.workload.presets import load_model

FAMILIES = [family.name for family in families() if not family.of_experts]


def test_every_combination_is_a_plan_or_has_a_reason() -> None:
    swept = family_plans(load_model("llama-3.2-1b"), FAMILIES, [0.25, 0.5, 0.99])
    made = {(plan.family, plan.sparsity) for plan in swept.plans}
    skipped = {(each.family, each.sparsity): each.reason for each in swept.skipped}
    assert made | skipped.keys() == {
        (family, sparsity) for family in FAMILIES for sparsity in (0.25, 0.5, 0.99)
    }
    assert not made & skipped.keys()
    assert skipped.keys() == {("static-k-2:4", 0.25), ("static-k-2:4", 0.99), ("static-m", 0.99)}
    assert "0.5 for static-k-2:4" in skipped["static-k-2:4", 0.25]
    assert "leaves at least one" in skipped["static-m", 0.99]


def test_the_plans_of_a_sweep_compare_in_one_go() -> None:
    model = load_model("llama-3.2-1b")
    swept = family_plans(model, FAMILIES, [0.25, 0.5])
    frame = compare(model, swept.plans, ["l4", "h100-sxm"], phase="both", batch=[1, 8], context=[128, 1024])
    assert len(frame) == len(swept.plans) * 2 * 2 * 4
    assert (frame.groupby(["family", "sparsity", "gpu", "phase"]).size() == 4).all()


def test_what_no_model_allows_is_an_error() -> None:
    model = load_model("llama-3.2-1b")
    with pytest.raises(InvalidValueError, match=r"sparsity = 1\.5"):
        family_plans(model, FAMILIES, [1.5])
    with pytest.raises(UnknownNameError, match="static-nk"):
        family_plans(model, ["static-kn"], [0.5])
