"""The model and the plans that a command is about, from what was typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from infersim.cli.questions import ALL, family_options, fractions, names
from infersim.domain.errors import InfersimError, InvalidValueError

if TYPE_CHECKING:
    from infersim.pruning.plan import Plan
    from infersim.workload.scenario import Execution
    from infersim.workload.transformer import Transformer


SPARSITY = "0.5"
"""The sparsity, where nobody says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """A dense model and the plans made of it; `left_out` says which were asked for and cannot be."""

    model: Transformer
    plans: tuple[Plan, ...]
    left_out: tuple[str, ...]

    def shared_by(self, executions: Sequence[Execution]) -> Pruning:
        """The same without plans that GPUs do not share evenly, which are left out.

        Raises InvalidValueError where the dense model is none that they share, and InfersimError where no
        plan is left.
        """
        from infersim.simulation.speedups.sharing import check_shared, shared_plans

        check_shared(self.model, executions)
        sharing = shared_plans(self.plans, executions)
        if self.plans and not sharing.plans:
            raise InfersimError(f"no plan can be shared: {'; '.join(sharing.left_out)}")
        return replace(self, plans=sharing.plans, left_out=(*self.left_out, *sharing.left_out))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the files of the models say beside shapes, and what was found in pruned ones, by name."""
        models = (self.model, *(plan.transformer for plan in self.plans))
        told = [f"{model.name}: {note}" for model in models for note in model.notes]
        found = [f"{plan.name}: {plan.recognised}" for plan in self.plans if plan.recognised]
        return tuple(dict.fromkeys((*found, *told)))


def chosen_pruning(
    *,
    model: str | None,
    families: str | None,
    sparsity: str,
    plan_files: Sequence[Path],
    pruned_configs: Sequence[Path],
    otherwise: str | None = None,
    layers: int | None = None,
) -> Pruning:
    """Plans from files first, then each family at each sparsity; with `layers` a stack of so many of each.

    Options of a family follow its name: `dynamic-m/execution=gather`; so does a sparsity of its own:
    `static-m@0.25`. Where nothing is asked for, a 2:4
    checkpoint is a plan of its dense model, and of any other model the families of `otherwise` are meant.

    `model` may be left out where a plan file names it; `sparsity` is also for plan files that state none.
    Raises what reading and pruning raise; what families cannot do is left out with its reason, unless it is
    all that was asked for.
    """
    from infersim.pruning.composition import stack_of_model, stack_of_plan
    from infersim.pruning.plan_files.checkpoint import plan_of_sparse
    from infersim.workload.presets import load_model

    base = None if model is None else load_model(model)
    plans: list[Plan] = []
    if plan_files:  # readers of all kinds of plans take a while to load
        from infersim.pruning.plan_files.reading import plan_from_file
    for file in plan_files:
        # A file may leave the sparsity to the command line; where it does not, all of them are one plan.
        made = [plan_from_file(file, base, sparsity=each) for each in fractions("sparsity", sparsity)]
        plans += dict.fromkeys(made)
        base = plans[-1].base
    if base is None:
        raise InvalidValueError("model", None, "a name or a config: --model, or a plan that names it")
    plans += [_pruned(base, config) for config in pruned_configs]
    left_out: tuple[str, ...] = ()
    if families is None and not plans:
        own = plan_of_sparse(base)
        plans, base = ([], base) if own is None else ([own], own.base)
        families = otherwise if own is None else None
    if families is None and not plan_files and sparsity != SPARSITY:
        raise InvalidValueError("sparsity", sparsity, "none without --families or --plan: nothing takes it")
    if families is not None:
        swept, left_out = _swept(base, families, sparsity)
        plans += swept
    if layers is not None:
        plans = [stack_of_plan(plan, layers) for plan in plans]
        base = stack_of_model(base, layers)
    return Pruning(model=base, plans=tuple(plans), left_out=left_out)


def _pruned(base: Transformer, config: Path) -> Plan:
    """The plan of a pruned model, which errors call what the option calls it."""
    from infersim.pruning.plan_files.checkpoint import plan_from_config

    try:
        return plan_from_config(base, config)
    except InvalidValueError as error:
        if error.key != "model":
            raise
        raise InvalidValueError("pruned", error.value, error.expected) from None


def _swept(base: Transformer, families: str, sparsity: str) -> tuple[tuple[Plan, ...], tuple[str, ...]]:
    from infersim.pruning.composition import FamilyChoice, family_plans
    from infersim.pruning.families.registry import suitable_families

    chosen = names("families", families)
    if ALL in chosen:
        chosen = [family.name for family in suitable_families(base)]
    plans: list[Plan] = []
    left_out: list[str] = []
    for entry in chosen:
        words, at, own = entry.partition("@")  # FAMILY@SPARSITY has a sparsity of its own
        if at and not own:
            raise InvalidValueError("families", entry, "FAMILY@SPARSITY, such as static-m@0.25")
        name, *settings = words.split("/")
        choice = FamilyChoice(name=name, options=family_options(settings))
        swept = family_plans(base, [choice], fractions("sparsity", own or sparsity))
        plans += swept.plans
        left_out += map(str, swept.skipped)
    if not plans:
        raise InfersimError(f"no plan can be made: {'; '.join(left_out)}")
    return tuple(dict.fromkeys(plans)), tuple(left_out)
