"""Which data was it? A digest of samples that a fit records, the same whatever their order or file format."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from infersim.fitting.sample_schema import COLUMN_NAMES, FORMAT_VERSION


def identity(frame: pd.DataFrame) -> dict[str, Any]:
    """Identify samples as `read_samples` returns them: digest, counts, GPUs, sources and versions.

    The SHA-256 is over text: the names of the format's columns that hold anything, comma-separated, then each
    row's cells in that order, the rows sorted as text; each line ends in a line feed, numbers are written in
    their shortest exact form, empty cells as nothing. Duplicates count; row order and file format do not.
    """
    said = [name for name in COLUMN_NAMES if name in frame.columns and frame[name].notna().any()]
    columns = {name: _exact(frame[name]) for name in said}
    text = pd.DataFrame(columns, index=frame.index).to_csv(index=False, header=False, lineterminator="\n")
    lines = [",".join(said), *sorted(text.splitlines())]
    return {
        "format": FORMAT_VERSION,
        "sha256": hashlib.sha256(("\n".join(lines) + "\n").encode()).hexdigest(),
        "rows": len(frame),
        "rows_by_kind": {
            str(kind): int(rows) for kind, rows in frame["kind"].value_counts().sort_index().items()
        },
        "gpus": _distinct(frame, "gpu"),
        "sources": _distinct(frame, "source"),
        "versions": _distinct(frame, "version"),
    }


def _exact(column: pd.Series[Any]) -> pd.Series[Any]:
    """Whole numbers as integers, whether or not the column has empty cells that made it floating."""
    if not pd.api.types.is_float_dtype(column.dtype):
        return column
    values = column.to_numpy(dtype=np.float64)
    finite = values[~np.isnan(values)]
    return column.astype("Int64") if (finite == np.floor(finite)).all() else column


def _distinct(frame: pd.DataFrame, name: str) -> list[str]:
    return sorted(frame[name].dropna().astype(str).unique()) if name in frame.columns else []
