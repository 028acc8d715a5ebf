"""Small made-up samples of every kind, for the tests of this folder."""

from __future__ import annotations

from typing import Any

import pandas as pd

GEMM = {"gpu": "h100-sxm", "kind": "gemm", "dtype": "bf16", "m": 16, "n": 4096, "k": 2048, "latency_us": 9.5}
SPARSE = GEMM | {"kind": "sparse_gemm", "sparsity": "2:4", "latency_us": 7.25}
ATTENTION = {
    "gpu": "h100-sxm",
    "kind": "attention",
    "dtype": "bf16",
    "phase": "decode",
    "batch": 8,
    "query_len": 1,
    "context_len": 4096,
    "num_heads": 32,
    "num_kv_heads": 8,
    "head_dim": 128,
    "latency_us": 61.0,
}
MEMORY = {
    "gpu": "h100-sxm",
    "kind": "memory",
    "op": "attn_norm",
    "read_bytes": 8_388_608,
    "write_bytes": 8_388_608,
    "latency_us": 8.125,
}
COLLECTIVE = {
    "gpu": "h100-sxm",
    "kind": "collective",
    "exchange": "all_gather",
    "gpus": 8,
    "message_bytes": 65_536,
    "library": "nccl",
    "latency_us": 13.25,
}
LAUNCH = {"gpu": "h100-sxm", "kind": "launch", "latency_us": 2.1}


def table(*rows: dict[str, object]) -> pd.DataFrame:
    """A frame of the given rows."""
    try:
        return pd.DataFrame.from_records(list(rows))
    except OverflowError:  # an older pandas does not find a type for a number beyond all floats
        names = list(dict.fromkeys(name for row in rows for name in row))
        cells = {name: [row.get(name) for row in rows] for name in names}
        return pd.DataFrame({name: _column(each) for name, each in cells.items()})


def _column(cells: list[object]) -> pd.Series[Any]:
    large = any(isinstance(cell, int) and cell.bit_length() > 63 for cell in cells)
    return pd.Series(cells, dtype=object if large else None)


def every_kind() -> pd.DataFrame:
    """One row of each kind, a quantised GEMM with all its options, and a row that occurs twice."""
    hot = GEMM | {"dtype": "fp8", "weight_copies": 6, "includes_act_quant": True, "spread_us": 0.125}
    return table(GEMM, SPARSE, ATTENTION, MEMORY, LAUNCH, COLLECTIVE, hot, GEMM)
