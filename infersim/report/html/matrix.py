"""The picture that a page opens with: a small matrix of speedups, a colour for each cell and a mark of doubt.

It is HTML: it stands there before any figure is drawn, and a reader without JavaScript has it too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from infersim.report.html.elements import text

GAIN, LOSS = "0, 99, 180", "196, 72, 0"
"""Blue and orange, which colour-blind people tell from each other; laid thinly over the page's own paper."""

STRONGEST = 0.45
"""How much of its colour the farthest cell has: text on it stays readable on paper and on a dark screen."""

LEAST_SCALE = math.log(1.25)
"""Speedups are coloured against the largest of them, at least against this one: 1.02x is no strong colour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One speedup: as text, as a number, in more words, and whether it may be none."""

    text: str
    speedup: float
    words: str
    unsure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Rows of cells under column heads; a row's missing cell is None."""

    title: str
    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]


def matrix_html(matrix: Matrix) -> str:
    """The matrix as a table in a frame that scrolls where the page is too narrow."""
    cells = [cell for _, row in matrix.rows for cell in row if cell is not None]
    scale = max([LEAST_SCALE, *(abs(_log(cell.speedup)) for cell in cells)])
    heads = "".join(f'<th scope="col">{_head(head)}</th>' for head in matrix.heads)
    rows = "\n".join(
        f'<tr><th scope="row">{text(name)}</th>{"".join(_cell_html(cell, scale) for cell in row)}</tr>'
        for name, row in matrix.rows
    )
    title = text(matrix.title)
    return (
        f'<figure class="matrix">\n<figcaption>{title}</figcaption>\n'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">\n'
        f"<table>\n<thead><tr><td></td>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>\n</div>\n"
        f'<p class="caption">{text(matrix.caption)}</p>\n</figure>'
    )


def _head(head: str) -> str:
    return "<br>".join(map(text, head.split("\n")))


def _cell_html(cell: Cell | None, scale: float) -> str:
    if cell is None:
        return "<td>–</td>"
    strength = STRONGEST * min(1.0, abs(_log(cell.speedup)) / scale)
    colour = GAIN if cell.speedup >= 1 else LOSS
    css_class = ' class="unsure"' if cell.unsure else ""
    return (
        f'<td{css_class} style="background: rgba({colour}, {strength:.2f})" title="{text(cell.words)}">'
        f"{text(cell.text)}</td>"
    )


def _log(speedup: float) -> float:
    return math.log(speedup) if speedup > 0 and math.isfinite(speedup) else 0.0
