"""Attention by PyTorch's scaled dot product: causal prefill, and decode over a KV cache."""

from __future__ import annotations

from functools import partial

import torch
from torch.nn import functional

from infersim.domain.errors import UnsupportedError
from infersim.domain.shapes import Phase
from infersim.measuring.devices.torch_tools import streaming
from infersim.measuring.kernels.bench import Bench, Prepared, Row, stored_as

MOST_CACHES = 64


def prepare_attention(row: Row, bench: Bench) -> Prepared:
    """Attention of `row["phase"]`, rotating over KV caches; KV heads are shared by groups of query heads.

    Raises UnsupportedError for prefill over an earlier part of the prompt, and where there is no kernel that
    streams.
    """
    if row.get("kv_dtype") not in (None, row["dtype"]):
        raise UnsupportedError("attention with a KV cache of another data type")
    phase, stored = Phase(row["phase"]), stored_as(str(row["dtype"]))
    if stored is torch.bfloat16:
        bench.check_capability(8, 0, "attention kernels in bf16")
    batch, query_len, context_len = int(row["batch"]), int(row["query_len"]), int(row["context_len"])
    heads, kv_heads, head_dim = int(row["num_heads"]), int(row["num_kv_heads"]), int(row["head_dim"])
    if phase is Phase.PREFILL and query_len != context_len:
        raise UnsupportedError("prefill over an earlier part of the prompt")
    cache_shape = (batch, kv_heads, context_len, head_dim)
    cache_bytes = 2.0 * batch * kv_heads * context_len * head_dim * stored.itemsize
    copies = bench.rotation(cache_bytes, most_copies=MOST_CACHES).copies
    queries = bench.data.tensor(batch, heads, query_len, head_dim, dtype=stored)
    halves = bench.data.copies(2 * copies, *cache_shape, dtype=stored)
    attend = partial(
        _streaming if bench.is_cuda else functional.scaled_dot_product_attention,
        queries,
        is_causal=phase is Phase.PREFILL,
        enable_gqa=heads != kv_heads,
    )
    return Prepared(
        calls=tuple(partial(attend, *pair) for pair in zip(halves[::2], halves[1::2], strict=True)),
        implementation="scaled_dot_product_attention",
        rotating_buffers=copies,
        weight_copies=copies,
    )


def _streaming(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, is_causal: bool, enable_gqa: bool
) -> torch.Tensor:
    """On a GPU the choice of kernels is held down; it costs the host time, which the graph leaves behind."""
    with streaming(decode=not is_causal):
        return functional.scaled_dot_product_attention(
            query, key, value, is_causal=is_causal, enable_gqa=enable_gqa
        )
