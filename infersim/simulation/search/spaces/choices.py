"""Choices: what may become of a sublayer, as a text that people write and as the sublayer that it makes.

    kept                    as it is
    none                    gone, with its norm and its residual add
    linear, linear=512      one linear layer hidden -> hidden in its place, or two factors of that rank
    kv_heads=4, heads=16    attention of fewer KV heads or query heads; the other number stays
    width=7168              an FFN of another intermediate size
    lowrank=0.5             each matrix in two factors that lack this share of its values
    2:4                     half of K zero in every matrix
    fp8, w4a16, ...         every matrix stored and multiplied in that format

Several hold at once with a plus between: `heads=16+kv_heads=4`, `width=7168+fp8`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.pruning.families.static_k_2_4 import semi_structured
from infersim.pruning.families.static_k_lowrank import factorised
from infersim.pruning.families.static_nk import with_heads, with_width
from infersim.pruning.linears import Change, changed_block
from infersim.pruning.plan_files.layer_choices import FORMATS, one_linear, stored_as
from infersim.workload.transformer import Attention, Block, FeedForward, Linear, ReplacedSublayer

Made = Attention | FeedForward | ReplacedSublayer | None

RANK_ALIGN = 16
"""Ranks of low-rank choices are multiples of it, as those of static-k-lowrank."""


class Sublayer(StrEnum):
    """The two kinds of sublayer."""

    ATTENTION = "attention"
    FFN = "ffn"


KEPT, NONE, LINEAR, SPARSE = "kept", "none", "linear", "2:4"
_ALIASES = {"dense": KEPT, "no_op": NONE, "removed": NONE}
_NUMBERS = {
    Sublayer.ATTENTION: {"heads": "num_heads", "kv_heads": "num_kv_heads"},
    Sublayer.FFN: {"width": "ffn_width"},
}
_MOST = 2**24
WORDS = (
    "kept, none, linear, linear=RANK, kv_heads=N, heads=N (attention), width=N (ffn), lowrank=FRACTION, 2:4, "
    f"{', '.join(FORMATS)}, or several of them with + between"
)
"""What a choice may be, for messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What becomes of a sublayer; nothing set: it is kept. `linear` is the rank, 0 for one matrix."""

    removed: bool = False
    linear: int | None = None
    num_heads: int | None = None
    num_kv_heads: int | None = None
    ffn_width: int | None = None
    lowrank: float | None = None
    sparse: bool = False
    format: str | None = None

    @property
    def kept(self) -> bool:
        """Whether the sublayer stays as it is."""
        return self == Choice()

    @property
    def text(self) -> str:
        """As people write it."""
        if self.removed:
            return NONE
        said = [] if self.linear is None else [LINEAR + (f"={self.linear}" if self.linear else "")]
        numbers = {"heads": self.num_heads, "kv_heads": self.num_kv_heads, "width": self.ffn_width}
        said += [f"{name}={value}" for name, value in numbers.items() if value is not None]
        said += [f"lowrank={self.lowrank:g}"] if self.lowrank is not None else []
        said += [SPARSE] if self.sparse else []
        said += [self.format] if self.format is not None else []
        return "+".join(said) or KEPT

    @property
    def families(self) -> tuple[str, ...]:
        """The families of pruning that it is of; a format is none."""
        found = {
            "static-m": self.removed or self.linear is not None,
            "static-k-2:4": self.sparse,
            "static-k-lowrank": self.lowrank is not None,
            "static-nk": (self.num_heads, self.num_kv_heads, self.ffn_width) != (None, None, None),
        }
        return tuple(name for name, holds in found.items() if holds)

    @property
    def family(self) -> str:
        """Its families in one text; `format` where only a format changes, `kept` where nothing does."""
        named = " + ".join(self.families)
        return named or ("format" if self.format else KEPT)


DENSE = Choice()
"""The sublayer as it is."""


def parsed(text: str, sublayer: Sublayer, key: str = "choice") -> Choice:
    """The choice that a text names; raises InvalidValueError with all that it may be."""
    choice = Choice()
    for word in text.split("+"):
        choice = _with(choice, _ALIASES.get(word.strip(), word.strip()), sublayer, key, text)
    if choice.removed and choice != Choice(removed=True):
        raise InvalidValueError(key, text, "none alone: what is gone has no other property")
    if choice.linear is not None and (choice.sparse or choice.lowrank is not None or "=" in _sized(choice)):
        raise InvalidValueError(key, text, "linear alone, or with a format")
    return choice


def _sized(choice: Choice) -> str:
    return replace(choice, linear=None, format=None).text


def _with(choice: Choice, word: str, sublayer: Sublayer, key: str, text: str) -> Choice:
    name, equals, value = word.partition("=")
    numbers = _NUMBERS[sublayer]
    if word == KEPT:
        return choice
    if word == NONE:
        return replace(choice, removed=True)
    if word == SPARSE:
        return replace(choice, sparse=True)
    if word in FORMATS:
        return replace(choice, format=word)
    if word == LINEAR:
        return replace(choice, linear=0)
    if name == "lowrank" and equals:
        return replace(choice, lowrank=_fraction(value, key, text))
    if name == LINEAR and equals:
        return replace(choice, linear=_whole(value, key, text))
    if name in numbers and equals:
        return _numbered(choice, numbers[name], _whole(value, key, text))
    raise InvalidValueError(key, text, f"for {sublayer}: {WORDS}")


def _numbered(choice: Choice, name: str, value: int) -> Choice:
    if name == "num_heads":
        return replace(choice, num_heads=value)
    return replace(choice, num_kv_heads=value) if name == "num_kv_heads" else replace(choice, ffn_width=value)


def _whole(value: str, key: str, text: str) -> int:
    if value.isascii() and value.isdigit() and 0 < len(value) < 9 and 0 < int(value) <= _MOST:
        return int(value)
    raise InvalidValueError(key, text, "a positive whole number after =")


def _fraction(value: str, key: str, text: str) -> float:
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if not 0 < found < 1:
        raise InvalidValueError(key, text, "a fraction between 0 and 1 after lowrank=")
    return found


def with_sublayer(block: Block, sublayer: Sublayer, became: Made) -> Block:
    """The block with what became of a sublayer."""
    if sublayer is Sublayer.ATTENTION:
        assert not isinstance(became, FeedForward)
        return replace(block, attention=became)
    assert not isinstance(became, Attention)
    return replace(block, ffn=became)


def made(choice: Choice, sublayer: Attention | FeedForward | ReplacedSublayer, hidden: int) -> Made:
    """The sublayer that a choice makes of a dense one.

    Raises InvalidValueError and UnsupportedError where the dense one cannot become it.
    """
    if choice.removed:
        return None
    if choice.linear is not None:
        found: Attention | FeedForward | ReplacedSublayer = one_linear(
            hidden, sublayer.norm, sublayer.post_norm, choice.linear
        )
    else:
        found = _sized_as(choice, sublayer)
    if not (choice.sparse or choice.lowrank is not None or choice.format is not None):
        return found
    return _with_matrices(found, choice)


def _sized_as(
    choice: Choice, sublayer: Attention | FeedForward | ReplacedSublayer
) -> Attention | FeedForward | ReplacedSublayer:
    """The sublayer with the heads and the width that the choice names."""
    if choice.ffn_width is not None:
        if not isinstance(sublayer, FeedForward) or choice.ffn_width > sublayer.width:
            most = (
                f"at most {sublayer.width}" if isinstance(sublayer, FeedForward) else "none: there is no FFN"
            )
            raise InvalidValueError("width", choice.ffn_width, most)
        return with_width(sublayer, choice.ffn_width)
    if choice.num_heads is None and choice.num_kv_heads is None:
        return sublayer
    if not isinstance(sublayer, Attention):
        raise InvalidValueError("heads", choice.text, "none: the layer's attention has no heads to choose")
    heads = choice.num_heads or sublayer.num_heads
    kv_heads = choice.num_kv_heads or sublayer.num_kv_heads
    if heads > sublayer.num_heads or kv_heads > sublayer.num_kv_heads or heads % kv_heads:
        expected = f"at most {sublayer.num_heads} heads and {sublayer.num_kv_heads} KV heads that divide them"
        raise InvalidValueError("heads", choice.text, expected)
    return with_heads(sublayer, heads, kv_heads)


def _with_matrices(
    sublayer: Attention | FeedForward | ReplacedSublayer, choice: Choice
) -> Attention | FeedForward | ReplacedSublayer:
    """The sublayer with its matrices in two factors, in 2:4 form, or in a format."""

    def change(_: str, linear: Linear) -> Linear:
        if choice.lowrank is not None:
            linear = factorised(linear, sparsity=choice.lowrank, align=RANK_ALIGN)
        if choice.sparse:
            linear = semi_structured(linear)
        return linear if choice.format is None else stored_as(linear, choice.format)

    return _changed(sublayer, change)


def _changed(
    sublayer: Attention | FeedForward | ReplacedSublayer, change: Change
) -> Attention | FeedForward | ReplacedSublayer:
    block = (
        changed_block(Block(attention=None, ffn=sublayer), "ffn", change)
        if not isinstance(sublayer, Attention)
        else changed_block(Block(attention=sublayer, ffn=None), "attention", change)
    )
    found = block.attention or block.ffn
    if found is None:
        raise UnsupportedError("a sublayer without matrices has no such choice")
    return found
