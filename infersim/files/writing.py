"""Writing a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from infersim.domain.errors import InvalidValueError


def write_whole(path: Path, content: str, what: str = "file") -> None:
    """Write beside `path` and rename: who reads it meets the old file or the new one, never a part.

    Raises InvalidValueError, which calls the file `what`, where there is no folder, or no leave, to write in.
    """
    if not path.parent.is_dir():
        raise InvalidValueError(what, str(path), "a path in a folder that exists")
    try:
        with NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            unfinished = Path(file.name)
            try:
                file.write(content)
                file.close()
                unfinished.chmod(0o666 & ~_umask())
                unfinished.replace(path)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
    except OSError as error:
        expected = f"a file that can be written ({error.strerror})"
        raise InvalidValueError(what, str(path), expected) from error


def _umask() -> int:
    """The process's mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
