"""One screen of an answer: its verdict in three sentences, one table, and a line on what `--full` adds.

The table keeps the columns that fit, with headings of whole words, and as many rows as there are lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from textwrap import wrap

from infersim.report.core.characters import kept_together
from infersim.report.core.grid import GAP, Grid, clipped, grid_of, width_of
from infersim.report.core.table import Column, Table
from infersim.report.core.verdict import Verdict, enumeration

MOST_LINES = 36
"""Lines of a screen; four more are for what is said on standard error."""

MOST_COLUMNS = 100
"""A table is no wider, however wide the terminal."""

MOST_SENTENCES = 3
VERDICT_LINES = 13
CAPTION_LINES = 2

LEAST_TEXT = 24
"""A column of words is cut to so many characters before another column is left out."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What a command found: the verdict, every table, and the one that leads where there is one screen.

    Without a `lead` of its own the first table leads.
    """

    verdict: Verdict
    tables: tuple[Table, ...] = ()
    lead: Table | None = None

    @property
    def first(self) -> Table | None:
        """The table of the screen."""
        if self.lead is not None:
            return self.lead
        return self.tables[0] if self.tables else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a screen and how it is written."""

    text: str
    style: str = ""


def screen_lines(answer: Answer, width: int) -> list[Line]:
    """The screen, line by line: at most MOST_LINES of at most `width` columns."""
    sentences = brief(answer.verdict, width)
    lines = [Line(text=line, style="bold") for said in sentences for line in _wrapped(said, width)]
    graded = _wrapped(answer.verdict.grade, width) if answer.verdict.grade else []
    lines += [Line(text=line, style="dim") for line in graded]
    table, shown = answer.first, None
    if table is not None and len(table.frame):
        across = min(width, MOST_COLUMNS)
        title = [*([""] if lines else []), *(_wrapped(table.title, across) if table.title else [])]
        lines += [Line(text=text, style="bold") for text in title]
        table = _without_single_sections(table)
        caption = _caption(table, across)
        shown = fitted(table, across, MOST_LINES - len(lines) - len(caption) - 2)
        lines += [Line(text=line) for line in shown.lines]
        if shown.columns_left and len(caption) > 1:  # it explains what is not there
            caption = []
        lines += [Line(text=line, style="dim") for line in caption]
    count = sum(len(_sentences(said)) for said in sentences)
    more = rest(answer, count, shown, min(width, MOST_COLUMNS))
    return [*lines, Line(text=""), Line(text=more, style="dim")] if more else lines


def _without_single_sections(table: Table) -> Table:
    """Sections of one row each are rows, named by the label."""
    if not table.labels or len(set(table.labels)) < len(table.labels):
        return table
    named = table.frame.assign(**{_LABEL: table.labels})
    columns = (Column(heading="", keys=(_LABEL,), numeric=False), *table.columns)
    return replace(table, frame=named, columns=columns, labels=())


_LABEL = "label of the section"


def brief(verdict: Verdict, width: int) -> tuple[str, ...]:
    """The first sentences: what is written for one screen, or else the beginning of each paragraph."""
    if verdict.short:
        candidates = list(verdict.short)
    else:
        paragraphs = [_sentences(paragraph) for paragraph in verdict.sentences]
        candidates = [each[0] for each in paragraphs if each]
        if len(paragraphs) == 1:
            candidates = paragraphs[0]
    chosen: list[str] = []
    used = 0
    for sentence in candidates[:MOST_SENTENCES]:
        used += len(_wrapped(sentence, width))
        if chosen and used > VERDICT_LINES:
            break
        chosen.append(sentence)
    return tuple(chosen)


def _sentences(paragraph: str) -> list[str]:
    return [each for each in re.split(r"(?<=\.) (?=[^a-z(])", paragraph) if each]


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(kept_together(text), width, break_on_hyphens=False) or [""]


def _caption(table: Table, width: int) -> list[str]:
    """A caption that is short; a long one is for `--full`."""
    lines = _wrapped(table.caption, width) if table.caption else []
    return lines if len(lines) <= CAPTION_LINES else []


def fitted(table: Table, width: int, room: int) -> Grid:
    """The table in `width` columns and `room` lines: what does not fit is counted."""
    columns, one_line = _columns(table, width)
    shown = replace(table, columns=columns)
    grid = grid_of(shown, width, room, one_line=one_line, left_out=len(table.columns) - len(columns))
    if not grid.rows_left or table.labels:
        return grid
    half = (width - 2 * GAP) // 2
    columns, one_line = _columns(table, half, essential=True)
    if not columns or _least(table, columns, one_line) > half:
        return grid
    left_out = len(table.columns) - len(columns)
    shown = replace(table, columns=columns)
    return grid_of(shown, half, room, one_line=one_line, left_out=left_out, abreast=2)


def _columns(table: Table, width: int, essential: bool = False) -> tuple[tuple[Column, ...], bool]:
    """The columns that fit, and whether their headings take one line; the least important goes first."""
    columns = list(table.columns)
    while len(columns) > 1:
        for one_line in (True, False):
            if _least(table, columns, one_line) <= width:
                return tuple(columns), one_line
        worst = max(range(1, len(columns)), key=lambda place: (columns[place].detail, place))
        if essential and not columns[worst].detail:
            return (), True
        columns.pop(worst)
    return tuple(columns), True


def _least(table: Table, columns: Sequence[Column], one_line: bool) -> int:
    """The width that columns need, words cut to LEAST_TEXT."""
    frame = table.frame
    total = 0
    for place, column in enumerate(columns):
        cells = list(map(column.text, *(frame[key] for key in column.keys)))
        heading = width_of(column.head(one_line).split("\n"))
        own = width_of(cells)
        whole = column.numeric or not place
        total += max(heading, own if whole else min(own, LEAST_TEXT))
    return total + GAP * (len(columns) - 1)


def rest(answer: Answer, sentences: int, shown: Grid | None, width: int) -> str:
    """What `--full` shows beside the screen, in one line; nothing where the screen shows all."""
    parts = list(_more(answer, sentences, shown, titled=True))
    if not parts:
        return ""
    line = f"--full also shows {enumeration(parts)}."
    if width_of([line]) <= width:
        return line
    line = f"--full also shows {enumeration(list(_more(answer, sentences, shown, titled=False)))}."
    return clipped(line if width_of([line]) <= width else line.replace(" more ", " "), width)


def _more(answer: Answer, sentences: int, shown: Grid | None, titled: bool) -> Iterator[str]:
    said = sum(len(_sentences(each)) for each in answer.verdict.sentences)
    notes = len(answer.verdict.notes)
    if shown is not None and shown.rows_left:
        yield _counted(shown.rows_left, "more row")
    if shown is not None and shown.columns_left:
        yield _counted(shown.columns_left, "more column")
    other = [table for table in answer.tables if table is not answer.first and table.title]
    if other:
        titles = "; ".join(re.split(r"[:(]", table.title)[0].strip() for table in other)
        yield _counted(len(other), "table") + (f" ({titles})" if titled else "")
    if said > sentences:
        yield _counted(said - sentences, "more sentence")
    if notes:
        yield _counted(notes, "note")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count > 1 else ''}"
