"""Choices: what may become of a sublayer, as a text that people write and as the sublayer that it makes.

    kept                    as it is
    none                    gone, with its norm and its residual add
    linear, linear=512      one linear layer hidden -> hidden in its place, or two factors of that rank
    kv_heads=4, heads=16    attention of fewer KV heads or query heads; the other number stays
    width=7168              an FFN of another intermediate size
    experts=64, top_k=4     a layer of fewer routed experts, or of which a token runs fewer
    expert_width=512        routed experts of another width
    lowrank=0.5             each matrix in two factors that lack this share of its values
    2:4                     half of K zero in every matrix
    fp8, w4a16, ...         every matrix stored and multiplied in that format

Several hold at once with a plus between: `heads=16+kv_heads=4`, `width=7168+fp8`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import TypeAlias

from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.pruning.families.dynamic_e import DYNAMIC_E, with_top_k
from infersim.pruning.families.static_e import STATIC_E, with_experts
from infersim.pruning.families.static_k_2_4 import STATIC_K_2_4, semi_structured
from infersim.pruning.families.static_k_lowrank import STATIC_K_LOWRANK, factorised
from infersim.pruning.families.static_m import STATIC_M
from infersim.pruning.families.static_nk import STATIC_NK, with_expert_width, with_heads, with_width
from infersim.pruning.linears import changed_block
from infersim.pruning.plan_files.layer_choices import FORMATS, in_format, one_linear
from infersim.workload.transformer import (
    Attention,
    AttentionSublayer,
    Block,
    ExpertLayer,
    FeedForward,
    FfnSublayer,
    LatentAttention,
    Linear,
)

Made: TypeAlias = AttentionSublayer | FfnSublayer | None

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
    Sublayer.FFN: {
        "width": "ffn_width",
        "experts": "num_experts",
        "top_k": "top_k",
        "expert_width": "expert_width",
    },
}
_MOST = 2**24
WORDS = (
    "kept, none, linear, linear=RANK, kv_heads=N, heads=N (attention), width=N, experts=N, top_k=N, "
    "expert_width=N (ffn), lowrank=FRACTION, 2:4, "
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
    num_experts: int | None = None
    top_k: int | None = None
    expert_width: int | None = None
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
        numbers = {
            "heads": self.num_heads,
            "kv_heads": self.num_kv_heads,
            "width": self.ffn_width,
            "experts": self.num_experts,
            "top_k": self.top_k,
            "expert_width": self.expert_width,
        }
        said += [f"{name}={value}" for name, value in numbers.items() if value is not None]
        said += [f"lowrank={self.lowrank:g}"] if self.lowrank is not None else []
        said += [SPARSE] if self.sparse else []
        said += [self.format] if self.format is not None else []
        return "+".join(said) or KEPT

    @property
    def families(self) -> tuple[str, ...]:
        """The families of pruning that it is of; a format is none."""
        found = {
            STATIC_M.name: self.removed or self.linear is not None,
            STATIC_K_2_4.name: self.sparse,
            STATIC_K_LOWRANK.name: self.lowrank is not None,
            STATIC_NK.name: any((self.num_heads, self.num_kv_heads, self.ffn_width, self.expert_width)),
            STATIC_E.name: self.num_experts is not None,
            DYNAMIC_E.name: self.top_k is not None,
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
    words = text.split("+")
    for word in words:
        choice = _with(choice, _ALIASES.get(word.strip(), word.strip()), sublayer, key, text)
    if choice.removed and choice != Choice(removed=True):
        raise InvalidValueError(key, text, "none alone: what is gone has no other property")
    if choice.linear is not None and (choice.sparse or choice.lowrank is not None or "=" in _sized(choice)):
        raise InvalidValueError(key, text, "linear alone, or with a format")
    said = sum(getattr(choice, each.name) != each.default for each in fields(choice))
    if len(words) > max(1, said):
        raise InvalidValueError(key, text, "each property once, and kept alone")
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
    return replace(choice, **{name: value})  # type: ignore[arg-type]


def _whole(value: str, key: str, text: str) -> int:
    if value.isascii() and value.isdigit() and 0 < len(value) < 9 and 0 < int(value) <= _MOST:
        return int(value)
    raise InvalidValueError(key, text, f"a whole number from 1 to {_MOST} after =")


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
        assert not isinstance(became, FeedForward | ExpertLayer)
        return replace(block, attention=became)
    assert not isinstance(became, Attention | LatentAttention)
    return replace(block, ffn=became)


def made(choice: Choice, sublayer: AttentionSublayer | FfnSublayer, hidden: int) -> Made:
    """The sublayer that a choice makes of a dense one.

    Raises InvalidValueError and UnsupportedError where the dense one cannot become it.
    """
    if choice.removed:
        return None
    found: AttentionSublayer | FfnSublayer
    if choice.linear is not None:
        found = one_linear(hidden, sublayer.norm, sublayer.post_norm, choice.linear)
    else:
        found = _sized_as(choice, sublayer)
    if choice.sparse or choice.lowrank is not None:
        found = _in_factors(found, choice)
    return found if choice.format is None else in_format(found, choice.format)


def _sized_as(choice: Choice, sublayer: AttentionSublayer | FfnSublayer) -> AttentionSublayer | FfnSublayer:
    """The sublayer with the heads, the width and the experts that the choice names."""
    if choice.ffn_width is not None:
        if not isinstance(sublayer, FeedForward) or choice.ffn_width > sublayer.width:
            most = (
                f"at most {sublayer.width}" if isinstance(sublayer, FeedForward) else "none: it has experts"
            )
            raise InvalidValueError("width", choice.ffn_width, most)
        return with_width(sublayer, choice.ffn_width)
    if any((choice.num_experts, choice.top_k, choice.expert_width)):
        return _fewer_experts(choice, sublayer)
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


def _fewer_experts(choice: Choice, sublayer: AttentionSublayer | FfnSublayer) -> ExpertLayer:
    if not isinstance(sublayer, ExpertLayer):
        raise InvalidValueError("experts", choice.text, "none: the layer has no experts")
    experts = choice.num_experts or sublayer.num_experts
    top_k = choice.top_k or sublayer.top_k
    width = choice.expert_width or sublayer.width
    if experts > sublayer.num_experts or top_k > min(experts, sublayer.top_k) or width > sublayer.width:
        expected = (
            f"at most {sublayer.num_experts} experts of at most {sublayer.width}, and of them at most "
            f"{sublayer.top_k} for a token"
        )
        raise InvalidValueError("experts", choice.text, expected)
    return with_expert_width(with_top_k(with_experts(sublayer, experts), top_k), width)


def _in_factors(sublayer: AttentionSublayer | FfnSublayer, choice: Choice) -> AttentionSublayer | FfnSublayer:
    """The sublayer with its matrices in two factors, or in 2:4 form."""

    def change(_: str, linear: Linear) -> Linear:
        if choice.lowrank is not None:
            linear = factorised(linear, sparsity=choice.lowrank, align=RANK_ALIGN)
        return semi_structured(linear) if choice.sparse else linear

    if isinstance(sublayer, Attention | LatentAttention):
        block = changed_block(Block(attention=sublayer, ffn=None), "attention", change)
    else:
        block = changed_block(Block(attention=None, ffn=sublayer), "ffn", change)
    found = block.attention or block.ffn
    if found is None:
        raise UnsupportedError("a sublayer without matrices has no such choice")
    return found
