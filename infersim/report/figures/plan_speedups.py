"""Every plan of one scenario: promised, possible, predicted with its interval, and measured where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.figures.palette import INK, NEUTRAL, look_lists
from infersim.report.figures.style import dense_line, finish, folded, plain
from infersim.simulation.measured.table import Scope

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_ROW_HEIGHT, _LINE_HEIGHT, _AXIS_HEIGHT = 16, 14, 66

_ROOM = 0.06
"""The axis begins and ends so far beyond the outermost marks, as a part of what lies between them."""


def plan_speedups(frame: pd.DataFrame) -> go.Figure:
    """`frame`: the rows of one scenario of `compare`; the fastest plan stands on top.

    Predictions have the colours and markers of their families.
    """
    import plotly.graph_objects as go

    rows = frame.assign(place=frame["predicted"].fillna(0)).sort_values(
        "place", ascending=False, kind="stable"
    )
    labels = [
        f"{folded(str(plan))}  <b>{rounding.speedup(predicted)}</b>"
        for plan, predicted in zip(rows["plan"], rows["predicted"], strict=True)
    ]
    figure = go.Figure()
    _marks(figure, rows, labels, "flops", NEUTRAL, "circle-open")
    _marks(figure, rows, labels, "bound", INK, "line-ns-open")
    _predicted(figure, rows, labels)
    point = rows["measured_scope"] == Scope.POINT
    _measured(figure, rows[point], [*_chosen(labels, point)], "measured", "diamond")
    other = rows["measured"].notna() & ~point
    _measured(figure, rows[other], [*_chosen(labels, other)], "measured (mean or other)", "diamond-open")
    lines = sum(label.count("<br>") + 1 for label in labels)
    return finish(
        figure,
        height=_AXIS_HEIGHT + _ROW_HEIGHT * len(rows) + _LINE_HEIGHT * lines,
        x="speedup (x)",
        y="",
        xaxis={"range": _range(rows)},
        yaxis={"autorange": "reversed", "categoryorder": "array", "categoryarray": labels, "ticks": ""},
        shapes=[dense_line(vertical=True)],
    )


def _range(rows: pd.DataFrame) -> list[float]:
    """From below the slowest to beyond the fastest mark, with the line at 1 inside."""
    marks = rows[["flops", "bound", "predicted_lower", "predicted_upper", "measured"]]
    low, high = min(1.0, float(marks.min().min())), max(1.0, float(marks.max().max()))
    room = _ROOM * max(high - low, 0.1)
    return [low - room, high + room]


def _chosen(labels: list[str], mask: pd.Series[bool]) -> list[str]:
    return [label for label, taken in zip(labels, mask, strict=True) if taken]


def _marks(
    figure: go.Figure, rows: pd.DataFrame, labels: list[str], name: str, colour: str, symbol: str
) -> None:
    figure.add_scatter(
        x=rows[name],
        y=labels,
        mode="markers",
        name=name,
        legendgroup=name,
        marker={"color": colour, "symbol": symbol, "size": 12, "line": {"width": 2, "color": colour}},
        customdata=rows["plan"].map(plain),
        hovertemplate=f"%{{customdata}}: {name} %{{x:.2f}}x<extra></extra>",
    )


def _predicted(figure: go.Figure, rows: pd.DataFrame, labels: list[str]) -> None:
    figure.add_scatter(
        x=rows["predicted"],
        y=labels,
        error_x={
            "type": "data",
            "symmetric": False,
            "array": rows["predicted_upper"] - rows["predicted"],
            "arrayminus": rows["predicted"] - rows["predicted_lower"],
            "color": INK,
            "thickness": 1.5,
        },
        customdata=rows[["plan", "predicted_lower", "predicted_upper", "latency_ms"]].assign(
            plan=rows["plan"].map(plain)
        ),
        mode="markers",
        name="predicted, 80 % interval",
        legendgroup="predicted, 80 % interval",
        marker={"size": 10, **look_lists(rows["family"])},
        hovertemplate="%{customdata[0]}: predicted %{x:.2f}x (%{customdata[1]:.2f}–%{customdata[2]:.2f}), "
        "%{customdata[3]:.3~g} ms<extra></extra>",
    )


def _measured(figure: go.Figure, rows: pd.DataFrame, labels: list[str], name: str, symbol: str) -> None:
    if rows.empty:
        return
    figure.add_scatter(
        x=rows["measured"],
        y=labels,
        customdata=rows[["plan", "measured_scope", "measured_source"]].map(plain),
        mode="markers",
        name=name,
        legendgroup=name,
        marker={"color": INK, "symbol": symbol, "size": 11, "line": {"width": 2, "color": INK}},
        hovertemplate="%{customdata[0]}: measured %{x:.2f}x<br>%{customdata[1]}: %{customdata[2]}"
        "<extra></extra>",
    )
