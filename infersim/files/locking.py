"""Locks between processes: one at a time may write; a killed one leaves no lock behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from infersim.domain.errors import InfersimError


@contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock of the file `path`, which is made for it and goes with it.

    The system drops a lock with the process that holds it, so that a file which a killed one left is no lock.
    Raises InfersimError, which says `busy`, where another process holds it, and where it cannot be made.
    """
    # filelock takes longer to import than to use.
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=0)
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):  # new versions look for links too
            raise InfersimError(f"{path}: cannot be written: no lock of infersim, but a link or no file")
        lock.acquire()
    except Timeout:
        raise InfersimError(busy) from None
    except OSError as error:
        raise InfersimError(f"{path}: cannot be written: {error.strerror or error}") from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows keeps a file that is open
            path.unlink(missing_ok=True)
        lock.release()
