"""Sublayers of a dense model beside what pruning made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from infersim.domain.ops import Part
from infersim.pruning.pruned import ATTENTION_SUBLAYER
from infersim.workload.transformer import Attention, Block, FeedForward, Linear, ReplacedSublayer

FFN_SUBLAYER = frozenset({Part.FFN})


@dataclass(frozen=True, slots=True, kw_only=True)
class SublayerPair:
    """A dense sublayer and what became of it; `parts` are where its ops belong."""

    dense: Attention | FeedForward
    pruned: Attention | FeedForward | ReplacedSublayer | None
    parts: frozenset[Part]

    @property
    def survives(self) -> bool:
        """Whether the sublayer is still of its kind; with a linear layer in its place it is gone."""
        return type(self.pruned) is type(self.dense)

    @property
    def pruned_linears(self) -> tuple[Linear, ...]:
        """Weight matrices of what became of it."""
        return () if self.pruned is None else self.pruned.linears

    @property
    def dense_widths(self) -> tuple[int, ...]:
        """Widths of the dense sublayer, see `widths`."""
        return widths(self.dense.linears)

    @property
    def pruned_widths(self) -> tuple[int, ...]:
        """Widths of what became of it."""
        return widths(self.pruned_linears)


def sublayer_pairs(blocks: Iterable[tuple[Block, Block]]) -> Iterator[SublayerPair]:
    """Pairs of all sublayers of (dense, pruned) blocks; a removed layer is a block without sublayers."""
    for dense, pruned in blocks:
        if isinstance(dense.attention, Attention):
            yield SublayerPair(dense=dense.attention, pruned=pruned.attention, parts=ATTENTION_SUBLAYER)
        if isinstance(dense.ffn, FeedForward):
            yield SublayerPair(dense=dense.ffn, pruned=pruned.ffn, parts=FFN_SUBLAYER)


def widths(linears: tuple[Linear, ...]) -> tuple[int, ...]:
    """N or K of each matrix of a sublayer on the side that is not the hidden size.

    A sublayer's last matrix (o, down) leads back to the hidden size, the others lead away from it.
    """
    return (*(linear.out_features for linear in linears[:-1]), linears[-1].in_features)
