"""Kinds of kernels that only crash here: each crash costs a new process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from infersim.measuring.supervision import CRASHED

MOST_CRASHES = 5

SKIPPED = "skipped"
"""How the `status` of a row begins that was not tried, as others of its kind only crashed."""


class Crashes:
    """Kinds of kernels that only crash here, by how often they did in a row."""

    def __init__(self) -> None:
        self._in_a_row: Counter[tuple[str, str]] = Counter()

    def skipped(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """The status of a row that is not worth trying, else None."""
        kind, dtype = _kind(row)
        if self._in_a_row[kind, dtype] < MOST_CRASHES:
            return None
        return {"status": f"{SKIPPED}: {kind} in {dtype} crashed {MOST_CRASHES} times in a row"}

    def note(self, row: Mapping[str, Any], sample: Mapping[str, Any]) -> None:
        """Count what became of a row."""
        status = str(sample["status"])
        if status.startswith(CRASHED):
            self._in_a_row[_kind(row)] += 1
        elif not status.startswith(SKIPPED):
            self._in_a_row[_kind(row)] = 0


def _kind(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["kind"]), str(row.get("dtype", "any type"))
