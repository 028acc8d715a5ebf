"""Which blocks block-sparse attention computes: pooled queries against pooled keys, the best of each row.

The gate is of SeerAttention's kind (arXiv 2410.13276). How many blocks a row keeps is set by the plan, so
that exactly the predicted share of the causal blocks is computed; which ones, the scores decide.
"""

from __future__ import annotations

import math
from itertools import accumulate

import torch

from infersim.workload.transformer import BlockSparsity


def row_budgets(blocks: int, kept: float) -> list[int]:
    """Blocks to keep of the 1, 2, ... causal ones in each row of query blocks, at least the row's own.

    Rounded so that the sum over the rows so far is always the nearest whole number to `kept` of them,
    unless keeping one in each row asks for more.
    """
    wanted = [round(kept * causal) for causal in accumulate(range(1, blocks + 1))]
    budgets, spent = [], 0
    for row, total in enumerate(wanted):
        budgets.append(min(max(1, total - spent), row + 1))
        spent += budgets[-1]
    return budgets


def decode_budget(context: int, sparsity: BlockSparsity) -> int:
    """Blocks of the cache that a decode step reads, the newest among them."""
    return max(1, round(sparsity.kept * math.ceil(context / sparsity.block)))


def pooled(x: torch.Tensor, gate: torch.Tensor, block: int) -> torch.Tensor:
    """Mean of `x[batch, heads, tokens, head_dim]` over each block, projected: `[..., blocks, gate_dim]`.

    A last block that is not full counts the tokens that it has.
    """
    tokens = x.shape[2]
    full = tokens // block
    means = x[:, :, : full * block].unflatten(2, (full, block)).mean(dim=3)
    if full * block < tokens:
        means = torch.cat((means, x[:, :, full * block :].mean(dim=2, keepdim=True)), dim=2)
    result: torch.Tensor = means @ gate.T
    return result


def choose_causal(
    pooled_q: torch.Tensor, pooled_k: torch.Tensor, budgets: torch.Tensor, *, together: bool
) -> torch.Tensor:
    """Chosen blocks `[batch, heads, rows, columns]`: `budgets[row]` of each row, the diagonal included.

    `pooled_q[batch, heads, rows, gate_dim]`, `pooled_k[batch, kv_heads, columns, gate_dim]`. `together`: the
    heads of a group add their scores and choose the same blocks.
    """
    heads, kv_heads = pooled_q.shape[1], pooled_k.shape[1]
    group = heads // kv_heads
    if together:
        scores = pooled_q.unflatten(1, (kv_heads, group)).sum(dim=2) @ pooled_k.transpose(2, 3)
    else:
        scores = pooled_q @ pooled_k.repeat_interleave(group, dim=1).transpose(2, 3)
    rows = torch.arange(scores.shape[2], device=scores.device)
    scores.masked_fill_(rows[None, :] > rows[:, None], -math.inf)
    scores.diagonal(dim1=2, dim2=3).fill_(math.inf)
    ranks = scores.argsort(dim=-1, descending=True)
    chosen = (rows[None, :] < budgets[:, None]).expand_as(ranks)
    mask = torch.zeros_like(ranks, dtype=torch.bool).scatter_(-1, ranks, chosen)
    return mask.repeat_interleave(group, dim=1) if together else mask


def choose_cached(q: torch.Tensor, pooled_k: torch.Tensor, gate: torch.Tensor, budget: int) -> torch.Tensor:
    """Chosen blocks of each KV head's cache, ascending: `[batch, kv_heads, budget]`, the newest the last.

    The heads of a group choose together: their scores add, so that the cache is read once for all.
    """
    batch, heads, _, head_dim = q.shape
    kv_heads = pooled_k.shape[1]
    grouped = q.reshape(batch, kv_heads, heads // kv_heads, head_dim).sum(dim=2, keepdim=True) @ gate.T
    scores = (grouped @ pooled_k.transpose(2, 3)).squeeze(2)
    scores.select(-1, -1).fill_(math.inf)
    return scores.topk(budget, dim=-1).indices.sort(dim=-1).values
