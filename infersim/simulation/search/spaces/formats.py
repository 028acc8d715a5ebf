"""Which choices a GPU has kernels for: 2:4 and formats that it lacks are left out, with the reason."""

from __future__ import annotations

from functools import partial

from infersim.cost.kernels import checked_cost
from infersim.domain.dtypes import PRECISIONS, Precision
from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Gemm, WeightForm
from infersim.pruning.plan_files.layer_choices import format_named
from infersim.simulation.search.spaces.choices import Choice
from infersim.simulation.search.spaces.space import Slot, Space


def without_unsupported(space: Space, profile: HardwareProfile, *, asked: bool) -> Space:
    """The space without choices that the GPU lacks kernels for.

    Raises UnsupportedError where somebody asked for one of them by name, and InvalidValueError where nothing
    is left to choose.
    """
    known: dict[tuple[bool, str | None], str] = {}
    reasons = dict.fromkeys(space.left_out)
    slots = []
    for slot in space.slots:
        places = [
            place
            for place, choice in enumerate(slot.choices)
            if not _reason(choice, profile, known, reasons, asked=asked)
        ]
        slots.append(_with(slot, places))
    slots = [slot for slot in slots if len(slot.choices) > 1]
    if not slots:
        raise InvalidValueError("choices", "; ".join(reasons), f"at least one that {profile.name} runs")
    return Space(model=space.model, slots=tuple(slots), left_out=tuple(reasons))


def _with(slot: Slot, places: list[int]) -> Slot:
    if len(places) == len(slot.choices):
        return slot
    return Slot(
        layer=slot.layer,
        sublayer=slot.sublayer,
        choices=tuple(slot.choices[place] for place in places),
        made=tuple(slot.made[place] for place in places),
    )


def _reason(
    choice: Choice,
    profile: HardwareProfile,
    known: dict[tuple[bool, str | None], str],
    reasons: dict[str, None],
    *,
    asked: bool,
) -> str:
    if not choice.sparse and choice.format is None:
        return ""
    key = (choice.sparse, choice.format)
    if key not in known:
        known[key] = _lacks(choice, profile)
        if known[key] and asked:
            raise UnsupportedError(f"{choice.text}: {known[key]}")
        if known[key]:
            reasons[f"{choice.text}: {known[key]}"] = None
    return known[key]


def _lacks(choice: Choice, profile: HardwareProfile) -> str:
    """What the GPU lacks for one matrix of the choice; empty where it has all."""
    precision: Precision = (
        PRECISIONS["bf16"] if choice.format is None else format_named(choice.format).precision
    )
    form = WeightForm.SPARSE_2_4 if choice.sparse else WeightForm.DENSE
    shape = partial(Gemm, m=16, n=1024, k=1024, precision=precision)
    try:
        checked_cost(shape(weights=form, act_quant=not precision.static), profile)
    except UnsupportedError as error:
        return str(error)
    return ""
