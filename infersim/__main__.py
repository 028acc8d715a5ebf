"""The program `infersim`, as a command and as `python -m infersim`; loads the rest when Ctrl-C is in hand."""

import os
import signal
from types import FrameType


def run() -> None:
    """Run the command that was typed, and exit."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    from infersim.cli.main import run as run_command

    run_command()


def _end(_number: int, _frame: FrameType | None) -> None:
    """Ctrl-C while nothing is under way: the program is loading, or has ended."""
    try:
        os.write(2, b"Stopped.\n")
    finally:
        os._exit(130)


if __name__ == "__main__":
    run()
