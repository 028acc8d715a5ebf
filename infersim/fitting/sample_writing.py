"""Samples written as Parquet, CSV or JSON lines; `sample_files` reads them back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from infersim.domain.errors import InfersimError, UnsupportedError
from infersim.fitting.sample_columns import is_empty
from infersim.fitting.sample_files import SUFFIXES, VERSION_KEY
from infersim.fitting.sample_schema import FORMAT_VERSION, in_order


def write_samples(frame: pd.DataFrame, path: Path | str) -> None:
    """Write `frame` as a samples file, format by suffix; every row is kept, duplicates included."""
    path = Path(path)
    frame = frame[in_order(frame.columns)]
    writers = {".parquet": _write_parquet, ".csv": _write_csv, ".jsonl": _write_json_lines}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise UnsupportedError(f"{path}: samples files end in {', '.join(SUFFIXES)}, not {path.suffix!r}")
    try:
        writer(frame, path)
    except OSError as error:
        raise InfersimError(f"{path}: cannot be written: {error.strerror or error}") from error


def _write_parquet(frame: pd.DataFrame, path: Path) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), VERSION_KEY: str(FORMAT_VERSION).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path, compression="zstd")


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False, lineterminator="\n")


def _write_json_lines(frame: pd.DataFrame, path: Path) -> None:
    header = {"record": "samples", "version": FORMAT_VERSION}
    rows: Iterable[Mapping[Any, Any]] = frame.astype(object).to_dict("records")
    said = ({key: value for key, value in row.items() if not is_empty(value)} for row in rows)
    with path.open("w", encoding="utf-8") as file:
        for row in (header, *said):
            file.write(json.dumps(row, default=_plain_number) + "\n")


def _plain_number(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no place in a samples file")
