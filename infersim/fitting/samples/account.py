"""The account of a reading: the samples, and every row that is not among them with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from infersim.domain.errors import InfersimError

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
        parts = [f"{_rows(self.rows_read)} read, {_rows(len(self.frame))} kept"]
        if self.set_aside:
            parts.append(f"{_rows(len(self.set_aside))} set aside (first: {self.set_aside[0]})")
        parts += [f"{_rows(count)} left out ({reason})" for reason, count in self.left_out.items()]
        return "; ".join(parts)


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
