"""What speedup curves are drawn of: a series with its markers, a band, the predictions of several plans."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from infersim.report.figures.palette import INK, Look, faded, family_looks
from infersim.report.figures.style import plain

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

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
            hovertemplate=f"<b>{title}</b> at {at}<br>predicted %{{y:.2f}}x "
            "(%{customdata[0]:.2f}–%{customdata[1]:.2f})<br>bound %{customdata[2]:.2f}x<extra></extra>",
        )
