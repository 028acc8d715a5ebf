"""Uniform plans: the same choice in each layer, and whole layers gone on top, the least important first.

What families of pruning make of a model without a search. With a pair of choices (attention, FFN) in all
layers, n layers are removed in the order of what their removal adds to the loss; beside these, n attention or
n FFN sublayers of the dense model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from infersim.domain.arrays import Array
from infersim.pruning.families.static_m import STATIC_M
from infersim.simulation.search.importance.losses import Importance
from infersim.simulation.search.programs.units import common_choices
from infersim.simulation.search.settings.costs import Entries, Quantity
from infersim.simulation.search.spaces.choices import DENSE, Choice, Sublayer

NONE = Choice(removed=True)
SEVERAL = "several families"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UniformPlans:
    """All uniform plans of a space: arrays over plans. `totals` are measures by name."""

    entries: Entries
    family: tuple[str, ...]
    text: tuple[str, ...]
    loss: Array
    totals: Mapping[str, Array]
    _chosen: tuple[tuple[int, int], ...]
    _series: tuple[_Series, ...]

    def chosen(self, place: int) -> list[int]:
        """The place of each slot's choice in a plan."""
        series, count = self._chosen[place]
        return self._series[series].places(count)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Series:
    """A pair of choices in all layers, and the order in which layers go; places of both by slot."""

    pair: tuple[Choice, Choice]
    what: str
    here: tuple[int, ...]
    gone: tuple[int, ...]
    order: tuple[tuple[int, ...], ...]

    def places(self, count: int) -> list[int]:
        """The choices of all slots where the first `count` of the order are gone."""
        found = list(self.here)
        for slots in self.order[:count]:
            for slot in slots:
                found[slot] = self.gone[slot]
        return found

    def family(self, count: int) -> str:
        """The family of its choices, `format`, or `several families` where there is more than one."""
        named = {name for choice in self.pair for name in choice.families}
        named |= {"format" for choice in self.pair if choice.format is not None}
        named |= {STATIC_M.name} if count else set()
        return SEVERAL if len(named) > 1 else next(iter(named), "dense")

    def text(self, count: int) -> str:
        """For tables."""
        said = [
            f"{sublayer} {choice.text}"
            for sublayer, choice in zip(Sublayer, self.pair, strict=True)
            if not choice.kept
        ]
        return (
            ", ".join(
                [
                    *said,
                    *(
                        [f"{count} {self.what if count > 1 else self.what.removesuffix('s')} gone"]
                        if count
                        else []
                    ),
                ]
            )
            or "dense"
        )


def uniform_plans(entries: Entries, importance: Importance, measures: Mapping[str, Quantity]) -> UniformPlans:
    """Every uniform plan whose losses are known."""
    losses_of = LossOf(entries, importance)
    series = tuple(_series(losses_of))
    families: list[str] = []
    texts: list[str] = []
    losses: list[Array] = []
    chosen: list[tuple[int, int]] = []
    totals: dict[str, list[Array]] = {name: [] for name in measures}
    for index, each in enumerate(series):
        counts = range(len(each.order) + 1)
        families += [each.family(count) for count in counts]
        texts += [each.text(count) for count in counts]
        chosen += [(index, count) for count in counts]
        here, gone = (entries.chosen(places) for places in (each.here, each.gone))
        for name, quantity in measures.items():
            less = quantity.values[here] - quantity.values[gone]
            saved = [float(less[list(slots)].sum()) for slots in each.order]
            start = float(quantity.total(here))
            totals[name].append(start - np.concatenate([[0.0], np.cumsum(saved)]))
        losses.append(losses_of.series(each))
    return UniformPlans(
        entries=entries,
        family=tuple(families),
        text=tuple(texts),
        loss=np.concatenate(losses),
        totals={name: np.concatenate(values) for name, values in totals.items()},
        _chosen=tuple(chosen),
        _series=series,
    )


