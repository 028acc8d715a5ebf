"""How figures look: axes, legends, lines and bands of speedups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from textwrap import wrap
from types import MappingProxyType
from typing import TYPE_CHECKING

from infersim.report.figures.palette import BLUE, INK, NEUTRAL, Look, faded, family_looks

if TYPE_CHECKING:
    import pandas as pd
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


BOUND = Look(colour=INK, marker="line-ew-open", dash="dash")
"""How a bound is drawn: in ink, as it belongs to no family."""

ROOM = 1.05
"""A speedup axis ends this much above its highest line."""


def add_line(
    figure: go.Figure,
    x: pd.Series[float],
    y: pd.Series[float],
    name: str,
    look: Look,
    hover: str,
    more: pd.DataFrame | None = None,
) -> None:
    """One series; `hover` is plotly's template, whose `customdata` are the columns of `more`."""
    figure.add_scatter(
        x=x,
        y=y,
        customdata=more,
        name=name,
        legendgroup=name,
        mode="lines+markers",
        line={"color": look.colour, "dash": look.dash, "width": 2},
        marker={"color": look.colour, "symbol": look.marker, "size": 7},
        hovertemplate=f"{hover}<extra></extra>",
    )


def add_band(
    figure: go.Figure,
    x: pd.Series[float],
    low: pd.Series[float],
    high: pd.Series[float],
    name: str,
    colour: str,
) -> None:
    """The area between `low` and `high`, behind what is drawn after it."""
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "legendgroup": name}
    figure.add_scatter(x=x, y=low, showlegend=False, **edge)
    figure.add_scatter(x=x, y=high, name=name, fill="tonexty", fillcolor=faded(colour), **edge)


def add_predictions(
    figure: go.Figure, curves: Iterable[tuple[object, pd.DataFrame]], x: str, scale: float, at: str
) -> None:
    """The predicted speedup of each of `curves` over `scale` times column `x`; `at` is x in a template."""
    named = [(str(name), rows.sort_values(x)) for name, rows in curves]
    looks = family_looks([(name, str(rows["family"].iloc[0])) for name, rows in named])
    for name, rows in named:
        title = plain(name)
        figure.add_scatter(
            x=scale * rows[x],
            y=rows["predicted"],
            customdata=rows[["predicted_lower", "predicted_upper", "bound"]],
            name=title,
            legendgroup=name,
            mode="lines+markers",
            line={"color": looks[name].colour, "dash": looks[name].dash, "width": 2},
            marker={"color": looks[name].colour, "symbol": looks[name].marker, "size": 8},
            hovertemplate=f"<b>%{{fullData.name}}</b> at {at}<br>predicted %{{y:.2f}}x "
            "(%{customdata[0]:.2f}–%{customdata[1]:.2f})<br>bound %{customdata[2]:.2f}x<extra></extra>",
        )
