"""A sign of life on the terminal while something takes seconds.

Whether there is a terminal is asked of the stream: variables such as FORCE_COLOR, which notebooks and CI set,
make rich draw into files and pipes too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def working(text: str) -> Iterator[None]:
    """A spinner beside `text` on standard error while the work lasts; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    with console.status(Text(text)):
        yield


@contextmanager
def progress_bar(text: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error with the time that is left; yields what is told how much of `total` is done.

    Nothing is shown where standard error is no terminal.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bars:
        task = bars.add_task(text, total=total)
        yield lambda done: bars.update(task, completed=done)
