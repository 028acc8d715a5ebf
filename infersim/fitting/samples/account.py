"""The account of a reading: the samples, and every row that is not among them with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from infersim.domain.errors import InfersimError

SHOWN = 5
"""Bad rows that an error lists; it counts the others."""

MOST_LISTED = 100_000
"""Bad rows that are kept one by one; beyond them they are counted."""


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

    def __init__(self, bad: tuple[BadRow, ...], rows: int, count: int | None = None) -> None:
        self.bad, self.rows = bad, rows
        count = len(bad) if count is None else count
        first = "\n".join(f"  {row}" for row in bad[:SHOWN])
        more = f"\n  ... and {count - SHOWN} more" if count > SHOWN else ""
        verb = "row is invalid" if count == 1 else "rows are invalid"
        remedy = "correct them, or set them aside and count them (skip_bad, --skip-bad)"
        super().__init__(f"{count} of {rows} {verb}:\n{first}{more}\n{remedy}")


class Tally:
    """What a reading has met so far, part by part."""

    def __init__(self) -> None:
        self.name = "samples"
        self.rows_read = self.bad_rows = 0
        self.bad: list[BadRow] = []
        self.left_out: Counter[str] = Counter()
        self.environment: dict[str, Any] = {}

    def add_bad(self, rows: tuple[BadRow, ...]) -> None:
        """Take in rows that are no samples."""
        self.bad_rows += len(rows)
        self.bad += rows[: max(MOST_LISTED - len(self.bad), 0)]

    def join(self, other: Tally) -> None:
        """Take in what was met in another file."""
        self.rows_read += other.rows_read
        self.bad_rows += other.bad_rows
        self.bad += other.bad[: max(MOST_LISTED - len(self.bad), 0)]
        self.left_out.update(other.left_out)
        self.environment |= other.environment

    def refuse_bad(self) -> None:
        """Raise BadSamplesError where there were rows that are no samples."""
        if self.bad_rows:
            raise BadSamplesError(tuple(self.bad), self.rows_read, self.bad_rows)

    def account(self, kept: int) -> str:
        """One sentence that counts every row that was read."""
        parts = [f"{_rows(self.rows_read)} read, {_rows(kept)} kept"]
        if self.bad_rows:
            parts.append(f"{_rows(self.bad_rows)} set aside (first: {self.bad[0]})")
        parts += [f"{_rows(count)} left out ({reason})" for reason, count in self.left_out.items()]
        return "; ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleRead:
    """Samples and an account of the rows that are not among them.

    `set_aside` are the bad rows (only with `skip_bad`), the first MOST_LISTED of `bad_rows`; `left_out`
    counts good rows that were not wanted and rows that record a failed measurement, by reason;
    `environment` is what the log says of the machine.
    """

    frame: pd.DataFrame
    rows_read: int
    set_aside: tuple[BadRow, ...] = ()
    bad_rows: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)

    def account(self) -> str:
        """One sentence that counts every row that was read."""
        tally = Tally()
        tally.rows_read, tally.bad = self.rows_read, list(self.set_aside)
        tally.bad_rows = max(self.bad_rows, len(self.set_aside))
        tally.left_out.update(self.left_out)
        return tally.account(len(self.frame))


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
