"""Verdicts and tables on a terminal, drawn by rich.

Lines are broken here, at spaces, because a table must be readable at 80 columns and rich would rather cut
columns off or part a number from its percent sign. All is passed as `Text`, so that rich never reads what
users name as markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import StringIO
from itertools import takewhile
from textwrap import wrap
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from infersim.report.core.characters import kept_together, printable
from infersim.report.core.screen import Line
from infersim.report.core.table import Column, Section, Table
from infersim.report.core.verdict import Verdict

ENDLESS = 10_000
"""Width where no line is broken: in a file, a pipe or a text."""

GAP = 2
"""Blanks that a column takes beside its cells."""


class Terminal(Console):
    """A console that leaves it to the program what becomes of a reader who went away."""

    def on_broken_pipe(self) -> None:
        """Called while BrokenPipeError is handled; rich itself would end the program here."""
        raise BrokenPipeError


def as_text(verdict: Verdict, tables: Sequence[Table]) -> str:
    """Verdict and tables as they are printed, without colours and broken lines."""
    console = Console(width=ENDLESS, highlight=False, file=StringIO(), force_jupyter=False)
    with console.capture() as captured:
        print_verdict(verdict, console)
        for table in tables:
            print_table(table, console)
    return captured.get()


def print_verdict(verdict: Verdict, console: Console) -> None:
    """Sentences first; notes after them, dimmed."""
    for sentence in verdict.sentences:
        console.print(_text(sentence, console.width, style="bold"))
    for note in verdict.notes:
        console.print(_text(note, console.width, style="dim"))


def print_lines(lines: Sequence[Line], console: Console) -> None:
    """Lines as they are, each in its style."""
    for line in lines:
        console.print(Text(printable(line.text), style=line.style), soft_wrap=True)


def in_blocks(table: Table, width: int) -> Iterator[Table]:
    """`table` itself if it fits in `width`, else tables of as many columns as fit, at least one.

    Each is led by the columns of words that the table begins with; the last has the caption.
    """
    rows = table.rows()
    widths = [
        _sizes(column, [row[place] for row in rows])[1] + GAP for place, column in enumerate(table.columns)
    ]
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


def print_table(table: Table, console: Console) -> None:
    """Title, sections with columns of equal width, caption."""
    console.print()
    console.print(_text(table.title, console.width, style="bold"))
    sections = list(table.sections())
    sizes = [
        _sizes(column, [row[index] for section in sections for row in section.rows])
        for index, column in enumerate(table.columns)
    ]
    gap = 2 if sum(shortest for shortest, _ in sizes) + 2 * len(sizes) <= console.width + 2 else 1
    widths = _fitted(sizes, console.width - gap * (len(sizes) - 1))
    for section in sections:
        if section.label:
            console.print(_text(section.label, console.width, style="italic"))
        console.print(_drawn(section, table.columns, widths, gap))
        console.print()
    if table.caption:
        console.print(_text(table.caption, console.width, style="dim"))


def _sizes(column: Column, cells: Sequence[str]) -> tuple[int, int]:
    """Width of the longest word and of the longest line."""
    lines = [*column.heading.split("\n"), *map(kept_together, map(printable, cells))]
    words = [word for line in lines for word in line.split(" ")]
    return max(map(cell_len, words)), max(map(cell_len, lines))


def _fitted(sizes: Sequence[tuple[int, int]], available: int) -> list[int]:
    """A width for each column: as it asks, or less where lines, and at worst words, can be broken."""
    widths = [longest for _, longest in sizes]
    for least in ([shortest for shortest, _ in sizes], [1] * len(sizes)):
        by_slack = sorted(range(len(sizes)), key=lambda index: least[index] - widths[index])
        for index in by_slack:
            excess = sum(widths) - available
            widths[index] -= max(0, min(excess, widths[index] - least[index]))
    return widths


def _drawn(section: Section, columns: Sequence[Column], widths: Sequence[int], gap: int) -> RichTable:
    drawn = RichTable(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=(0, gap - 1),
        collapse_padding=True,
    )
    for column, heading, width in zip(columns, _aligned(columns), widths, strict=True):
        justify: Literal["left", "right"] = "right" if column.numeric else "left"
        drawn.add_column(Text(printable(heading)), justify=justify, width=width, overflow="fold")
    for cells in section.rows:
        drawn.add_row(*(_text(cell, width) for cell, width in zip(cells, widths, strict=True)))
    return drawn


def _aligned(columns: Sequence[Column]) -> list[str]:
    """Headings of as many lines each, the text in the last ones."""
    headings = [column.heading for column in columns]
    lines = max(heading.count("\n") for heading in headings)
    return ["\n" * (lines - heading.count("\n")) + heading for heading in headings]


def _text(text: str, width: int, style: str = "") -> Text:
    return Text("\n".join(wrap(kept_together(printable(text)), width, break_on_hyphens=False)), style=style)
