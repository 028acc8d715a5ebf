"""The program's standard streams: fit to be written when it begins, and what is told of them when it ends.

A message never fails and never ends in a traceback: where standard error takes nothing, nobody can be told.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper

from infersim.report.core.characters import printable

MAX_MESSAGE = 4000
"""Characters of a message: what a file or a name holds may be millions."""


def prepare_streams() -> bool:
    """Make standard streams fit for use; False where standard output is closed.

    Descriptors that are closed lead to nowhere: else a file that is opened would become standard output. A
    terminal that lacks a character shows a question mark in its place.
    """
    for descriptor in range(3):
        _occupy(descriptor)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    return sys.stdout is not None


def tell(message: str) -> None:
    """One message on standard error, cut to a sane length and without control characters."""
    if len(message) > MAX_MESSAGE:
        message = f"{message[:MAX_MESSAGE]} ... ({len(message) - MAX_MESSAGE:,} more characters)"
    with suppress(OSError, ValueError):
        print(printable(message), file=sys.stderr, flush=True)


def output_fails() -> bool:
    """Whether standard output cannot take what was printed."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        return True
    return False


def give_output_up() -> None:
    """Let what is still to be printed go nowhere: the interpreter flushes once more when it ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _occupy(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != descriptor:
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
