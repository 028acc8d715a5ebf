"""A transformer without any kernel of its own: every token computed, then masked, one head at a time.

It reads the weights and the scene of an executor and nothing of its code.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from infersim.domain.shapes import Phase
from infersim.measuring.model.execution.block_choice import decode_budget
from infersim.measuring.model.execution.decisions import Decision
from infersim.measuring.model.execution.executor import ModelExecutor
from infersim.measuring.model.execution.scene import AttentionState, Scene
from infersim.measuring.model.execution.weights import (
    AttentionWeights,
    FeedForwardWeights,
    MatrixWeights,
    ReplacedWeights,
)
from infersim.workload.transformer import Attention, MaskSharing


def reference_logits(executor: ModelExecutor, scene: Scene) -> Tensor:
    """The logits of each sequence's last token; call it before the executor writes to caches."""
    outer = executor.outer
    x = outer.embedding[scene.ids].view(scene.batch, scene.tokens, -1)
    for index, (block, weights) in enumerate(zip(executor.transformer.blocks, executor.weights, strict=True)):
        delta: Tensor | None = None
        decisions = scene.decisions[index]
        if isinstance(weights.attention, AttentionWeights):
            state = scene.attention[index]
            assert isinstance(block.attention, Attention)
            assert state is not None
            pairs = executor.functions.interleaved
            delta = _attention(block.attention, weights.attention, x, state, scene, pairs)
        elif isinstance(weights.attention, ReplacedWeights):
            delta = _times(weights.attention.linear, _norm(x, weights.attention.norm))
        x = _left(x, delta, decisions.attention, weights.attention_map)
        delta = None
        if isinstance(weights.ffn, FeedForwardWeights):
            delta = _ffn(weights.ffn, _norm(x, weights.ffn.norm))
        elif isinstance(weights.ffn, ReplacedWeights):
            delta = _times(weights.ffn.linear, _norm(x, weights.ffn.norm))
        x = _left(x, delta, decisions.ffn, weights.ffn_map)
    return _times(outer.head, _norm(x, outer.final_norm)[:, -1])


def kept_mask(decision: Decision | None, batch: int, tokens: int) -> Tensor:
    """True for kept tokens: `[batch, tokens]`."""
    if decision is None:
        return torch.ones(batch, tokens, dtype=torch.bool)
    mask = torch.zeros(batch * tokens, dtype=torch.bool)
    for row in decision.rows:
        mask[row] = True
    return mask.view(batch, tokens)


def _left(x: Tensor, delta: Tensor | None, decision: Decision | None, over: MatrixWeights | None) -> Tensor:
    x = x if over is None else _times(over, x)
    if delta is None:
        return x
    return x + delta * kept_mask(decision, *x.shape[:2])[..., None]


def _times(weights: MatrixWeights, x: Tensor) -> Tensor:
    result = x @ weights.dense.T
    return result if weights.bias is None else result + weights.bias


def _norm(x: Tensor, weight: Tensor) -> Tensor:
    return x / (x.pow(2).mean(dim=-1, keepdim=True) + 1e-5).sqrt() * weight


def _ffn(weights: FeedForwardWeights, x: Tensor) -> Tensor:
    up = _times(weights.up, x)
    if weights.gate is None:
        return _times(weights.down, up * torch.sigmoid(up))
    gate = _times(weights.gate, x)
    return _times(weights.down, gate * torch.sigmoid(gate) * up)


def _rotated(x: Tensor, positions: Tensor, *, interleaved: bool) -> Tensor:
    """Each pair of `x[batch, tokens, heads, head_dim]`, neighbours or half apart, turned by its angle."""
    if interleaved:
        apart = torch.cat((x[..., ::2], x[..., 1::2]), dim=-1)
        halves = _rotated(apart, positions, interleaved=False).chunk(2, dim=-1)
        return torch.stack(halves, dim=-1).flatten(-2)
    half = x.shape[-1] // 2
    angles = positions[:, None] * 10_000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    turn = torch.polar(torch.ones_like(angles), angles)[None, :, None]
    turned = torch.complex(x[..., :half].double(), x[..., half:].double()) * turn
    return torch.cat((turned.real, turned.imag), dim=-1).to(x.dtype)


