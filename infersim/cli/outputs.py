"""Where a command may write: never over what it reads, nor twice to one place."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from infersim.domain.errors import InvalidValueError


def check_outputs(outputs: Iterable[Path | None], inputs: Iterable[Path | str | None]) -> None:
    """Raise InvalidValueError before anything is computed if an output would cost the user a file."""
    taken = {Path(given).resolve(): "a file that the command reads" for given in inputs if given is not None}
    for output in outputs:
        if output is None:
            continue
        place = output.resolve()
        if place in taken:
            raise InvalidValueError("output file", str(output), f"another file: this one is {taken[place]}")
        if output.exists() and not output.is_file() and not output.is_dir():
            raise InvalidValueError("output file", str(output), "a regular file, no device or pipe")
        taken[place] = "written already"
