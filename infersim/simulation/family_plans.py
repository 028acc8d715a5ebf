"""Plans of families: each family at each sparsity, as far as the model allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.pruning.checks import check_sparsity
from infersim.pruning.composition import prune
from infersim.pruning.plan import OptionValue, Plan
from infersim.pruning.registry import family_named
from infersim.workload.transformer import Transformer


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A combination that a model or family does not allow, and why.

    `key` is the value at fault, `sparsity` or an option; empty where it is the model's nature.
    """

    family: str
    sparsity: float
    reason: str
    key: str = ""


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
        for sparsity in map(check_sparsity, sparsities):
            try:
                plans.append(prune(model, family.name, sparsity, **choice.options))
            except (UnsupportedError, InvalidValueError) as error:
                key = error.key if isinstance(error, InvalidValueError) else ""
                skipped.append(Skipped(family=family.name, sparsity=sparsity, reason=str(error), key=key))
    return FamilyPlans(plans=tuple(plans), skipped=tuple(skipped))
