"""What a speedup needs of each family, and where plans pay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.figures.palette import INK, look_lists
from infersim.report.figures.style import dense_line, finish, folded, plain

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_ROW_HEIGHT, _AXIS_HEIGHT = 30, 66

_Y = {"autorange": "reversed", "ticks": "", "type": "category"}


def needed_sparsities(frame: pd.DataFrame) -> go.Figure:
    """`frame`: the rows of one scenario of `sparsity_for` that some sparsity reaches, least on top."""
    import plotly.graph_objects as go

    rows = frame.sort_values("sparsity_realised", kind="stable")
    labels = [
        f"{family}  <b>{rounding.fraction(sparsity)}</b>"
        for family, sparsity in zip(rows["family"], rows["sparsity_realised"], strict=True)
    ]
    figure = go.Figure()
    figure.add_scatter(
        x=100 * rows["sparsity_realised"],
        y=labels,
        customdata=rows[["family", "predicted", "predicted_lower", "predicted_upper"]],
        mode="markers",
        name="sparsity needed",
        legendgroup="sparsity needed",
        marker={"size": 11, **look_lists(rows["family"])},
        hovertemplate="<b>%{customdata[0]}</b> at %{x:.1f} %<br>predicted %{customdata[1]:.2f}x "
        "(%{customdata[2]:.2f}–%{customdata[3]:.2f})<extra></extra>",
    )
    return finish(
        figure,
        height=_AXIS_HEIGHT + _ROW_HEIGHT * len(rows),
        x="sparsity needed (%)",
        y="",
        xaxis={"range": [0, 100]},
        yaxis=_Y,
    )


def speedup_ranges(frame: pd.DataFrame) -> go.Figure:
    """`frame`: the rows of one GPU and phase of `break_even`: from the least to the greatest speedup met."""
    import plotly.graph_objects as go

    labels = [folded(str(plan)) for plan in frame["plan"]]
    middle = (frame["predicted_low"] + frame["predicted_high"]) / 2
    figure = go.Figure()
    name = "predicted, least to greatest"
    figure.add_scatter(
        x=middle,
        y=labels,
        error_x={
            "type": "data",
            "array": frame["predicted_high"] - middle,
            "color": INK,
            "thickness": 2,
        },
        customdata=frame[["plan", "predicted_low", "predicted_high", "batches", "contexts"]].assign(
            plan=frame["plan"].map(plain)
        ),
        mode="markers",
        name=name,
        legendgroup=name,
        marker={"size": 10, **look_lists(frame["family"])},
        hovertemplate="<b>%{customdata[0]}</b>: %{customdata[1]:.2f}–%{customdata[2]:.2f}x<br>"
        "pays at batches: %{customdata[3]}<br>at contexts: %{customdata[4]}<extra></extra>",
    )
    return finish(
        figure,
        height=_AXIS_HEIGHT + _ROW_HEIGHT * len(frame),
        x="predicted speedup (x)",
        y="",
        yaxis=_Y,
        shapes=[dense_line(vertical=True)],
    )
