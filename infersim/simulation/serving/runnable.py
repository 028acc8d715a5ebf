"""Whether an engine can run a plan: what its families state, shapes that vary by layer, formats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infersim.pruning.families.engine_support import Answer, EngineSupport
from infersim.pruning.families.registry import find_family
from infersim.pruning.plan import Plan
from infersim.workload.formats import block_formats

if TYPE_CHECKING:
    import pandas as pd

    from infersim.engines.engine import Engine

_WORST = (Answer.NO, Answer.NEEDS, Answer.UNKNOWN, Answer.YES)
"""Of several answers the first of these counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What an engine says of a plan: the answer, what it would take, and where that is written."""

    engine: str
    version: str
    answer: str
    said: tuple[EngineSupport, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """A line for each thing that is in the way; empty where the engine runs it."""
        return tuple(
            f"{self.engine} {self.version}: {each.text}" for each in self.said if each.answer != Answer.YES
        )

    @property
    def since(self) -> str:
        """The version that everything runs since; empty where something does not, or none is known."""
        if self.answer != Answer.YES:
            return ""
        return max((each.since for each in self.said if each.since), key=_version, default="")

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the answers are written."""
        return tuple(dict.fromkeys(each.source for each in self.said if each.source))


def support_of(plan: Plan, engine: Engine) -> Support:
    """What `engine` says of a plan, dense ones included."""
    said = tuple(_said(plan, engine))
    answers = {each.answer for each in said}
    worst = next((answer for answer in _WORST if answer in answers), Answer.YES)
    return Support(engine=engine.name, version=engine.version, answer=worst.value, said=said)


def with_support(frame: pd.DataFrame, plans: Sequence[Plan], engine: Engine) -> pd.DataFrame:
    """A frame with a column `plan`, and what `engine` says of each: `engine runs runs_since runs_needs
    runs_source`."""
    found = {plan.title: support_of(plan, engine) for plan in plans}
    said = [found.get(title) for title in frame["plan"]]
    return frame.assign(
        engine=engine.name,
        runs=["" if each is None else each.answer for each in said],
        runs_since=["" if each is None else each.since for each in said],
        runs_needs=["" if each is None else "; ".join(each.notes) for each in said],
        runs_source=["" if each is None else "; ".join(each.sources) for each in said],
    )


def _said(plan: Plan, engine: Engine) -> Iterator[EngineSupport]:
    per_layer = varies_by_layer(plan)
    for name in dict.fromkeys(step.family for step in plan.steps):
        family = find_family(name)
        if family is not None:
            found = family.support(engine.name)
            yield found
            if per_layer and found.per_layer_needs and found.answer is Answer.YES:
                yield _needs(engine, found.per_layer_needs, found.source)
            per_layer = per_layer and not (found.per_layer or found.per_layer_needs)
    if per_layer:
        yield _of_layers(engine)
    if any(block.residual_maps for block, _ in plan.transformer.grouped_blocks()):
        yield _needs(engine, "code for the maps of the residual stream", engine.sources["runs.per_layer"])
    unknown = [
        stored.name for stored in block_formats(plan.transformer) if stored.name not in engine.runs.formats
    ]
    for name in dict.fromkeys(unknown):
        yield _needs(engine, f"kernels of {name}", engine.sources["runs.formats"])


def _of_layers(engine: Engine) -> EngineSupport:
    """Shapes that vary from layer to layer."""
    if not engine.runs.per_layer:
        return _needs(engine, engine.runs.per_layer_needs, engine.sources["runs.per_layer"])
    return EngineSupport(
        engine=engine.name,
        answer=Answer.YES,
        since=engine.runs.per_layer,
        needs=f"shapes by layer: {engine.runs.per_layer_needs}",
        source=engine.sources["runs.per_layer"],
    )


def _needs(engine: Engine, what: str, source: str) -> EngineSupport:
    return EngineSupport(engine=engine.name, answer=Answer.NEEDS, needs=what, source=source)


def varies_by_layer(plan: Plan) -> bool:
    """Whether pruning made blocks that the dense model does not have beside each other.

    Layers that are gone leave one kind of block; heads, widths or sublayers gone in some do not.
    """
    return len(tuple(plan.transformer.grouped_blocks())) > len(tuple(plan.base.grouped_blocks()))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())
