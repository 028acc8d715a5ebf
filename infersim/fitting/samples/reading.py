"""Samples: raw measurements as one checked table, whatever file they come from.

`read_samples` is the way in for calibration, validation and importers; the format is in `schema`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.domain.arguments import a_path, checked, flag, named_values, optional, refused, text
from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.files.frames import a_frame_or
from infersim.fitting.samples.account import BadRow, SampleRead, Tally
from infersim.fitting.samples.checks import Checked, check_columns, check_names, check_rows
from infersim.fitting.samples.cutlass_report import is_report, samples_of_report
from infersim.fitting.samples.files import CHUNK_ROWS, Table, Unreadable, joined, read_tables
from infersim.fitting.samples.schema import (
    COLUMN_NAMES,
    COLUMNS,
    MEASURED,
    RULES,
    Rule,
    in_order,
    read_cells,
    shown_cell,
)
from infersim.fitting.samples.spellings import respelt
from infersim.fitting.samples.splits import selected

Lines = npt.NDArray[np.int64]


def a_cell(key: str, value: object) -> object:
    """A rule of arguments: what can stand in a cell of a table."""
    if value is None or isinstance(value, str | int | float | np.generic):
        return value
    raise refused(key, value, "a text, a number, or true or false")


@checked(
    source=a_frame_or(a_path),
    gpu=optional(text),
    kind=optional(text),
    skip_bad=flag,
    defaults=optional(named_values(a_cell)),
)
def read_samples(
    source: Path | str | pd.DataFrame,
    *,
    gpu: str | None = None,
    kind: str | None = None,
    skip_bad: bool = False,
    defaults: Mapping[str, object] | None = None,
) -> SampleRead:
    """Read samples from a Parquet, CSV or JSON lines file, or from a frame, and check every row.

    `defaults` fills columns and cells that the file leaves empty; `gpu` and `kind` select rows and count the
    others as left out. The frame has the format's columns first, whole numbers as int64 (float64 where some
    are empty), always with `weight_copies` and `includes_act_quant` (empty: cold; unknown). Row order and
    duplicates are kept. A bad row is a BadSamplesError unless `skip_bad` sets it aside.

    Parameters
    ----------
    source
        A file, or a frame.
    gpu, kind
        Rows that are wanted. Left out: all.
    skip_bad
        Set bad rows aside.
    defaults
        Values by column.

    Returns
    -------
    SampleRead
        The samples, and an account of the other rows.

    Raises
    ------
    BadSamplesError
        For bad rows, unless they are set aside.
    InfersimError
        For what is no table of samples, and where no row is wanted.

    Examples
    --------
    >>> import infersim as sim
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"kind": "launch", "latency_us": [4.9, 5.0]})
    >>> sim.read_samples(rows, defaults={"gpu": "l4"}).frame["gpu"].tolist()
    ['l4', 'l4']
    """
    with whole_characters("samples" if isinstance(source, pd.DataFrame) else source):
        return _check(tables_of(source), gpu=gpu, kind=kind, skip_bad=skip_bad, defaults=defaults)


@contextmanager
def whole_characters(name: object) -> Iterator[None]:
    """Refuse half of a character, which a file of JSON or a frame can hold."""
    try:
        yield
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start : error.end])
        raise FileContentError(name, "text", half, "whole characters") from None


def check_samples(
    table: Table,
    *,
    gpu: str | None = None,
    kind: str | None = None,
    skip_bad: bool = False,
    defaults: Mapping[str, object] | None = None,
) -> SampleRead:
    """Check a table that is already in memory, as `read_samples` does; errors name its file and lines."""
    return _check([table], gpu=gpu, kind=kind, skip_bad=skip_bad, defaults=defaults)


def _check(
    tables: Iterable[Table],
    *,
    gpu: str | None,
    kind: str | None,
    skip_bad: bool,
    defaults: Mapping[str, object] | None,
) -> SampleRead:
    """Check the tables of one file, each on its own: what is kept of one is in its final, narrow type."""
    tally = Tally()
    frames = list(checked_parts(tables, defaults or {}, tally))
    if not skip_bad:
        tally.refuse_bad()
    frame, unwanted = selected(finished(_joined(frames)), tally.name, {"gpu": gpu, "kind": kind})
    return SampleRead(
        frame=frame,
        rows_read=tally.rows_read,
        set_aside=tuple(tally.bad),
        bad_rows=tally.bad_rows,
        left_out={**tally.left_out} | unwanted,
        environment=tally.environment,
    )


def checked_parts(
    tables: Iterable[Table], defaults: Mapping[str, object], tally: Tally
) -> Iterator[pd.DataFrame]:
    """The samples of each table of one file; what is none is entered in `tally`."""
    for table in tables:
        tally.name, tally.environment = table.name, tally.environment | dict(table.environment)
        tally.rows_read += len(table.frame) + len(table.unreadable)
        good, wrong, counts = _checked(table, defaults)
        tally.add_bad(wrong)
        tally.left_out.update(counts)
        yield good


def _checked(
    table: Table, defaults: Mapping[str, object]
) -> tuple[pd.DataFrame, tuple[BadRow, ...], dict[str, int]]:
    """The samples of a table, its bad rows, and counts of the rows that are neither by reason."""
    own = [str(name) for name in table.frame.columns]
    stated, lines, converted = _in_our_format(table)
    check_names(table.name, stated, own)
    frame, lines, left_out = _measured(_with_defaults(stated, defaults), lines)
    if len(frame):
        check_columns(table.name, frame, own)
    else:
        frame = frame.reindex(columns=list(dict.fromkeys([*frame.columns, *COLUMN_NAMES])))
    checked = check_rows(frame)
    bad = _bad_rows(table.name, table.unreadable, frame, lines, checked)
    return checked.frame[~checked.bad], bad, {**converted, **left_out}


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """The frames one below the other; each is let go as soon as it is part of the whole."""
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    frames.clear()
    return filled[0] if len(filled) == 1 else pd.concat(filled, ignore_index=True)


def parse_defaults(words: Iterable[str]) -> dict[str, str]:
    """Read defaults as a command line gives them: `["gpu=h100-sxm", "weight_copies=6"]`."""
    defaults = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not value or name not in COLUMN_NAMES:
            raise InvalidValueError("default", word, f"COLUMN=VALUE, a column of {', '.join(COLUMN_NAMES)}")
        with whole_characters(f"--default {name}"):
            broken = read_cells(pd.Series([value], dtype=object), RULES[name]).broken
        if broken.any():
            raise InvalidValueError("default", word, f"{RULES[name].value} for {name}")
        defaults[name] = value
    return defaults


def tables_of(source: Path | str | pd.DataFrame) -> Iterator[Table]:
    """The source in tables of at most CHUNK_ROWS rows; a profiler's report, whose rows compete, in one."""
    tables = _parts_of(source) if isinstance(source, pd.DataFrame) else read_tables(Path(source))
    first = next(tables)
    yield joined([first, *tables]) if is_report(first.frame.columns) else first
    yield from tables


