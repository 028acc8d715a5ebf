"""Samples: raw measurements as one checked table, whatever file they come from.

`read_samples` is the way in for calibration, validation and importers; the format is in `sample_schema`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.fitting.sample_checks import Checked, check_columns, check_rows
from infersim.fitting.sample_columns import is_empty, read_cells
from infersim.fitting.sample_files import Table, Unreadable, read_table
from infersim.fitting.sample_schema import COLUMN_NAMES, COLUMNS, MEASURED, Rule

SHOWN = 5
"""Bad rows that an error lists; it counts the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that is no sample: where it stands, which value is wrong, and what was expected."""

    file: str
    line: int
    column: str
    value: str
    expected: str

    def __str__(self) -> str:
        return f"{self.file}: line {self.line}: {self.column} = {self.value}; expected {self.expected}"


class BadSamplesError(InfersimError):
    """Rows that are no samples; the first few are listed, all are counted."""

    def __init__(self, bad: tuple[BadRow, ...], rows: int) -> None:
        self.bad, self.rows = bad, rows
        first = "\n".join(f"  {row}" for row in bad[:SHOWN])
        more = f"\n  ... and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        verb = "rows is no sample" if len(bad) == 1 else "rows are no samples"
        remedy = "correct them, or set them aside and count them (skip_bad, --skip-bad)"
        super().__init__(f"{len(bad)} of {rows} {verb}:\n{first}{more}\n{remedy}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleRead:
    """Samples and an account of the rows that are not among them.

    `set_aside` are the bad rows (only with `skip_bad`); `left_out` counts good rows that were not wanted and
    rows that record a failed measurement, by reason; `environment` is what the log says of the machine.
    """

    frame: pd.DataFrame
    rows_read: int
    set_aside: tuple[BadRow, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)

    def account(self) -> str:
        """One sentence that counts every row that was read."""
        parts = [f"{self.rows_read} rows read, {len(self.frame)} samples"]
        if self.set_aside:
            parts.append(f"{len(self.set_aside)} bad rows set aside (first: {self.set_aside[0]})")
        parts += [f"{count} left out ({reason})" for reason, count in self.left_out.items()]
        return "; ".join(parts)


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
    frame, lines, left_out = _measured(_with_defaults(table.frame, defaults or {}), table)
    if len(frame):
        check_columns(table.name, frame)
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


def _measured(frame: pd.DataFrame, table: Table) -> tuple[pd.DataFrame, Any, dict[str, int]]:
    """Rows that hold a measurement, their lines, and counts of the failed ones by status."""
    if "status" not in frame.columns:
        return frame, table.lines, {}
    status = read_cells(frame["status"], Rule.NAME)
    failed = ~status.empty & (status.values != MEASURED)
    counts = pd.Series(status.values[failed].astype(str)).value_counts(sort=False)
    left_out = {f"status {name}": int(count) for name, count in counts.items()}
    return frame[~failed].reset_index(drop=True), table.lines[~failed], left_out


def _bad_rows(
    file: str, unreadable: tuple[Unreadable, ...], frame: pd.DataFrame, lines: Any, checked: Checked
) -> tuple[BadRow, ...]:
    bad = [
        BadRow(file=file, line=entry.line, column="line", value=repr(entry.text), expected=entry.expected)
        for entry in unreadable
    ]
    for row in np.flatnonzero(checked.bad):
        column, expected = checked.complaints[checked.culprit[row]]
        value = frame[column].iloc[int(row)]
        shown = "empty" if is_empty(value) else repr(value.item() if isinstance(value, np.generic) else value)
        bad.append(BadRow(file=file, line=int(lines[row]), column=column, value=shown, expected=expected))
    return tuple(sorted(bad, key=lambda entry: entry.line))


def _finished(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns in the format's order and in their narrowest type; the two that always exist added."""
    frame = frame.reset_index(drop=True)
    known: dict[str, Any] = {}
    for column in COLUMNS:
        always = column.name in ("weight_copies", "includes_act_quant")
        if column.name in frame.columns:
            known[column.name] = _narrowed(frame[column.name], column.rule)
        elif always:
            known[column.name] = np.full(len(frame), np.nan if column.rule is Rule.COUNT else None)
    extras = {name: frame[name] for name in frame.columns if name not in known}
    return pd.DataFrame({**known, **extras}, index=frame.index)


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
