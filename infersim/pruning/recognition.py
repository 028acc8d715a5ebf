"""Which families turned a dense model into a pruned one, found by comparing the two sublayer by sublayer.

For pruned checkpoints and plan files with per-layer detail, where nobody asked for a sparsity. Realised
sparsities follow each family's own definition; those of weight matrices are counted one after the other
(sublayers, then widths, then ranks, then 2:4), each a fraction of what the one before left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from infersim.domain.ops import Part
from infersim.domain.shapes import WeightForm
from infersim.pruning.linears import removed_share
from infersim.pruning.plan import PlanStep
from infersim.pruning.pruned import BLOCK_LINEARS
from infersim.pruning.registry import families
from infersim.pruning.sublayer_pairs import SublayerPair, sublayer_pairs
from infersim.workload.counts import stored_values
from infersim.workload.transformer import Attention, Block, FeedForward, Linear

Pairs = Sequence[SublayerPair]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One family's realised sparsity and the parts that it cuts."""

    realised: float
    parts: frozenset[Part]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """The families found, in the order of the taxonomy, and the parts that they cut together."""

    steps: tuple[PlanStep, ...]
    targets: frozenset[Part]


def recognise(blocks: Sequence[tuple[Block, Block]], *, hidden: int, pruned_hidden: int) -> Recognised:
    """Compare (dense, pruned) blocks, a removed layer being a block without sublayers."""
    pairs = list(sublayer_pairs(blocks))
    survivors = [pair for pair in pairs if pair.survives]
    findings = {
        "static-m": _removed(pairs),
        "static-k-2:4": _semi_structured(survivors),
        "static-k-lowrank": _factorised(survivors),
        "static-nk": _narrowed(survivors),
        "static-nk-cross": _sliced(hidden, pruned_hidden),
        "dynamic-m": _routed(survivors),
        "dynamic-nk": _inside_attention(survivors, _blocks_left_out),
        "kv-pruning": _inside_attention(survivors, _tokens_left_out),
    }
    found = [(entry.name, finding) for entry in families() if (finding := findings[entry.name])]
    return Recognised(
        steps=tuple(
            PlanStep(family=name, sparsity=None, sparsity_realised=finding.realised)
            for name, finding in found
        ),
        targets=frozenset().union(*(finding.parts for _, finding in found)),
    )


def _removed(pairs: Pairs) -> Finding | None:
    gone = [pair for pair in pairs if not pair.survives]
    if not gone:
        return None
    total = sum(_values(pair.dense.linears) for pair in pairs)
    lost = sum(_values(pair.dense.linears) - _values(pair.pruned_linears) for pair in gone)
    return Finding(realised=lost / total, parts=_parts(gone))


def _narrowed(survivors: Pairs) -> Finding | None:
    narrower = [pair for pair in survivors if pair.pruned_widths != pair.dense_widths]
    if not narrower:
        return None
    # Each width stands for `hidden` parameters, which cancels.
    before = sum(sum(pair.dense_widths) for pair in survivors)
    after = sum(sum(pair.pruned_widths) for pair in survivors)
    return Finding(realised=1 - after / before, parts=_parts(narrower))


def _sliced(hidden: int, pruned_hidden: int) -> Finding | None:
    if pruned_hidden == hidden:
        return None
    return Finding(realised=1 - pruned_hidden / hidden, parts=BLOCK_LINEARS | {Part.LM_HEAD})


def _factorised(survivors: Pairs) -> Finding | None:
    pairs_of_factors = [
        pair for pair in survivors if any(linear.rank is not None for linear in pair.pruned_linears)
    ]
    if not pairs_of_factors:
        return None
    linears = [replace(linear, form=WeightForm.DENSE) for pair in survivors for linear in pair.pruned_linears]
    plain = [replace(linear, rank=None) for linear in linears]
    return Finding(realised=removed_share(plain, linears), parts=_parts(pairs_of_factors) & BLOCK_LINEARS)


def _semi_structured(survivors: Pairs) -> Finding | None:
    sparse = [pair for pair in survivors if any(map(_is_2_4, pair.pruned_linears))]
    if not sparse:
        return None
    linears = [linear for pair in survivors for linear in pair.pruned_linears]
    plain = [replace(linear, form=WeightForm.DENSE) for linear in linears]
    return Finding(realised=removed_share(plain, linears), parts=_parts(sparse) & BLOCK_LINEARS)


def _routed(survivors: Pairs) -> Finding | None:
    """Token executions skipped, out of those of the kinds of sublayer that are routed anywhere."""
    routed = [pair for pair in survivors if _skip_rate(pair) is not None]
    if not routed:
        return None
    kinds = {type(pair.dense) for pair in routed}
    rates = [_skip_rate(pair) or 0.0 for pair in survivors if type(pair.dense) in kinds]
    return Finding(realised=sum(rates) / len(rates), parts=_parts(routed))


def _inside_attention(survivors: Pairs, left_out: Callable[[Attention], float]) -> Finding | None:
    attentions = [pair.pruned for pair in survivors if isinstance(pair.pruned, Attention)]
    shares = [left_out(attention) for attention in attentions]
    if not any(shares):
        return None
    return Finding(realised=sum(shares) / len(shares), parts=frozenset({Part.ATTENTION}))


def _blocks_left_out(attention: Attention) -> float:
    return 0.0 if attention.block_sparsity is None else 1 - attention.block_sparsity.kept


def _tokens_left_out(attention: Attention) -> float:
    return 1 - attention.kv_kept


def _skip_rate(pair: SublayerPair) -> float | None:
    if isinstance(pair.pruned, Attention | FeedForward) and pair.pruned.skip is not None:
        return pair.pruned.skip.rate
    return None


def _is_2_4(linear: Linear) -> bool:
    return linear.form is WeightForm.SPARSE_2_4


def _values(linears: Sequence[Linear]) -> float:
    return sum(map(stored_values, linears))


def _parts(pairs: Pairs) -> frozenset[Part]:
    return frozenset().union(*(pair.parts for pair in pairs))
