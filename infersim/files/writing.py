"""The one way to write a file: whole or not at all, and through no link.

What is written has no name until it is on the disk (or, where the system cannot do that, one that nobody can
foretell); then it takes the place of the old file in one step. A killed or failed write leaves the old one.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from infersim.domain.errors import InvalidValueError
from infersim.files.opening import check_name

UNFINISHED = ".unfinished"
"""How names of files end that are not whole yet."""

_OPEN_FILES = Path("/proc/self/fd")
_SAFE = 0
for _name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
    _SAFE |= getattr(os, _name, 0)


class UnwritableError(InvalidValueError):
    """A place that cannot be written; `reason` is why, in the system's words."""

    def __init__(self, what: str, path: Path, reason: str) -> None:
        self.reason = reason
        super().__init__(what, str(path), f"a file that can be written ({reason})")


@contextmanager
def replacing(path: Path | str, what: str = "file", beside: Path | None = None) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends, and goes when it fails.

    It is made in the folder `beside`, by default that of `path`. Raises InvalidValueError, which calls the
    file `what`, for a place that cannot be written, when the block begins or later. The block is to do
    nothing else that the system could refuse.
    """
    path = Path(path)
    old = check_place(path, what)
    folder = path.parent if beside is None else beside
    named: Path | None = None
    with _told(path, what):
        try:
            descriptor, named = _created(folder)
            with os.fdopen(descriptor, "w+b") as file:
                yield file
                file.flush()
                if old is not None and hasattr(os, "fchmod"):
                    os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & 0o777)
                os.fsync(descriptor)
                if named is None:
                    named = folder / _new_name()
                    _give_name(descriptor, named)
            named.replace(path)
        except BaseException:
            if named is not None:
                with suppress(OSError):
                    named.unlink()
            raise
    _folder_to_disk(path.parent)


def write_bytes(path: Path | str, content: bytes, what: str = "file") -> None:
    """Write `content` to `path`, whole or not at all; raises as `replacing` does."""
    with replacing(path, what) as file:
        file.write(content)


def write_whole(path: Path | str, content: str, what: str = "file") -> None:
    """Write a text in UTF-8, in which half characters become `?`; raises as `replacing` does."""
    write_bytes(path, content.encode("utf-8", errors="replace"), what)


def check_place(path: Path, what: str = "file") -> os.stat_result | None:
    """What stands at `path`, a file that can be replaced, or None.

    Raises InvalidValueError for a link, a folder, a device or a pipe, and where nothing can be written.
    """
    check_name(path, what)
    if not path.parent.is_dir():
        raise InvalidValueError(what, str(path), "a file in a folder that exists")
    there = None
    with _told(path, what):
        try:
            there = path.lstat()
        except FileNotFoundError:
            _probe(path.parent)
            return None
    if stat.S_ISLNK(there.st_mode):
        raise InvalidValueError(what, str(path), "a file that can be written, and this is a link")
    if stat.S_ISDIR(there.st_mode):
        raise InvalidValueError(what, str(path), "a file that can be written, and this is a folder")
    if not stat.S_ISREG(there.st_mode):
        raise InvalidValueError(what, str(path), "a regular file, no device or pipe")
    if not os.access(path, os.W_OK):
        raise UnwritableError(what, path, "it is read-only")
    with _told(path, what):
        _probe(path.parent)
    return there


def open_appending(path: Path, what: str = "file") -> int:
    """A descriptor that appends to `path`, which is made if need be; raises as `check_place` does."""
    check_place(path, what)
    with _told(path, what):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _SAFE, 0o644)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise InvalidValueError(what, str(path), "a regular file, no device or pipe")
        _folder_to_disk(path.parent)
        return descriptor


def check_folder(path: Path, what: str = "folder") -> None:
    """Raise InvalidValueError where `path` is no folder that can be written, or none can be made."""
    check_name(path, what)
    nearest = next(place for place in (path, *path.parents) if os.path.lexists(place) or place == Path())
    if not nearest.is_dir():
        raise InvalidValueError(what, str(path), f"a folder, or where one can be made, and {nearest} is none")
    try:
        _probe(nearest)
    except OSError as error:
        expected = f"a folder, or where one can be made ({error.strerror or error})"
        raise InvalidValueError(what, str(path), expected) from error


def make_folder(path: Path, what: str = "folder", *, asked: bool = True) -> None:
    """Make the folder `path` if there is none; raises InvalidValueError.

    For one that the user `asked` for, those above it are made and links are followed; for others neither.
    """
    check_name(path, what)
    try:
        path.mkdir(parents=asked, exist_ok=True)
        is_folder = stat.S_ISDIR(path.stat(follow_symlinks=asked).st_mode)
    except OSError as error:
        expected = f"a folder, or where one can be made ({error.strerror or error})"
        raise InvalidValueError(what, str(path), expected) from error
    if not is_folder:
        raise InvalidValueError(what, str(path), "a folder, and this is a link")


@contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    """What the system refuses, told of the file that was asked for."""
    try:
        yield
    except OSError as error:
        raise UnwritableError(what, path, error.strerror or str(error)) from error


def _created(folder: Path) -> tuple[int, Path | None]:
    """A new file in `folder`, open, and its name; None where it has none, and so goes with this process."""
    unnamed = getattr(os, "O_TMPFILE", 0)
    if unnamed and _OPEN_FILES.is_dir():
        with suppress(OSError):  # a file system that cannot; where the folder is at fault, the next says so
            return os.open(folder, os.O_RDWR | unnamed | os.O_CLOEXEC, 0o666), None
    named = folder / _new_name()
    return os.open(named, os.O_RDWR | os.O_CREAT | os.O_EXCL | _SAFE, 0o666), named


def _new_name() -> str:
    return f".infersim-{secrets.token_hex(8)}{UNFINISHED}"


def _give_name(descriptor: int, named: Path) -> None:
    """Name an open file: the link that stands for it is followed, `named` must be new."""
    folder = os.open(_OPEN_FILES, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.link(str(descriptor), named, src_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def _probe(folder: Path) -> None:
    """Make a file in `folder` and let it go; OSError where that cannot be."""
    descriptor, named = _created(folder)
    os.close(descriptor)
    if named is not None:
        named.unlink()


def _folder_to_disk(folder: Path) -> None:
    """Wait until names in `folder` are on the disk, where the system can say so."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
