"""Standard output: verdicts and tables for people, rows in full for machines."""

from __future__ import annotations

import csv
import json
import math
import shutil
import sys
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

from infersim.domain.errors import InfersimError

if TYPE_CHECKING:
    import pandas as pd

    from infersim.report.summary import Summarised
    from infersim.report.table import Table
    from infersim.report.verdict import Verdict


def printed_for_machines(frame: pd.DataFrame, *, as_json: bool, as_csv: bool) -> bool:
    """Print `frame` if JSON or CSV was asked for, and say whether it was; both at once is an error."""
    if as_json and as_csv:
        raise InfersimError("--json and --csv at once; expected one of them")
    if as_json:
        print(json.dumps(_rows(frame), indent=2, ensure_ascii=False))
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(frame.columns)
        writer.writerows(row.values() for row in _rows(frame))
    return as_json or as_csv


def print_for_people(verdict: Verdict | None, *tables: Table) -> None:
    """Print the verdict and then each table, in blocks of columns where it is wider than the terminal."""
    # rich is imported with the first table: JSON and CSV need not wait for it.
    from rich.console import Console

    from infersim.cli.table_blocks import in_blocks
    from infersim.report.terminal import ENDLESS, print_table, print_verdict

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else ENDLESS
    console = Console(width=width, highlight=False)
    if verdict is not None:
        print_verdict(verdict, console)
    for table in tables:
        for block in in_blocks(table, width):
            print_table(block, console)


def print_summary(found: Summarised) -> None:
    """Print the verdict and the tables that belong to what a function returned."""
    from infersim.report.summary import summary

    said = summary(found)
    print_for_people(said.verdict, *said.tables)


def print_aside(line: str) -> None:
    """What is no part of the answer goes to standard error, so that JSON and CSV stay whole."""
    from infersim.report.terminal import printable

    print(printable(line), file=sys.stderr)


def _rows(frame: pd.DataFrame) -> list[dict[str, object]]:
    from infersim.simulation.columns import with_joined_notes

    return [_without_nan(row) for row in with_joined_notes(frame).to_dict("records")]


def _without_nan(row: Mapping[Hashable, object]) -> dict[str, object]:
    """JSON has no NaN, and in CSV an empty cell is what other programs expect."""
    return {
        str(name): None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }
