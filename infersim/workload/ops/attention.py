"""Ops of one attention sublayer, skipping of tokens and of heads and block sparsity included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from infersim.cost.gemm.group_skip import GroupAxis
from infersim.domain import shapes
from infersim.domain.arrays import as_array
from infersim.domain.ops import Op, Part
from infersim.domain.shapes import Phase
from infersim.workload.ops import elementwise
from infersim.workload.ops.exchanges import squares_added_up
from infersim.workload.ops.flow import Flow
from infersim.workload.ops.group_skip import group_linear_ops, group_routing_ops
from infersim.workload.ops.linear import linear_ops, stacked_ops
from infersim.workload.ops.selection import eviction_ops, mask_estimation
from infersim.workload.ops.sublayer import Surroundings, entry_ops, exit_ops
from infersim.workload.ops.token_skip import skips_in_place, zero_fill
from infersim.workload.scenario import Layout, Scenario
from infersim.workload.transformer import Attention, MaskEstimate


def attention_ops(attention: Attention, around: Surroundings) -> Iterator[Op]:
    """Kernels from the norm to the residual add.

    Behind a router, q, attention and o see kept tokens only. With `dense_kv` the norm, k, v and the cache
    see every token, so that later tokens can attend to skipped ones; without it, nothing does, but a norm
    where kept rows were not gathered, and rotary sees zeros in place of their skipped neighbours' queries.
    Where tokens skip groups of heads, q, attention and o leave out those; all else sees zeros there.
    """
    scenario, execution = around.scenario, around.scenario.execution
    everyone = Flow(tokens=scenario.tokens)
    kept = everyone.kept_by(attention.skip)
    cached = kept if _skips_kv(attention) else everyone
    groups, in_place = attention.groups, skips_in_place(attention.skip)
    queries_per_run = everyone.tokens if in_place else kept.expected_tokens / cached.runs
    if groups is not None:
        width, hidden = attention.num_heads, around.hidden
        yield from group_routing_ops("attn", groups, width, hidden, everyone, execution)
    yield from entry_ops("attn", attention, around, normed=everyone if in_place else cached)
    if in_place or groups is not None:
        yield zero_fill("attn", _result_widths(attention), everyone, execution)
    yield from _projections(attention, kept, cached, scenario)
    if attention.qk_norm is not None and attention.qk_norm.over_all_heads:
        yield from squares_added_up(cached, execution)
    if attention.qk_norm is not None:
        yield elementwise.qk_norm(attention, queries_per_run, cached, execution)
    if attention.rotary:
        yield elementwise.rotary(attention, queries_per_run, cached, execution)
    yield elementwise.kv_write(attention, cached, execution)
    shape = attention_shape(attention, scenario)
    if attention.block_sparsity is not None and attention.block_sparsity.estimate is MaskEstimate.POOLED:
        yield mask_estimation(shape, attention.block_sparsity, kept.runs, execution)
    yield Op(name="attention", part=Part.ATTENTION, shape=shape, count=kept.runs)
    yield from eviction_ops(shape, attention.kv_kept, attention.kv_score, kept.runs, execution)
    if attention.gate is not None:
        yield elementwise.gated_result(attention.gate.out_features, kept, execution)
    yield from _output(attention, kept, scenario)
    yield from exit_ops("attn", attention, around, kept=everyone if in_place else kept)


def attention_shape(attention: Attention, scenario: Scenario) -> shapes.Attention:
    """The attention kernel's shape.

    - kv-pruning: decode attends to `kv_kept` of the context; prefill, before which there is nothing to
      evict, is left alone.
    - Block sparsity: the share of blocks that a kernel executes (`BlockSparsity.executed_share`).
    - Chunks are sequences of their own (`_in_chunks`).
    - Groups of heads skipped: prefill computes the share of pairs that is left, decode reads the KV heads of
      which any query head is left.
    - Tokens skipped with their K and V are absent: query and context shrink by the skip rate.
    - Tokens skipped with `dense_kv`: decode has fewer sequences. In prefill the kept queries lie scattered
      over the prompt, each before the mean number of keys, so `kept` shrinks by the share of queries: the
      same pairs as a shorter query, but not those of the prompt's last tokens, as a shorter `query_len`
      would mean.
    """
    everyone = Flow(tokens=scenario.tokens)
    kept = everyone.kept_by(attention.skip)
    sparsity, group = attention.block_sparsity, attention.num_heads // attention.num_kv_heads
    share = 1.0 if sparsity is None else sparsity.executed_share(scenario.phase, group)
    groups = attention.groups
    if groups is not None:
        decodes = scenario.phase is Phase.DECODE
        share *= groups.cached_share(group) if decodes else 1 - groups.rate
    dense = shapes.Attention(
        phase=scenario.phase,
        batch=scenario.batch,
        query_len=scenario.query_len,
        context_len=scenario.context,
        num_heads=attention.num_heads,
        num_kv_heads=attention.num_kv_heads,
        head_dim=attention.head_dim,
        value_dim=attention.value_dim,
        dtype=scenario.execution.attention_dtype,
        kv_dtype=scenario.execution.kv_dtype,
        window=attention.window,
        kept=share,
        block=None if sparsity is None else sparsity.block,
        generated=sparsity is not None or groups is not None or skips_in_place(attention.skip),
    )
    whole = dense if attention.chunk is None else _in_chunks(dense, attention.chunk)
    shape = _with_cached_share(whole, attention.cached_share(scenario.phase))
    if attention.skip is None:
        return shape
    if scenario.phase is Phase.DECODE:
        return replace(shape, batch=kept.tokens)
    if _skips_kv(attention):
        return replace(shape, query_len=shape.context_len)
    return replace(shape, kept=shape.kept * kept.tokens / everyone.tokens)


def _in_chunks(shape: shapes.Attention, chunk: int) -> shapes.Attention:
    """The shape with each sequence cut into chunks.

    Decode is in the last chunk. Prefill has sequences of one chunk each, so many that their causal pairs are
    those of all chunks, the last and shorter one included.
    """
    context = as_array(shape.context_len)
    if shape.phase is Phase.DECODE:
        return replace(shape, context_len=(context - 1) % chunk + 1)
    length = np.minimum(context, chunk)
    full, rest = context // length, context % length
    chunks = full + rest * (rest + 1) / (length * (length + 1))
    return replace(shape, batch=shape.batch * chunks, query_len=length, context_len=length)


def _with_cached_share(shape: shapes.Attention, share: float) -> shapes.Attention:
    """The shape when only `share` of the tokens are in the cache, everywhere in the context alike."""
    if share == 1.0:
        return shape
    window = None if shape.window is None else max(1, round(shape.window * share))
    return replace(shape, context_len=np.maximum(1.0, shape.context_len * share), window=window)


def _projections(attention: Attention, kept: Flow, cached: Flow, scenario: Scenario) -> Iterator[Op]:
    """q, k and v, and a gate: stacked into one GEMM where the layout allows and all see the same tokens."""
    precision = scenario.execution.precision
    if attention.groups is not None:
        yield from _of_groups("q", attention, GroupAxis.OUTPUT, scenario)
        rest = {"k": attention.k, "v": attention.v}
        if scenario.execution.layout is Layout.FUSED:
            yield from stacked_ops("kv", Part.QKVO, rest, cached, precision)
            return
        for name, linear in rest.items():
            yield from linear_ops(name, Part.QKVO, linear, cached, precision)
        return
    q, k, v = {"q": attention.q}, {"k": attention.k}, {"v": attention.v}
    gate = {} if attention.gate is None else {"o_gate": attention.gate}
    if scenario.execution.layout is Layout.SEPARATE:
        for flow, members in ((kept, q), (cached, k | v), (kept, gate)):
            for name, linear in members.items():
                yield from linear_ops(name, Part.QKVO, linear, flow, precision)
    elif kept is cached:
        yield from stacked_ops("qkv", Part.QKVO, q | k | v | gate, kept, precision)
    else:
        for name, linear in (q | gate).items():
            yield from linear_ops(name, Part.QKVO, linear, kept, precision)
        yield from stacked_ops("kv", Part.QKVO, k | v, cached, precision)


def _output(attention: Attention, kept: Flow, scenario: Scenario) -> Iterator[Op]:
    if attention.groups is not None:
        yield from _of_groups("o", attention, GroupAxis.INPUT, scenario)
    else:
        yield from linear_ops("o", Part.QKVO, attention.o, kept, scenario.execution.precision)


def _of_groups(name: str, attention: Attention, axis: GroupAxis, scenario: Scenario) -> Iterator[Op]:
    """q or o of the heads that each token takes."""
    assert attention.groups is not None
    yield from group_linear_ops(
        name,
        Part.QKVO,
        attention.q if axis is GroupAxis.OUTPUT else attention.o,
        axis,
        attention.groups,
        attention.groups.group * (attention.head_dim if axis is GroupAxis.OUTPUT else attention.v_head_dim),
        Flow(tokens=scenario.tokens),
        scenario.execution.precision,
    )


def _skips_kv(attention: Attention) -> bool:
    return attention.skip is not None and not attention.skip.dense_kv


def _result_widths(attention: Attention) -> tuple[int, ...]:
    """Values a token of what kernels that skip rows write: q, the attention's result, o."""
    query, result = attention.q.out_features, attention.o.in_features
    forecast = attention.skip is not None and attention.skip.forecaster is not None
    widths = (query, result) if forecast else (query, result, attention.o.out_features)
    if attention.gate is not None:
        widths = (*widths, attention.gate.out_features)
    if not _skips_kv(attention):
        return widths
    return (*widths, attention.k.out_features, attention.v.out_features)
