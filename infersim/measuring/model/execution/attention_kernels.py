"""Attention over whole prompts, scattered queries and a cache, by PyTorch's scaled dot product.

The calls are those that `measure kernels` times, so that a fit to its samples is of these kernels.

Queries are `[batch, heads, tokens, head_dim]`, keys and values `[batch, kv_heads, tokens, head_dim]`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import scaled_dot_product_attention

from infersim.measuring.devices.torch_tools import decoding

CPU_CHUNK = 128
"""Scattered queries that attend to the keys before the last of them in one call."""

GPU_CHUNK = 2048
"""On a GPU calls must be larger to fill it."""

GPU_KEYS = 256
"""On a GPU keys are read in multiples of so many. Each layer keeps other tokens: with as many numbers of
keys, cuDNN would plan a kernel for each, and masks would be copied to be aligned."""


def causal_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Each token attends to itself and those before it."""
    return scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=q.shape[1] != k.shape[1])


def scattered_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    positions: torch.Tensor,
    known: Sequence[tuple[int, int]],
    window: int | None,
) -> torch.Tensor:
    """Queries at `positions[batch, queries]` attend to the keys up to their own, `window` of them at most.

    `known` is the first and the last position of each query's place over the batch: chunks of queries read
    no keys that none of them sees. Within a chunk the kernel masks.
    """
    on_cpu = q.device.type == "cpu"
    chunk, step = (CPU_CHUNK, 1) if on_cpu else (GPU_CHUNK, GPU_KEYS)
    results = []
    for start in range(0, q.shape[2], chunk):
        end = min(start + chunk, q.shape[2])
        last = min(_up(max(high for _, high in known[start:end]) + 1, step), k.shape[2])
        first = 0 if window is None else max(0, min(low for low, _ in known[start:end]) - window + 1)
        first -= first % step
        behind = positions[:, start:end, None] - torch.arange(first, last, device=q.device)
        seen = behind >= 0
        if window is not None:
            seen &= behind < window
        results.append(
            scaled_dot_product_attention(
                q[:, :, start:end],
                k[:, :, first:last],
                v[:, :, first:last],
                attn_mask=seen[:, None],
                enable_gqa=True,
            )
        )
    return results[0] if len(results) == 1 else torch.cat(results, dim=2)


def _up(value: int, step: int) -> int:
    """The next multiple of `step` that is not below `value`."""
    return -(-value // step) * step


def decode_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """One query for each sequence attends to all of `k` and `v`: `[batch, heads, 1, head_dim]`."""
    with decoding(q):
        return scaled_dot_product_attention(q, k, v, enable_gqa=q.shape[1] != k.shape[1])
