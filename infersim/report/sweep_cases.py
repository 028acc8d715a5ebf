"""How the cases of a sweep are called: what varies between them is told with each, the rest once."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from infersim.simulation.sweeping.summary import SWEEP_CASE

if TYPE_CHECKING:
    import pandas as pd


def varying_case_keys(summary: pd.DataFrame) -> tuple[str, ...]:
    """The columns that differ between cases; the phase and a request are one thing to a reader."""
    return tuple(key for key in SWEEP_CASE if summary[key].nunique() > 1)


def case_label(row: pd.Series, keys: Collection[str]) -> str:
    """Those of a case's `keys` in short: `qwen3-8b, h100-sxm, decode, fp8, no CUDA graph`."""
    return ", ".join(filter(None, (_word(key, row) for key in SWEEP_CASE if key in keys)))


def shared_setting(summary: pd.DataFrame) -> str:
    """What all cases share: `llama-3.1-8b, bf16, KV cache bf16, execution fused, CUDA graph`."""
    return case_label(summary.iloc[0], set(SWEEP_CASE) - set(varying_case_keys(summary)))


def _word(key: str, row: pd.Series) -> str:
    value = row[key]
    if key == "phase":
        return "" if value == "request" else str(value)
    if key == "request":
        return f"request {value}" if value else ""
    if key == "kv_dtype":
        return f"KV cache {value}"
    if key == "execution":
        return f"execution {value}"
    if key == "cuda_graph":
        return "CUDA graph" if value else "no CUDA graph"
    return str(value)
