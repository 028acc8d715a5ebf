"""A plan measured from its first row to its last, or from where an earlier run of it stopped.

Kinds of kernels that only crash are left out after a few tries: each crash costs a new process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from infersim.fitting.samples.schema import MEASURED
from infersim.measuring.kernel_runs.plan_rows import digest
from infersim.measuring.kernel_runs.sample_log import open_log
from infersim.measuring.kernel_runs.supervision import CRASHED

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


class Measures(Protocol):
    """Measures rows, and says on what: `supervision.Measurer`."""

    @property
    def environment(self) -> Mapping[str, Any]: ...

    def measure(self, row: Mapping[str, Any]) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What became of the rows: how many were there before, and the others by status (its first words)."""

    rows: int
    already_in_log: int
    by_status: Mapping[str, int]

    def __str__(self) -> str:
        """One sentence part that counts every row."""
        parts = [f"{self.by_status.get(MEASURED, 0):,} of {self.rows:,} kernels measured"]
        if self.already_in_log:
            parts.append(f"{self.already_in_log:,} were in the log before")
        parts += [f"{count:,} {status}" for status, count in self.by_status.items() if status != MEASURED]
        return "; ".join(parts)


def measure_plan(
    rows: Sequence[Mapping[str, Any]],
    measurer: Measures,
    path: Path,
    *,
    settings: Mapping[str, Any],
    gpu: str | None = None,
    on_row: Callable[[int], object] = int,
) -> Account:
    """Measure the `rows` that the log at `path` lacks; each is in the log before the next begins.

    `settings` says what the rows were made of (`plan`, `dtypes`, `passes`, `with_2_4`) and how they are run
    (`l2`), for the log's environment record. `gpu` is the name that samples bear instead of the device's own;
    `on_row` is told how many rows are done.
    Raises what `open_log` raises.
    """
    environment = {**measurer.environment, **settings, "plan_sha256": digest(rows)}
    if gpu is not None:
        environment["gpu"] = gpu
    library = f"PyTorch {environment.get('torch', '')}".strip()
    by_status: Counter[str] = Counter()
    crashes = Crashes()
    with open_log(path, environment) as log:
        before = len(log.finished)
        for place, row in enumerate(rows):
            if place in log.finished:
                continue
            on_row(len(log.finished))
            sample = crashes.skipped(row) or measurer.measure(row)
            crashes.note(row, sample)
            log.append(place, {"gpu": environment["gpu"], **row, **sample, "version": library})
            by_status[str(sample["status"]).partition(":")[0]] += 1
        on_row(len(log.finished))
    return Account(rows=len(rows), already_in_log=before, by_status=by_status)
