"""Applying a family to a model or to a plan: plans compose step by step.

Also every family at each sparsity that a model allows, and stacks of fewer layers for machines that cannot
hold the whole model: of each kind of block (and of the removed ones) the same share stays, as nearly as
whole layers allow. Dense and pruned stacks are compared with each other, so a speedup measured on them is
well defined, and is to be set against one predicted for the same stacks.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from infersim.domain.arguments import as_it_is, checked, refused, text
from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.pruning.families.family import check_sparsity
from infersim.pruning.families.registry import family_named
from infersim.pruning.plan import OptionValue, Plan, PlanStep
from infersim.workload.presets import a_model
from infersim.workload.transformer import Transformer

Model: TypeAlias = Transformer | str | Path
"""A transformer, a preset's name, or a path to a Hugging Face config."""


def stack_of_model(model: Transformer, layers: int) -> Transformer:
    """`layers` layers of the model, with a name that says so; the model itself where that is all of them.

    Raises InvalidValueError for more layers than it has, or none.
    """
    total = len(model.blocks)
    if isinstance(layers, bool) or not 1 <= layers <= total:
        raise InvalidValueError("layers", layers, f"1 to {total}, the layers of {model.name}")
    if layers == total:
        return model
    kept = _share(list(model.blocks), layers, total)
    blocks = tuple(model.blocks[index] for index in kept)
    return replace(model, name=f"{model.name} ({layers} of {total} layers)", blocks=blocks)


def stack_of_plan(plan: Plan, layers: int) -> Plan:
    """The plan's share in a stack of `layers` of its dense model's layers; errors as in `stack_of_model`."""
    base = stack_of_model(plan.base, layers)
    if base is plan.base:
        return plan
    total, left = len(plan.base.blocks), plan.transformer.blocks
    # Removed layers are a kind of their own, which takes its share and then is not there.
    kinds: list[Hashable] = [*left, *[None] * (total - len(left))]
    kept = [index for index in _share(kinds, layers, total) if index < len(left)]
    blocks = tuple(left[index] for index in kept) or left[-1:]
    return replace(plan, base=base, transformer=replace(plan.transformer, name=base.name, blocks=blocks))


def _share(kinds: Sequence[Hashable], layers: int, total: int) -> list[int]:
    """Indices of `layers` of the `total` entries, each kind by the largest remainders of its share."""
    places: dict[Hashable, list[int]] = {}
    for index, kind in enumerate(kinds):
        places.setdefault(kind, []).append(index)
    exact = {kind: len(found) * layers / total for kind, found in places.items()}
    counts = {kind: int(share) for kind, share in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: counts[kind] - exact[kind])
    for kind in by_remainder[: layers - sum(counts.values())]:
        counts[kind] += 1
    chosen = [found[at] for kind, found in places.items() for at in _spread(counts[kind], len(found))]
    return sorted(chosen)


def _spread(count: int, total: int) -> list[int]:
    """`count` of `total` places, evenly apart."""
    return [int((index + 0.5) * total / count) for index in range(count)]


def a_model_or_plan(key: str, value: object) -> Transformer | Plan:
    """A rule of arguments: a plan as it is, or a model by whatever it may be given."""
    if isinstance(value, Plan):
        return value
    if isinstance(value, Transformer | str | Path):
        return a_model(key, value)
    raise refused(key, value, "a model, a preset's name, a path to a config, or a plan")


def _plan_of(model_or_plan: Model | Plan) -> Plan:
    """A plan as it is; a model as the plan without steps."""
    found = a_model_or_plan("model", model_or_plan)
    return found if isinstance(found, Plan) else Plan(base=found, transformer=found)


def an_option(key: str, value: object) -> OptionValue:
    """A rule of arguments: what an option may be at all; which of these it may be, its family says."""
    found = value.item() if isinstance(value, np.generic) else value
    if isinstance(found, str | int | float):
        return found
    raise refused(key, value, "a text, a number, or true or false")


@checked(model=as_it_is, family=text, sparsity=as_it_is, options=an_option)
def prune(model: Model | Plan, /, family: str, sparsity: float | None = None, **options: OptionValue) -> Plan:
    """Apply a family to a model (or to that of a name or file), or to what a plan made of one.

    A composed step works on, and counts from, what the steps before left.

    Parameters
    ----------
    model
        A model as in `predict`, or a plan.
    family
        One of the families (`infersim glossary`), such as `static-nk`.
    sparsity
        A fraction in [0, 1) of what the family targets. None only where the family has a fixed one.
    **options
        Those of the family.

    Returns
    -------
    Plan
        The pruned model, with the steps that led to it.

    Raises
    ------
    UnknownNameError
        For an unknown family or option.
    InvalidValueError
        For a value outside what is possible.
    UnsupportedError
        Where the model has nothing to prune, or families do not compose.

    Examples
    --------
    >>> import infersim as sim
    >>> plan = sim.prune("llama-3.1-8b", "static-m", sparsity=0.25)
    >>> len(plan.transformer.blocks)
    24
    >>> sim.prune(plan, "static-k-2:4").title
    'static-m 25 % + static-k-2:4 50 %'
    """
    chosen = family_named(family)
    chosen.check_options(options)
    requested = check_sparsity(chosen.fixed_sparsity if sparsity is None else sparsity)
    plan = _plan_of(model)
    pruned = chosen.function(plan.transformer, requested, **options)
    step = PlanStep(
        family=family,
        sparsity=requested,
        sparsity_realised=pruned.sparsity_realised,
        options=tuple(sorted(options.items())),
    )
    return replace(
        plan,
        transformer=pruned.transformer,
        steps=(*plan.steps, step),
        targets=plan.targets | pruned.targets,
    )


def prune_with(
    model: Transformer, family: str, sparsity: float | None, options: Mapping[str, OptionValue]
) -> Plan:
    """`prune` with options that somebody wrote down: one called `family` or `sparsity` is unknown too."""
    family_named(family).check_options(options)
    return prune(model, family, sparsity, **options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A combination that a model or family does not allow, and why.

    `key` is the value at fault, `sparsity` or an option; empty where it is the model's nature.
    """

    family: str
    sparsity: float
    reason: str
    key: str = ""

    def __str__(self) -> str:
        """What is left out and why, in words."""
        return f"{self.family} at {self.sparsity:g}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyPlans:
    """Plans for `compare`, families outermost, and what was left out."""

    plans: tuple[Plan, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyChoice:
    """A family with options other than its defaults."""

    name: str
    options: Mapping[str, OptionValue] = field(default_factory=dict)


def family_plans(
    model: Transformer, families: Sequence[str | FamilyChoice], sparsities: Sequence[float]
) -> FamilyPlans:
    """Prune `model` by each family (a name, or a choice of its options) at each sparsity.

    A combination that cannot be (2:4 at another sparsity than 0.5, a model without FFN) is left out with its
    reason; a family of no known name or a number that is no sparsity is an error.
    """
    plans: list[Plan] = []
    skipped: list[Skipped] = []
    choices = [FamilyChoice(name=family) if isinstance(family, str) else family for family in families]
    for choice in choices:
        family = family_named(choice.name)
        family.check_options(choice.options)
        for sparsity in map(check_sparsity, sparsities):
            try:
                plans.append(prune(model, family.name, sparsity, **choice.options))
            except (UnsupportedError, InvalidValueError) as error:
                key = error.key if isinstance(error, InvalidValueError) else ""
                skipped.append(Skipped(family=family.name, sparsity=sparsity, reason=str(error), key=key))
    return FamilyPlans(plans=tuple(plans), skipped=tuple(skipped))
