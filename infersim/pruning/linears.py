"""Weight matrices of blocks: which parts they are, what they store, and how to change all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import repeat

from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.domain.ops import Part
from infersim.domain.shapes import WeightForm
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
    ReplacedSublayer,
    Transformer,
    weights_of,
)

Change = Callable[[str, Linear], Linear]
"""From a matrix and its name (q, k, v, o, gate, up, down; linear of a replaced sublayer) to its successor."""

SUBLAYER_TARGETS = ("both", "attention", "ffn")
"""Values of the option `target` of families that work on one kind of sublayer or on both."""

BLOCK_LINEARS = frozenset({Part.QKVO, Part.FFN})
"""Parts of the weight matrices inside blocks."""

ATTENTION_SUBLAYER = frozenset({Part.QKVO, Part.ATTENTION})
"""Parts of a whole attention sublayer: its weight matrices and the attention kernel between them."""

FFN_SUBLAYER = frozenset({Part.FFN})
"""The part of an FFN, or of a layer of experts."""

SUBLAYER_PARTS = {
    "both": ATTENTION_SUBLAYER | FFN_SUBLAYER,
    "attention": ATTENTION_SUBLAYER,
    "ffn": FFN_SUBLAYER,
}
"""Parts by the option `target` of families that work on whole sublayers."""

SUBLAYER_LINEARS = {
    "both": BLOCK_LINEARS,
    "attention": frozenset({Part.QKVO}),
    "ffn": FFN_SUBLAYER,
}
"""Parts by the option `target` of families that change weight matrices only."""


def targeted_linears(model: Transformer, target: str) -> list[Linear]:
    """Weight matrices of the targeted sublayers of all blocks; UnsupportedError where there are none."""
    found: list[Linear] = []
    for block in model.blocks:
        if target != "ffn":
            found.extend(stored_linears(block.attention))
        if target != "attention":
            found.extend(stored_linears(block.ffn))
    if not found:
        raise UnsupportedError(f"{model.name} has no weight matrices in {target} sublayers")
    return found


def stored_linears(sublayer: AttentionSublayer | FfnSublayer | None) -> Iterator[Linear]:
    """Weight matrices of a sublayer, those of its experts as often as it has experts."""
    for linear, copies in weights_of(sublayer):
        yield from repeat(linear, copies)


def refuse_experts(block: Block, what: str) -> None:
    """Refuse a block whose FFN is a layer of experts, naming what it cannot have."""
    if isinstance(block.ffn, ExpertLayer):
        raise UnsupportedError(f"{what} is not supported for layers of experts")


def refuse_latent(block: Block, what: str) -> None:
    """Refuse a block with latent attention, naming what it cannot have."""
    if isinstance(block.attention, LatentAttention):
        raise UnsupportedError(f"{what} is not supported for latent attention")


def refuse_second_router(sublayer: Attention | FeedForward | ExpertLayer) -> None:
    """Refuse a sublayer that tokens skip already, whole or by groups."""
    groups = None if isinstance(sublayer, ExpertLayer) else sublayer.groups
    if sublayer.skip is not None or groups is not None:
        raise UnsupportedError("a router is there already: a sublayer has one router")


def removed_share(before: Iterable[Linear], after: Iterable[Linear]) -> float:
    """The fraction of stored values that went from one set of matrices to the other."""
    return 1 - sum(map(stored_values, after)) / sum(map(stored_values, before))


def executed_values(model: Transformer) -> float:
    """Stored values of all block linears, each weighted by the fraction of tokens that pass through it."""
    return sum(_executed(block.attention) + _executed(block.ffn) for block in model.blocks)


def _executed(sublayer: AttentionSublayer | FfnSublayer | None) -> float:
    if sublayer is None:
        return 0.0
    passed = sublayer.active() if isinstance(sublayer, ExpertLayer) else weights_of(sublayer)
    values = sum(copies * stored_values(linear) for linear, copies in passed)
    if isinstance(sublayer, Attention | FeedForward) and sublayer.groups is not None:
        kept_dense = (sublayer.k, sublayer.v) if isinstance(sublayer, Attention) else ()
        return values - sublayer.groups.rate * (values - sum(map(stored_values, kept_dense)))
    if isinstance(sublayer, ReplacedSublayer | LatentAttention) or sublayer.skip is None:
        return values
    skippable = values
    if isinstance(sublayer, Attention) and sublayer.skip.dense_kv:
        skippable = values - stored_values(sublayer.k) - stored_values(sublayer.v)
    return values - sublayer.skip.rate * skippable


def check_plain(linear: Linear, family: str) -> None:
    """Refuse a matrix that is a low-rank pair, in 2:4 form or zero in places already."""
    if linear.zeros is not None:
        raise UnsupportedError(f"{family} needs plain matrices, and weights of some already are zero")
    if linear.rank is not None or linear.form is not WeightForm.DENSE:
        state = "low rank" if linear.rank is not None else "in 2:4 form"
        raise UnsupportedError(f"{family} needs plain matrices, and some already are {state}")


def resized(linear: Linear, *, out_features: int | None = None, in_features: int | None = None) -> Linear:
    """The matrix with another N or K.

    Raises UnsupportedError for a low-rank pair (its rank was chosen for the old N and K), and
    InvalidValueError when a 2:4 matrix would get a K that does not divide into groups of four.
    """
    n = linear.out_features if out_features is None else out_features
    k = linear.in_features if in_features is None else in_features
    if linear.rank is not None and (n, k) != (linear.out_features, linear.in_features):
        raise UnsupportedError("a low-rank matrix has no width to cut: prune the width first, then factorise")
    if linear.form is WeightForm.SPARSE_2_4 and k % 4:
        raise InvalidValueError("in_features", k, "a multiple of 4 for a matrix in 2:4 form")
    return replace(linear, out_features=n, in_features=k)


def with_linears(model: Transformer, target: str, change: Change) -> Transformer:
    """The model with `change` applied to every matrix of the targeted sublayers."""
    return model.with_blocks(tuple(changed_block(block, target, change) for block in model.blocks))


def changed_block(block: Block, target: str, change: Change) -> Block:
    """The block with `change` applied to every matrix of the targeted sublayers."""
    attention, ffn = block.attention, block.ffn
    if target != "ffn":
        attention = _changed_attention(attention, change)
    if target != "attention":
        ffn = _changed_ffn(ffn, change)
    return replace(block, attention=attention, ffn=ffn)


def _changed_attention(sublayer: AttentionSublayer | None, change: Change) -> AttentionSublayer | None:
    if isinstance(sublayer, LatentAttention):
        raise UnsupportedError("matrices of latent attention are left as they are: target the FFN")
    return sublayer and sublayer.with_matrices(_changed(sublayer, change))


def _changed_ffn(sublayer: FfnSublayer | None, change: Change) -> FfnSublayer | None:
    if isinstance(sublayer, ExpertLayer):
        raise UnsupportedError("no kernel runs experts in 2:4 form or of low rank: choose target=attention")
    return sublayer and sublayer.with_matrices(_changed(sublayer, change))


def _changed(sublayer: AttentionSublayer | FfnSublayer, change: Change) -> Mapping[str, Linear]:
    return {name: change(name, linear) for name, linear in sublayer.matrices.items()}
