"""An attention sublayer as it is executed: projections, rotary embedding, cache, kernel, output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch

from infersim.domain.ops import Part
from infersim.domain.shapes import Phase
from infersim.measuring.model.execution.attention_kernels import (
    causal_attention,
    decode_attention,
    scattered_attention,
)
from infersim.measuring.model.execution.block_attention import BlockAttention, attend_cached
from infersim.measuring.model.execution.block_choice import (
    choose_cached,
    choose_causal,
    decode_budget,
    pooled,
)
from infersim.measuring.model.execution.decisions import kept_rows
from infersim.measuring.model.execution.elementwise import Elementwise
from infersim.measuring.model.execution.matrices import (
    Compress,
    Gemm,
    Pairs,
    Projection,
    apart,
    single,
    stacked,
)
from infersim.measuring.model.execution.scene import AttentionState, Scene
from infersim.measuring.model.execution.stream import Probe, Stream
from infersim.measuring.model.execution.weights import AttentionWeights, MatrixWeights
from infersim.workload import transformer
from infersim.workload.scenario import Layout
from infersim.workload.transformer import MaskSharing


class Result(NamedTuple):
    """What a sublayer adds to the stream, and to which rows of it (None: all)."""

    delta: torch.Tensor | None
    rows: torch.Tensor | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttentionSublayer:
    """`inputs` makes q, k, v of one input; behind a router with dense K and V `q` and `kv` do it apart.

    `gate` `[gate_dim, head_dim]` projects pooled vectors of block-sparse attention.
    """

    attention: transformer.Attention
    norm: torch.Tensor
    qk_norms: tuple[torch.Tensor, torch.Tensor] | None
    gate: torch.Tensor | None
    functions: Elementwise
    block_attention: BlockAttention
    inputs: Projection | None
    q: Projection | None
    kv: Projection | None
    o: Gemm | Pairs
    router: Gemm | Pairs | None

    def __call__(self, stream: Stream, state: AttentionState, scene: Scene, probe: Probe) -> Result:
        """Run the sublayer on the stream, which stays as it is."""
        if self.router is None:
            normed = stream.normed("attn_norm", self.norm, self.functions, probe)
            q, k, v = _all(self.inputs)(normed, probe)
            return Result(self._attend(q, k, v, None, state, scene, probe), None)
        decision = state.decision
        if decision is None:
            raise AssertionError("a scene decides for every router")
        stream.settle("attn_residual", probe)
        rows = kept_rows(stream.value, self.router, decision, probe)
        if self.kv is not None:
            normed = stream.normed("attn_norm", self.norm, self.functions, probe)
            kept = normed.index_select(0, rows)
            probe("attn_gather", Part.EXTRA)
            k, v = self.kv(normed, probe)
            q = _all(self.q)(kept, probe)[0] if decision.rows else kept[:, :0]
        else:
            kept = stream.value.index_select(0, rows)
            probe("attn_gather", Part.EXTRA)
            if not decision.rows:
                return Result(None, rows)
            normed = Stream(value=kept).normed("attn_norm", self.norm, self.functions, probe)
            q, k, v = _all(self.inputs)(normed, probe)
        return Result(self._attend(q, k, v, rows, state, scene, probe), rows)

    def _attend(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        rows: torch.Tensor | None,
        state: AttentionState,
        scene: Scene,
        probe: Probe,
    ) -> torch.Tensor | None:
        """From projected rows to the sublayer's result; None where no query is kept."""
        attention, size = self.attention, self.attention.head_dim
        key_sequences = scene.batch if scene.phase is Phase.PREFILL else k.shape[0]
        keys = k.view(key_sequences, -1, attention.num_kv_heads, size)
        values = v.view(key_sequences, -1, attention.num_kv_heads, size)
        positions = None
        query_tables = key_tables = scene.tables[size]
        if rows is not None and scene.phase is Phase.PREFILL:
            positions = rows.view(scene.batch, -1) % scene.tokens
            query_tables = tuple(table[positions] for table in scene.tables[size])
            if self.kv is None:
                key_tables = query_tables
        queries = None
        if q.numel():
            sequences = scene.batch if scene.phase is Phase.PREFILL else q.shape[0]
            queries = q.view(sequences, -1, attention.num_heads, size)
        if self.qk_norms is not None:
            queries = None if queries is None else self.functions.norm(queries, self.qk_norms[0])
            keys = self.functions.norm(keys, self.qk_norms[1])
            probe("qk_norm", Part.ELEMENTWISE)
        queries = None if queries is None else self.functions.rotate(queries, *query_tables).transpose(1, 2)
        keys = self.functions.rotate(keys, *key_tables).transpose(1, 2)
        probe("rotary", Part.ELEMENTWISE)
        values = values.transpose(1, 2)
        self._write(keys, values, state, scene)
        probe("kv_write", Part.ELEMENTWISE)
        if queries is None:
            return None
        if scene.phase is Phase.PREFILL:
            result = self._prefill(queries, keys, values, positions, state, probe)
        else:
            result = self._decode(queries, keys, state, probe)
        probe("attention", Part.ATTENTION)
        return self.o(result.transpose(1, 2).reshape(-1, attention.num_heads * size), probe)[0]

    def _write(self, keys: torch.Tensor, values: torch.Tensor, state: AttentionState, scene: Scene) -> None:
        """Copy new K and V into the cache: of a whole prompt, or of the newest token."""
        if scene.phase is Phase.PREFILL:
            sequences, place = slice(None), slice(0, keys.shape[2])
        else:
            sequences, place = self._key_sequences(state), slice(state.context - 1, state.context)
        state.keys[sequences, :, place].copy_(keys)
        state.values[sequences, :, place].copy_(values)

    def _key_sequences(self, state: AttentionState) -> slice:
        """In decode: the sequences whose K and V are new."""
        if state.decision is None or self.kv is not None:
            return slice(None)
        return state.decision.kept_sequences()

    def _prefill(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        positions: torch.Tensor | None,
        state: AttentionState,
        probe: Probe,
    ) -> torch.Tensor:
        sparsity, gate, window = self.attention.block_sparsity, self.gate, self.attention.window
        if sparsity is not None and gate is not None and state.budget_rows is not None:
            pooled_k = pooled(k, gate, sparsity.block)
            chosen = choose_causal(
                pooled(q, gate, sparsity.block),
                pooled_k,
                state.budget_rows,
                together=sparsity.sharing is MaskSharing.GROUP,
            )
            state.pooled_keys = pooled_k
            probe("mask_estimation", Part.EXTRA)
            return self.block_attention(q, k, v, chosen, state.budgets, sparsity.block)
        if positions is not None and self.kv is not None:
            return scattered_attention(q, k, v, positions, _extremes(state), window)
        if window is None or window >= q.shape[2]:
            return causal_attention(q, k, v)
        places = torch.arange(q.shape[2], device=q.device)[None]
        return scattered_attention(q, k, v, places, [(place, place) for place in range(q.shape[2])], window)

    def _decode(self, q: torch.Tensor, k: torch.Tensor, state: AttentionState, probe: Probe) -> torch.Tensor:
        sequences = slice(None) if state.decision is None else state.decision.kept_sequences()
        sparsity, gate = self.attention.block_sparsity, self.gate
        if sparsity is not None and gate is not None and state.pooled_keys is not None:
            newest = state.pooled_keys[:, :, -1:]
            count = (state.context - 1) % sparsity.block + 1
            newest += (k @ gate.T - newest) / count
            budget = decode_budget(state.context, sparsity)
            chosen = choose_cached(q, state.pooled_keys, gate, budget)
            probe("mask_estimation", Part.EXTRA)
            return attend_cached(q, state.keys, state.values, chosen, state.context, sparsity.block)
        seen = slice(state.context - state.visible, state.context)
        return decode_attention(q, state.keys[sequences, :, seen], state.values[sequences, :, seen])


