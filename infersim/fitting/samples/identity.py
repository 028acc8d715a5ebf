"""Were these samples fitted? A digest of samples, the same whatever their order or file format.

A fit records it; samples that judge a fit are compared with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from infersim.domain.profile import Calibration, HardwareProfile
from infersim.fitting.samples.schema import COLUMN_NAMES, FORMAT_VERSION


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


class Overlap(StrEnum):
    """What is known of the rows that were both fitted and validated."""

    NONE = "none"
    ALL = "all"
    UNKNOWN = "unknown"


def overlap_with_fit(profile: HardwareProfile, frame: pd.DataFrame) -> Overlap:
    """Whether the samples in `frame`, as `read_samples` returns them, are those that `profile` was fitted on.

    A fit records a digest of its samples as a whole, so that equal sets are found; of other sets, single rows
    may still be shared. Parameters that were measured on no GPU, or on another one, have seen none of them.
    """
    if profile.fit is None or profile.calibration is not Calibration.FITTED:
        return Overlap.NONE
    fitted = set(_digests(profile.fit.provenance))
    parts = [rows for _, rows in frame.groupby("kind")]
    if all(identity(part)["sha256"] in fitted for part in parts) or identity(frame)["sha256"] in fitted:
        return Overlap.ALL
    return Overlap.UNKNOWN


def _digests(provenance: object) -> Iterator[str]:
    """Every `sha256` in a provenance record, at any depth: a fit may have been made of several files."""
    if isinstance(provenance, Mapping):
        for name, value in provenance.items():
            if name == "sha256":
                yield str(value)
            else:
                yield from _digests(value)
    elif isinstance(provenance, Sequence) and not isinstance(provenance, str):
        for value in provenance:
            yield from _digests(value)
