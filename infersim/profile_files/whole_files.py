"""Writing a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from infersim.domain.errors import InvalidValueError


def write_whole(path: Path, text: str, what: str) -> None:
    """Put `text` into `path`, which never holds a part of it.

    Raises InvalidValueError, which calls the file `what`, for a place that cannot be written.
    """
    if not path.parent.is_dir():
        raise InvalidValueError(what, str(path), "a path in a folder that exists")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise InvalidValueError(what, str(path), f"a file that can be written ({error.strerror})") from error
    finally:
        unfinished.unlink(missing_ok=True)
