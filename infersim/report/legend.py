"""Legends in HTML: beside figures they reflow on a phone, and one serves all panels of a chart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from infersim.report.figures.style import INK

if TYPE_CHECKING:
    import plotly.graph_objects as go

_DASHES = {"dash": "6 3", "dot": "2 3", "solid": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the legend says of a group of traces: its swatch as SVG, and whether it is shown at first."""

    group: str
    swatch: str
    shown: bool


def legend_entries(figures: Sequence[go.Figure]) -> list[Entry]:
    """One entry for each legend group of the figures, from its first trace with a legend."""
    found: dict[str, Entry] = {}
    for figure in figures:
        for trace in figure.data:
            if trace.legendgroup and trace.showlegend is not False:
                shown = trace.visible != "legendonly"
                entry = Entry(group=trace.legendgroup, swatch=_swatch(trace), shown=shown)
                found.setdefault(trace.legendgroup, entry)
    return list(found.values())


def legend_html(entries: Sequence[Entry]) -> str:
    """Buttons that hide and show their group."""
    buttons = "\n".join(
        f'<button type="button" data-group="{escape(entry.group)}" aria-pressed="{str(entry.shown).lower()}">'
        f'<svg width="22" height="12" aria-hidden="true">{entry.swatch}</svg>{escape(entry.group)}</button>'
        for entry in entries
    )
    return f'<div class="legend" role="group" aria-label="Legend">\n{buttons}\n</div>'


def _swatch(trace: Any) -> str:
    """A piece of what the trace draws."""
    return "".join(_strokes(trace))


def _strokes(trace: Any) -> Iterator[str]:
    if trace.type == "bar":
        yield f'<rect x="3" y="1" width="16" height="10" fill="{trace.marker.color}"/>'
        return
    if trace.fill:
        yield f'<rect x="1" y="2" width="20" height="8" fill="{trace.fillcolor}"/>'
        return
    mode = trace.mode or ""
    if "lines" in mode:
        dash = _DASHES[trace.line.dash or "solid"]
        yield (
            f'<line x1="1" y1="6" x2="21" y2="6" stroke="{_shown(trace.line.color)}" stroke-width="2" '
            f'stroke-dasharray="{dash}"/>'
        )
    elif trace.error_x.array is not None or trace.error_y.array is not None:
        colour = _shown(trace.marker.color)
        yield f'<path d="M2 6H20M2 3V9M20 3V9" stroke="{colour}" fill="none"/>'
    if "markers" in mode:
        yield _marker(trace)


def _marker(trace: Any) -> str:
    colour = _shown(trace.marker.color)
    symbol = str(trace.marker.symbol or "circle")
    fill = "none" if symbol.endswith("-open") else colour
    shape = _SHAPES.get(symbol.removesuffix("-open"), _SHAPES["circle"])
    return f'<path d="{shape}" fill="{fill}" stroke="{colour}"/>'


def _shown(colour: object) -> str:
    """A colour in the legend: the text's for ink, and where points have colours of their own."""
    return colour if isinstance(colour, str) and colour != INK else "currentColor"


_SHAPES = {
    "circle": "M7 6a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "square": "M7 2h8v8h-8z",
    "diamond": "M11 1l5 5l-5 5l-5 -5z",
    "triangle-up": "M11 2l5 8h-10z",
    "triangle-down": "M11 10l5 -8h-10z",
    "cross": "M9.5 2h3v2.5h2.5v3h-2.5v2.5h-3v-2.5h-2.5v-3h2.5z",
    "star": "M11 1l1.5 3.5l3.5 .3l-2.7 2.4l.9 3.8l-3.2 -2l-3.2 2l.9 -3.8l-2.7 -2.4l3.5 -.3z",
    "hexagon": "M8.5 2h5l2.5 4l-2.5 4h-5l-2.5 -4z",
}
"""Markers of `figures.style.SERIES` as paths in a box of 22 x 12."""
