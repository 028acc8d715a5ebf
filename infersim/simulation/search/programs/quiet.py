"""Silence of a library that writes to the process's standard output, past Python, whatever it is asked for.

Versions of HiGHS print a line for some improvements that they find, which would stand in a command's JSON.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_STDOUT = 1


@contextmanager
def silenced() -> Iterator[None]:
    """Standard output leads to the null device inside; what was written before is out first."""
    with suppress(AttributeError, OSError, ValueError):
        sys.stdout.flush()
    try:
        kept = os.dup(_STDOUT)
    except OSError:  # it is closed: nothing would come out
        yield
        return
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, _STDOUT)
        os.close(null)
        yield
    finally:
        _flush()
        os.dup2(kept, _STDOUT)
        os.close(kept)


def _flush() -> None:
    """What C code has written and not given away yet."""
    import ctypes

    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).fflush(None)
