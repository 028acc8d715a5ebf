"""Speedup over sparsity in one case of a sweep: the mean over batches and contexts, and their spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.figures.palette import INK, Look, faded, family_look
from infersim.report.figures.speedup_curves import X_TITLE
from infersim.report.figures.style import dense_line, finish

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

MEAN, RANGE, BOUND = "predicted, mean", "all batches and contexts", "bound, mean"

_ROOM = 1.05
"""The axis ends a little above the highest line."""


def sweep_curve(rows: pd.DataFrame, top: float) -> go.Figure:
    """Rows of one pruning in a frame of `sweep_summary`; `top` ends the axis, so that panels share it."""
    import plotly.graph_objects as go

    rows = rows.sort_values("sparsity_realised")
    x, look = 100 * rows["sparsity_realised"], family_look(str(rows["family"].iloc[0]))
    figure = go.Figure()
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "legendgroup": RANGE}
    figure.add_scatter(x=x, y=rows["low"], showlegend=False, **edge)
    figure.add_scatter(x=x, y=rows["high"], name=RANGE, fill="tonexty", fillcolor=faded(look.colour), **edge)
    for key, name, (colour, marker, dash) in (
        ("bound", BOUND, Look(colour=INK, marker="line-ew-open", dash="dash")),
        ("predicted", MEAN, look._replace(dash="solid")),
    ):
        figure.add_scatter(
            x=x,
            y=rows[key],
            customdata=rows[["low", "high"]],
            name=name,
            legendgroup=name,
            mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 2},
            marker={"color": colour, "symbol": marker, "size": 7},
            hovertemplate=f"{name} %{{y:.2f}}x at %{{x:.1f}} %<br>predicted %{{customdata[0]:.2f}}–"
            "%{customdata[1]:.2f}x over all<extra></extra>",
        )
    return finish(
        figure,
        height=260,
        x=X_TITLE,
        y="speedup (x)",
        xaxis={"range": [0, 100]},
        yaxis={"range": [0, top * _ROOM]},
        shapes=[dense_line()],
    )
