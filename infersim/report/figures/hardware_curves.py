"""Speedup along a number of the datasheet: one plan with its bound and interval, or all plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.figures.palette import INK, NEUTRAL, Look, faded, family_look, family_looks
from infersim.report.figures.style import dense_line, finish, plain

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_ROOM = 1.05
"""The axis ends a little above the highest line."""


def plans_along(frame: pd.DataFrame, x_title: str) -> go.Figure:
    """Predicted speedup of every plan of one scenario; `frame`: rows of `compare_along`."""
    import plotly.graph_objects as go

    figure = go.Figure()
    looks = family_looks(list(zip(frame["plan"], frame["family"], strict=True)))
    for name, rows in frame.groupby("plan", sort=False):
        rows = rows.sort_values("value")
        colour, marker, dash = looks[str(name)]
        title = plain(str(name))
        figure.add_scatter(
            x=rows["value"],
            y=rows["predicted"],
            customdata=rows[["predicted_lower", "predicted_upper", "bound"]],
            name=title,
            legendgroup=name,
            mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 2},
            marker={"color": colour, "symbol": marker, "size": 8},
            hovertemplate=f"<b>{title}</b> at %{{x:,}}<br>predicted %{{y:.2f}}x "
            "(%{customdata[0]:.2f}–%{customdata[1]:.2f})<br>bound %{customdata[2]:.2f}x<extra></extra>",
        )
    lines = [dense_line(), _own_line(frame)]
    y_title = "predicted speedup over dense (x)"
    return finish(figure, height=360, x=x_title, y=y_title, xaxis=_around(frame), shapes=lines)


def plan_along(frame: pd.DataFrame, x_title: str, top: float) -> go.Figure:
    """One plan of one scenario: bound, and predicted with its 80 % interval. `top` ends the axis."""
    import plotly.graph_objects as go

    rows = frame.sort_values("value")
    x, look = rows["value"], family_look(str(rows["family"].iloc[0]))
    figure = go.Figure()
    name = "80 % interval"
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "legendgroup": name}
    figure.add_scatter(x=x, y=rows["predicted_lower"], showlegend=False, **edge)
    figure.add_scatter(
        x=x, y=rows["predicted_upper"], name=name, fill="tonexty", fillcolor=faded(look.colour), **edge
    )
    lines = {
        "bound": Look(colour=INK, marker="line-ew-open", dash="dash"),
        "predicted": look._replace(dash="solid"),
    }
    for key, (colour, marker, dash) in lines.items():
        figure.add_scatter(
            x=x,
            y=rows[key],
            name=key,
            legendgroup=key,
            mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 2},
            marker={"color": colour, "symbol": marker, "size": 7},
            hovertemplate=f"{key} %{{y:.2f}}x at %{{x:,}}<extra></extra>",
        )
    return finish(
        figure,
        height=260,
        x=x_title,
        y="speedup (x)",
        xaxis=_around(frame),
        yaxis={"range": [0, top * _ROOM]},
        shapes=[dense_line(), _own_line(frame)],
    )


def highest(frame: pd.DataFrame) -> float:
    """The highest speedup of all plans, so that their figures can share an axis."""
    return float(frame[["bound", "predicted_upper"]].max().max())


def _around(frame: pd.DataFrame) -> dict[str, object]:
    """An axis that ends a little beyond the values, and so within its last tick."""
    low, high = float(frame["value"].min()), float(frame["value"].max())
    margin = 0.04 * (high - low)
    return {"range": [low - margin, high + margin]}


def _own_line(frame: pd.DataFrame) -> dict[str, object]:
    """A line at the datasheet's own value."""
    own = float(frame.loc[frame["own"], "value"].iloc[0])
    line = {"color": NEUTRAL, "width": 1, "dash": "dot"}
    return {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": own, "x1": own, "line": line}
