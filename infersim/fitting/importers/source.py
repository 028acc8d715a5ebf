"""What an importer is, the reading that all importers share, and the GPUs that sources name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa

from infersim.domain.errors import FileContentError, InfersimError, UnknownNameError
from infersim.files.opening import opened, opened_text
from infersim.files.parquet import arrow_frame, parquet_table
from infersim.fitting.samples.converted import Converted
from infersim.profile_files.names import shipped_file


@cache
def known_gpu(name: object) -> str | None:
    """The canonical name of the GPU that `name` means; None if it means none, or more than one."""
    if not isinstance(name, str) or not name:
        return None
    try:
        return shipped_file(name).stem
    except UnknownNameError:
        return None


def canonical_gpus(said: Set[str], gpu: str | None, path: object) -> dict[str, str]:
    """The canonical name for each name that a source's files at `path` say ("" where they say none).

    `gpu` stands for a GPU that they do not say, or say in a way that is not known; it cannot stand for two
    different ones. InfersimError where a name is left without a meaning.
    """
    names = {name: known_gpu(name) for name in said}
    strange = sorted(name for name, known in names.items() if known is None)
    given = known_gpu(gpu) or gpu
    if strange and given is None:
        listed = " and ".join(repr(name) for name in strange if name)
        what = f"names the GPU {listed}" if listed else "does not name the GPU"
        raise InfersimError(f"{path}: {what}; expected a known name, or one given with gpu=... (--gpu)")
    if len(strange) > 1:
        listed = ", ".join(name or "unsaid" for name in strange)
        raise InfersimError(
            f"{path}: names several GPUs that are not known ({listed}); expected one, so that {given} can "
            "stand for it: import the files of one GPU at a time"
        )
    return {name: known or str(given) for name, known in names.items()}


US_PER_MS = 1000.0

LFS_POINTER = "version https://git-lfs"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceFile:
    """A file of a published source: its rows, the index counting them from 0, and its leading comments.

    `comments` are the `# key: value` lines above a CSV's header; `first_line` is the line of row 0.
    """

    path: Path
    frame: pd.DataFrame
    first_line: int
    comments: Mapping[str, str] = field(default_factory=dict)

    def has(self, columns: Sequence[str]) -> bool:
        """Whether all of `columns` are there."""
        return set(columns) <= set(self.frame.columns)

    def refuse(self, expected: str) -> FileContentError:
        """The error that this file is not of the source."""
        return FileContentError(self.path, "columns", ", ".join(map(str, self.frame.columns)), expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """A published source: `patterns` find its files in a folder; `convert` turns one into samples.

    `read` reads a file that is no table (None: Parquet or comma-separated). `numbers` and `truths` name the
    columns that `convert` calculates with (`time_stats.*` for several): rows with other cells there are bad.

    Of several groups of patterns the first that finds files counts: later ones hold the same measurements.
    """

    name: str
    title: str
    patterns: tuple[tuple[str, ...], ...]
    convert: Callable[[SourceFile], Converted]
    read: Callable[[Path], SourceFile] | None = None
    numbers: tuple[str, ...] = ()
    truths: tuple[str, ...] = ()

    def source_file(self, path: Path) -> SourceFile:
        """One of its files, read."""
        return read_source_file(path) if self.read is None else self.read(path)

    def files(self, path: Path) -> list[Path]:
        """The source's files in folder `path`, or `path` itself if it is a file; an error where none is."""
        if path.is_file():
            return [path]
        if not path.is_dir():
            raise InfersimError(f"{path}: there is no such file or folder")
        below = sorted(path.rglob("*"))
        for group in self.patterns:
            named = (entry for entry in below if any(entry.match(pattern) for pattern in group))
            matching = [entry for entry in named if entry.is_file()]
            if matching:
                return matching
        names = ", ".join(pattern for group in self.patterns for pattern in group)
        raise InfersimError(f"{path}: holds no file of {self.title}; expected {names}")


def read_source_file(path: Path) -> SourceFile:
    """Read a Parquet or comma-separated file as it stands; FileContentError where it is neither."""
    try:
        if path.suffix == ".parquet":
            return SourceFile(path=path, frame=_parquet(path), first_line=1)
        comments, header_line = _comments(path)
        with opened(path, "path") as file:
            frame = pd.read_csv(file, skiprows=header_line - 1, low_memory=False)
    except (ValueError, pd.errors.EmptyDataError, pa.ArrowException) as error:
        raise FileContentError(path, "content", str(error).strip(), "a table") from error
    if not isinstance(frame.index, pd.RangeIndex):  # pandas takes the first cells for names of rows
        raise FileContentError(path, "content", "surplus cells", "as many in a row as the header names")
    return SourceFile(path=path, frame=frame, first_line=header_line + 1, comments=comments)


def unknown_words(column: pd.Series[str], known: Collection[str], name: str) -> dict[str, pd.Series[bool]]:
    """Reasons to leave rows out: one for each word of `column` that `known` lacks."""
    others = sorted(set(column.dropna().astype(str)) - set(known))
    return {f"{name} {word}": column == word for word in others}


def _parquet(path: Path) -> pd.DataFrame:
    with opened(path, "path") as file:
        _refuse_pointer(path, file.read(len(LFS_POINTER)).decode(errors="replace"))
        file.seek(0)
        return arrow_frame(parquet_table(file))


def _comments(path: Path) -> tuple[dict[str, str], int]:
    """The `# key: value` lines at the top of a CSV, and the line number of its header."""
    comments: dict[str, str] = {}
    with opened_text(path, "path") as file:
        for number, line in enumerate(file, start=1):
            if not line.startswith("#"):
                _refuse_pointer(path, line)
                return comments, number
            key, _, value = line[1:].partition(":")
            comments[key.strip()] = value.strip()
    raise FileContentError(path, "content", "no header", "a table")


def _refuse_pointer(path: Path, start: str) -> None:
    if start.startswith(LFS_POINTER):
        raise FileContentError(path, "content", "a Git LFS pointer", "the data itself (run `git lfs pull`)")
