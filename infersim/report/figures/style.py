"""What all figures share: a plain layout, axes with titles, labels that fit.

Ink, grid and paper are left to who shows the figure: a page sets them for light and dark.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from textwrap import wrap
from types import MappingProxyType
from typing import TYPE_CHECKING

from infersim.report.figures.palette import BLUE, NEUTRAL

if TYPE_CHECKING:
    import plotly.graph_objects as go

_LABEL_WIDTH = 24


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
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": NEUTRAL, "activecolor": BLUE},
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
        "line": {"color": NEUTRAL, "width": 1},
    }
