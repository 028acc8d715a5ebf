"""What a command puts out: verdicts and tables for people, rows in full for machines, and pages beside them.

Tables wider than the terminal stand in blocks below each other, so that no number is cut. A command never
writes over what it reads, nor twice to one place.
"""

from __future__ import annotations

import csv
import json
import math
import shutil
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.files.csv_cells import harmless_row
from infersim.report.core.table import Column, Table

if TYPE_CHECKING:
    import pandas as pd

    from infersim.report.core.screen import Answer
    from infersim.report.core.verdict import Verdict
    from infersim.report.html.page import Page
    from infersim.report.summary import Summarised


def check_outputs(
    outputs: Iterable[Path | None], inputs: Iterable[Path | str | None], *, folder: Path | None = None
) -> None:
    """Raise InvalidValueError before anything is computed where an output cannot be written, or costs a file.

    `folder` is one that files are written to.
    """
    from infersim.files.writing import check_folder, check_place

    read = "a file that the command reads"
    taken = {place: read for given in inputs if given is not None and (place := _place(Path(given)))}
    for output in (*outputs, folder):
        if output is None:
            continue
        place = _place(output)
        if place in taken:
            raise InvalidValueError("output file", str(output), f"another file: this one is {taken[place]}")
        if output is folder:
            check_folder(folder, "output folder")
        else:
            check_place(output, "output file")
        if place is not None:
            taken[place] = "written already"


def _place(path: Path) -> Path | None:
    """Where a path leads; None where it cannot lead anywhere, as in a circle of links."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return None


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


BRIEF = 150
"""Characters of what is said briefly on standard error: two lines of a narrow terminal."""

GAP = 2
"""Blanks that a column takes beside its cells."""


def in_blocks(table: Table, width: int) -> Iterator[Table]:
    """`table` itself if it fits in `width`, else tables of as many columns as fit, at least one.

    Each is led by the columns of words that the table begins with; the last has the caption.
    """
    rows = table.rows()
    widths = [_width(column, [row[place] for row in rows]) for place, column in enumerate(table.columns)]
    leading = len(list(takewhile(lambda column: not column.numeric, table.columns)))
    title, start, used = table.title, leading, sum(widths[:leading])
    for place in range(leading, len(widths)):
        if used + widths[place] > width and place > start:
            yield replace(table, columns=_block(table, leading, start, place), title=title, caption="")
            title, start, used = f"{table.title} (continued)", place, sum(widths[:leading])
        used += widths[place]
    yield replace(table, columns=_block(table, leading, start, len(widths)), title=title)


def _block(table: Table, leading: int, start: int, stop: int) -> tuple[Column, ...]:
    return table.columns[:leading] + table.columns[start:stop]


def _width(column: Column, cells: list[str]) -> int:
    """Of the longest line of heading or cells, with the gap."""
    return max(map(len, (*column.heading.split("\n"), *cells))) + GAP


def printed_for_machines(frame: pd.DataFrame | Mapping[str, Any], *, as_json: bool, as_csv: bool) -> bool:
    """Print `frame` if JSON or CSV was asked for, and say whether it was; both at once is an error."""
    if as_json and as_csv:
        raise InfersimError("--json and --csv at once; expected one of them")
    if as_json:
        print(json.dumps(_rows(frame), indent=2, ensure_ascii=False))
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(harmless_row(list(frame)))
        writer.writerows(harmless_row(row.values()) for row in _rows(frame))
    return as_json or as_csv


def print_for_people(verdict: Verdict | None, *tables: Table) -> None:
    """Print the verdict and then each table, in blocks of columns where it is wider than the terminal."""
    # rich is imported with the first table: JSON and CSV need not wait for it.
    from infersim.cli.printing import in_blocks
    from infersim.report.core.terminal import ENDLESS, Terminal, print_table, print_verdict

    width = terminal_width() or ENDLESS
    console = Terminal(width=width, highlight=False)
    if verdict is not None:
        print_verdict(verdict, console)
    for table in tables:
        for block in in_blocks(table, width):
            print_table(block, console)


def print_answer(answer: Answer, *, full: bool) -> None:
    """Print one screen of an answer, or all of it."""
    if full:
        print_for_people(answer.verdict, *answer.tables)
        return
    # rich is imported with the first line: JSON and CSV need not wait for it.
    from infersim.report.core.screen import screen_lines
    from infersim.report.core.terminal import ENDLESS, Terminal, print_lines

    width = terminal_width()
    console = Terminal(width=ENDLESS if width is None else width, highlight=False)
    print_lines(screen_lines(answer, ENDLESS if width is None else width), console)


def terminal_width() -> int | None:
    """Columns of the terminal; None in a file or a pipe, where no sentence is broken."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def print_summary(found: Summarised, *, full: bool) -> None:
    """Print the answer that belongs to what a function returned: one screen of it, or all."""
    from infersim.report.summary import summary

    print_answer(summary(found), full=full)


def print_left_out(reasons: Sequence[str], *, briefly: bool) -> None:
    """Say on standard error what was asked for and cannot be: each with its reason, or all in one line."""
    if not briefly:
        for reason in reasons:
            print_aside(f"Left out: {reason}")
    elif reasons:
        more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        line = f"Left out: {reasons[0]}{more}"
        print_aside(line if len(line) <= BRIEF else f"{line[: BRIEF - 1 - len(more)]}…{more}")


def print_notes(notes: Sequence[str], *, briefly: bool) -> None:
    """Say on standard error what models' files say beside shapes: all of it, or in one line."""
    if not briefly:
        for note in notes:
            print_aside(note)
    elif notes:
        more = f" (and {len(notes) - 1} more)" if len(notes) > 1 else ""
        line = notes[0]
        print_aside((line if len(line + more) <= BRIEF else f"{line[: BRIEF - 1 - len(more)]}…") + more)


def print_aside(line: str) -> None:
    """What is no part of the answer goes to standard error, so that JSON and CSV stay whole."""
    from infersim.report.core.terminal import printable

    print(printable(line), file=sys.stderr)


def _rows(frame: pd.DataFrame | Mapping[str, Any]) -> list[dict[str, object]]:
    if isinstance(frame, Mapping):  # plain columns, which are numpy's
        columns = [column.tolist() for column in frame.values()]
        return [_without_nan(dict(zip(frame, row, strict=True))) for row in zip(*columns, strict=True)]
    from infersim.simulation.speedups.columns import with_joined_notes

    return [_without_nan(row) for row in with_joined_notes(frame).to_dict("records")]


def _without_nan(row: Mapping[Hashable, object]) -> dict[str, object]:
    """JSON has no NaN, and in CSV an empty cell is what other programs expect."""
    return {
        str(name): None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }
