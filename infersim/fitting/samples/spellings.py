"""How files spell what the samples format has names for: columns in any case, torch's data types."""

from __future__ import annotations

from typing import Any

import pandas as pd

from infersim.fitting.samples.schema import COLUMN_NAMES

DTYPE_SPELLINGS = {
    **dict.fromkeys(("bfloat16", "bf16", "c10::bfloat16", "nv_bfloat16", "__nv_bfloat16"), "bf16"),
    **dict.fromkeys(("float16", "half", "fp16", "f16", "c10::half", "__half"), "fp16"),
    **dict.fromkeys(("float32", "float", "fp32", "f32"), "fp32"),
    **dict.fromkeys(("tf32", "tfloat32"), "tf32"),
    **dict.fromkeys(("int8", "s8", "i8", "int8_t", "signed char"), "int8"),
    **dict.fromkeys(("fp8", "float8_e4m3fn", "float8_e4m3fnuz", "e4m3", "fe4m3"), "fp8"),
    **dict.fromkeys(("float8_e5m2", "float8_e5m2fnuz", "e5m2", "fe5m2"), "fp8"),
    **dict.fromkeys(("c10::float8_e4m3fn", "c10::float8_e5m2"), "fp8"),
}
"""Names of number formats in lower case -> ours. The two formats of 8 bits move and multiply alike."""

_DTYPE_COLUMNS = ("dtype", "kv_dtype")


def dtype_named(word: object) -> str | None:
    """Our name for a data type as libraries write it (`torch.bfloat16`, `Half`); None for one of no name."""
    if not isinstance(word, str):  # an empty cell
        return None
    return DTYPE_SPELLINGS.get(word.strip().lower().removeprefix("torch."))


def respelt(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with our spelling of its columns and data types; what is of no known spelling stays."""
    names = {name: str(name).strip().lower() for name in frame.columns}
    ours = {name: lower for name, lower in names.items() if name != lower and lower in COLUMN_NAMES}
    frame = frame.rename(columns=ours) if ours else frame
    if not frame.columns.is_unique:
        return frame  # which column is meant is for the reader to refuse
    changed = {name: _respelt(frame[name]) for name in _DTYPE_COLUMNS if name in frame.columns}
    return frame.assign(**changed) if changed else frame


def _respelt(column: pd.Series[Any]) -> pd.Series[Any]:
    said = {word for word in column if isinstance(word, str)}
    ours = {word: name for word in said if (name := dtype_named(word)) is not None and name != word}
    return (
        column.map(lambda word: ours.get(word, word) if isinstance(word, str) else word) if ours else column
    )
