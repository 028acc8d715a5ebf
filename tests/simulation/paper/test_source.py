"""The source paper's figures add up, and its claims are about families that infersim has."""

from __future__ import annotations

import pytest

from infersim.domain.ops import Part
from infersim.domain.shapes import Phase
from infersim.pruning.families.registry import families
from infersim.simulation.paper.source import Quantity, load_claims, load_figure2, load_mean_speedups


@pytest.mark.parametrize(("phase", "total_ms"), [(Phase.PREFILL, 2190.0), (Phase.DECODE, 14.97)])
def test_components_of_figure_2_add_up_to_the_whole(phase: Phase, total_ms: float) -> None:
    parts = [part for part in load_figure2() if part.phase is phase]
    named = {part.component for part in parts}
    assert named == {part.value for part in Part} - {"extra", "communication"} | {"launch"}
    assert len(parts) == len(named)
    certain = [part for part in parts if not part.upper_limit]
    # Printed to 0.1 %: six roundings of at most half of that.
    assert sum(part.share for part in certain) == pytest.approx(1.0, abs=0.003)
    assert sum(part.time_ms for part in certain) == pytest.approx(total_ms, rel=0.003)


def test_only_the_prefill_lm_head_is_bounded_from_above() -> None:
    limits = [(part.phase, part.component) for part in load_figure2() if part.upper_limit]
    assert limits == [(Phase.PREFILL, "lm_head")]


def test_launch_time_of_prefill_is_no_cost_per_kernel() -> None:
    """Both phases launch about the same kernels; prefill's share is a hundred times longer."""
    launch_ms = {part.phase: part.time_ms for part in load_figure2() if part.component == "launch"}
    assert launch_ms[Phase.PREFILL] == pytest.approx(98, abs=1)
    assert launch_ms[Phase.DECODE] == pytest.approx(0.78, abs=0.005)


def test_claims_name_families_and_quantities_that_exist() -> None:
    known = {family.name for family in families()} | {None}
    assert {claim.family for claim in load_claims()} <= known
    assert {claim.quantity for claim in load_claims()} == set(Quantity)


def test_equivalents_are_below_the_sparsity_they_stand_for() -> None:
    equivalents = [claim for claim in load_claims() if claim.quantity is Quantity.STATIC_M_EQUIVALENT]
    assert {claim.family for claim in equivalents} == {
        "static-k-lowrank",
        "static-nk",
        "static-nk-cross",
        "dynamic-m",
    }
    for claim in equivalents:
        assert claim.sparsity is not None
        assert 0 < claim.value < claim.sparsity


def test_the_frontier_is_handed_from_family_to_family() -> None:
    def losses(quantity: Quantity) -> list[tuple[float, str | None]]:
        return sorted((claim.value, claim.family) for claim in load_claims() if claim.quantity is quantity)

    low, high = losses(Quantity.FRONTIER_LOSS_LOW), losses(Quantity.FRONTIER_LOSS_HIGH)
    order = ["static-m", "dynamic-m", "static-nk"]
    assert [family for _, family in low] == order
    assert [family for _, family in high] == order
    for (begins, _), (ends, _) in zip(low[1:], high, strict=False):
        assert begins > ends


def test_mean_speedups_cover_both_phases_of_each_family_of_table_2() -> None:
    table = [row for row in load_mean_speedups() if row.locator == "Table 2"]
    seen = {(row.family, row.sparsity, row.phase.value) for row in table}
    assert len(table) == len(seen) == 22
    for family, sparsity, phase in seen:
        assert (family, sparsity, "decode" if phase == "prefill" else "prefill") in seen
    # The paper has 2:4 at its fixed 50 % only, and no mean for the cross-layer family.
    at_quarter = {family for family, sparsity, _ in seen if sparsity == 0.25}
    at_half = {family for family, sparsity, _ in seen if sparsity == 0.5}
    assert at_half - at_quarter == {"static-k-2:4"}
