"""Fragments of HTML: everything that is not written here is escaped on its way in."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING

from infersim.report.table import Column, Table
from infersim.report.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 500
"""Rows of a table that the page writes out; the CSV beside it holds them all."""


FOLDED_ROWS = 40
"""A longer table is opened by who wants it."""


def text(value: str) -> str:
    """`value` as HTML; a number and its percent sign stay on one line."""
    return escape(value).replace(" %", "&nbsp;%")


def paragraphs(lines: Iterable[str], css_class: str = "") -> str:
    """One paragraph for each line."""
    opening = f'<p class="{css_class}">' if css_class else "<p>"
    return "\n".join(f"{opening}{text(line)}</p>" for line in lines)


def verdict_html(verdict: Verdict) -> str:
    """Sentences in bold, notes in small print."""
    return (
        f'<div class="verdict">\n{paragraphs(verdict.sentences)}\n{paragraphs(verdict.notes, "note")}\n</div>'
    )


def csv_link(frame: pd.DataFrame, name: str) -> str:
    """A link to `frame` as CSV, held in the link itself."""
    data = b64encode(frame.to_csv(index=False, lineterminator="\n").encode()).decode()
    return f'<a download="{escape(name)}.csv" href="data:text/csv;charset=utf-8;base64,{data}">data (CSV)</a>'


def table_html(table: Table, name: str) -> str:
    """The table, a long one folded under its title, in a frame that scrolls where the page is too narrow."""
    head = "".join(_heading(column) for column in table.columns)
    rows = "\n".join(_rows(table))
    left = len(table.frame) - MAX_ROWS
    more = [f"{left} more rows are in the CSV."] if left > 0 else []
    caption = paragraphs(filter(None, [table.caption, *more]), "caption")
    folded = "" if len(table.frame) > FOLDED_ROWS else " open"
    return (
        f"<details{folded}><summary>{text(table.title)}</summary>\n{csv_link(table.frame, name)}\n"
        f'<div class="scroll" tabindex="0"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div>\n{caption}\n</details>"
    )


def _heading(column: Column) -> str:
    lines = "<br>".join(text(line) for line in column.heading.split("\n"))
    # A line that ends in a hyphen is one word with the next.
    heading = lines.replace("-<br>", "&shy;")
    return f'<th scope="col" class="{_class(column)}">{heading}</th>'


def _rows(table: Table) -> Iterator[str]:
    written = 0
    for section in table.sections():
        if section.label and written < MAX_ROWS:
            yield (
                f'<tr class="section"><th scope="rowgroup" colspan="{len(table.columns)}">'
                f"{text(section.label)}</th></tr>"
            )
        for cells in section.rows[: MAX_ROWS - written]:
            yield "<tr>" + "".join(map(_cell, table.columns, cells)) + "</tr>"
            written += 1


def _cell(column: Column, value: str) -> str:
    return f'<td class="{_class(column)}">{text(value)}</td>'


def _class(column: Column) -> str:
    return "number" if column.numeric else "words"
