"""The one way to read a file: a regular one of bounded size, opened without waiting for anybody.

A pipe, a socket, a device or a folder is refused before it is opened: reading one may never end. Every limit
has the same override, the environment variable INFERSIM_MAX_FILE_MIB.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO

from infersim.domain.errors import FileContentError, InvalidValueError

MIB = 2**20
TEXT_LIMIT = 16 * MIB
"""Of configs, fits and other JSON: several hundred times what they have."""

TOML_LIMIT = MIB
"""TOML is parsed at some MB a second; plans and datasheets hold a few kB."""

DATA_LIMIT = 4096 * MIB
"""Of tables: some twenty million samples."""

MAX_LINE = 16 * MIB
"""Characters of a line of a table."""

LIMIT_VARIABLE = "INFERSIM_MAX_FILE_MIB"

_FLAGS = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
    _FLAGS |= getattr(os, _name, 0)

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@contextmanager
def opened(
    path: Path, key: str = "file", limit: int | None = DATA_LIMIT, *, follow: bool = True
) -> Iterator[BinaryIO]:
    """`path` open for reading, unless `follow` is false and it is a link; `key` is what the user calls it.

    Raises InvalidValueError for what is no regular file, or cannot be read, while the block lasts too, and
    FileContentError for a file of more than `limit` bytes (None: however large, for who reads its beginning).
    The block is to do nothing else that the system could refuse.
    """
    check_name(path, key)
    most = None if limit is None else chosen_limit(limit)
    try:
        _check_regular(path, key, path.stat(follow_symlinks=follow))
        descriptor = os.open(path, _FLAGS if follow else _FLAGS | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            _check_regular(path, key, status)
            if most is not None and status.st_size > most:
                raise too_large(path, most)
            yield file
    except FileNotFoundError:
        raise InvalidValueError(key, str(path), "an existing file") from None
    except OSError as error:
        expected = f"a file that can be read ({error.strerror or error})"
        raise InvalidValueError(key, str(path), expected) from error


@contextmanager
def opened_text(
    path: Path, key: str = "file", limit: int = DATA_LIMIT, *, newline: str | None = None
) -> Iterator[TextIO]:
    """`path` open as text in UTF-8, without a byte-order mark, to be read line by line.

    Raises as `opened` does, and FileContentError for a line of more than MAX_LINE characters.
    """
    with opened(path, key, limit) as file, _Lines(file, encoding="utf-8-sig", newline=newline) as text:
        text.path = path
        yield text


class _Lines(TextIOWrapper):
    """Text of which no line can fill the memory: a file of zeros is one line."""

    path: Path
    number = 0

    def __next__(self) -> str:  # type: ignore[override] # as in the class itself
        line = self.readline(MAX_LINE)
        self.number += 1
        if not line:
            raise StopIteration
        if len(line) == MAX_LINE and not line.endswith(("\n", "\r")):
            expected = f"lines of less than {MAX_LINE} characters"
            raise FileContentError(self.path, f"line {self.number}", "too long", expected)
        return line


def read_bytes(path: Path, key: str = "file", limit: int = TEXT_LIMIT) -> bytes:
    """All of `path`; raises as `opened` does."""
    most = chosen_limit(limit)
    with opened(path, key, limit) as file:
        # Room is taken for what is asked for: the size, and not the limit, which may be more than there is.
        content = file.read(min(os.fstat(file.fileno()).st_size, most) + 1)
        while len(content) <= most and (more := file.read(MIB)):  # a file of /proc does not tell its size
            content += more
    if len(content) > most:
        raise too_large(path, most)
    return content


def read_text(path: Path, key: str = "file", limit: int = TEXT_LIMIT, name: object = None) -> str:
    """The text of `path` without a byte-order mark; FileContentError, which calls it `name`, for no UTF-8."""
    try:
        return read_bytes(path, key, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        named = path if name is None else name
        raise FileContentError(named, f"byte {error.start}", "no text", "UTF-8") from None


def chosen_limit(otherwise: int) -> int:
    """The limit in bytes: what the environment says, else `otherwise`."""
    said = os.environ.get(LIMIT_VARIABLE)
    if not said:
        return otherwise
    try:
        mib = float(said)
    except ValueError:
        mib = 0.0
    if not 0 < mib < 2**40:
        raise InvalidValueError(LIMIT_VARIABLE, said, "a number of MiB above 0")
    return int(mib * MIB)


def too_large(path: object, most: int) -> FileContentError:
    """The error of a file above a limit."""
    expected = f"at most {most / MIB:g} MiB ({LIMIT_VARIABLE}=... changes it)"
    return FileContentError(path, "size", f"above {most} bytes", expected)


def check_name(path: Path, key: str) -> None:
    """Raise InvalidValueError for a path that is no text: it could stand in no table, page or message."""
    try:
        text = str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidValueError(key, str(path), "a path in UTF-8") from None
    if b"\0" in text:
        raise InvalidValueError(key, str(path), "a path")


def as_text(name: str) -> str:
    """The name of a file or folder as text: what is none in it becomes a question mark."""
    return name.encode("utf-8", errors="replace").decode()


def kind_of(mode: int) -> str:
    """What a file of this mode is that is no regular one, in words."""
    return _KINDS.get(stat.S_IFMT(mode), "something else")


def _check_regular(path: Path, key: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InvalidValueError(key, str(path), f"a regular file, and this is {kind_of(status.st_mode)}")
