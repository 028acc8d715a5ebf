"""Legends in HTML: beside figures they reflow on a phone, and one serves all panels of a chart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

from infersim.report.figures.palette import DARK, INK, css_name

if TYPE_CHECKING:
    import plotly.graph_objects as go

_DASHES = {"dash": "6 3", "dot": "2 3", "solid": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the legend says of a group of traces: its swatch as SVG, and whether it is shown at first.

    An `explains` entry stands for no trace of its own and cannot be hidden: it says what a colour means.
    """

    group: str
    swatch: str
    shown: bool
    explains: bool = False


def legend_entries(figures: Sequence[go.Figure]) -> list[Entry]:
    """One entry for each legend group of the figures, from its first trace with a legend.

    A group that has several colours in several figures is shown in the text's.
    """
    found: dict[str, list[Entry]] = {}
    for figure in figures:
        for trace in figure.data:
            if trace.legendgroup and trace.showlegend is not False:
                shown = trace.visible != "legendonly"
                entry = Entry(
                    group=trace.legendgroup,
                    swatch=_swatch(trace),
                    shown=shown,
                    explains=trace.type == "scatter" and tuple(trace.x) == (None,),
                )
                found.setdefault(trace.legendgroup, []).append(entry)
    return [_in_common(entries) for entries in found.values()]


def legend_html(entries: Sequence[Entry]) -> str:
    """Buttons that hide and show their group."""
    shown = "\n".join(map(_entry_html, entries))
    return f'<div class="legend" role="group" aria-label="Legend">\n{shown}\n</div>'


def _entry_html(entry: Entry) -> str:
    name = escape(entry.group)
    content = f'<svg width="22" height="12" aria-hidden="true">{entry.swatch}</svg>{name}'
    if entry.explains:
        return f"<span>{content}</span>"
    pressed = str(entry.shown).lower()
    return f'<button type="button" data-group="{name}" aria-pressed="{pressed}">{content}</button>'


def _in_common(entries: Sequence[Entry]) -> Entry:
    """The first entry of a group, without colour where the others have another."""
    first = entries[0]
    if all(entry.swatch == first.swatch for entry in entries):
        return first
    return replace(first, swatch=_COLOUR.sub("currentColor", first.swatch))


def _swatch(trace: Any) -> str:
    """A piece of what the trace draws."""
    return "".join(_strokes(trace))


def _strokes(trace: Any) -> Iterator[str]:
    if trace.type == "bar":
        yield f'<rect x="3" y="1" width="16" height="10" fill="{_shown(trace.marker.color)}"/>'
        return
    if trace.fill:
        fill, opacity = _shown(_opaque(trace.fillcolor)), 0.35
        yield f'<rect x="1" y="2" width="20" height="8" fill="{fill}" fill-opacity="{opacity}"/>'
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
    shape = SHAPES.get(symbol.removesuffix("-open"), SHAPES["circle"])
    return f'<path d="{shape}" fill="{fill}" stroke="{colour}"/>'


def _shown(colour: object) -> str:
    """A colour as the page's theme has it: the text's where points have colours of their own."""
    if not isinstance(colour, str):
        return "currentColor"
    return f"var({css_name(colour)})" if colour in (*DARK, INK) else colour


def _opaque(colour: str) -> str:
    """`rgba(57, 89, 151, 0.25)` as `#395997`."""
    channels = re.findall(r"\d+", colour)[:3]
    return f"#{''.join(f'{int(channel):02X}' for channel in channels)}"


_COLOUR = re.compile(r"var\(--colour-[0-9A-F]+\)")

SHAPES = {
    "line-ns": "M11 1v10",
    "line-ew": "M7 6h8",
    "circle": "M7 6a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "square": "M7 2h8v8h-8z",
    "diamond": "M11 1l5 5l-5 5l-5 -5z",
    "triangle-up": "M11 2l5 8h-10z",
    "triangle-down": "M11 10l5 -8h-10z",
    "cross": "M9.5 2h3v2.5h2.5v3h-2.5v2.5h-3v-2.5h-2.5v-3h2.5z",
    "star": "M11 1l1.5 3.5l3.5 .3l-2.7 2.4l.9 3.8l-3.2 -2l-3.2 2l.9 -3.8l-2.7 -2.4l3.5 -.3z",
    "hexagon": "M8.5 2h5l2.5 4l-2.5 4h-5l-2.5 -4z",
    "x": "M8 1.5l3 3l3 -3l1.5 1.5l-3 3l3 3l-1.5 1.5l-3 -3l-3 3l-1.5 -1.5l3 -3l-3 -3z",
    "pentagon": "M11 1l5 3.8l-2 5.7h-6l-2 -5.7z",
    "triangle-left": "M6 6l8 -5v10z",
    "triangle-right": "M16 6l-8 -5v10z",
    "bowtie": "M6 2l5 4l5 -4v8l-5 -4l-5 4z",
    "hourglass": "M7 1h8l-4 5l4 5h-8l4 -5z",
}
"""Markers of `figures.palette.MARKERS`, and lines, as paths in a box of 22 x 12."""
