"""The measurement log: one JSON object a line, appended and on the disk before the next kernel is measured.

    {"record": "samples", "version": 1}
    {"record": "environment", "gpu": ..., "plan": ..., "plan_sha256": ..., ...}
    {"plan_row": 17, "gpu": ..., "kind": "gemm", "m": ..., "latency_us": ..., "raw_us": [...], "status": "ok"}

A log belongs to one plan on one device; `open_log` refuses to go on with another's. A line that was cut off,
by a kill or a full disk, is removed before anything is appended. One process at a time may write it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from infersim.domain.errors import FileContentError, InfersimError, InvalidValueError
from infersim.files.locking import locked
from infersim.files.writing import check_place, open_appending
from infersim.fitting.samples.files import check_version
from infersim.fitting.samples.schema import FORMAT_VERSION

IDENTITY: tuple[str, ...] = (
    "plan",
    "dtypes",
    "passes",
    "with_2_4",
    "l2",
    "gpu",
    "device",
    "threads",
    "clock",
    "torch",
    "cuda",
    "plan_sha256",
)
"""What must be the same for a log to be continued, the most telling first: samples of different machines or
libraries do not mix."""

_HEADER = {"record": "samples", "version": FORMAT_VERSION}

PLAN_ROW = "plan_row"
"""The column that says which row of the plan a line measured."""


MOST_PLAN_ROWS = 2**40
"""More than any plan has."""


class SampleLog:
    """An open log, locked for this process; `finished` are the rows of the plan that it holds."""

    def __init__(self, path: Path, descriptor: int, finished: set[int], held: ExitStack) -> None:
        self._path, self._descriptor, self.finished, self._held = path, descriptor, finished, held

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._held.close()

    def append(self, plan_row: int, sample: Mapping[str, Any]) -> None:
        """Add one line; it is on the disk when this returns. InfersimError where the disk takes no more."""
        append_lines(self._path, self._descriptor, [{PLAN_ROW: plan_row, **sample}])
        self.finished.add(plan_row)


def check_log_path(path: Path) -> None:
    """Raise InvalidValueError or InfersimError for a place that no log can be written to."""
    if path.suffix != ".jsonl":
        raise InvalidValueError("out", str(path), "a measurement log, whose name ends in .jsonl")
    check_place(path, "out")


def open_log(path: Path, environment: Mapping[str, Any]) -> SampleLog:
    """Start the log of `environment`, or go on with the one at `path`.

    Raises FileContentError for a log of another plan, device or library version and for a file that is no
    log, and InfersimError where it cannot be written or another process is writing it.
    """
    check_log_path(path)
    with ExitStack() as undone:
        busy = f"{path}: another measurement is writing it"
        undone.enter_context(locked(path.with_name(f".{path.name}.lock"), busy))
        descriptor = open_appending(path, "out")
        undone.callback(os.close, descriptor)
        finished = _continued(path, descriptor, environment)
        return SampleLog(path, descriptor, finished, undone.pop_all())


def append_lines(path: Path, descriptor: int, records: list[Mapping[str, Any]]) -> None:
    """Append `records` and wait for the disk; what was cut off by a full one is taken back."""
    text = "".join(json.dumps(record, allow_nan=False) + "\n" for record in records).encode()
    before = os.fstat(descriptor).st_size
    try:
        if os.write(descriptor, text) < len(text):
            raise OSError("No space left on device")
        os.fsync(descriptor)
    except OSError as error:
        os.ftruncate(descriptor, before)
        raise InfersimError(
            f"{path}: cannot be written: {error.strerror or error}. What was measured before is in it; make "
            "room, and the same command goes on"
        ) from error


def _continued(path: Path, descriptor: int, environment: Mapping[str, Any]) -> set[int]:
    """Rows that the log holds, after its tail was mended; a new one gets its first two lines."""
    content = _content(descriptor)
    if content and not _begins_a_log(content):
        raise FileContentError(path, "line 1", content[:40].decode("utf-8", "replace"), "a measurement log")
    kept = content[: content.rfind(b"\n") + 1]
    tail = _record(content[len(kept) :])
    if tail is not None and PLAN_ROW in tail:
        # Only the line feed was cut off.
        append_lines_end(descriptor)
    else:
        os.ftruncate(descriptor, len(kept))
        tail = None
    records = [_record(line) for line in kept.splitlines()]
    if not records:
        append_lines(path, descriptor, [_HEADER, {"record": "environment", **environment}])
        return set()
    _check_identity(path, [record for record in records if record is not None], environment, descriptor)
    lines = enumerate([*records, tail], start=1)
    return {_row_of(path, line, record) for line, record in lines if record and PLAN_ROW in record}


def _row_of(path: Path, line: int, record: Mapping[str, Any]) -> int:
    """The row of the plan that a line says it measured."""
    row = record[PLAN_ROW]
    if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row < MOST_PLAN_ROWS:
        raise FileContentError(f"{path}: line {line}", PLAN_ROW, row, "the number of a row of the plan")
    return row


def _content(descriptor: int) -> bytes:
    """All of an open file: no link that came since can lead elsewhere."""
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return file.read()


def _begins_a_log(content: bytes) -> bool:
    """Whether line 1 is a log's header, or the beginning of one that a crash cut off."""
    first, _, rest = content.partition(b"\n")
    record = _record(first)
    whole = record is not None and record.get("record") == "samples"
    return whole or (not rest and json.dumps(_HEADER).encode().startswith(first))


def append_lines_end(descriptor: int) -> None:
    """Add the line feed that a last line lacks."""
    os.write(descriptor, b"\n")
    os.fsync(descriptor)


def _check_identity(
    path: Path, records: list[dict[str, Any]], environment: Mapping[str, Any], descriptor: int
) -> None:
    if records[0].get("record") != "samples":
        raise FileContentError(path, "line 1", records[0], 'a measurement log: {"record": "samples", ...}')
    check_version(path, records[0].get("version"))
    said = next((record for record in records if record.get("record") == "environment"), None)
    if said is None:
        if len(records) > 1:
            raise FileContentError(path, "environment", None, "a log that infersim measure kernels began")
        append_lines(path, descriptor, [{"record": "environment", **environment}])
        return
    for key in IDENTITY:
        if said.get(key) != environment.get(key):
            expected = f"{environment.get(key)!r}, which is measured now; give another file with --out"
            raise FileContentError(path, key, said.get(key), expected)


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
