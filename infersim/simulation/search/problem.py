"""A search as it is asked: the model, the setting, targets, limits and losses, and what follows of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from infersim.domain.arrays import Array
from infersim.domain.errors import InvalidValueError
from infersim.domain.profile import HardwareProfile
from infersim.pruning.families.static_m import is_empty
from infersim.pruning.plan import Plan
from infersim.pruning.recognition import recognise
from infersim.simulation.search.importance.losses import RULES, Importance, by_rule, check_covers
from infersim.simulation.search.programs.units import Units, units_of
from infersim.simulation.search.settings.costs import Entries, Quantity
from infersim.simulation.search.settings.scenarios import InScenarios, check_targets
from infersim.simulation.search.settings.served import InService, check_service_targets
from infersim.simulation.search.settings.targets import Targets
from infersim.simulation.search.spaces.formats import without_unsupported
from infersim.simulation.search.spaces.limits import Limits
from infersim.simulation.search.spaces.space import DEFAULT, Space, Texts, space_of
from infersim.simulation.search.uniform import UniformPlans, uniform_plans
from infersim.workload.transformer import Transformer

PLAN = "searched"
"""The name of the plan that a search finds."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """Everything that is solved. `measures` are those near the dense model."""

    model: Transformer
    profile: HardwareProfile
    setting: InScenarios | InService
    targets: Targets
    limits: Limits
    space: Space
    entries: Entries
    importance: Importance
    units: Units
    measures: Mapping[str, Quantity]
    _asked: Importance | str
    _texts: Texts | None

    @property
    def option_losses(self) -> Array:
        """Of each option of the program."""
        return np.array([option.loss for option in self.units.program.options])

    def plan(self, places: Sequence[int], name: str = PLAN) -> Plan:
        """The plan of one choice for each slot."""
        blocks = self.space.blocks(places)
        transformer = self.model.with_blocks(tuple(block for block in blocks if not is_empty(block)))
        found = recognise(self.model, transformer, list(zip(self.model.blocks, blocks, strict=True)))
        return Plan(
            base=self.model,
            transformer=transformer,
            steps=found.steps,
            targets=found.targets,
            name=name if transformer != self.model else "",
        )

    def lead_values(self) -> Array:
        """Of each entry: its part of the dense model's time, on average over the measures to be saved."""
        parts = [self.measures[name] for name in self.setting.lead]
        kept = self.entries.kept
        shares = [each.values / float(each.total(kept)) for each in parts]
        mean: Array = np.mean(shares, axis=0)
        return mean

    def lead_remainder(self) -> float:
        """The remainder's part."""
        kept = self.entries.kept
        parts = [self.measures[name] for name in self.setting.lead]
        return float(np.mean([float(each.remainder) / float(each.total(kept)) for each in parts]))

    def uniform(self, measures: Mapping[str, Quantity]) -> UniformPlans:
        """All uniform plans, with the totals of `measures` and the `lead`."""
        lead = Quantity(values=self.lead_values(), remainder=np.asarray(self.lead_remainder()))
        return uniform_plans(self.entries, self.importance, {**measures, "lead": lead})

    def without(self, limit: str) -> Problem:
        """The same without one limit."""
        fields: dict[str, Any] = {"per_layer": True, "refused": {}} if limit == "runnable" else {}
        if limit != "runnable":
            fields[limit] = getattr(Limits(), limit)
        return problem_of(
            self.model,
            self.setting,
            self._asked,
            texts=self._texts,
            targets=self.targets,
            limits=replace(self.limits, **fields),
        )


def problem_of(
    model: Transformer,
    setting: InScenarios | InService,
    importance: Importance | str | Path,
    *,
    texts: Texts | None,
    targets: Targets,
    limits: Limits,
    metric: str | None = None,
) -> Problem:
    """The problem; raises what its parts raise for what they cannot have."""
    if isinstance(setting, InService):
        check_service_targets(targets, setting.service)
    else:
        check_targets(targets, setting)
    if limits.tensor_parallel == 1:
        limits = replace(limits, tensor_parallel=setting.gpus, expert_parallel=setting.expert_parallel)
    losses = _given(importance, model, metric)
    asked = texts if texts is not None else _texts_of(losses)
    space = without_unsupported(
        space_of(model, asked, limits, asked=texts is not None),
        setting.profile,
        asked=texts is not None or losses is not None,
    )
    found = by_rule(str(importance), space) if losses is None else losses
    check_covers(found, space)
    entries = Entries.of(space)
    return Problem(
        model=model,
        profile=setting.profile,
        setting=setting,
        targets=targets,
        limits=limits,
        space=space,
        entries=entries,
        importance=found,
        units=units_of(entries, found, limits),
        measures=setting.measures(entries, None),
        _asked=str(importance) if losses is None else losses,
        _texts=texts,
    )


def _given(importance: Importance | str | Path, model: Transformer, metric: str | None) -> Importance | None:
    """Losses that are stated; None for the name of a rule."""
    if metric is not None and not _of_puzzletron(importance):
        raise InvalidValueError("metric", metric, "none beside losses that are not Puzzletron's")
    if isinstance(importance, Importance):
        return importance
    if str(importance) in RULES:
        return None
    from infersim.simulation.search.importance.files import importance_from_file

    return importance_from_file(importance, model, metric)


def _of_puzzletron(importance: Importance | str | Path) -> bool:
    """Whether a file or folder has several losses, of which one is chosen."""
    if isinstance(importance, Importance):
        return False
    path = Path(importance)
    return path.suffix.lower() == ".json" or path.is_dir()


def _texts_of(losses: Importance | None) -> Texts:
    """The choices that losses know; for rules, the default ones that rules can judge."""
    if losses is not None:
        return losses.texts
    formats = ("fp8", "w4a16")
    return {name.value: [text for text in texts if text not in formats] for name, texts in DEFAULT.items()}
