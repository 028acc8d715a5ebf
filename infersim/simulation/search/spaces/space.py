"""The space of a search: which choices each sublayer of each layer has, and what limits them.

Lists of choices are written as texts. Beside single choices (`search.choices`) they may hold several numbers
at once: `width=25%..75%/25%` and `width=1024..8192/1024` (from, to, step), and percentages of what the layer
has, rounded to a multiple of 64 (widths) or to whole heads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.pruning.families.family import nearest_multiple
from infersim.pruning.families.static_m import without
from infersim.simulation.search.spaces.choices import (
    DENSE,
    Choice,
    Made,
    Sublayer,
    made,
    parsed,
    with_sublayer,
)
from infersim.simulation.search.spaces.limits import Limits
from infersim.workload.transformer import (
    Attention,
    AttentionSublayer,
    Block,
    ExpertLayer,
    FeedForward,
    FfnSublayer,
    Transformer,
)

MOST_CHOICES = 4096
"""Choices of one sublayer: a list that names more is a slip."""

WIDTH_ALIGN = 64
"""Widths that are given in percent are rounded to a multiple of it: half an N tile."""

_NUMBERS = "heads|kv_heads|width|experts|top_k|expert_width"
_RANGE = re.compile(rf"({_NUMBERS})=(\d{{1,8}}%?)(?:\.\.(\d{{1,8}}%?)(?:/(\d{{1,8}}%?))?)?", re.ASCII)

DEFAULT: Mapping[Sublayer, tuple[str, ...]] = {
    Sublayer.ATTENTION: (
        "kv_heads=50%",
        "kv_heads=25%",
        "heads=75%+kv_heads=75%",
        "heads=50%+kv_heads=50%",
        "heads=25%+kv_heads=25%",
        "heads=50%",
        "none",
        "linear",
        "lowrank=0.5",
        "2:4",
        "fp8",
        "w4a16",
    ),
    Sublayer.FFN: (
        "width=12.5%..87.5%/12.5%",
        "experts=50%..75%/25%",
        "top_k=50%",
        "expert_width=50%..75%/25%",
        "none",
        "linear",
        "lowrank=0.5",
        "2:4",
        "fp8",
        "w4a16",
    ),
}
"""Choices of a table where nobody names any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A sublayer of a layer with its choices, the first of which keeps it; `made`: what each makes of it."""

    layer: int
    sublayer: Sublayer
    choices: tuple[Choice, ...]
    made: tuple[Made, ...]

    @property
    def name(self) -> str:
        """As messages call it."""
        return f"layer {self.layer} {self.sublayer}"

    def place(self, choice: Choice) -> int | None:
        """Where a choice stands; None where the slot has it not."""
        return self.choices.index(choice) if choice in self.choices else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The slots of a model, in order, attention before the FFN; `left_out` says what cannot be, and why."""

    model: Transformer
    slots: tuple[Slot, ...]
    left_out: tuple[str, ...] = field(default=())

    @property
    def size(self) -> int:
        """Choices of all slots together."""
        return sum(len(slot.choices) for slot in self.slots)

    def blocks(self, chosen: Sequence[int]) -> tuple[Block, ...]:
        """The model's blocks with the choice of each slot; empty ones included."""
        blocks = list(self.model.blocks)
        gone: dict[int, set[Sublayer]] = {}
        for slot, place in zip(self.slots, chosen, strict=True):
            became = slot.made[place]
            if became is None:
                gone.setdefault(slot.layer, set()).add(slot.sublayer)
            else:
                blocks[slot.layer] = with_sublayer(blocks[slot.layer], slot.sublayer, became)
        for layer, sublayers in gone.items():
            blocks[layer] = without(
                blocks[layer], attention=Sublayer.ATTENTION in sublayers, ffn=Sublayer.FFN in sublayers
            )
        return tuple(blocks)


Texts = Mapping[str, Sequence[str]]
"""Choices of each kind of sublayer as texts; one that is not named stays as it is."""


def space_of(model: Transformer, texts: Texts | None, limits: Limits, *, asked: bool = True) -> Space:
    """The slots of a model by what somebody wrote (`asked`), or by default.

    Raises InvalidValueError for texts that are no choices, and for lists that leave nothing to choose.
    """
    given = {
        Sublayer(name): tuple(several) for name, several in (DEFAULT if texts is None else texts).items()
    }
    count = len(model.blocks)
    if all(limits.keeps(layer, count) for layer in range(count)):
        raise InvalidValueError("keep", "every layer", "at least one layer that may change")
    made_of: dict[tuple[Sublayer, object], tuple[tuple[Choice, ...], tuple[Made, ...]]] = {}
    slots, reasons = [], dict.fromkeys(_of_nothing(model, given) if asked else ())
    for layer, block in enumerate(model.blocks):
        for sublayer, several in given.items():
            dense = getattr(block, sublayer.value)
            if dense is None:
                continue
            if (sublayer, dense) not in made_of:
                found = _choices(dense, sublayer, several, model, limits, reasons)
                made_of[sublayer, dense] = found
            choices, became = made_of[sublayer, dense]
            if limits.keeps(layer, count):
                choices, became = choices[:1], became[:1]
            slots.append(Slot(layer=layer, sublayer=sublayer, choices=choices, made=became))
    slots = [slot for slot in slots if len(slot.choices) > 1]
    if not slots:
        why = f" ({'; '.join(reasons)})" if reasons else ""
        raise InvalidValueError(
            "choices", _shown(given), f"at least one that a layer of {model.name} can become{why}"
        )
    return Space(model=model, slots=tuple(slots), left_out=tuple(reasons))


