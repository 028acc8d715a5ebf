"""Samples as the kernel shapes that the cost model prices, and the classes that errors are stated by.

Each class is a regime of its own: decode is bound by memory and launch, prefill by compute; small weight
matrices by launch and the latency chain; misaligned ones run other kernels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.cost.experts.routing_names import BALANCED, routing_named
from infersim.cost.regimes import (
    COLLECTIVE_REGIMES,
    DECODE_MAX_M,
    LARGE_MIN_NK,
    PREFILL_MIN_M,
    collective_regime,
)
from infersim.domain.arrays import Numeric
from infersim.domain.dtypes import DType, precision_named
from infersim.domain.shapes import (
    Attention,
    Collective,
    Exchange,
    Experts,
    Gemm,
    MemoryBound,
    Phase,
    Shape,
    WeightForm,
)
from infersim.domain.small_kernels import FLAT, small_op
from infersim.fitting.samples.schema import Kind

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
    if kind == Kind.COLLECTIVE:
        regime = collective_regime(frame["message_bytes"].to_numpy(dtype=np.float64))
        return {
            "exchange": frame["exchange"].to_numpy(dtype=str),
            "size": np.array(COLLECTIVE_REGIMES)[regime],
            "gpus": frame["gpus"].to_numpy(dtype=np.intp).astype(str),
        }
    if kind == Kind.MOE:
        routing = frame["routing"].fillna(BALANCED) if "routing" in frame.columns else BALANCED
        return {
            "tokens": gemm_tokens(frame["tokens"].to_numpy(dtype=np.float64)),
            "routing": np.broadcast_to(np.asarray(routing, dtype=str), len(frame)),
        }
    return {}


_GROUPING = {
    Kind.GEMM: ("dtype", "weight_copies", "includes_act_quant"),
    Kind.SPARSE_GEMM: ("dtype", "sparsity", "weight_copies", "includes_act_quant"),
    Kind.ATTENTION: ("phase", "dtype", "kv_dtype", "weight_copies"),
    Kind.MEMORY: ("op", "kernels", "weight_copies"),
    Kind.COLLECTIVE: ("exchange", "gpus", "library"),
    Kind.MOE: ("dtype", "gated", "routing", "weight_copies"),
}
"""What a shape record holds once for all its rows."""

GROUP_ROWS = 50_000
"""Shapes that are priced at a time: the cost model holds some fifty arrays of them."""


def kernel_shapes(frame: pd.DataFrame) -> Iterator[tuple[npt.NDArray[np.intp], Shape]]:
    """Shapes of samples, in groups that one record can hold, each with its row positions in `frame`.

    A group has at most GROUP_ROWS rows. Launch samples have no shape and are in no group.
    """
    for kind, columns in _GROUPING.items():
        rows = np.flatnonzero(frame["kind"] == kind)
        if not len(rows):
            continue
        present = [name for name in columns if name in frame.columns]
        groups = (
            frame.iloc[rows].groupby(present, dropna=False, sort=True).indices
            if present
            else {(): slice(None)}
        )
        for positions in groups.values():
            group = rows[positions]
            for start in range(0, len(group), GROUP_ROWS):
                part = group[start : start + GROUP_ROWS]
                yield part, _shape(kind, frame.iloc[part])


def _shape(kind: Kind, rows: pd.DataFrame) -> Shape:
    if kind is Kind.ATTENTION:
        return _attention(rows)
    if kind is Kind.MEMORY:
        return _memory(rows)
    if kind is Kind.COLLECTIVE:
        return _collective(rows)
    if kind is Kind.MOE:
        return _experts(rows)
    copies, act_quant = _said(rows, "weight_copies"), _said(rows, "includes_act_quant")
    return Gemm(
        m=_column(rows, "m"),
        n=_column(rows, "n"),
        k=_column(rows, "k"),
        precision=precision_named(str(_said(rows, "dtype"))),
        weights=WeightForm(_said(rows, "sparsity")) if kind is Kind.SPARSE_GEMM else WeightForm.DENSE,
        weight_copies=None if copies is None else int(copies),
        act_quant=act_quant is None or bool(act_quant),
    )


def _memory(rows: pd.DataFrame) -> MemoryBound:
    op = small_op(str(_said(rows, "op")))
    read, written = _column(rows, "read_bytes"), _column(rows, "write_bytes")
    return MemoryBound(
        read_bytes=read,
        write_bytes=written,
        rows=np.nan_to_num(_column(rows, "rows")) if "rows" in rows and op.kernel not in FLAT else 0.0,
        cold_bytes=op.cold_reads * read,
        rewritten_bytes=op.rewrites * written,
        kernel=op.kernel,
        kernels=int(_said(rows, "kernels") or 1),
        looped=_said(rows, "weight_copies") is not None,
    )


def _collective(rows: pd.DataFrame) -> Collective:
    return Collective(
        message_bytes=_column(rows, "message_bytes"),
        gpus=int(_said(rows, "gpus")),
        exchange=Exchange(_said(rows, "exchange")),
        library=_said(rows, "library"),
    )


def local_experts(rows: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Experts of each layer that stand on one GPU."""
    return _column(rows, "num_experts") / _degree(rows, "expert_parallel")


def local_width(rows: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Channels of each expert that stand on one GPU."""
    return _column(rows, "ffn_width") / _degree(rows, "tensor_parallel")


def _degree(rows: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    return rows[name].fillna(1).to_numpy(dtype=np.float64) if name in rows.columns else np.ones(len(rows))


def _experts(rows: pd.DataFrame) -> Experts:
    gated, copies = _said(rows, "gated"), _said(rows, "weight_copies")
    routing = routing_named(str(_said(rows, "routing") or BALANCED))
    assert routing is not None, "the reader has checked it"
    return Experts(
        tokens=_column(rows, "tokens"),
        hidden=_column(rows, "hidden_size"),
        width=local_width(rows),
        num_experts=_column(rows, "num_experts"),
        local_experts=local_experts(rows),
        top_k=_column(rows, "top_k"),
        precision=precision_named(str(_said(rows, "dtype"))),
        gated=gated is None or bool(gated),
        skew=routing.skew,
        dealt=routing.dealt,
        popularity=routing.popularity,
        weight_copies=None if copies is None else int(copies),
    )


def _attention(rows: pd.DataFrame) -> Attention:
    kv_dtype, copies = _said(rows, "kv_dtype"), _said(rows, "weight_copies")
    return Attention(
        phase=Phase(_said(rows, "phase")),
        batch=_column(rows, "batch"),
        query_len=_column(rows, "query_len"),
        context_len=_column(rows, "context_len"),
        num_heads=_column(rows, "num_heads"),
        num_kv_heads=_column(rows, "num_kv_heads"),
        head_dim=_column(rows, "head_dim"),
        dtype=DType(_said(rows, "dtype")),
        kv_dtype=None if kv_dtype is None else DType(kv_dtype),
        # Attention benchmarks loop over one KV cache unless they say otherwise.
        kv_copies=1 if copies is None else int(copies),
    )


def _column(rows: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    return rows[name].to_numpy(dtype=np.float64)


def _said(rows: pd.DataFrame, name: str) -> Any:
    """The value that all `rows` share in column `name`; None where it is empty or absent."""
    value = rows[name].iloc[0] if name in rows.columns else None
    return None if pd.isna(value) else value
