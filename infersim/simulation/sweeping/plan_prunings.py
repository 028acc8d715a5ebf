"""The prunings of a sweep's plan: families with options and sparsities, and files of the user's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from infersim.domain.errors import FileContentError, InfersimError, UnsupportedError
from infersim.files.errors import located
from infersim.pruning.composition import FamilyChoice, family_plans
from infersim.pruning.families.family import Family
from infersim.pruning.families.registry import families, family_named
from infersim.pruning.plan import Plan
from infersim.pruning.plan_files.reading import plan_from_file
from infersim.simulation.sweeping.plan_lists import Source
from infersim.simulation.sweeping.plan_tables import FamilyTable
from infersim.workload.transformer import Transformer

ALL = "all"
"""Stands for every family."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedPlans:
    """So many plans that cannot be, and why."""

    what: str
    reason: str
    plans: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlans:
    """A dense model with its plans, those of files first, and what cannot be made of it."""

    model: Transformer
    plans: tuple[Plan, ...]
    skipped: tuple[SkippedPlans, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A family with one choice of options, from the given place of the plan's list.

    `impossible` are sparsities that the family has on no model. `meant` False: `all` stands there, which
    means those families that suit a model.
    """

    place: int
    choice: FamilyChoice
    sparsities: Sequence[float]
    impossible: SkippedPlans | None
    meant: bool

    def suits(self, model: Transformer) -> bool:
        """Whether it is asked of a model at all."""
        return self.meant or family_named(self.choice.name).suits(model)


def listed_prunings(source: Source, models: Sequence[Transformer]) -> tuple[ModelPlans, ...]:
    """The plans of each model.

    What a model does not allow is skipped. What no model allows is an error where the file of a plan or an
    option is at fault, and so is a sweep without any plan.
    """
    entries = list(_entries(source))
    own = [_plans_of_files(source, model) for model in models]
    _check_files(source, own)
    found = []
    faults: dict[int, list[str]] = {}
    for model, (from_files, refused) in zip(models, own, strict=True):
        plans = list(from_files.values())
        skipped = [SkippedPlans(what=name, reason=str(error)) for name, error in refused.items()]
        for number, entry in enumerate(entries):
            if not entry.suits(model):
                continue
            made = family_plans(model, [entry.choice], entry.sparsities)
            plans += made.plans
            skipped += [entry.impossible] if entry.impossible is not None else []
            skipped += [
                SkippedPlans(what=f"{each.family} at {each.sparsity:g}", reason=each.reason)
                for each in made.skipped
            ]
            of_options = [each.reason for each in made.skipped if each.key in entry.choice.options]
            all_at_fault = bool(of_options) and len(of_options) == len(entry.sparsities)
            faults.setdefault(number, []).append(of_options[0] if all_at_fault else "")
        # What entries name twice counts once: rows tell plans by their titles.
        plans = list({plan.title: plan for plan in reversed(plans)}.values())[::-1]
        found.append(ModelPlans(model=model, plans=tuple(plans), skipped=tuple(dict.fromkeys(skipped))))
    for number, reasons in faults.items():
        if all(reasons):
            raise InfersimError(f"{source.label}: family[{entries[number].place}].{reasons[0]}")
    if not any(each.plans for each in found):
        why = dict.fromkeys(f"{each.what}: {each.reason}" for model in found for each in model.skipped)
        raise InfersimError(f"{source.label}: no plan can be made: {'; '.join(why)}")
    return tuple(found)


def _entries(source: Source) -> Iterator[_Entry]:
    tables = source.tables
    if tables.family is None and tables.plan is not None:
        return
    for place, table in enumerate(tables.family or [FamilyTable(name=ALL)]):
        with located(source.label, f"family[{place}]"):
            chosen = families() if table.name == ALL else (family_named(table.name),)
            for family in chosen:
                family.check_options(table.model_extra or {})
        for family in chosen:
            given = _sparsities(source, table, family)
            sparsities = tuple(filter(family.accepts, given))
            impossible = _impossible(family, [each for each in given if each not in sparsities])
            names, values = list(table.model_extra or {}), (table.model_extra or {}).values()
            for options in product(*values):
                choice = FamilyChoice(name=family.name, options=dict(zip(names, options, strict=True)))
                meant = table.name != ALL
                yield _Entry(
                    place=place, choice=choice, sparsities=sparsities, impossible=impossible, meant=meant
                )


def _impossible(family: Family, sparsities: Sequence[float]) -> SkippedPlans | None:
    """What a family of one sparsity cannot have."""
    if not sparsities:
        return None
    listed = ", ".join(f"{sparsity:g}" for sparsity in sparsities)
    return SkippedPlans(
        what=f"{family.name} at {listed}",
        reason=f"its sparsity is {family.fixed_sparsity}",
        plans=len(sparsities),
    )


def _sparsities(source: Source, table: FamilyTable, family: Family) -> Sequence[float]:
    fixed = [] if family.fixed_sparsity is None else [family.fixed_sparsity]
    given = table.sparsity or source.tables.sparsity or fixed
    if not given:
        raise FileContentError(source.label, "sparsity", None, "fractions to remove, such as [0.25, 0.5]")
    return tuple(dict.fromkeys(given))


def _plans_of_files(source: Source, model: Transformer) -> tuple[dict[str, Plan], dict[str, InfersimError]]:
    """Plans by the file as it is named, and why others are none of `model`."""
    plans: dict[str, Plan] = {}
    refused: dict[str, InfersimError] = {}
    for name in source.tables.plan or []:
        try:
            plans[name] = plan_from_file(source.folder / name, model)
        except (FileContentError, UnsupportedError) as error:
            refused[name] = error
    return plans, refused


def _check_files(source: Source, own: Sequence[tuple[dict[str, Plan], dict[str, InfersimError]]]) -> None:
    """A file must fit one model at least, and no two may have one title: rows tell plans by it."""
    titles: dict[str, str] = {}
    for name in source.tables.plan or []:
        fitting = [plans[name] for plans, _ in own if name in plans]
        if not fitting:
            raise own[0][1][name]
        other = titles.setdefault(fitting[0].title, name)
        if other != name:
            expected = f"a plan of another name than {other}: both are called {fitting[0].title!r}"
            raise FileContentError(source.label, "plan", name, expected)