def _series(losses: LossOf) -> Iterator[_Series]:
    slots = losses.slots
    attention, ffn = (common_choices(slots, sublayer) for sublayer in Sublayer)
    layers = losses.layers()
    whole = NONE in attention and NONE in ffn
    for a in attention:
        for f in ffn:
            pair = (a, f)
            if (a == NONE and f == NONE) or not losses.known(pair):
                continue
            removed = NONE not in pair and whole
            yield losses.ordered(pair, "layers", layers.values() if removed else ())
    dense = (DENSE, DENSE)
    for sublayer, several in zip(Sublayer, (attention, ffn), strict=True):
        if NONE in several:
            own = [(index,) for index, slot in enumerate(slots) if slot.sublayer is sublayer]
            yield losses.ordered(dense, f"{sublayer} sublayers", own)


class LossOf:
    """Losses of layers with given choices, whatever way they are known."""

    def __init__(self, entries: Entries, importance: Importance) -> None:
        self.entries, self.importance = entries, importance
        self.slots = entries.space.slots
        self.by_slot = [dict(zip(s.choices, importance.of_slot(s), strict=True)) for s in self.slots]

    def layers(self) -> dict[int, tuple[int, ...]]:
        """The slots of each layer that has any."""
        found: dict[int, tuple[int, ...]] = {}
        for index, slot in enumerate(self.slots):
            found[slot.layer] = (*found.get(slot.layer, ()), index)
        return found

    def known(self, pair: tuple[Choice, Choice]) -> bool:
        """Whether each layer has a loss for the pair."""
        places = self.here(pair)
        return bool(np.isfinite(self.total(places)))

    def here(self, pair: tuple[Choice, Choice]) -> list[int]:
        """The place of the pair's choice in each slot."""
        wanted = dict(zip(Sublayer, pair, strict=True))
        return [slot.choices.index(wanted[slot.sublayer]) for slot in self.slots]

    def total(self, places: Sequence[int]) -> float:
        """The loss of a plan; infinite where it is not known."""
        if not self.importance.pairs:
            return sum(
                losses[slot.choices[place]]
                for losses, slot, place in zip(self.by_slot, self.slots, places, strict=True)
            )
        chosen: dict[int, dict[Sublayer, Choice]] = {}
        for slot, place in zip(self.slots, places, strict=True):
            chosen.setdefault(slot.layer, {})[slot.sublayer] = slot.choices[place]
        return sum(self.of_layer(layer, own) for layer, own in chosen.items())

    def of_layer(self, layer: int, own: Mapping[Sublayer, Choice]) -> float:
        """The loss of a layer with both choices."""
        attention, ffn = (own.get(sublayer, DENSE) for sublayer in Sublayer)
        return self.importance.pairs.get(layer, {}).get((attention, ffn), np.inf)

    def of_slots(self, slots: Sequence[int], places: Sequence[int], base: Sequence[int]) -> float:
        """What some slots lose at `places`, the other slots of their layer being at `base`."""
        if not self.importance.pairs:
            return sum(self.by_slot[s][self.slots[s].choices[places[s]]] for s in slots)
        layer = self.slots[slots[0]].layer
        own = {
            slot.sublayer: slot.choices[(places if index in slots else base)[index]]
            for index, slot in enumerate(self.slots)
            if slot.layer == layer
        }
        return self.of_layer(layer, own)

    def ordered(self, pair: tuple[Choice, Choice], what: str, members: Iterable[tuple[int, ...]]) -> _Series:
        """The series of a pair, members in the order of what their removal adds to the loss."""
        here = self.here(pair)
        gone = [
            slot.choices.index(NONE) if NONE in slot.choices else place
            for slot, place in zip(self.slots, here, strict=True)
        ]
        groups = list(members)
        added = [self.of_slots(each, gone, here) - self.of_slots(each, here, here) for each in groups]
        order = [groups[place] for place in np.argsort(added, kind="stable") if np.isfinite(added[place])]
        everything = len(order) == len(groups) and what == "layers"
        return _Series(
            pair=pair,
            what=what,
            here=tuple(here),
            gone=tuple(gone),
            order=tuple(order[:-1] if everything and order else order),
        )

    def series(self, found: _Series) -> Array:
        """The loss of each plan of a series."""
        start = self.total(found.here)
        added = [
            self.of_slots(each, found.gone, found.here) - self.of_slots(each, found.here, found.here)
            for each in found.order
        ]
        return start + np.concatenate([[0.0], np.cumsum(added)])
