"""Padding: a transformer with one of its widths rounded up, zeros in the columns that are new.

The function that it computes stays the same; matrices, activations and table grow. Widths that are made of
heads are not padded: a head of another size is another head.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from infersim.pruning.residual_stream import Change, changed_ffn, on_stream
from infersim.workload.transformer import Block, FeedForward, Linear, Transformer


class Dimension(StrEnum):
    """The widths that can be padded, as people call them."""

    VOCABULARY = "vocabulary"
    HIDDEN = "hidden size"
    FFN = "FFN width"
    RANK = "rank"


@dataclass(frozen=True, slots=True, kw_only=True)
class Width:
    """A width of a transformer; blocks may differ in theirs, and each is one of its own."""

    dimension: Dimension
    value: int


def widths(transformer: Transformer) -> tuple[Width, ...]:
    """All widths that can be padded, each once: vocabulary, hidden size, FFN widths, ranks."""
    blocks = [block for block, _ in transformer.grouped_blocks()]
    ffns = [block.ffn.width for block in blocks if isinstance(block.ffn, FeedForward)]
    ranks = [linear.rank for block in blocks for linear in block.linears if linear.rank is not None]
    has_vocabulary = transformer.head is not None and transformer.head.labels is None
    values = {
        Dimension.VOCABULARY: [transformer.vocab] if has_vocabulary else [],
        Dimension.HIDDEN: [transformer.hidden],
        Dimension.FFN: ffns,
        Dimension.RANK: ranks,
    }
    return tuple(
        Width(dimension=dimension, value=value)
        for dimension, found in values.items()
        for value in dict.fromkeys(found)
    )


def padded(transformer: Transformer, width: Width, to: int) -> Transformer:
    """The transformer with that width `to` wide wherever it occurs."""
    old, blocks = width.value, transformer.blocks
    match width.dimension:
        case Dimension.VOCABULARY:
            return replace(transformer, vocab=to)
        case Dimension.HIDDEN:
            wider = transformer.with_blocks(tuple(_wider_stream(block, to) for block in blocks))
            return replace(wider, hidden=to)
        case Dimension.FFN:
            return transformer.with_blocks(tuple(_wider_ffn(block, old, to) for block in blocks))
        case Dimension.RANK:
            return transformer.with_blocks(tuple(_wider_ranks(block, old, to) for block in blocks))


def _reads(width: int) -> Change:
    return lambda linear: replace(linear, in_features=width)


def _writes(width: int) -> Change:
    return lambda linear: replace(linear, out_features=width)


def _wider_stream(block: Block, to: int) -> Block:
    """The block on a residual stream of width `to`."""
    return on_stream(block, inwards=_reads(to), outwards=_writes(to))


def _wider_ffn(block: Block, old: int, to: int) -> Block:
    if not isinstance(block.ffn, FeedForward) or block.ffn.width != old:
        return block
    return replace(block, ffn=changed_ffn(block.ffn, _writes(to), _reads(to)))


def _wider_ranks(block: Block, old: int, to: int) -> Block:
    def wider(linear: Linear) -> Linear:
        return replace(linear, rank=to) if linear.rank == old else linear

    return on_stream(block, inwards=wider, outwards=wider)
