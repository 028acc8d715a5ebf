"""Plans that reach a target speedup, from what was typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from infersim.cli.plans import Pruning
from infersim.cli.questions import ALL, names
from infersim.domain.errors import InfersimError, InvalidValueError

if TYPE_CHECKING:
    from infersim.domain.profile import HardwareProfile
    from infersim.simulation.speedups.scenarios import Scenarios


def plans_for_target(
    asked: Pruning,
    target: float,
    gpus: Sequence[HardwareProfile],
    scenarios: Scenarios,
    *,
    families: str | None,
    with_files: bool,
) -> Pruning:
    """Each family at the least sparsity that reaches `target`, of every scenario; what cannot is left out.

    Raises InvalidValueError beside plans from files, whose sparsity is given, and InfersimError where no
    family reaches the target.
    """
    from infersim.pruning.composition import prune
    from infersim.report.advice.tables import needed_sparsity
    from infersim.report.core.scenarios import label, varying_keys
    from infersim.simulation.advice.target import sparsity_for

    if with_files:
        raise InvalidValueError(
            "target_speedup", target, "none beside plans from files, which have a sparsity"
        )
    chosen = chosen_families(families)
    needed = sparsity_for(asked.model, list(gpus), target, chosen=chosen, scenarios=scenarios)
    keys = varying_keys(needed)
    missed = []
    for _, row in needed[~needed["reached"].astype(bool)].iterrows():
        where = ", ".join(filter(None, (str(row["family"]), label(row, keys))))
        missed.append(f"{where} {needed_sparsity(0, row['limit'], row['highest'], row['ceiling'])}")
    reached = needed[needed["reached"].astype(bool)].drop_duplicates("plan")
    if reached.empty:
        raise InfersimError(f"no family reaches {target:g}x: {'; '.join(missed)}")
    plans = [prune(asked.model, row["family"], row["sparsity"]) for _, row in reached.iterrows()]
    return Pruning(model=asked.model, plans=tuple(plans), left_out=tuple(missed))


def chosen_families(families: str | None) -> list[str] | None:
    """The families that were named, None for all of them."""
    if families is None or ALL in (found := names("families", families)):
        return None
    return found
