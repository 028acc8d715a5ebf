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
import pyarrow as pa
import pyarrow.compute as pc

from infersim.domain.profile import Calibration, HardwareProfile
from infersim.fitting.samples.schema import COLUMN_NAMES, FORMAT_VERSION

STRETCH_ROWS = 50_000
"""Rows that are text at a time."""


def identity(frame: pd.DataFrame) -> dict[str, Any]:
    """Identify samples as `read_samples` returns them: digest, counts, GPUs, sources and versions.

    The SHA-256 is over text: the names of the format's columns that hold anything, comma-separated, then each
    row's cells in that order, the rows sorted as text; each line ends in a line feed, numbers are written in
    their shortest exact form, empty cells as nothing. Duplicates count; row order and file format do not.
    """
    said = [name for name in COLUMN_NAMES if name in frame.columns and frame[name].notna().any()]
    columns = {name: _exact(frame[name]) for name in said}
    digest = hashlib.sha256((",".join(said) + "\n").encode())
    for line in _sorted_lines(pd.DataFrame(columns, index=frame.index)):
        digest.update(line)
    return {
        "format": FORMAT_VERSION,
        "sha256": digest.hexdigest(),
        "rows": len(frame),
        "rows_by_kind": {
            str(kind): int(rows) for kind, rows in frame["kind"].value_counts().sort_index().items()
        },
        "gpus": _distinct(frame, "gpu"),
        "sources": _distinct(frame, "source"),
        "versions": _distinct(frame, "version"),
    }


def _sorted_lines(columns: pd.DataFrame) -> Iterator[bytes]:
    """The rows as text, sorted, a stretch at a time; in Arrow they take no more than their letters."""
    stretches = []
    for start in range(0, len(columns), STRETCH_ROWS):
        rows = columns.iloc[start : start + STRETCH_ROWS]
        text = rows.to_csv(index=False, header=False, lineterminator="\n")
        stretches.append(pa.array(text.splitlines(), type=pa.large_string()))
    lines = pa.concat_arrays(stretches or [pa.array([], type=pa.large_string())])
    stretches.clear()
    order = pc.array_sort_indices(lines)
    for start in range(0, len(order), STRETCH_ROWS):
        sorted_lines = lines.take(order[start : start + STRETCH_ROWS]).to_pylist()
        yield ("\n".join(sorted_lines) + "\n").encode()


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
    by_kind = {str(kind): int(rows) for kind, rows in frame["kind"].value_counts().items()}
    known = overlap_by_counts(profile, by_kind)
    if known is not None or profile.fit is None:
        return known or Overlap.NONE
    fitted = dict(_digests(profile.fit.provenance))

    def was_fitted(rows: pd.DataFrame) -> bool:
        """Only a set that has as many rows as one that was fitted is worth the digest."""
        as_many = any(said in (None, len(rows)) for said in fitted.values())
        return as_many and identity(rows)["sha256"] in fitted

    if was_fitted(frame) or all(was_fitted(rows) for _, rows in frame.groupby("kind")):
        return Overlap.ALL
    return Overlap.UNKNOWN


def overlap_by_counts(profile: HardwareProfile, by_kind: Mapping[str, int]) -> Overlap | None:
    """What the numbers of rows say of `overlap_with_fit`; None where the samples must be looked at."""
    if profile.fit is None or profile.calibration is not Calibration.FITTED:
        return Overlap.NONE
    fitted = [rows for _, rows in _digests(profile.fit.provenance)]

    def as_many(rows: int) -> bool:
        return any(said in (None, rows) for said in fitted)

    known = not as_many(sum(by_kind.values())) and not all(map(as_many, by_kind.values()))
    return Overlap.UNKNOWN if known else None


def _digests(provenance: object) -> Iterator[tuple[str, object]]:
    """Every `sha256` in a provenance record, at any depth, with the `rows` beside it (None: not said).

    A fit may have been made of several files.
    """
    if isinstance(provenance, Mapping):
        if "sha256" in provenance:
            yield str(provenance["sha256"]), provenance.get("rows")
        for value in provenance.values():
            yield from _digests(value)
    elif isinstance(provenance, Sequence) and not isinstance(provenance, str):
        for value in provenance:
            yield from _digests(value)
