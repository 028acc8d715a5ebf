"""Fragments of HTML: everything that is not written here is escaped on its way in."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
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
    folded = "" if len(table.frame) > FOLDED_ROWS else " open"
    return (
        f"<details{folded}><summary>{text(table.title)}</summary>\n{csv_link(table.frame, name)}\n"
        f'<div class="scroll" tabindex="0">{_grid(table)}</div>\n{_caption(table, "CSV")}\n</details>'
    )


def notebook_html(verdict: Verdict, tables: Sequence[Table]) -> str:
    """Verdict and tables for a notebook, which has a look of its own: only what it lacks is styled."""
    shown = "\n".join(
        f"<details open><summary>{text(table.title)}</summary>\n"
        f"{_grid(table)}\n{_caption(table, 'frame')}\n</details>"
        for table in tables
    )
    return f'<div class="infersim">\n{_NOTEBOOK_STYLE}\n{verdict_html(verdict)}\n{shown}\n</div>'


_NOTEBOOK_STYLE = """<style>
.infersim { max-width: 60rem; overflow-x: auto; }
.infersim .verdict p { font-weight: 600; margin: 0.3em 0; }
.infersim .verdict .note { font-weight: 400; }
.infersim .note, .infersim .caption { font-size: 0.85em; opacity: 0.75; margin: 0.3em 0; }
.infersim summary { font-weight: 600; margin-top: 0.8em; cursor: pointer; }
.infersim table { border-collapse: collapse; margin: 0.3em 0; font-variant-numeric: tabular-nums; }
.infersim th, .infersim td { padding: 0.15em 0.7em; white-space: nowrap; vertical-align: bottom; }
.infersim th.number, .infersim td.number { text-align: right; }
.infersim th.words, .infersim td.words, .infersim .section th { text-align: left; }
.infersim .section th { font-weight: 400; font-style: italic; }
</style>"""


def _grid(table: Table) -> str:
    head = "".join(_heading(column) for column in table.columns)
    rows = "\n".join(_rows(table))
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>"


def _caption(table: Table, rest: str) -> str:
    """The caption; `rest` holds the rows for which there is no room."""
    left = len(table.frame) - MAX_ROWS
    more = [f"{left} more rows are in the {rest}."] if left > 0 else []
    return paragraphs(filter(None, [table.caption, *more]), "caption")


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
