"""Parts of a table beside the place where it will stand, so that a sweep can be killed and go on.

    results.parquet.parts/sweep.json              what the sweep is: its identity
    results.parquet.parts/000017-<hash>.parquet   rows of chunk 17, one row group; the hash is of this content
    results.parquet                               only when all are there

A part is whole or not there. The folder goes when the table stands. One process at a time may write it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from infersim.domain.errors import FileContentError, InfersimError, InvalidValueError
from infersim.files.locking import locked
from infersim.files.opening import DATA_LIMIT, opened, read_bytes, read_text
from infersim.files.parquet import parquet_table
from infersim.files.writing import (
    UNFINISHED,
    UnwritableError,
    check_place,
    make_folder,
    replacing,
    write_bytes,
)
from infersim.simulation.sweeping.resolved import Identity, LeftOut, refuse_other
from infersim.simulation.sweeping.table import parquet_writer

SUFFIX, LOCK = ".parquet", ".lock"
PART = re.compile(r"(\d{6,})-([0-9a-f]{16})\.parquet")
"""A part's name: its chunk, and the hash of its content."""

IDENTITY_FILE = "sweep.json"
METADATA = b"infersim_sweep"
"""The key of the finished table's metadata: identity and what was left out, as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The folder of a sweep of `count` chunks that will stand at `out`."""

    out: Path
    folder: Path
    count: int

    def missing(self) -> list[int]:
        """Chunks that are still to be computed, in order."""
        there = self._there()
        return [index for index in range(self.count) if index not in there]

    def put(self, index: int, content: bytes) -> None:
        """Keep the rows of a chunk; they are on the disk when this returns."""
        with _reported(self.out):
            write_bytes(self.folder / f"{index:06}-{_digest(content)}{SUFFIX}", content)

    def finish(self, identity: Identity, left_out: Sequence[LeftOut]) -> None:
        """Put all parts, in order, into one file at `out` with one row group each; then drop the parts."""
        said = {"identity": identity, "left_out": [asdict(each) for each in left_out]}
        there = self._there()
        schema = _read(there[0]).schema.with_metadata({METADATA: json.dumps(said).encode()})
        with _reported(self.out):
            with (
                replacing(self.out, "out", beside=self.folder) as file,
                parquet_writer(file, schema) as writer,
            ):
                for index in range(self.count):
                    table = _read(there[index])
                    writer.write_table(table.cast(schema), row_group_size=len(table))
            drop_parts(self.out)

    def _there(self) -> dict[int, Path]:
        """Parts that are there, by their chunk."""
        named = ((PART.fullmatch(file.name), file) for file in sorted(self.folder.glob(f"*{SUFFIX}")))
        return {int(match[1]): file for match, file in named if match is not None and file.is_file()}


def _read(part: Path) -> pa.Table:
    """A part's rows; FileContentError where it is not what was written."""
    match = PART.fullmatch(part.name)
    content = read_bytes(part, "part", DATA_LIMIT)
    if match is None or _digest(content) != match[2]:
        expected = "a whole part; delete it, and the same command computes it anew"
        raise FileContentError(part, "content", "damaged", expected)
    return parquet_table(content)


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()[:16]


@contextmanager
def open_parts(out: Path, identity: Identity, count: int) -> Iterator[Parts]:
    """Start the folder of a sweep, or go on with it; locked for this process while in use.

    Raises FileContentError for a folder of another sweep, and InfersimError where nothing can be written or
    another process is writing.
    """
    folder = parts_folder(out)
    make_folder(folder, "out", asked=False)
    with locked(folder / LOCK, f"{folder}: another sweep is writing it"):
        with _reported(out):
            _check_identity(folder / IDENTITY_FILE, identity)
            for stray in folder.glob(f"*{UNFINISHED}"):
                stray.unlink()
        parts = Parts(out=out, folder=folder, count=count)
        try:
            yield parts
        finally:
            if folder.is_dir() and len(parts.missing()) == count:
                drop_parts(out)


def check_out(out: Path) -> None:
    """Raise InvalidValueError for a place that no table can be written to."""
    if out.suffix != SUFFIX and not out.is_dir():
        raise InvalidValueError("out", str(out), "a file that ends in .parquet")
    check_place(out, "out")


def is_finished(out: Path, identity: Identity) -> bool:
    """Whether this very sweep stands at `out`; FileContentError where another one or another file does."""
    if not out.exists():
        return False
    try:
        with opened(out, "out") as file:
            said = json.loads((pq.read_schema(file).metadata or {}).get(METADATA, b""))
    except (pa.ArrowException, ValueError, RecursionError):
        said = None
    before = said.get("identity") if isinstance(said, dict) else None
    if not isinstance(before, dict):
        raise FileContentError(out, "content", "another file", "a place of its own for the sweep: --out")
    refuse_other(out, before, identity, f"delete {out}")
    drop_parts(out)
    return True


def parts_folder(out: Path) -> Path:
    """Where the parts of the table at `out` are kept."""
    return out.with_name(f"{out.name}.parts")


def drop_parts(out: Path) -> None:
    """Remove the parts of a sweep and their folder; what is not a sweep's stays."""
    folder = parts_folder(out)
    if folder.is_symlink():
        return
    identity = folder / IDENTITY_FILE
    if identity.is_file():
        for file in folder.iterdir():
            if PART.fullmatch(file.name) or file.suffix == UNFINISHED:
                file.unlink()
        with suppress(OSError):  # Windows keeps a lock that is held
            (folder / LOCK).unlink(missing_ok=True)
        identity.unlink()  # the last one: a folder without it is nobody's
    with suppress(OSError):
        folder.rmdir()


def _check_identity(file: Path, identity: Identity) -> None:
    """The identity on the disk, which must be this one; written where there is none yet."""
    if not file.exists():
        entries = [entry.name for entry in file.parent.iterdir() if entry.suffix != UNFINISHED]
        strange = [name for name in entries if name != LOCK]
        if strange:
            raise FileContentError(file.parent, "content", sorted(strange)[0], f"a folder with {file.name}")
        write_bytes(file, json.dumps(identity, indent=1).encode())
        return
    try:
        said = json.loads(read_text(file, "out"))
    except (ValueError, RecursionError) as error:
        raise FileContentError(file, "content", str(error), "JSON that a sweep wrote") from error
    if not isinstance(said, dict):
        raise FileContentError(file, "content", said, "JSON that a sweep wrote")
    refuse_other(file.parent, said, identity, f"delete {file.parent}")


@contextmanager
def _reported(out: Path) -> Iterator[None]:
    """What the system refuses inside, in words."""
    try:
        yield
    except (OSError, UnwritableError) as error:
        reason = error.reason if isinstance(error, UnwritableError) else error.strerror or error
        raise InfersimError(
            f"{out}: cannot be written: {reason}. What is finished is kept; once there is "
            "room and permission to write, the same command goes on"
        ) from error