def _attention(
    attention: Attention,
    weights: AttentionWeights,
    x: Tensor,
    state: AttentionState,
    scene: Scene,
    interleaved: bool,
) -> Tensor:
    batch, tokens, _ = x.shape
    normed = _norm(x, weights.norm)
    q, k, v = (_times(each, normed).unflatten(-1, (-1, attention.head_dim)) for each in _qkv(weights))
    if weights.q_norm is not None and weights.k_norm is not None:
        q, k = _norm(q, weights.q_norm), _norm(k, weights.k_norm)
    q, k = (_rotated(each, scene.positions, interleaved=interleaved) for each in (q, k))
    if scene.phase is Phase.DECODE:
        past = slice(0, state.context - 1)
        k = torch.cat((state.keys[:, :, past].transpose(1, 2), k), dim=1)
        v = torch.cat((state.values[:, :, past].transpose(1, 2), v), dim=1)
    group = attention.num_heads // attention.num_kv_heads
    skips_kv = attention.skip is not None and not attention.skip.dense_kv
    kept = kept_mask(state.decision, batch, tokens)
    result = torch.zeros_like(q)
    for sequence in range(batch):
        for head in range(attention.num_heads):
            keys, values = k[sequence, :, head // group], v[sequence, :, head // group]
            seen = _seen(attention, weights, q[sequence], k[sequence], head, state, scene)
            if skips_kv and scene.phase is Phase.PREFILL:
                seen = seen & kept[sequence][None, :]
            scores = q[sequence, :, head] @ keys.T / math.sqrt(attention.head_dim)
            # A skipped token sees itself, so that no row is empty; its result is thrown away.
            seen = seen | _own(tokens, keys.shape[0])
            result[sequence, :, head] = scores.masked_fill(~seen, -math.inf).softmax(dim=-1) @ values
    return _times(weights.o, result.flatten(2))


def _qkv(weights: AttentionWeights) -> tuple[MatrixWeights, ...]:
    return weights.q, weights.k, weights.v


def _own(tokens: int, keys: int) -> Tensor:
    return torch.eye(keys, dtype=torch.bool)[keys - tokens :]


def _seen(
    attention: Attention,
    weights: AttentionWeights,
    q: Tensor,
    k: Tensor,
    head: int,
    state: AttentionState,
    scene: Scene,
) -> Tensor:
    """Which keys each query of one head of one sequence sees: `[queries, keys]`."""
    queries, keys = q.shape[0], k.shape[0]
    behind = torch.arange(keys - queries, keys)[:, None] - torch.arange(keys)[None, :]
    seen = behind >= 0
    if attention.window is not None:
        # Evicted or skipped tokens leave the same share of the window as of the context.
        share = attention.cached_share(scene.phase) if scene.phase is Phase.DECODE else 1.0
        seen &= behind < (attention.window if share == 1.0 else max(1, round(attention.window * share)))
    if attention.block_sparsity is None:
        return seen
    assert weights.gate is not None
    block, kv_head = attention.block_sparsity.block, head * attention.num_kv_heads // attention.num_heads
    columns = math.ceil(keys / block)
    pooled_k = [
        k[at * block : (at + 1) * block, kv_head].mean(dim=0) @ weights.gate.T for at in range(columns)
    ]
    group = attention.num_heads // attention.num_kv_heads
    if scene.phase is Phase.DECODE:
        pooled_q = q[0, kv_head * group : (kv_head + 1) * group].sum(dim=0) @ weights.gate.T
        best = _best(pooled_q, pooled_k, columns - 1, decode_budget(keys, attention.block_sparsity))
        return seen & _columns(best, keys, block)[None, :]
    together = attention.block_sparsity.sharing is MaskSharing.GROUP
    voters = slice(kv_head * group, (kv_head + 1) * group) if together else slice(head, head + 1)
    for row, budget in enumerate(state.budgets):
        own = slice(row * block, (row + 1) * block)
        pooled_q = q[own, voters].mean(dim=0).sum(dim=0) @ weights.gate.T
        seen[own] &= _columns(_best(pooled_q, pooled_k, row, budget), keys, block)[None, :]
    return seen


def _best(pooled_q: Tensor, pooled_k: list[Tensor], own: int, budget: int) -> list[int]:
    scores = {at: float(pooled_q @ pooled_k[at]) for at in range(own)}
    return [own, *sorted(scores, key=lambda at: -scores[at])[: budget - 1]]


def _columns(blocks: list[int], keys: int, block: int) -> Tensor:
    return torch.tensor([key // block in blocks for key in range(keys)])
