"""Samples: raw measurements as one checked table, whatever file they come from.

`read_samples` is the way in for calibration, validation and importers; the format is in `schema`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.domain.arguments import a_path, checked, flag, named_values, optional, refused, text
from infersim.domain.errors import InfersimError, InvalidValueError, UnknownNameError
from infersim.files.frames import a_frame_or
from infersim.fitting.samples.account import BadRow, BadSamplesError, SampleRead
from infersim.fitting.samples.checks import Checked, check_columns, check_names, check_rows
from infersim.fitting.samples.cutlass_report import is_report, samples_of_report
from infersim.fitting.samples.files import Table, Unreadable, read_table
from infersim.fitting.samples.schema import (
    COLUMN_NAMES,
    COLUMNS,
    MEASURED,
    Kind,
    Rule,
    in_order,
    read_cells,
    shown_cell,
)
from infersim.fitting.samples.spellings import respelt


def of_kinds(frame: pd.DataFrame, kinds: Sequence[str]) -> tuple[pd.DataFrame, dict[str, int]]:
    """Rows of `kinds` (all, where none is named), and counts of the others by reason.

    Raises UnknownNameError for a kind that is none, and InvalidValueError where no row is left.
    """
    known = [kind.value for kind in Kind]
    for kind in kinds:
        if kind not in known:
            raise UnknownNameError("kind of samples", kind, known)
    wanted = frame["kind"].isin(kinds or known)
    if not wanted.any():
        there = ", ".join(sorted(frame["kind"].unique())) or "no rows"
        raise InvalidValueError("samples", there, f"rows of {', '.join(kinds or known)}")
    others = frame.loc[~wanted, "kind"].value_counts(sort=False)
    return frame[wanted].reset_index(drop=True), {f"kind {kind}": int(n) for kind, n in others.items()}


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
    """
    return check_samples(_as_table(source), gpu=gpu, kind=kind, skip_bad=skip_bad, defaults=defaults)


def check_samples(
    table: Table,
    *,
    gpu: str | None = None,
    kind: str | None = None,
    skip_bad: bool = False,
    defaults: Mapping[str, object] | None = None,
) -> SampleRead:
    """Check a table that is already in memory, as `read_samples` does; errors name its file and lines."""
    rows_read = len(table.frame) + len(table.unreadable)
    own = [str(name) for name in table.frame.columns]
    stated, lines, converted = _in_our_format(table)
    check_names(table.name, stated, own)
    frame, lines, left_out = _measured(_with_defaults(stated, defaults or {}), lines)
    left_out = {**converted, **left_out}
    if len(frame):
        check_columns(table.name, frame, own)
    else:
        frame = frame.reindex(columns=list(dict.fromkeys([*frame.columns, *COLUMN_NAMES])))
    checked = check_rows(frame)
    bad = _bad_rows(table.name, table.unreadable, frame, lines, checked)
    if bad and not skip_bad:
        raise BadSamplesError(bad, rows_read)
    good = _finished(checked.frame[~checked.bad])
    good, unwanted = _selected(good, table.name, {"gpu": gpu, "kind": kind})
    return SampleRead(
        frame=good,
        rows_read=rows_read,
        set_aside=bad,
        left_out=left_out | unwanted,
        environment=table.environment,
    )


def parse_defaults(words: Iterable[str]) -> dict[str, str]:
    """Read defaults as a command line gives them: `["gpu=h100-sxm", "weight_copies=6"]`."""
    defaults = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not value or name not in COLUMN_NAMES:
            raise InvalidValueError("default", word, f"COLUMN=VALUE, a column of {', '.join(COLUMN_NAMES)}")
        defaults[name] = value
    return defaults


def _as_table(source: Path | str | pd.DataFrame) -> Table:
    if isinstance(source, pd.DataFrame):
        lines = np.arange(1, len(source) + 1)
        return Table(name="samples", frame=source.reset_index(drop=True), lines=lines)
    return read_table(Path(source))


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
    rules = {column.name: column.rule for column in COLUMNS}
    filled: dict[str, Any] = {}
    for name, value in defaults.items():
        if name not in rules:
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


def _finished(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns in the format's order and in their narrowest type; the two that always exist added."""
    narrowed: dict[str, Any] = {
        column.name: _narrowed(frame[column.name], column.rule)
        for column in COLUMNS
        if column.name in frame.columns
    }
    always = {"weight_copies": np.nan, "includes_act_quant": None}
    added = {name: empty for name, empty in always.items() if name not in frame.columns}
    frame = frame.assign(**narrowed, **added).reset_index(drop=True)
    return frame[in_order(frame.columns)]


def _narrowed(column: pd.Series[Any], rule: Rule) -> pd.Series[Any]:
    if rule is Rule.COUNT and len(column) and column.notna().all():
        return column.astype(np.int64)
    if rule is Rule.TRUTH and len(column) and column.notna().all():
        return column.astype(bool)
    return column


def _selected(
    frame: pd.DataFrame, file: str, wanted: Mapping[str, str | None]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Rows whose GPU and kind are the wanted ones, and counts of the others."""
    left_out: dict[str, int] = {}
    for name, value in wanted.items():
        if value is None:
            continue
        matches = frame[name] == value
        if len(frame) and not matches.any():
            there = ", ".join(sorted(frame[name].unique()))
            raise InfersimError(f"{file}: {name} = {there}; expected rows of {value}")
        for other, count in frame.loc[~matches, name].value_counts(sort=False).items():
            left_out[f"{name} {other}"] = int(count)
        frame = frame[matches].reset_index(drop=True)
    return frame, left_out
