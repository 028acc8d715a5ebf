"""From a space and losses to the units of a program: sublayers, whole layers, or groups of equal ones."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from infersim.domain.errors import InfersimError
from infersim.simulation.search.importance.losses import Importance
from infersim.simulation.search.programs.program import Option, Program
from infersim.simulation.search.settings.costs import Entries
from infersim.simulation.search.spaces.choices import DENSE, Choice, Sublayer
from infersim.simulation.search.spaces.limits import Limits
from infersim.simulation.search.spaces.space import Slot


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Units:
    """The program, and of each unit the slots that it decides with the place of each option in them.

    `places[unit][option]` holds one place for each of `slots[unit]`.
    """

    program: Program
    slots: tuple[tuple[int, ...], ...]
    places: tuple[tuple[tuple[int, ...], ...], ...]
    count: int

    def chosen(self, taken: Sequence[int]) -> list[int]:
        """The place of each slot's choice."""
        found = [0] * self.count
        for slots, places, option in zip(self.slots, self.places, taken, strict=True):
            for slot, place in zip(slots, places[int(option)], strict=True):
                found[slot] = place
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """One unit: its slots, and by label each option's places and loss."""

    slots: tuple[int, ...]
    options: dict[Hashable, tuple[tuple[int, ...], float]]


def units_of(entries: Entries, importance: Importance, limits: Limits) -> Units:
    """The units of a search; InfersimError where a group has no choice in common."""
    slots = entries.space.slots
    single = _layers(slots, importance) if importance.pairs else list(_sublayers(slots, importance))
    units = _grouped(single, slots, limits.group) if limits.group > 1 else single
    whole = bool(importance.pairs)
    made = tuple(tuple(_options(unit, slots, entries, whole=whole)) for unit in units)
    changing = {slot.layer for slot in slots}
    others = [block for layer, block in enumerate(entries.space.model.blocks) if layer not in changing]
    used = (
        {("layer", (block.attention, block.ffn)) for block in others}
        if whole
        else set[tuple[str, Hashable]]()
    )
    if not whole:
        there = {(slot.layer, slot.sublayer) for slot in slots}
        used = {
            (sublayer.value, getattr(block, sublayer.value))
            for layer, block in enumerate(entries.space.model.blocks)
            for sublayer in Sublayer
            if (layer, sublayer) not in there and getattr(block, sublayer.value) is not None
        }
    return Units(
        program=Program(
            units=made, shapes=limits.shapes, used=frozenset(used), others_stay=bool(used) or bool(others)
        ),
        slots=tuple(unit.slots for unit in units),
        places=tuple(tuple(places for places, _ in unit.options.values()) for unit in units),
        count=len(slots),
    )


def _sublayers(slots: Sequence[Slot], importance: Importance) -> Iterator[_Unit]:
    for index, slot in enumerate(slots):
        losses = importance.of_slot(slot)
        options: dict[Hashable, tuple[tuple[int, ...], float]] = {
            choice: ((place,), loss)
            for place, (choice, loss) in enumerate(zip(slot.choices, losses, strict=True))
            if math.isfinite(loss)
        }
        yield _Unit(slots=(index,), options=options)


def _layers(slots: Sequence[Slot], importance: Importance) -> list[_Unit]:
    """Whole layers, where losses are of both sublayers together."""
    by_layer: dict[int, dict[Sublayer, int]] = {}
    for index, slot in enumerate(slots):
        by_layer.setdefault(slot.layer, {})[slot.sublayer] = index
    units = []
    for layer, own in by_layer.items():
        options: dict[Hashable, tuple[tuple[int, ...], float]] = {}
        for pair, loss in importance.pairs.get(layer, {}).items():
            places = [
                slots[index].place(choice)
                for sublayer, index in own.items()
                for choice in (pair[0] if sublayer is Sublayer.ATTENTION else pair[1],)
            ]
            missing = [
                choice
                for sublayer, choice in zip(Sublayer, pair, strict=True)
                if sublayer not in own and choice != DENSE
            ]
            if None not in places and not missing:
                options[pair] = (tuple(place for place in places if place is not None), loss)
        units.append(_Unit(slots=tuple(own.values()), options=options))
    return units


def _grouped(units: Sequence[_Unit], slots: Sequence[Slot], size: int) -> list[_Unit]:
    """Units of consecutive layers as one: the options that all have, their losses added."""
    groups: dict[tuple[int, tuple[Sublayer, ...]], list[_Unit]] = {}
    for unit in units:
        first = slots[unit.slots[0]]
        kinds = tuple(slots[index].sublayer for index in unit.slots)
        groups.setdefault((first.layer // size, kinds), []).append(unit)
    merged = []
    for (group, kinds), members in groups.items():
        common = [label for label in members[0].options if all(label in each.options for each in members)]
        if not common:
            layers = f"layers {group * size} to {group * size + size - 1}"
            what = f"{' and '.join(kinds)} of {layers}"
            raise InfersimError(f"group = {size}: {what} have no choice in common")
        merged.append(
            _Unit(
                slots=tuple(index for each in members for index in each.slots),
                options={
                    label: (
                        tuple(place for each in members for place in each.options[label][0]),
                        sum(each.options[label][1] for each in members),
                    )
                    for label in common
                },
            )
        )
    return merged


def _options(unit: _Unit, slots: Sequence[Slot], entries: Entries, *, whole: bool) -> Iterator[Option]:
    for places, loss in unit.options.values():
        made = [slots[index].made[place] for index, place in zip(unit.slots, places, strict=True)]
        named = [
            (slots[index].sublayer.value, became)
            for index, became in zip(unit.slots, made, strict=True)
            if became is not None
        ]
        shapes: tuple[tuple[str, Hashable], ...] = tuple(dict.fromkeys(named))
        if whole and named:
            shapes = tuple(dict.fromkeys(_pairs(unit, slots, places)))
        yield Option(
            entries=tuple(
                int(entries.starts[index]) + place for index, place in zip(unit.slots, places, strict=True)
            ),
            loss=loss,
            shapes=shapes,
            stays=bool(named),
        )


def _pairs(unit: _Unit, slots: Sequence[Slot], places: Sequence[int]) -> Iterator[tuple[str, Hashable]]:
    """The shapes of whole layers that an option uses."""
    layers: dict[int, dict[Sublayer, Hashable]] = {}
    for index, place in zip(unit.slots, places, strict=True):
        layers.setdefault(slots[index].layer, {})[slots[index].sublayer] = slots[index].made[place]
    for own in layers.values():
        if any(became is not None for became in own.values()):
            yield "layer", tuple(own.get(sublayer) for sublayer in Sublayer)


def common_choices(slots: Sequence[Slot], sublayer: Sublayer) -> list[Choice]:
    """Choices that every slot of a kind has."""
    own = [slot for slot in slots if slot.sublayer is sublayer]
    if not own:
        return [DENSE]
    return [choice for choice in own[0].choices if all(choice in slot.choices for slot in own)]
