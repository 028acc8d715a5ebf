"""Which matrices of a block read the residual stream and which write it, and how to change them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from infersim.workload.transformer import (
    Attention,
    Block,
    ExpertLayer,
    FeedForward,
    LatentAttention,
    Linear,
)

Change: TypeAlias = Callable[[Linear], Linear]


def on_stream(block: Block, *, inwards: Change, outwards: Change) -> Block:
    """The block with its matrices that read the residual stream, and those that write it, changed."""
    attention, ffn = block.attention, block.ffn
    if isinstance(attention, Attention):
        q, k, v = (inwards(linear) for linear in (attention.q, attention.k, attention.v))
        gate = attention.gate and inwards(attention.gate)
        attention = replace(attention, q=q, k=k, v=v, o=outwards(attention.o), gate=gate)
    elif isinstance(attention, LatentAttention):
        attention = _latent(attention, inwards, outwards)
    elif attention is not None:
        attention = replace(attention, linear=outwards(inwards(attention.linear)))
    if isinstance(ffn, FeedForward):
        ffn = changed_ffn(ffn, inwards, outwards)
    elif isinstance(ffn, ExpertLayer):
        shared = None if ffn.shared is None else changed_ffn(ffn.shared, inwards, outwards)
        expert = changed_ffn(ffn.expert, inwards, outwards)
        ffn = replace(ffn, router=inwards(ffn.router), expert=expert, shared=shared)
    elif ffn is not None:
        ffn = replace(ffn, linear=outwards(inwards(ffn.linear)))
    return replace(block, attention=attention, ffn=ffn)


def changed_ffn(ffn: FeedForward, inwards: Change, outwards: Change) -> FeedForward:
    """The FFN with its matrices that lead to its width, and the one that leads back, changed."""
    gate = None if ffn.gate is None else inwards(ffn.gate)
    return replace(ffn, gate=gate, up=inwards(ffn.up), down=outwards(ffn.down))


def _latent(attention: LatentAttention, inwards: Change, outwards: Change) -> LatentAttention:
    q_a, q_b = attention.q_a, attention.q_b
    q_a, q_b = (None, inwards(q_b)) if q_a is None else (inwards(q_a), q_b)
    index = attention.indexer
    if index is not None:
        index = replace(index, k=inwards(index.k), weights=inwards(index.weights))
    return replace(
        attention, q_a=q_a, q_b=q_b, kv_a=inwards(attention.kv_a), o=outwards(attention.o), indexer=index
    )
