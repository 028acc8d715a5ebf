"""Fragments of HTML: everything that is not written here is escaped on its way in.

Also what the page's script finds in the page: figures as JSON, and data as CSV, equal data once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from infersim.files.csv_cells import harmless
from infersim.report.core.screen import brief
from infersim.report.core.table import Column, Table
from infersim.report.core.verdict import Verdict
from infersim.simulation.speedups.columns import with_joined_notes

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


class Islands:
    """Collects figures by name and data by content while the page is written."""

    def __init__(self) -> None:
        self._figures: dict[str, go.Figure] = {}
        self._keys: dict[str, str] = {}

    def add_figure(self, name: str, figure: go.Figure) -> None:
        """Keep `figure` under `name`."""
        self._figures[name] = figure

    def add_data(self, frame: pd.DataFrame) -> str:
        """Keep `frame` as CSV, in full precision and without formulas; the key that links name it by."""
        return self._keys.setdefault(csv_text(frame), f"d{len(self._keys)}")

    def figures_json(self) -> str:
        """Figures by name, as plotly reads them."""
        entries = (f"{json.dumps(name)}: {figure.to_json()}" for name, figure in self._figures.items())
        return f"{{{', '.join(entries)}}}"

    def data_json(self) -> str:
        """CSV by key."""
        return json.dumps({key: csv for csv, key in self._keys.items()}, ensure_ascii=False)


def csv_text(frame: pd.DataFrame) -> str:
    """`frame` as CSV, in full precision and without formulas."""
    written = with_joined_notes(frame)
    words = written.select_dtypes(exclude=["number", "bool"])
    written = written.assign(**{str(name): words[name].map(harmless) for name in words.columns})
    return written.to_csv(index=False, lineterminator="\n")


MAX_ROWS = 500
"""Rows of a table that the page writes out; the CSV beside it holds them all."""


FOLDED_ROWS = 40
"""A longer table is opened by who wants it."""


def text(value: str) -> str:
    """`value` as HTML; a number and its percent sign stay on one line."""
    return escape(value).replace(" %", "&nbsp;%")


def file_name(title: str) -> str:
    """A title as the name of a file."""
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split()) or "untitled"


def paragraphs(lines: Iterable[str], css_class: str = "") -> str:
    """One paragraph for each line that is not empty."""
    opening = f'<p class="{css_class}">' if css_class else "<p>"
    return "\n".join(f"{opening}{text(line)}</p>" for line in lines if line)


def verdict_html(verdict: Verdict, picture: str = "") -> str:
    """The answer, its first clause in bold; what it rests on; and notes, which fold.

    Where there is a `picture` it stands below the first sentences, and all others fold too.
    """
    opening = brief(verdict, _READABLE) if picture else verdict.sentences
    first, *others = opening or ("",)
    answer = f"{_led(first)}\n{paragraphs(others)}"
    grade = paragraphs([verdict.grade], "caption")
    notes = "\n".join(f"<li>{text(note)}</li>" for note in verdict.notes)
    more = paragraphs(verdict.sentences) if picture and verdict.sentences != opening else ""
    folded = f"{more}\n<ul>\n{notes}\n</ul>" if notes else more
    title = "In every scenario, and how far to trust it" if more else "How far to trust it"
    trust = (
        f'<details class="trust"><summary><h2>{title}</h2></summary>\n{folded}\n</details>' if folded else ""
    )
    return f'<section class="verdict">\n{answer}\n{grade}\n{picture}\n{trust}\n</section>'


_READABLE = 100
"""Characters of a line of a page."""


def _led(paragraph: str) -> str:
    """A paragraph whose first clause answers; what follows explains."""
    answer = re.split(r"(?<=[.;]) ", paragraph, maxsplit=1)[0]
    return f"<p><strong>{text(answer)}</strong>{text(paragraph.removeprefix(answer))}</p>"


def csv_link(frame: pd.DataFrame, name: str, islands: Islands) -> str:
    """A link to `frame` as CSV; the page's script makes it a download of the data in `islands`."""
    key = islands.add_data(frame)
    label = f"Data of {name} as CSV"
    return f'<a href="#" download="{escape(name)}.csv" data-csv="{key}" aria-label="{escape(label)}">CSV</a>'


def table_html(table: Table, name: str, islands: Islands) -> str:
    """The table, a long one folded under its title, in a frame that scrolls where the page is too narrow."""
    folded = "" if len(table.frame) > FOLDED_ROWS else " open"
    title = text(table.title)
    return (
        f"<details{folded}><summary><h3>{title}</h3></summary>\n"
        f'<p class="files">{csv_link(table.frame, name, islands)}</p>\n'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">{_grid(table)}</div>\n'
        f"{_caption(table, 'CSV')}\n</details>"
    )


def framed_table(table: Table) -> str:
    """The table under its title, without links, in a frame that scrolls where there is too little room."""
    title = text(table.title)
    return (
        f"<h3>{title}</h3>\n"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">{_grid(table)}</div>\n'
        f"{_caption(table, 'CSV')}"
    )


def notebook_html(verdict: Verdict, tables: Sequence[Table]) -> str:
    """Verdict and tables for a notebook, which has a look of its own: only what it lacks is styled."""
    shown = "\n".join(
        f"<details open><summary>{text(table.title)}</summary>\n"
        f"{_grid(table)}\n{_caption(table, 'frame')}\n</details>"
        for table in tables
    )
    answer = (
        f'<div class="verdict">\n{paragraphs(verdict.sentences)}\n{paragraphs(verdict.notes, "note")}\n</div>'
    )
    return f'<div class="infersim">\n{_NOTEBOOK_STYLE}\n{answer}\n{shown}\n</div>'


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
.infersim tbody th { font-weight: 400; }
.infersim .section th { font-style: italic; }
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
            first, *others = map(_cell, table.columns, cells, [True] + [False] * len(cells))
            yield f"<tr>{first}{''.join(others)}</tr>"
            written += 1


def _cell(column: Column, value: str, is_first: bool) -> str:
    """A cell; the first of a row names it."""
    tag, scope = ("th", ' scope="row"') if is_first else ("td", "")
    return f'<{tag}{scope} class="{_class(column)}">{text(value)}</{tag}>'


def _class(column: Column) -> str:
    return "number" if column.numeric else "words"
