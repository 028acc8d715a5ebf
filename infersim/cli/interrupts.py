"""Ctrl-C: one line and the exit code 130, whenever it comes.

Libraries turn an interrupt into errors of their own, or lose it where they clean up; here it is kept.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from infersim.domain.errors import InfersimError

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

STOPPED = 130
"""What a shell reports of a program that Ctrl-C ended: 128 + SIGINT."""


class StoppedError(InfersimError):
    """Stopped by Ctrl-C, with what is kept, in words."""


def measured_so_far(out: Path) -> str:
    """What a stopped measurement leaves."""
    return (
        f"what was measured is in {out}, and the same command goes on"
        if out.exists()
        else "nothing was measured"
    )


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt inside, and whatever a library makes of that becomes one again."""
    if threading.current_thread() is not threading.main_thread() or _is_ignored():
        yield
        return
    asked = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        raise KeyboardInterrupt

    def lost(unraisable: UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            # It came where no error can be raised, as when an object is removed: once more, after that.
            again = threading.Timer(0.02, signal.raise_signal, (signal.SIGINT,))
            again.daemon = True
            again.start()
        else:
            hook(unraisable)

    hook, handler = sys.unraisablehook, signal.signal(signal.SIGINT, stop)
    sys.unraisablehook = lost
    try:
        yield
    except StoppedError:
        raise
    except Exception:
        if asked:
            raise KeyboardInterrupt from None
        raise
    finally:
        sys.unraisablehook = hook
        signal.signal(signal.SIGINT, handler)


def _is_ignored() -> bool:
    """Whether who started this program lets it ignore Ctrl-C, as `nohup` and background jobs do."""
    return signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None)
