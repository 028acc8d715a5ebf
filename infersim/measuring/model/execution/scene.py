"""A scene: what one pass works on. Token ids, positions, caches, and what routers will decide."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from infersim.domain.shapes import Phase
from infersim.measuring.model.execution.block_choice import pooled, row_budgets
from infersim.measuring.model.execution.decisions import BlockDecisions, Decision, decide
from infersim.measuring.model.execution.elementwise import Elementwise
from infersim.workload.transformer import Attention, Transformer


@dataclass(slots=True, kw_only=True, eq=False)
class AttentionState:
    """Of one attention sublayer: its cache, with room for all tokens, and what is decided for it.

    `keys`, `values`: `[batch, kv_heads, capacity, head_dim]`. In decode `context` tokens of them count, the
    last of which the step writes, and of them the last `visible` are attended to. `pooled_keys`
    `[batch, kv_heads, blocks, gate_dim]` and `budgets` (prefill) are there for block-sparse attention;
    `budget_rows` are the budgets on the device, as a CUDA graph cannot copy them there.
    """

    keys: torch.Tensor
    values: torch.Tensor
    context: int
    visible: int
    decision: Decision | None
    pooled_keys: torch.Tensor | None = None
    budgets: tuple[int, ...] = ()
    budget_rows: torch.Tensor | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """`tokens` are the new ones of each of `batch` sequences; `ids[batch * tokens]` are theirs.

    `tables` for rotary embedding at `positions[tokens]`, by head size. States and decisions are
    in the order of the blocks.
    """

    phase: Phase
    batch: int
    tokens: int
    ids: torch.Tensor
    positions: torch.Tensor
    tables: dict[int, tuple[torch.Tensor, ...]]
    attention: tuple[AttentionState | None, ...]
    decisions: tuple[BlockDecisions, ...]


def set_scene(
    transformer: Transformer,
    gates: tuple[torch.Tensor | None, ...],
    functions: Elementwise,
    phase: Phase,
    *,
    batch: int,
    context: int,
    device: torch.device,
    dtype: torch.dtype,
    seed: int = 0,
) -> Scene:
    """Random tokens, and in decode caches of random keys and values; `gates` are those of the attentions."""
    tokens = context if phase is Phase.PREFILL else 1
    generator = torch.Generator(device).manual_seed(seed)
    first = 0 if phase is Phase.PREFILL else context - 1
    positions = torch.arange(first, first + tokens, device=device)
    attentions = [
        block.attention if isinstance(block.attention, Attention) else None for block in transformer.blocks
    ]
    decisions = decide(transformer, phase, batch=batch, tokens=tokens, device=device, dtype=dtype, seed=seed)
    sizes = {attention.head_dim for attention in attentions if attention is not None}
    return Scene(
        phase=phase,
        batch=batch,
        tokens=tokens,
        ids=torch.randint(transformer.vocab, (batch * tokens,), device=device, generator=generator),
        positions=positions,
        tables={size: functions.tables(positions, size, dtype) for size in sizes},
        attention=tuple(
            None
            if attention is None
            else _state(attention, gate, phase, batch, context, decided.attention, generator, dtype)
            for attention, gate, decided in zip(attentions, gates, decisions, strict=True)
        ),
        decisions=tuple(decisions),
    )


def _state(
    attention: Attention,
    gate: torch.Tensor | None,
    phase: Phase,
    batch: int,
    context: int,
    decision: Decision | None,
    generator: torch.Generator,
    dtype: torch.dtype,
) -> AttentionState:
    share = attention.cached_share(phase)
    cached = max(1, round(context * share))
    window = (
        attention.window if share == 1.0 else attention.window and max(1, round(attention.window * share))
    )
    sparsity = attention.block_sparsity
    capacity = cached if sparsity is None else cached + -cached % sparsity.block
    shape = batch, attention.num_kv_heads, capacity, attention.head_dim
    keys, values = (
        torch.empty(shape, device=generator.device, dtype=dtype).normal_(generator=generator)
        for _ in range(2)
    )
    state = AttentionState(
        keys=keys,
        values=values,
        context=cached,
        visible=cached if window is None else min(cached, window),
        decision=decision,
    )
    if sparsity is not None and gate is not None:
        state.pooled_keys = pooled(keys[:, :, :cached], gate, sparsity.block)
        state.budgets = tuple(row_budgets(capacity // sparsity.block, sparsity.kept))
        state.budget_rows = torch.tensor(state.budgets, device=keys.device)
    return state