def attention_sublayer(
    attention: transformer.Attention,
    weights: AttentionWeights,
    *,
    layout: Layout,
    functions: Elementwise,
    compress: Compress,
    block_attention: BlockAttention,
) -> AttentionSublayer:
    """Lay the sublayer's matrices out (`measurable` says which sublayers there are kernels for)."""
    skip = attention.skip
    q, kv = {"q": weights.q}, {"k": weights.k, "v": weights.v}
    fused = layout is Layout.FUSED
    split = skip is not None and skip.dense_kv
    return AttentionSublayer(
        attention=attention,
        norm=weights.norm,
        qk_norms=_pair(weights.q_norm, weights.k_norm),
        gate=weights.gate,
        functions=functions,
        block_attention=block_attention,
        inputs=None if split else _laid_out("qkv", q | kv, compress, fused=fused),
        q=apart(Part.QKVO, q, compress) if split else None,
        kv=_laid_out("kv", kv, compress, fused=fused) if split else None,
        o=single("o", Part.QKVO, weights.o, compress),
        router=None
        if weights.router is None
        else single("attn_router", Part.EXTRA, weights.router, compress),
    )


def _laid_out(name: str, members: dict[str, MatrixWeights], compress: Compress, *, fused: bool) -> Projection:
    return stacked(name, Part.QKVO, members, compress) if fused else apart(Part.QKVO, members, compress)


def _pair(
    q_norm: torch.Tensor | None, k_norm: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor] | None:
    return None if q_norm is None or k_norm is None else (q_norm, k_norm)


def _all(projection: Projection | None) -> Projection:
    if projection is None:
        raise AssertionError("the sublayer was laid out for another kind of skipping")
    return projection


def _extremes(state: AttentionState) -> list[tuple[int, int]]:
    """The first and the last position of each kept query's place, over the sequences."""
    decision = state.decision
    if decision is None:
        raise AssertionError("scattered queries come from a decision")
    each = len(decision.rows) // decision.sequences
    places = [row % decision.tokens for row in decision.rows]
    by_place = [places[at::each] for at in range(each)]
    return [(min(positions), max(positions)) for positions in by_place]
