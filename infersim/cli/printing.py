"""What a command prints: verdicts and tables for people, rows in full for machines, and asides."""

from __future__ import annotations

import csv
import json
import math
import shutil
import sys
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from infersim.domain.errors import InfersimError
from infersim.files.csv_cells import harmless_row
from infersim.report.core.characters import printable

if TYPE_CHECKING:
    import pandas as pd

    from infersim.report.core.screen import Answer
    from infersim.report.core.table import Table
    from infersim.report.core.verdict import Verdict
    from infersim.report.summary import Summarised


BRIEF = 150
"""Characters of what is said briefly on standard error: two lines of a narrow terminal."""


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
    from infersim.report.core.terminal import ENDLESS, Terminal, in_blocks, print_table, print_verdict

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
    lines = [f"Left out: {reason}" for reason in reasons]
    _print_asides(lines, f", and {len(lines) - 1} more", briefly=briefly)


def print_notes(notes: Sequence[str], *, briefly: bool) -> None:
    """Say on standard error what models' files say beside shapes: all of it, or in one line."""
    _print_asides(notes, f" (and {len(notes) - 1} more)", briefly=briefly)


def _print_asides(lines: Sequence[str], more: str, *, briefly: bool) -> None:
    """Every line, or the first one, cut if need be, and `more` where there are others."""
    if briefly and lines:
        first, end = lines[0], more if len(lines) > 1 else ""
        whole = len(first + end) <= BRIEF
        lines = [(first if whole else f"{first[: BRIEF - 1 - len(end)]}…") + end]
    for line in lines:
        print_aside(line)


def print_aside(line: str) -> None:
    """What is no part of the answer goes to standard error, so that JSON and CSV stay whole."""
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
