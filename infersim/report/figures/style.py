"""What all figures share: colours that colour-blind people tell apart, and a plain layout.

Colours are those of Okabe and Ito ("Color Universal Design", 2008) that stand out on white and on black.
Ink, grid and paper are left to who shows the figure: a page sets them for light and dark.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from textwrap import wrap
from types import MappingProxyType
from typing import TYPE_CHECKING

from infersim.domain.ops import Part
from infersim.simulation.timeline import LAUNCH

if TYPE_CHECKING:
    import plotly.graph_objects as go

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW, GREY = "#56B4E9", "#CC79A7", "#C9B400", "#8C8C8C"

INK = "#010101"
"""The colour of text: near black, and a colour of its own so that a dark page can put its own ink there."""

PART_COLOURS = {
    Part.QKVO.value: BLUE,
    Part.FFN.value: ORANGE,
    Part.ATTENTION.value: GREEN,
    Part.LM_HEAD.value: SKY,
    Part.ELEMENTWISE.value: PURPLE,
    Part.EXTRA.value: VERMILION,
    LAUNCH: GREY,
}

SERIES = (
    (BLUE, "circle", "solid"),
    (VERMILION, "square", "dash"),
    (GREEN, "diamond", "solid"),
    (PURPLE, "triangle-up", "dash"),
    (ORANGE, "triangle-down", "solid"),
    (SKY, "cross", "dash"),
    (YELLOW, "star", "solid"),
    (GREY, "hexagon", "dot"),
)
"""Colour, marker and dash of one series after the other: no series is told by colour alone."""


_LABEL_WIDTH = 24


def series(index: int) -> tuple[str, str, str]:
    """Colour, marker and dash of a series."""
    return SERIES[index % len(SERIES)]


def faded(colour: str, opacity: float = 0.25) -> str:
    """`colour` as the fill of an interval."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"


def plain(text: str) -> str:
    """`text` as it is: what users name is no markup to plotly, which reads some HTML in every label."""
    return escape(text, quote=False)


def broken(label: str) -> str:
    """A tick label in two lines, so that it leaves room on a phone: the percentage below the name."""
    name, _, rest = plain(label).partition(" ")
    return f"{name}<br>{rest}" if rest else name


def folded(label: str) -> str:
    """A tick label broken at spaces into lines that fit beside a figure on a phone."""
    lines = wrap(label.replace(" %", "\u00a0%"), _LABEL_WIDTH, break_on_hyphens=False)
    return "<br>".join(map(plain, lines))


def finish(
    figure: go.Figure,
    *,
    height: int,
    x: str,
    y: str,
    xaxis: Mapping[str, object] = MappingProxyType({}),
    yaxis: Mapping[str, object] = MappingProxyType({}),
    **layout: object,
) -> go.Figure:
    """Titles of both axes (`x`, `y`), what else is said of axes and layout, and the look of all figures.

    There is no template: each figure would carry a copy of it.
    """
    axis = {"automargin": True, "zeroline": False, "ticks": "outside"}
    plain_look = {
        "template": {},
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 12, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 12},
        # In a notebook both stand above the plot, where they cover nothing; the page has a legend of its own.
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": GREY, "activecolor": BLUE},
        "hovermode": "closest",
        "xaxis": {**axis, "title": {"text": x}, **xaxis},
        "yaxis": {**axis, "title": {"text": y}, **yaxis},
    }
    # One assignment: updating a layout key by key takes plotly several times as long.
    figure.layout = {**figure.layout.to_plotly_json(), **plain_look, **layout}
    return figure


def dense_line(*, vertical: bool = False) -> dict[str, object]:
    """The line at a speedup of 1, across the whole figure: beyond it a plan is slower than dense."""
    along, across = ("y", "x") if vertical else ("x", "y")
    return {
        "type": "line",
        f"{along}ref": "paper",
        f"{along}0": 0,
        f"{along}1": 1,
        f"{across}0": 1,
        f"{across}1": 1,
        "line": {"color": GREY, "width": 1},
    }
