"""How much memory an answer may take: what would not fit is refused before any of it is allocated."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

from infersim.domain.errors import InfersimError, InvalidValueError

LIMIT_VARIABLE = "INFERSIM_MEMORY_GIB"
"""Environment variable with the limit in GiB, where the machine's own is not the right one."""

SHARE = 0.75
"""Of the memory that is available, what one answer may take."""

GIB = 2**30


def memory_limit_bytes() -> float:
    """What an answer may take: what LIMIT_VARIABLE says, else SHARE of the memory that is available now.

    Raises InvalidValueError for a variable that is no positive number.
    """
    said = os.environ.get(LIMIT_VARIABLE)
    if not said:
        return SHARE * _available_bytes()
    try:
        limit = float(said)
    except ValueError:
        limit = 0.0
    if not 0 < limit < float("inf"):
        raise InvalidValueError(LIMIT_VARIABLE, said, "a positive number of GiB")
    return limit * GIB


def check_room(what: str, needed_bytes: float) -> None:
    """Raise InfersimError where `what`, a subject in the plural, would take more than the limit."""
    limit = memory_limit_bytes()
    if needed_bytes > limit:
        raise InfersimError(
            f"{what} would take about {needed_bytes / GIB:,.1f} GiB; expected at most {limit / GIB:,.1f} GiB "
            f"(three quarters of the memory that is free, or {LIMIT_VARIABLE}): ask for fewer at a time"
        )


def give_back() -> None:
    """Return what was let go to the system, where glibc can: small arrays leave holes in its heap."""
    with suppress(OSError, AttributeError, TypeError):  # another library, or none to be had
        ctypes.CDLL(None).malloc_trim(0)


def _available_bytes() -> float:
    """What the kernel says that programs may still take; half of the machine's where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        kib = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
        return 1024.0 * int(kib)
    except (OSError, StopIteration, ValueError, IndexError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2
