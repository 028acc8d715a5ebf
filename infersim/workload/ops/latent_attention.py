"""Ops of latent attention: expanded in prefill, absorbed in decode and where tokens are chosen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from infersim.domain import shapes
from infersim.domain.arrays import as_array
from infersim.domain.ops import Op, Part
from infersim.domain.shapes import MemoryBound, Phase
from infersim.domain.small_kernels import SmallKernel
from infersim.workload.ops.flow import Flow
from infersim.workload.ops.indexer import choice_ops, key_ops
from infersim.workload.ops.linear import linear_ops, stacked_ops
from infersim.workload.ops.sublayer import Surroundings, entry_ops, exit_ops
from infersim.workload.scenario import Execution, Layout, Scenario
from infersim.workload.transformer import LatentAttention, Linear

KEYS_OF_VALUES = 1
"""KV heads of absorbed decode: every head attends to the same latent vectors."""


def latent_attention_ops(attention: LatentAttention, around: Surroundings) -> Iterator[Op]:
    """Kernels from the norm to the residual add.

    Prefill expands the latent vectors to K and V of every head and attends as usual. Decode moves `kv_b` to
    the queries and to the result, one small matrix for each head, a batch of GEMMs in one launch: costed as
    one GEMM of their joint N, which has their FLOPs and weights. Tokens that an indexer chooses are attended
    to as in decode, in prefill too.
    """
    scenario, everyone = around.scenario, Flow(tokens=around.scenario.tokens)
    execution = scenario.execution
    expanding, absorbing = _ways(attention, scenario)
    yield from entry_ops("attn", attention, around, normed=everyone)
    yield from _projections(attention, everyone, scenario)
    yield _rotary(attention, everyone, execution)
    yield _kv_write(attention, everyone, execution)
    if attention.indexer is not None:
        yield from key_ops(attention.indexer, attention.qk_rope_head_dim, everyone, execution)
        if absorbing is not None:
            yield from _where(absorbing, choice_ops(attention, attention.indexer, absorbing, scenario))
    if expanding is not None:
        yield from _where(expanding, _expanded(attention, expanding, scenario))
    if absorbing is not None:
        yield from _where(absorbing, _absorbed(attention, absorbing, scenario))
    yield from linear_ops("o", Part.QKVO, attention.o, everyone, execution.precision)
    yield from exit_ops("attn", attention, around, kept=everyone)


def _ways(attention: LatentAttention, scenario: Scenario) -> tuple[Flow | None, Flow | None]:
    """The tokens that attend to expanded K and V, and those that attend to latent vectors.

    Prefill expands, and where tokens are chosen only as long as all of them are.
    """
    everyone = Flow(tokens=scenario.tokens)
    if scenario.phase is Phase.DECODE:
        return None, everyone
    if attention.top_k is None:
        return everyone, None
    chosen = as_array(scenario.context) > attention.top_k
    if chosen.all() or not chosen.any():
        return (None, everyone) if chosen.all() else (everyone, None)
    expanding, absorbing = (replace(everyone, runs=where.astype(np.float64)) for where in (~chosen, chosen))
    return expanding, absorbing


def _where(flow: Flow, ops: Iterable[Op]) -> Iterator[Op]:
    """The ops of a way, which nothing launches in scenarios that go another."""
    for op in ops:
        yield replace(op, captured=flow.runs)


def _expanded(attention: LatentAttention, flow: Flow, scenario: Scenario) -> Iterator[Op]:
    """K and V of all tokens, those that were in the cache too."""
    execution = scenario.execution
    seen = replace(flow, tokens=as_array(scenario.batch) * as_array(scenario.context))
    yield from linear_ops("kv_b", Part.QKVO, attention.kv_b, seen, execution.precision)
    yield _joined("latent_join", attention.head_dim, attention, seen, execution)
    shape = expanded_shape(attention, scenario)
    yield Op(name="attention", part=Part.ATTENTION, shape=shape, count=flow.runs)


def _absorbed(attention: LatentAttention, flow: Flow, scenario: Scenario) -> Iterator[Op]:
    execution, (into, out) = scenario.execution, _moved_factors(attention)
    join, name = (
        ("latent_join", "attention") if attention.top_k is None else ("chosen_join", "chosen_attention")
    )
    yield from linear_ops("q_absorbed", Part.QKVO, into, flow, execution.precision)
    yield _joined(join, attention.cache_width, attention, flow, execution)
    shape = absorbed_shape(attention, scenario)
    yield Op(name=name, part=Part.ATTENTION, shape=shape, count=flow.runs)
    yield from linear_ops("v_absorbed", Part.QKVO, out, flow, execution.precision)


def expanded_shape(attention: LatentAttention, scenario: Scenario) -> shapes.Attention:
    """The attention kernel of prefill: K and V of every head, as they were just written."""
    return shapes.Attention(
        phase=scenario.phase,
        batch=scenario.batch,
        query_len=scenario.query_len,
        context_len=scenario.context,
        num_heads=attention.num_heads,
        num_kv_heads=attention.num_heads,
        head_dim=attention.head_dim,
        value_dim=attention.v_head_dim,
        dtype=scenario.execution.attention_dtype,
    )


def absorbed_shape(attention: LatentAttention, scenario: Scenario) -> shapes.Attention:
    """The attention kernel over latent vectors: all heads share the cache, whose latent part is K and V at
    once; all of it, or the tokens that were chosen.
    """
    return shapes.Attention(
        phase=scenario.phase,
        batch=scenario.batch,
        query_len=scenario.query_len,
        context_len=scenario.context,
        num_heads=attention.num_heads,
        num_kv_heads=KEYS_OF_VALUES,
        head_dim=attention.cache_width,
        value_dim=attention.kv_lora_rank,
        shared_kv=True,
        dtype=scenario.execution.attention_dtype,
        kv_dtype=scenario.execution.kv_dtype,
        window=attention.top_k,
        chosen=attention.top_k is not None,
    )


def _projections(attention: LatentAttention, everyone: Flow, scenario: Scenario) -> Iterator[Op]:
    """From the input to queries and latent vectors, normed in between; q_a and kv_a may run as one GEMM."""
    execution = scenario.execution
    precision = execution.precision
    if attention.q_a is None:
        yield from linear_ops("kv_a", Part.QKVO, attention.kv_a, everyone, precision)
    elif execution.layout is Layout.FUSED:
        members = {"q_a": attention.q_a, "kv_a": attention.kv_a}
        yield from stacked_ops("qkv_a", Part.QKVO, members, everyone, precision)
    else:
        yield from linear_ops("q_a", Part.QKVO, attention.q_a, everyone, precision)
        yield from linear_ops("kv_a", Part.QKVO, attention.kv_a, everyone, precision)
    if attention.latent_norm is not None:
        yield _latent_norm(attention, everyone, execution)
    name = "q" if attention.q_a is None else "q_b"
    yield from linear_ops(name, Part.QKVO, attention.q_b, everyone, precision)


def _moved_factors(attention: LatentAttention) -> tuple[Linear, Linear]:
    """The K part of `kv_b` from queries to latent space, and its V part back, N of all heads together."""
    heads, rank, stored = attention.num_heads, attention.kv_lora_rank, attention.kv_b.format
    into = Linear(out_features=heads * rank, in_features=attention.qk_nope_head_dim, format=stored)
    out = Linear(out_features=heads * attention.v_head_dim, in_features=rank, format=stored)
    return into, out


def _latent_norm(attention: LatentAttention, flow: Flow, execution: Execution) -> Op:
    """A kernel for each latent vector; a row is a token."""
    query = 0 if attention.q_a is None else attention.q_a.out_features
    kernels = 1 if attention.q_a is None else 2
    moved_bytes = flow.tokens * (query + attention.kv_lora_rank) * execution.activation_bytes
    shape = MemoryBound(
        read_bytes=moved_bytes,
        write_bytes=moved_bytes,
        rows=kernels * flow.tokens,
        kernel=SmallKernel.NORM,
        kernels=kernels,
    )
    return Op(name="latent_norm", part=Part.ELEMENTWISE, shape=shape)


def _rotary(attention: LatentAttention, flow: Flow, execution: Execution) -> Op:
    """Turns the rotary part of every query and the one rotary key, in place."""
    turned = flow.tokens * (attention.num_heads + 1) * attention.qk_rope_head_dim * execution.activation_bytes
    table = flow.tokens * attention.qk_rope_head_dim * execution.activation_bytes
    shape = MemoryBound(
        read_bytes=turned + table,
        write_bytes=turned,
        rewritten_bytes=turned,
        rows=flow.tokens,
        kernel=SmallKernel.ROTARY,
    )
    return Op(name="rotary", part=Part.ELEMENTWISE, shape=shape)


def _kv_write(attention: LatentAttention, flow: Flow, execution: Execution) -> Op:
    """Copy new latent vectors and rotary keys into the cache, in its own type."""
    values = flow.tokens * attention.cache_width
    cached_bytes = flow.tokens * attention.latent_bytes(execution.cache_dtype)
    shape = MemoryBound(
        read_bytes=values * execution.activation_bytes,
        write_bytes=cached_bytes,
        compulsory_bytes=cached_bytes,
        rows=flow.tokens,
    )
    return Op(name="kv_write", part=Part.ELEMENTWISE, shape=shape)


def _joined(name: str, width: int, attention: LatentAttention, flow: Flow, execution: Execution) -> Op:
    """Puts together what a head attends with: its part without position and the rotary one.

    Expanded, these are keys, the rotary one copied to every head; absorbed, queries in latent space.
    """
    moved_bytes = flow.tokens * attention.num_heads * width * execution.activation_bytes
    shape = MemoryBound(read_bytes=moved_bytes, write_bytes=moved_bytes)
    return Op(name=name, part=Part.ELEMENTWISE, shape=shape, count=flow.runs)
