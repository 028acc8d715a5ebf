"""The files that a command writes: checked before anything is computed, and the page beside what is printed.

A command never writes over what it reads, nor twice to one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from infersim.domain.errors import InvalidValueError

if TYPE_CHECKING:
    from infersim.report.html.page import Page


READ = "a file that the command reads"

READ_IN_FOLDERS = {".json", ".safetensors", ".csv", ".parquet", ".txt"}
"""Endings of files that are read where a folder is given: configs, weights, losses, measurements."""


def check_outputs(
    outputs: Iterable[Path | None], inputs: Iterable[Path | str | None], *, folder: Path | None = None
) -> None:
    """Raise InvalidValueError before anything is computed where an output cannot be written, or costs a file.

    `folder` is one that files are written to.
    """
    from infersim.files.writing import check_folder, check_place

    taken = {place: READ for given in inputs for name in _named(given) if (place := _place(Path(name)))}
    for output in (*outputs, folder):
        if output is None:
            continue
        place = _place(output)
        if place in taken or (place is not None and _of_a_read_folder(place, taken)):
            told = taken.get(place, READ) if place is not None else READ
            raise InvalidValueError("output file", str(output), f"another file: this one is {told}")
        if output is folder:
            check_folder(folder, "output folder")
        else:
            check_place(output, "output file")
        if place is not None:
            taken[place] = "written already"


def _named(given: Path | str | None) -> list[Path | str]:
    """The paths that an input may mean: GPUs may be several, and weights are read with their folder."""
    if given is None:
        return []
    several = [part.strip() for part in given.split(",")] if isinstance(given, str) and "," in given else []
    with_folder = str(given).endswith((".safetensors", ".safetensors.index.json"))
    return [given, *filter(None, several), *([Path(given).parent] if with_folder else [])]


def _of_a_read_folder(place: Path, read: Mapping[Path, str]) -> bool:
    """Whether a file that is there is one of a folder that the command reads."""
    inside = read.get(place.parent) == READ and place.suffix.lower() in READ_IN_FOLDERS
    return inside and place.parent.is_dir() and place.exists()


def _place(path: Path) -> Path | None:
    """Where a path leads; None where it cannot lead anywhere, as in a circle of links."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return None


def check_no_page(subject: str, *, html: Path | None, figures: Path | None) -> None:
    """Raise InvalidValueError where a page of `subject` is asked for, of which there is none."""
    for option, given in (("--html", html), ("--figures", figures)):
        if given is not None:
            raise InvalidValueError(option, str(given), f"none: there is no page of {subject}")


def write_asked(page: Callable[[], Page], *, html: Path | None, figures: Path | None) -> None:
    """Write what is asked for; `page` is made only then."""
    if html is None and figures is None:
        return
    from infersim.cli.printing import print_aside
    from infersim.report.html.figure_files import write_figures
    from infersim.report.html.page import write_page

    made = page()
    if html is not None:
        write_page(html, made)
        print_aside(f"Wrote {html}")
    if figures is not None:
        print_aside(f"Wrote {len(write_figures(figures, made))} files to {figures}")
