"""Speedup over sparsity: one family with promised, possible, predicted and measured, or all families."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.figures.style import (
    BLUE,
    GREY,
    ORANGE,
    VERMILION,
    dense_line,
    faded,
    finish,
    plain,
    series,
)
from infersim.simulation.measured import Scope

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

X_TITLE, Y_TITLE = "sparsity (%)", "speedup over dense (x)"

_ROOM = 1.05
"""The axis ends a little above the highest line."""


def family_curves(frame: pd.DataFrame) -> go.Figure:
    """Predicted speedup of every curve of one scenario; `frame`: `curves` of a ComparisonReport."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for index, (name, rows) in enumerate(frame.groupby("curve", sort=False)):
        rows = rows.sort_values("sparsity_realised")
        colour, marker, dash = series(index)
        title = plain(str(name))
        figure.add_scatter(
            x=100 * rows["sparsity_realised"],
            y=rows["predicted"],
            customdata=rows[["predicted_lower", "predicted_upper", "bound"]],
            name=title,
            legendgroup=name,
            mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 2},
            marker={"color": colour, "symbol": marker, "size": 8},
            hovertemplate=f"<b>{title}</b> at %{{x:.1f}} %<br>predicted %{{y:.2f}}x "
            "(%{customdata[0]:.2f}–%{customdata[1]:.2f})<br>bound %{customdata[2]:.2f}x<extra></extra>",
        )
    return finish(figure, height=360, x=X_TITLE, y=f"predicted {Y_TITLE}", shapes=[dense_line()])


def speedup_curve(frame: pd.DataFrame, top: float | None = None) -> go.Figure:
    """One curve of one scenario: flops, bound, predicted with its interval, measured.

    `top` ends the axis; left out, the highest of these speedups does.
    """
    import plotly.graph_objects as go

    rows = frame.sort_values("sparsity_realised")
    x = 100 * rows["sparsity_realised"]
    figure = go.Figure()
    _line(figure, x, rows["flops"], "flops", GREY, "dot")
    _line(figure, x, rows["bound"], "bound", BLUE, "dash")
    _interval(figure, rows)
    _line(figure, x, rows["predicted"], "predicted", VERMILION, "solid")
    _measured(figure, rows)
    return finish(
        figure,
        height=260,
        x=X_TITLE,
        y="speedup (x)",
        xaxis={"range": [0, 100]},
        yaxis={"range": [0, (highest(rows) if top is None else top) * _ROOM]},
        shapes=[dense_line()],
    )


def highest(frame: pd.DataFrame) -> float:
    """The highest speedup in a frame of `compare`, so that several figures can share an axis."""
    return float(frame[["flops", "bound", "predicted_upper", "measured"]].max().max())


def _line(
    figure: go.Figure, x: pd.Series[float], y: pd.Series[float], name: str, colour: str, dash: str
) -> None:
    figure.add_scatter(
        x=x,
        y=y,
        name=name,
        legendgroup=name,
        mode="lines+markers",
        line={"color": colour, "dash": dash, "width": 2},
        marker={"color": colour, "size": 5},
        hovertemplate=f"{name} %{{y:.2f}}x at %{{x:.1f}} %<extra></extra>",
    )


def _interval(figure: go.Figure, rows: pd.DataFrame) -> None:
    """The 80 % interval as a band, or as an error bar where there is but one sparsity."""
    x, low, high = 100 * rows["sparsity_realised"], rows["predicted_lower"], rows["predicted_upper"]
    name = "80 % interval"
    if len(rows) == 1:
        figure.add_scatter(
            x=x,
            y=rows["predicted"],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": high - rows["predicted"],
                "arrayminus": rows["predicted"] - low,
                "color": VERMILION,
            },
            name=name,
            legendgroup=name,
            mode="markers",
            marker={"color": VERMILION, "size": 1},
            hoverinfo="skip",
        )
        return
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "legendgroup": name}
    figure.add_scatter(x=x, y=low, showlegend=False, **edge)
    figure.add_scatter(x=x, y=high, name=name, fill="tonexty", fillcolor=faded(VERMILION), **edge)


def _measured(figure: go.Figure, rows: pd.DataFrame) -> None:
    """Points are full; means and other numbers that are not set against the prediction are hollow."""
    for name, symbol, chosen in (
        ("measured", "diamond", rows["measured_scope"] == Scope.POINT),
        ("measured (mean or other)", "diamond-open", ~rows["measured_scope"].isin(["", Scope.POINT])),
    ):
        found = rows[chosen]
        if not found.empty:
            figure.add_scatter(
                x=100 * found["sparsity_realised"],
                y=found["measured"],
                customdata=found[["measured_scope", "measured_source"]].map(plain),
                name=name,
                legendgroup=name,
                mode="markers",
                marker={"color": ORANGE, "symbol": symbol, "size": 11, "line": {"width": 2, "color": ORANGE}},
                hovertemplate="measured %{y:.2f}x at %{x:.1f} %<br>%{customdata[0]}: %{customdata[1]}"
                "<extra></extra>",
            )
