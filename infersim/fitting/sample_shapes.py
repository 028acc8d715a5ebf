"""Samples as the kernel shapes that the cost model prices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.domain.dtypes import DType, precision_named
from infersim.domain.shapes import Attention, Gemm, MemoryBound, Phase, Shape, WeightForm
from infersim.fitting.sample_schema import Kind

_GROUPING = {
    Kind.GEMM: ("dtype", "weight_copies", "includes_act_quant"),
    Kind.SPARSE_GEMM: ("dtype", "sparsity", "weight_copies", "includes_act_quant"),
    Kind.ATTENTION: ("phase", "dtype", "kv_dtype", "weight_copies"),
    Kind.MEMORY: ("kernels",),
}
"""What a shape record holds once for all its rows."""


def kernel_shapes(frame: pd.DataFrame) -> Iterator[tuple[npt.NDArray[np.intp], Shape]]:
    """Shapes of samples, in groups that one record can hold, each with its row positions in `frame`.

    Launch samples have no shape and are in no group.
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
            yield rows[positions], _shape(kind, frame.iloc[rows[positions]])


def _shape(kind: Kind, rows: pd.DataFrame) -> Shape:
    if kind is Kind.ATTENTION:
        return _attention(rows)
    if kind is Kind.MEMORY:
        return MemoryBound(
            read_bytes=_column(rows, "read_bytes"),
            write_bytes=_column(rows, "write_bytes"),
            kernels=int(_said(rows, "kernels") or 1),
        )
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
