"""Samples files written, in one piece or part by part: Parquet, CSV and JSON lines, by the file's ending."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.files.writing import replacing
from infersim.fitting.samples.files import SUFFIXES, VERSION_KEY
from infersim.fitting.samples.schema import COLUMNS, FORMAT_VERSION, Rule, in_order, is_empty

Write: TypeAlias = Callable[[pd.DataFrame], None]
"""Writes the next rows; all parts have the same columns."""

WriteNext: TypeAlias = Callable[[BinaryIO, pd.DataFrame], None]

_TYPES = {Rule.NAME: pa.string(), Rule.TRUTH: pa.bool_()}
_KNOWN = {column.name: _TYPES[column.rule] for column in COLUMNS if column.rule in _TYPES}


def check_samples_name(path: Path) -> None:
    """Raise UnsupportedError for a name that is no samples file's."""
    if path.suffix.lower() not in SUFFIXES:
        raise UnsupportedError(f"{path}: samples files end in {', '.join(SUFFIXES)}, not {path.suffix!r}")


def write_samples(frame: pd.DataFrame, path: Path | str) -> None:
    """Write `frame` as a samples file, format by suffix; every row is kept, duplicates included."""
    with writing_samples(path) as write:
        write(frame)


@contextmanager
def writing_samples(path: Path | str) -> Iterator[Write]:
    """What writes samples to `path`, part by part; the file is there when the block ends well."""
    path = Path(path)
    check_samples_name(path)
    writers = {".parquet": _parquet, ".csv": _csv, ".jsonl": _json_lines}
    with replacing(path, "samples file") as file, ExitStack() as ends:
        write_next = writers[path.suffix.lower()](ends)

        def write(part: pd.DataFrame) -> None:
            try:
                write_next(file, part[in_order(part.columns)])
            except UnicodeEncodeError as error:
                expected = f"cells that are text, and {error.object[error.start : error.end]!r} is none"
                raise InvalidValueError("samples file", str(path), expected) from None
            except (pa.ArrowException, OverflowError) as error:
                said = " ".join(str(error).split())
                expected = f"columns that hold one type each ({said}); a .csv file holds any"
                raise InvalidValueError("samples file", str(path), expected) from None

        yield write


def _parquet(ends: ExitStack) -> WriteNext:
    writer: pq.ParquetWriter | None = None

    def write(file: BinaryIO, part: pd.DataFrame) -> None:
        nonlocal writer
        if writer is None:
            schema = _schema(pa.Table.from_pandas(part, preserve_index=False).schema)
            writer = ends.enter_context(pq.ParquetWriter(file, schema, compression="zstd"))
        writer.write_table(pa.Table.from_pandas(part, schema=writer.schema, preserve_index=False))

    return write


def _schema(said: pa.Schema) -> pa.Schema:
    """The types of the first part, but where a column says nothing in it."""
    fields = [
        field.with_type(_KNOWN.get(field.name, pa.string())) if pa.types.is_null(field.type) else field
        for field in said
    ]
    metadata = {**(said.metadata or {}), VERSION_KEY: str(FORMAT_VERSION).encode()}
    return pa.schema(fields, metadata=metadata)


def _csv(_: ExitStack) -> WriteNext:
    header = True

    def write(file: BinaryIO, part: pd.DataFrame) -> None:
        nonlocal header
        part.to_csv(file, index=False, lineterminator="\n", header=header)
        header = False

    return write


def _json_lines(_: ExitStack) -> WriteNext:
    header = _line({"record": "samples", "version": FORMAT_VERSION})

    def write(file: BinaryIO, part: pd.DataFrame) -> None:
        nonlocal header
        file.write(header)
        header = b""
        rows: Iterable[Mapping[Any, Any]] = part.astype(object).to_dict("records")
        for row in rows:
            file.write(_line({key: value for key, value in row.items() if not is_empty(value)}))

    return write


def _line(row: Mapping[Any, Any]) -> bytes:
    return f"{json.dumps(row, default=_plain_number)}\n".encode()


def _plain_number(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no place in a samples file")
