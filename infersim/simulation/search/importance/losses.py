"""Importance: what each choice of each layer loses, measured by somebody or by a stated rule.

Losses add over layers: that is the assumption of every search of this kind, and no prediction of a model's
quality. They are in whatever unit their source has. Rules are no measurements and say so:

- `uniform`: a sublayer without the share r of its parameters loses r^2, in each layer alike; where a token
  runs fewer experts, r is the share of parameters times experts a token that is gone.
- `depth`: the same times 1 - 0.75 x, where x goes from 0 in the first layer to 1 in the last but one; the
  last one counts in full. Deep layers matter less and the last one does not (ShortGPT, arXiv 2403.03853;
  "The Unreasonable Ineffectiveness of the Deeper Layers", arXiv 2403.17887). The slope is a stated guess.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infersim.domain.errors import InfersimError, UnsupportedError
from infersim.simulation.search.spaces.choices import DENSE, Choice, Sublayer, with_sublayer
from infersim.simulation.search.spaces.space import Slot, Space, Texts
from infersim.workload.counts import parameters
from infersim.workload.transformer import Block, ExpertLayer

RULES = ("uniform", "depth")
"""Names of the rules."""

SLOPE = 0.75
"""Of the rule `depth`: what the last layer but one counts less than the first."""

Pair = tuple[Choice, Choice]
"""Choices of attention and FFN of one layer."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Importance:
    """Losses by layer, sublayer and choice (`single`), or of whole layers by both choices (`pairs`).

    `label` says where they come from, `measured` whether anybody measured them. A choice that is not listed
    cannot be taken; keeping a sublayer loses nothing unless it is listed.
    """

    label: str
    measured: bool
    single: Mapping[tuple[int, Sublayer], Mapping[Choice, float]]
    pairs: Mapping[int, Mapping[Pair, float]]

    @property
    def texts(self) -> Texts:
        """All choices that it knows, as `latency_table` takes them."""
        found: dict[str, dict[str, None]] = {name.value: {} for name in Sublayer}
        for (_, sublayer), losses in self.single.items():
            found[sublayer.value] |= dict.fromkeys(choice.text for choice in losses)
        for losses_of in self.pairs.values():
            for attention, ffn in losses_of:
                found["attention"][attention.text] = found["ffn"][ffn.text] = None
        return {name: list(texts) for name, texts in found.items() if texts}

    def of_slot(self, slot: Slot) -> list[float]:
        """The loss of each choice of a slot; infinite where it is not known."""
        losses = self.single.get((slot.layer, slot.sublayer))
        if losses is None:
            return [0.0 if choice.kept else math.inf for choice in slot.choices]
        return [losses.get(choice, 0.0 if choice.kept else math.inf) for choice in slot.choices]


def by_rule(name: str, space: Space) -> Importance:
    """The losses of a rule on a space; UnsupportedError for choices that a rule cannot judge."""
    model, count = space.model, len(space.model.blocks)
    bare = parameters(model.with_blocks(()))
    single: dict[tuple[int, Sublayer], dict[Choice, float]] = {}
    known: dict[int, list[float]] = {}
    for slot in space.slots:
        if id(slot.made) not in known:
            known[id(slot.made)] = _removed(slot, space, bare)
        weight = 1.0 if name == "uniform" else _by_depth(slot.layer, count)
        losses = (weight * share**2 for share in known[id(slot.made)])
        single[slot.layer, slot.sublayer] = dict(zip(slot.choices, losses, strict=True))
    return Importance(label=f"rule {name!r}: not measured", measured=False, single=single, pairs={})


def _removed(slot: Slot, space: Space, bare: int) -> list[float]:
    """The share of the slot's parameters, times experts that a token runs, that each choice removes."""
    formats = ", ".join(choice.text for choice in slot.choices if choice.format is not None)
    if formats:
        expected = "measured losses, or no formats"
        raise UnsupportedError(f"no rule says what a format loses ({formats}); expected {expected}")
    counts = []
    for became in slot.made:
        alone = with_sublayer(Block(attention=None, ffn=None), slot.sublayer, became)
        run = became.top_k if isinstance(became, ExpertLayer) else 1
        counts.append(0 if became is None else run * (parameters(space.model.with_blocks((alone,))) - bare))
    return [max(0.0, 1 - count / counts[0]) for count in counts]


def _by_depth(layer: int, count: int) -> float:
    return 1.0 if layer == count - 1 else 1 - SLOPE * layer / max(1, count - 2)


def check_covers(found: Importance, space: Space) -> None:
    """Refuse losses that do not fit the model: layers that are missing, or that there are not."""
    count = len(space.model.blocks)
    layers = {layer for layer, _ in found.single} | set(found.pairs)
    beyond = sorted(layer for layer in layers if not 0 <= layer < count)
    if beyond:
        raise InfersimError(
            f"{found.label}: layer = {beyond[0]}; expected 0 to {count - 1}, the layers of {space.model.name}"
        )
    if found.pairs:
        _check_layers(found.label, "layer", set(found.pairs), {slot.layer for slot in space.slots})
        return
    for sublayer in Sublayer:
        there = {slot.layer for slot in space.slots if slot.sublayer is sublayer}
        known = {layer for layer, name in found.single if name is sublayer}
        if known:
            _check_layers(found.label, f"{sublayer} of layer", known, there)
    _check_choices(found, space.slots)


def _check_layers(label: str, what: str, known: set[int], there: set[int]) -> None:
    missing = sorted(there - known)
    if missing:
        shown = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
        raise InfersimError(
            f"{label}: no loss for {what} {shown}; expected one for each choice of each layer"
        )


def _check_choices(found: Importance, slots: Sequence[Slot]) -> None:
    """Each slot has a loss for every choice."""
    for slot in slots:
        losses = found.single.get((slot.layer, slot.sublayer))
        if losses is None:
            continue
        missing = [choice.text for choice in slot.choices if choice not in losses and choice != DENSE]
        if missing:
            what = f"{slot.name} {missing[0]}"
            raise InfersimError(
                f"{found.label}: no loss for {what}; expected one for each choice of each layer"
            )
