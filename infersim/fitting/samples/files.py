"""Samples files as tables, Parquet, CSV and JSON lines: read with the place of every row.

What the values must be is not looked at here; `reading.read_samples` does both.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.files.opening import opened, opened_text
from infersim.files.parquet import arrow_frame
from infersim.fitting.samples.schema import FORMAT_VERSION

VERSION_KEY = b"infersim.samples.version"
"""Key of the format version in a Parquet file's metadata."""

SUFFIXES = (".parquet", ".csv", ".jsonl")

CHUNK_ROWS = 50_000
"""Rows that are in memory at a time as the file spells them: as text they take ten times as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A line that is no row at all: where, what stands there, and what was expected."""

    line: int
    text: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A file's rows as they stand there.

    `lines` is the line of each row (rows of a Parquet file count from 1); `environment` holds what the
    log's environment record says of the machine, empty where there is none.
    """

    name: str
    frame: pd.DataFrame
    lines: npt.NDArray[np.int64]
    unreadable: tuple[Unreadable, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)


def read_tables(path: Path) -> Iterator[Table]:
    """Read a samples file by its suffix, as tables of at most CHUNK_ROWS rows, one at least.

    Raises FileContentError or UnsupportedError where that cannot be done.
    """
    readers = {".parquet": _read_parquet, ".csv": _read_csv, ".jsonl": _read_json_lines}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        other = "; `infersim import` turns what other programs write into samples"
        raise UnsupportedError(
            f"{path}: samples files end in {', '.join(SUFFIXES)}, not {path.suffix!r}{other}"
        )
    try:
        yield from reader(path)
    except (UnicodeDecodeError, json.JSONDecodeError, csv.Error, pa.ArrowException) as error:
        expected = f"a {path.suffix[1:]} table of samples"
        raise FileContentError(path, "content", str(error).strip(), expected) from error


def joined(tables: Sequence[Table]) -> Table:
    """Tables of one file as one table."""
    if len(tables) == 1:
        return tables[0]
    return Table(
        name=tables[0].name,
        frame=pd.concat([table.frame for table in tables], ignore_index=True),
        lines=np.concatenate([table.lines for table in tables]),
        unreadable=tuple(entry for table in tables for entry in table.unreadable),
        environment={name: value for table in tables for name, value in table.environment.items()},
    )


def check_version(file: object, version: object) -> None:
    """Refuse a samples file of a later format version, or one whose version is no number."""
    try:
        known = int(str(version)) <= FORMAT_VERSION
    except ValueError:
        known = False
    if not known:
        raise FileContentError(file, "format version", version, f"at most {FORMAT_VERSION}")


def _read_parquet(path: Path) -> Iterator[Table]:
    """Read a Parquet file; the index of a frame that pandas wrote comes back as columns."""
    with opened(path, "samples") as stream, pq.ParquetFile(stream) as file:
        metadata = file.schema_arrow.metadata or {}
        if VERSION_KEY in metadata:
            check_version(path, metadata[VERSION_KEY].decode())
        read = 0
        for batch in file.iter_batches(batch_size=CHUNK_ROWS, use_threads=False):
            table = pa.Table.from_batches([batch]).replace_schema_metadata()
            table.validate(
                full=True
            )  # that texts are UTF-8 comes to light no earlier than when they are read
            lines = np.arange(read + 1, read + table.num_rows + 1)
            yield Table(name=str(path), frame=arrow_frame(table, ignore_metadata=True), lines=lines)
            read += table.num_rows
        if not read:
            empty = arrow_frame(file.schema_arrow.empty_table(), ignore_metadata=True)
            yield Table(name=str(path), frame=empty, lines=np.arange(1, 1))


def _read_csv(path: Path) -> Iterator[Table]:
    """Read every cell as text, so that errors quote what the file says and numbers are parsed exactly."""
    with opened_text(path, "samples", newline="") as file:
        reader = csv.reader(file)
        header = [name.strip() for name in next(reader, [])]
        if not header:
            raise FileContentError(path, "line 1", "", "column names")
        rows, lines, unreadable = list[list[str]](), list[int](), list[Unreadable]()

        def table() -> Table:
            return Table(
                name=str(path),
                frame=pd.DataFrame(rows, columns=header, dtype=object),
                lines=np.asarray(lines, dtype=np.int64),
                unreadable=tuple(unreadable),
            )

        for cells in reader:
            if len(cells) == len(header):
                rows.append(cells)
                lines.append(reader.line_num)
            elif cells:
                expected = f"{len(header)} cells, as in the header"
                text = _shorten(",".join(cells))
                unreadable.append(Unreadable(line=reader.line_num, text=text, expected=expected))
            if len(rows) == CHUNK_ROWS:
                yield table()
                rows, lines, unreadable = [], [], []
        if rows or unreadable or reader.line_num <= CHUNK_ROWS:
            yield table()


def _read_json_lines(path: Path) -> Iterator[Table]:
    """One object a line; `{"record": "samples"}` states the version, `{"record": "environment"}` the machine.

    A line that is no JSON object (a write that was cut off) becomes an unreadable row, not an end.
    """
    with opened_text(path, "samples") as file:
        part = _JsonLines()
        for number, text in enumerate(file, start=1):
            part.add(path, number, text)
            if len(part.rows) == CHUNK_ROWS:
                yield part.table(path)
                part = _JsonLines()
        yield part.table(path)


class _JsonLines:
    """What a stretch of a log holds."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.lines: list[int] = []
        self.unreadable: list[Unreadable] = []
        self.environment: dict[str, Any] = {}

    def add(self, path: Path, number: int, text: str) -> None:
        """Take a line in; FileContentError where it states a later format."""
        if not text.strip():
            return
        record = _json_object(text)
        if record is None:
            shown = _shorten(text.rstrip("\n"))
            self.unreadable.append(Unreadable(line=number, text=shown, expected="a JSON object"))
            return
        what, said = record.get("record"), {key: value for key, value in record.items() if key != "record"}
        if what == "samples":
            check_version(f"{path}: line {number}", record.get("version"))
        elif what == "environment":
            self.environment |= said
        else:
            self.rows.append(said)
            self.lines.append(number)

    def table(self, path: Path) -> Table:
        """The stretch as a table."""
        return Table(
            name=str(path),
            frame=pd.DataFrame.from_records(self.rows),
            lines=np.asarray(self.lines, dtype=np.int64),
            unreadable=tuple(self.unreadable),
            environment=self.environment,
        )


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
