"""Attention over chosen blocks: flex attention on a GPU, block by block on a CPU.

Shapes as in `attention_kernels`; `chosen[batch, heads, rows, columns]` says which blocks are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

from infersim.domain.errors import UnsupportedError
from infersim.measuring.devices.torch_tools import compiled, decoding

TILES = (64, 32, 16)
"""Edges of the flex kernel's tiles, the best first; tensor cores need 16."""

ROOMY_BYTES = 160e3
"""Shared memory of an SM for three stages of 64 keys and values of 128 in 16 bits. A100, H100, B200 have it;
consumer cards, L4 and L40S have 100 KB."""

BlockAttention = Callable[
    [torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, Sequence[int], int], torch.Tensor
]
"""From q, k, v, the chosen blocks, how many each row has, and a block's edge, to the result."""


def attend_by_rows(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    chosen: torch.Tensor,
    budgets: Sequence[int],
    block: int,
) -> torch.Tensor:
    """One call for each row of query blocks, over the keys of its chosen blocks, copied side by side."""
    tokens, group = q.shape[2], q.shape[1] // k.shape[1]
    k_blocks, v_blocks = _blocks(k, block), _blocks(v, block)
    sequence = torch.arange(q.shape[0], device=q.device)[:, None, None]
    kv_head = (torch.arange(q.shape[1], device=q.device) // group)[:, None]
    results = []
    for row, budget in enumerate(budgets):
        start, end = row * block, min((row + 1) * block, tokens)
        columns = chosen[:, :, row].nonzero()[:, 2].view(*q.shape[:2], budget)
        # The diagonal block comes last; of one that is not full, the missing keys are cut off.
        seen_keys = (budget - 1) * block + end - start
        keys = k_blocks[sequence, kv_head, columns].flatten(2, 3)[:, :, :seen_keys]
        values = v_blocks[sequence, kv_head, columns].flatten(2, 3)[:, :, :seen_keys]
        mask = torch.ones(end - start, seen_keys, dtype=torch.bool, device=q.device)
        mask[:, seen_keys - (end - start) :].tril_()
        results.append(scaled_dot_product_attention(q[:, :, start:end], keys, values, attn_mask=mask))
    return torch.cat(results, dim=2)


def attend_cached(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, chosen: torch.Tensor, context: int, block: int
) -> torch.Tensor:
    """Decode: one query for each sequence over the `chosen[batch, kv_heads, budget]` blocks of its cache.

    The cache's length is a multiple of `block`, of which `context` tokens are there.
    """
    batch, heads, _, head_dim = q.shape
    kv_heads = k.shape[1]
    sequence = torch.arange(batch, device=q.device)[:, None, None]
    kv_head = torch.arange(kv_heads, device=q.device)[:, None]
    seen = chosen.shape[-1] * block - (k.shape[2] - context)
    keys = k.unflatten(2, (-1, block))[sequence, kv_head, chosen].flatten(2, 3)[:, :, :seen]
    values = v.unflatten(2, (-1, block))[sequence, kv_head, chosen].flatten(2, 3)[:, :, :seen]
    grouped = q.reshape(batch, kv_heads, heads // kv_heads, head_dim)
    with decoding(q):
        return scaled_dot_product_attention(grouped, keys, values).reshape(batch, heads, 1, head_dim)


def flex_attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    chosen: torch.Tensor,
    budgets: Sequence[int],  # noqa: ARG001 - the other kernel needs them
    block: int,
) -> torch.Tensor:
    """One kernel of PyTorch's flex attention, compiled where it runs on a GPU.

    Only the diagonal blocks are masked inside; of the others those that were chosen are computed in full.
    """
    from torch.nn.attention.flex_attention import BlockMask

    rows = torch.arange(chosen.shape[2], device=q.device)
    diagonal = rows[:, None] == rows[None, :]
    full = chosen & (rows[:, None] != rows[None, :])

    def seen(batch: Any, head: Any, query: Any, key: Any) -> Any:
        return (query >= key) & chosen[batch, head, query // block, key // block]

    mask = BlockMask.from_kv_blocks(
        *_listed(diagonal.expand_as(chosen)),
        *_listed(full),
        BLOCK_SIZE=block,
        mask_mod=seen,
        seq_lengths=(q.shape[2], k.shape[2]),
        compute_q_blocks=False,  # the same lists by columns: only a backward pass reads them
    )
    options = flex_options(block, _shared_memory_bytes(q.device)) if q.is_cuda else None
    result: torch.Tensor = _flex(q.device.type)(
        q, k, v, block_mask=mask, enable_gqa=True, kernel_options=options
    )
    return result


def flex_options(block: int, shared_memory_bytes: float) -> dict[str, object]:
    """Tiles of the flex kernel that divide a mask's block: PyTorch's own of 128 rows divide no block of 64.

    Raises UnsupportedError for a block that no tile divides.
    """
    tile = next((tile for tile in TILES if block % tile == 0), None)
    if tile is None:
        raise UnsupportedError(f"block-sparse attention in blocks of {block}: PyTorch needs multiples of 16")
    return {
        "BLOCK_M": tile,
        "BLOCK_N": tile,
        "num_warps": 4,
        "num_stages": 3 if shared_memory_bytes >= ROOMY_BYTES else 2,
        "FORCE_USE_FLEX_ATTENTION": True,  # short prompts too: the decode kernel has tiles of its own
    }


def _shared_memory_bytes(device: torch.device) -> float:
    return float(torch.cuda.get_device_properties(device).shared_memory_per_multiprocessor)


def _listed(blocks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How many blocks each row has, and which: their columns first, in a list of all columns."""
    columns = blocks.to(torch.int8).argsort(dim=-1, descending=True, stable=True)
    return blocks.sum(dim=-1, dtype=torch.int32), columns.to(torch.int32)


@cache
def _flex(device_type: str) -> Callable[..., Any]:
    from torch.nn.attention.flex_attention import flex_attention

    kernel: Callable[..., Any] = flex_attention
    return compiled(kernel, dynamic=False) if device_type == "cuda" else kernel


def _blocks(x: torch.Tensor, block: int) -> torch.Tensor:
    """`[batch, heads, tokens, head_dim]` with tokens as `blocks, block`, the last one padded."""
    missing = -x.shape[2] % block
    if missing:
        x = torch.nn.functional.pad(x, (0, 0, 0, missing))
    blocks: torch.Tensor = x.unflatten(2, (-1, block))
    return blocks
