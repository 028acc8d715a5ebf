"""Time by op: the dense model and every plan of one scenario as stacked bars, coloured by part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report import rounding
from infersim.report.figures.style import INK, PART_COLOURS, finish, plain
from infersim.report.losses import PART_TITLES
from infersim.simulation.timeline import LAUNCH

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_BAR_HEIGHT, _AXIS_HEIGHT = 40, 90


def time_by_op(frame: pd.DataFrame) -> go.Figure:
    """`frame`: the rows of one scenario of `op_frames`. Kernel time of each op, then all launches.

    The line on each bar is the 80 % interval of the whole latency.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    totals = frame.drop_duplicates("plan")
    labels = {
        row["plan"]: f"{plain(row['plan'])}<br>{rounding.quantity(row['total_ms'])} ms"
        for _, row in totals.iterrows()
    }
    order = {part: place for place, part in enumerate(PART_COLOURS)}
    ops = (
        frame[["op", "part"]]
        .drop_duplicates()
        .sort_values("part", key=lambda part: part.map(order), kind="stable")
    )
    seen: set[str] = set()
    for op, part in ops.itertuples(index=False):
        rows = frame[(frame["op"] == op) & (frame["part"] == part)]
        _bars(
            figure, rows["plan"].map(labels), rows["kernel_ms"], part, op, rows["total_ms"], part not in seen
        )
        seen.add(part)
    launches = frame.groupby("plan", sort=False)["launch_ms"].sum()
    plans = launches.index.to_series()
    whole = plans.map(totals.set_index("plan")["total_ms"])
    _bars(figure, plans.map(labels), launches, LAUNCH, "all launches", whole, True)
    _intervals(figure, totals, labels)
    return finish(
        figure,
        height=_AXIS_HEIGHT + _BAR_HEIGHT * len(totals),
        x="predicted time (ms)",
        y="",
        yaxis={
            "autorange": "reversed",
            "categoryorder": "array",
            "categoryarray": list(labels.values()),
        },
        barmode="stack",
        bargap=0.25,
    )


def _bars(
    figure: go.Figure,
    labels: pd.Series[str],
    time_ms: pd.Series[float],
    part: str,
    op: str,
    total_ms: pd.Series[float],
    first: bool,
) -> None:
    figure.add_bar(
        x=time_ms.to_numpy(),
        y=labels.to_numpy(),
        orientation="h",
        customdata=(100 * time_ms / total_ms).to_numpy(),
        name=PART_TITLES[part],
        legendgroup=PART_TITLES[part],
        showlegend=first,
        marker={"color": PART_COLOURS[part], "line": {"color": "rgba(255,255,255,0.6)", "width": 0.5}},
        hovertemplate=f"<b>{op}</b> ({PART_TITLES[part]})<br>"
        "%{x:.3~g} ms, %{customdata:.1f} %<extra></extra>",
    )


def _intervals(figure: go.Figure, totals: pd.DataFrame, labels: dict[str, str]) -> None:
    total = totals["total_ms"]
    figure.add_scatter(
        x=total,
        y=totals["plan"].map(labels),
        error_x={
            "type": "data",
            "symmetric": False,
            "array": totals["total_upper_ms"] - total,
            "arrayminus": total - totals["total_lower_ms"],
            "color": INK,
            "thickness": 1.5,
        },
        customdata=totals[["total_lower_ms", "total_upper_ms"]],
        name="80 % interval",
        legendgroup="80 % interval",
        mode="markers",
        marker={"color": INK, "size": 4},
        hovertemplate="%{x:.4~g} ms (%{customdata[0]:.4~g}–%{customdata[1]:.4~g})<extra></extra>",
    )
