"""Classes of kernel shapes that errors are stated by; one text per row.

Each class is a regime of its own: decode is bound by memory and launch, prefill by compute; small weight
matrices by launch and the latency chain; misaligned ones run other kernels.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.cost.regimes import DECODE_MAX_M, LARGE_MIN_NK, PREFILL_MIN_M
from infersim.domain.arrays import Numeric
from infersim.fitting.sample_schema import Kind

Texts = npt.NDArray[np.str_]

TILE = 64
"""Edge that tiles of tensor-core kernels share; multiples of it waste nothing along N and K."""

VECTOR = 8
"""Elements of a 16-byte load in 16 bit; rows of other lengths need slower loads."""

LONG_CONTEXT = 4096
LARGE_MEMORY_BYTES = 2**24


def gemm_tokens(m: Numeric) -> Texts:
    """`decode` (m <= 16), `mid` or `prefill` (m >= 1024)."""
    m = np.asarray(m)
    return np.select([m <= DECODE_MAX_M, m >= PREFILL_MIN_M], ["decode", "prefill"], "mid")


def gemm_size(n: Numeric, k: Numeric) -> Texts:
    """`large` from n*k = 2^22 weights on, else `small`."""
    return np.where(np.multiply(n, k, dtype=np.float64) >= LARGE_MIN_NK, "large", "small")


def gemm_alignment(n: Numeric, k: Numeric) -> Texts:
    """`aligned` (n and k multiples of 64), `part-aligned` (of 8) or `misaligned`."""
    n, k = np.asarray(n), np.asarray(k)
    tiled = (n % TILE == 0) & (k % TILE == 0)
    vectored = (n % VECTOR == 0) & (k % VECTOR == 0)
    return np.select([tiled, vectored], ["aligned", "part-aligned"], "misaligned")


def attention_context(context_len: Numeric) -> Texts:
    """`long` from 4096 tokens of context on, else `short`."""
    return np.where(np.asarray(context_len) >= LONG_CONTEXT, "long", "short")


def attention_grouping(num_heads: Numeric, num_kv_heads: Numeric) -> Texts:
    """`grouped` where query heads share KV heads (GQA, MQA), else `multi-head`."""
    return np.where(np.asarray(num_heads) > np.asarray(num_kv_heads), "grouped", "multi-head")


def shape_classes(frame: pd.DataFrame, kind: Kind | str) -> Mapping[str, Texts]:
    """Classes of the rows of one kind by the name of the division; empty where a kind has none (launch)."""
    if kind in (Kind.GEMM, Kind.SPARSE_GEMM):
        m, n, k = (frame[name].to_numpy(dtype=np.float64) for name in ("m", "n", "k"))
        return {"tokens": gemm_tokens(m), "size": gemm_size(n, k), "alignment": gemm_alignment(n, k)}
    if kind == Kind.ATTENTION:
        return {
            "phase": frame["phase"].to_numpy(dtype=str),
            "context": attention_context(frame["context_len"].to_numpy(dtype=np.float64)),
            "grouping": attention_grouping(
                frame["num_heads"].to_numpy(dtype=np.float64),
                frame["num_kv_heads"].to_numpy(dtype=np.float64),
            ),
        }
    if kind == Kind.MEMORY:
        moved = (frame["read_bytes"] + frame["write_bytes"]).to_numpy(dtype=np.float64)
        return {"size": np.where(moved >= LARGE_MEMORY_BYTES, "large", "small")}
    return {}