def _of_nothing(model: Transformer, given: Mapping[Sublayer, Sequence[str]]) -> Iterator[str]:
    """Why texts that are shares of what no layer has name no choice."""
    for sublayer, several in given.items():
        layers = {getattr(block, sublayer.value) for block in model.blocks} - {None}
        for text in several:
            if layers and not any(list(expanded([text], dense, sublayer)) for dense in layers):
                yield f"{sublayer} {text}: a share of what no layer of {model.name} has"


def _shown(given: Mapping[Sublayer, Sequence[str]]) -> str:
    return "; ".join(f"{name}: {', '.join(several)}" for name, several in given.items()) or "none"


def _choices(
    dense: AttentionSublayer | FfnSublayer,
    sublayer: Sublayer,
    several: Sequence[str],
    model: Transformer,
    limits: Limits,
    reasons: dict[str, None],
) -> tuple[tuple[Choice, ...], tuple[Made, ...]]:
    """The choices that a dense sublayer can become, itself first; `reasons` takes why others cannot."""
    found: dict[Choice, Made] = {DENSE: dense}
    seen: dict[object, Choice] = {dense: DENSE}
    for choice in expanded(several, dense, sublayer):
        if choice in found:
            continue
        try:
            became = made(choice, dense, model.hidden)
            reason = limits.against(choice) or limits.obstacle(model, sublayer, became)
        except (InvalidValueError, UnsupportedError) as error:
            reasons[f"{sublayer} {choice.text}: {error}"] = None
            continue
        if reason:
            reasons[f"{sublayer} {choice.text}: {reason}"] = None
        elif became not in seen:
            seen[became] = choice
            found[choice] = became
        if len(found) > MOST_CHOICES:
            raise InvalidValueError(sublayer.value, f"{len(found)} choices", f"at most {MOST_CHOICES}")
    return tuple(found), tuple(found.values())


def expanded(several: Sequence[str], dense: object, sublayer: Sublayer) -> Iterator[Choice]:
    """Every choice that texts name, ranges and percentages spelt out for a dense sublayer."""
    for text in several:
        words = text.split("+")
        spelt = [_numbers(word.strip(), dense, sublayer, text) for word in words]
        if not all(spelt):  # a share of what the sublayer has not
            continue
        longest = max(map(len, spelt))
        if any(len(each) not in (1, longest) for each in spelt):
            raise InvalidValueError(sublayer.value, text, "ranges of one length in a choice")
        for place in range(longest):
            word = "+".join(each[min(place, len(each) - 1)] for each in spelt)
            yield parsed(word, sublayer, sublayer.value)


def _numbers(word: str, dense: object, sublayer: Sublayer, text: str) -> list[str]:
    """A word with its range and percentages as numbers; a word without any as it is."""
    match = _RANGE.fullmatch(_tenths(word))
    if match is None or ("%" not in word and ".." not in word):
        return [word]
    name, first, last, step = match.groups()
    whole, percent = _whole(name, dense), "%" in first
    if whole is None and percent:
        return []
    if any(each is not None and ("%" in each) is not percent for each in (last, step)):
        raise InvalidValueError(sublayer.value, text, "percentages, or numbers, in all of a range")
    low, high = _value(first), _value(last or first)
    if percent and low == 0:
        raise InvalidValueError(sublayer.value, text, "percentages above 0: none is what removes all")
    stride = _value(step) if step else max(1, high - low)
    if high < low or stride < 1 or (high - low) // stride >= MOST_CHOICES:
        expected = f"a range from less to more of at most {MOST_CHOICES} steps, such as 1024..8192/1024"
        raise InvalidValueError(sublayer.value, text, expected)
    values = range(low, high + 1, stride)
    if not percent:
        return [f"{name}={value}" for value in values]
    return [f"{name}={_rounded(name, (whole or 0) * value / 1000)}" for value in values]


def _tenths(word: str) -> str:
    """Percentages with a decimal as tenths of a percent: `12.5%` is `125%`, and `25%` is `250%`."""
    return re.sub(r"(\d{1,3})(?:\.(\d))?%", lambda found: f"{found[1]}{found[2] or 0}%", word)


def _value(number: str) -> int:
    return int(number.rstrip("%"))


def _whole(name: str, dense: object) -> int | None:
    if isinstance(dense, Attention):
        return {"heads": dense.num_heads, "kv_heads": dense.num_kv_heads}.get(name)
    if isinstance(dense, ExpertLayer):
        own = {"experts": dense.num_experts, "top_k": dense.top_k, "expert_width": dense.width}
        return own.get(name)
    return dense.width if isinstance(dense, FeedForward) and name == "width" else None


def _rounded(name: str, value: float) -> int:
    return nearest_multiple(value, WIDTH_ALIGN) if name.endswith("width") else max(1, round(value))


def checked_texts(value: object) -> Texts | None:
    """Choices as a mapping of `attention` and `ffn` to texts; InvalidValueError for anything else."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or not value:
        raise InvalidValueError("choices", value, "a mapping: attention and ffn, each a list of choices")
    found: dict[str, Sequence[str]] = {}
    for name, several in value.items():
        if name not in tuple(Sublayer):
            raise InvalidValueError("choices", name, f"one of {', '.join(Sublayer)}")
        listed = several.split(",") if isinstance(several, str) else several
        if not isinstance(listed, list | tuple) or not all(isinstance(each, str) for each in listed):
            raise InvalidValueError(f"choices.{name}", several, "a list of choices as texts")
        if not listed:
            raise InvalidValueError(f"choices.{name}", several, "at least one choice")
        found[str(name)] = [each.strip() for each in listed]
    return found
