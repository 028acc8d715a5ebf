"""A dense model beside what pruning made of it, sublayer by sublayer: where families find their traces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from infersim.domain.ops import Part
from infersim.pruning.linears import ATTENTION_SUBLAYER, FFN_SUBLAYER, stored_linears
from infersim.workload.counts import stored_values
from infersim.workload.transformer import (
    Attention,
    AttentionSublayer,
    Block,
    ExpertLayer,
    FeedForward,
    FfnSublayer,
    LatentAttention,
    Linear,
    Transformer,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SublayerPair:
    """A dense sublayer and what became of it; `parts` are where its ops belong."""

    dense: Attention | LatentAttention | FeedForward | ExpertLayer
    pruned: AttentionSublayer | FfnSublayer | None
    parts: frozenset[Part]

    @property
    def survives(self) -> bool:
        """Whether the sublayer is still of its kind; with a linear layer in its place it is gone."""
        return type(self.pruned) is type(self.dense)

    @property
    def dense_linears(self) -> tuple[Linear, ...]:
        """Weight matrices of the dense sublayer, those of its experts as often as it has experts."""
        return tuple(stored_linears(self.dense))

    @property
    def pruned_linears(self) -> tuple[Linear, ...]:
        """Weight matrices of what became of it, those of its experts as often as it has experts."""
        return tuple(stored_linears(self.pruned))

    @property
    def kind_differs(self) -> bool:
        """Whether it has other matrices than before, whatever their sizes."""
        return self.pruned is None or len(self.pruned.linears) != len(self.dense.linears)

    @property
    def dense_widths(self) -> tuple[int, ...]:
        """Widths of the dense sublayer, see `widths`."""
        return _widths_of(self.dense)

    @property
    def pruned_widths(self) -> tuple[int, ...]:
        """Widths of what became of it."""
        return _widths_of(self.pruned)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A dense model, a pruned one, and their layers side by side.

    `blocks` are (dense, pruned); a removed layer is a block without sublayers. `pairs` are the sublayers of
    all of them, `survivors` those pairs whose pruned side is still of its kind.
    """

    dense: Transformer
    pruned: Transformer
    blocks: Sequence[tuple[Block, Block]]
    pairs: Sequence[SublayerPair]
    survivors: Sequence[SublayerPair]

    @classmethod
    def of(cls, dense: Transformer, pruned: Transformer, blocks: Sequence[tuple[Block, Block]]) -> Comparison:
        """Compare two models whose layers stand side by side in `blocks`."""
        pairs = tuple(sublayer_pairs(blocks))
        survivors = tuple(pair for pair in pairs if pair.survives)
        return cls(dense=dense, pruned=pruned, blocks=blocks, pairs=pairs, survivors=survivors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One family's realised sparsity and the parts that it cuts."""

    realised: float
    parts: frozenset[Part]


def sublayer_pairs(blocks: Iterable[tuple[Block, Block]]) -> Iterator[SublayerPair]:
    """Pairs of all sublayers of (dense, pruned) blocks; a removed layer is a block without sublayers."""
    for dense, pruned in blocks:
        if isinstance(dense.attention, Attention | LatentAttention):
            yield SublayerPair(dense=dense.attention, pruned=pruned.attention, parts=ATTENTION_SUBLAYER)
        if isinstance(dense.ffn, FeedForward | ExpertLayer):
            yield SublayerPair(dense=dense.ffn, pruned=pruned.ffn, parts=FFN_SUBLAYER)


def _widths_of(sublayer: AttentionSublayer | FfnSublayer | None) -> tuple[int, ...]:
    """Those of one expert, and of the shared one, where the sublayer has experts."""
    if isinstance(sublayer, ExpertLayer):
        shared = () if sublayer.shared is None else widths(sublayer.shared.linears)
        return (*widths(sublayer.expert.linears), *shared)
    return () if sublayer is None else widths(sublayer.linears)


def widths(linears: tuple[Linear, ...]) -> tuple[int, ...]:
    """N or K of each matrix of a sublayer on the side that is not the hidden size.

    A sublayer's last matrix (o, down) leads back to the hidden size, the others lead away from it.
    """
    return (*(linear.out_features for linear in linears[:-1]), linears[-1].in_features)


def width_sums(pair: SublayerPair) -> tuple[float, float]:
    """The widths of a pair that survives, dense and pruned, each standing for `hidden` parameters.

    Widths of experts count as often as there are experts left: that others are gone is another family's.
    """
    if isinstance(pair.pruned, ExpertLayer):
        copies, of_expert = pair.pruned.num_experts, len(pair.pruned.expert.linears)
        one, other = (
            copies * sum(each[:of_expert]) + sum(each[of_expert:])
            for each in (pair.dense_widths, pair.pruned_widths)
        )
        return one, other
    if isinstance(pair.dense, LatentAttention) and isinstance(pair.pruned, LatentAttention):
        hidden = pair.dense.kv_a.in_features
        return _latent_width(pair.dense, hidden), _latent_width(pair.pruned, hidden)
    return sum(pair.dense_widths), sum(pair.pruned_widths)


def _latent_width(attention: LatentAttention, hidden: int) -> float:
    """What expands latent vectors reads fewer values than `hidden`, and counts by so much less."""
    queries = float(attention.q_b.out_features)
    if attention.q_a is not None:
        queries = attention.q_a.out_features * (1 + queries / hidden)
    keys = attention.kv_a.out_features + attention.kv_lora_rank * attention.kv_b.out_features / hidden
    return queries + keys + _index_width(attention, hidden) + attention.o.in_features


def _index_width(attention: LatentAttention, hidden: int) -> float:
    index = attention.indexer
    if index is None:
        return 0.0
    queries = index.q.out_features * index.q.in_features / hidden
    return queries + index.k.out_features + index.weights.out_features


def expert_pairs(found: Comparison) -> list[tuple[ExpertLayer, ExpertLayer]]:
    """Layers of experts, dense and pruned, of those that are still there."""
    return [
        (pair.dense, pair.pruned)
        for pair in found.survivors
        if isinstance(pair.dense, ExpertLayer) and isinstance(pair.pruned, ExpertLayer)
    ]


def values_of(linears: Iterable[Linear]) -> float:
    """Stored values of several matrices."""
    return sum(map(stored_values, linears))


def parts_of(pairs: Iterable[SublayerPair]) -> frozenset[Part]:
    """The parts that the ops of several sublayers belong to."""
    return frozenset().union(*(pair.parts for pair in pairs))


def skipped(found: Comparison, rate: Callable[[SublayerPair], float | None]) -> Finding | None:
    """The mean rate at which tokens skip, out of those of the kinds of sublayer that have a router anywhere.

    `rate` is a pair's (None: it has no router).
    """
    routed = [pair for pair in found.survivors if rate(pair) is not None]
    if not routed:
        return None
    kinds = {type(pair.dense) for pair in routed}
    rates = [rate(pair) or 0.0 for pair in found.survivors if type(pair.dense) in kinds]
    return Finding(realised=sum(rates) / len(rates), parts=parts_of(routed))


def inside_attention(found: Comparison, left_out: Callable[[Attention], float]) -> Finding | None:
    """The mean share that attentions leave out, each counting alike; None where all attend to everything."""
    attentions = [pair.pruned for pair in found.survivors if isinstance(pair.pruned, Attention)]
    shares = [left_out(attention) for attention in attentions]
    if not any(shares):
        return None
    return Finding(realised=sum(shares) / len(shares), parts=frozenset({Part.ATTENTION}))