def _parts_of(frame: pd.DataFrame) -> Iterator[Table]:
    for start in range(0, max(len(frame), 1), CHUNK_ROWS):
        part = frame.iloc[start : start + CHUNK_ROWS].reset_index(drop=True)
        yield Table(name="samples", frame=part, lines=np.arange(start + 1, start + len(part) + 1))


def _in_our_format(table: Table) -> tuple[pd.DataFrame, Lines, dict[str, int]]:
    """The rows in our spelling, their lines, and counts of rows that the format cannot hold.

    A CUTLASS profiler's report is known by its columns, and read as `infersim import cutlass` reads it.
    """
    if not is_report(table.frame.columns):
        return respelt(table.frame), table.lines, {}
    found = samples_of_report(table.frame)
    samples = found.samples.drop(columns="gpu")  # it names none
    places = samples.index.to_numpy(dtype=np.int64)
    return samples.reset_index(drop=True), table.lines[places], dict(found.left_out)


def _with_defaults(frame: pd.DataFrame, defaults: Mapping[str, object]) -> pd.DataFrame:
    filled: dict[str, Any] = {}
    for name, value in defaults.items():
        if name not in RULES:
            raise InvalidValueError("default", name, f"a column of {', '.join(COLUMN_NAMES)}")
        if name in frame.columns:
            column = frame[name].astype(object)
            filled[name] = column.mask(read_cells(column, Rule.NAME).empty, value)
        else:
            filled[name] = value
    return frame.assign(**filled)


def _measured(frame: pd.DataFrame, lines: Lines) -> tuple[pd.DataFrame, Lines, dict[str, int]]:
    """Rows that hold a measurement, their lines, and counts of the failed ones by status."""
    if "status" not in frame.columns:
        return frame, lines, {}
    status = read_cells(frame["status"], Rule.NAME)
    failed = ~status.empty & (status.values != MEASURED)
    counts = pd.Series(status.values[failed].astype(str)).value_counts(sort=False)
    left_out = {f"status {name}": int(count) for name, count in counts.items()}
    return frame[~failed].reset_index(drop=True), lines[~failed], left_out


def _bad_rows(
    file: str, unreadable: tuple[Unreadable, ...], frame: pd.DataFrame, lines: Lines, checked: Checked
) -> tuple[BadRow, ...]:
    bad = [
        BadRow(file=file, line=entry.line, column="line", value=repr(entry.text), expected=entry.expected)
        for entry in unreadable
    ]
    for row in np.flatnonzero(checked.bad):
        column, expected = checked.complaints[checked.culprit[row]]
        value = frame[column].iloc[int(row)]
        line, shown = int(lines[row]), shown_cell(value)
        bad.append(BadRow(file=file, line=line, column=column, value=shown, expected=expected))
    return tuple(sorted(bad, key=lambda entry: entry.line))


def finished(frame: pd.DataFrame, gaps: Collection[str] = ()) -> pd.DataFrame:
    """Columns in the format's order and in their narrowest type; the two that always exist added.

    Those of `gaps` have empty cells in other parts of the same samples.
    """
    narrowed: dict[str, Any] = {
        column.name: _narrowed(frame[column.name], column.rule, whole=column.name not in gaps)
        for column in COLUMNS
        if column.name in frame.columns
    }
    always = {"weight_copies": np.nan, "includes_act_quant": None}
    added = {name: empty for name, empty in always.items() if name not in frame.columns}
    frame = frame.assign(**narrowed, **added).reset_index(drop=True)
    return frame[in_order(frame.columns)]


def _narrowed(column: pd.Series[Any], rule: Rule, *, whole: bool) -> pd.Series[Any]:
    if rule is Rule.COUNT and whole and len(column) and column.notna().all():
        return column.astype(np.int64)
    if rule is Rule.TRUTH:
        said = column.notna()
        return (
            column.astype(bool)
            if whole and len(column) and said.all()
            else column.astype(object).where(said, None)
        )
    if rule is Rule.NAME and column.dtype == object:  # parts with and without a name, joined
        return pd.Series(column.to_numpy(), index=column.index, name=column.name)
    return column
