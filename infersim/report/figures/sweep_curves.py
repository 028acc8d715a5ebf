"""Speedup over sparsity in one case of a sweep: the mean over batches and contexts, and their spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.figures.palette import family_look
from infersim.report.figures.speedup_curves import X_TITLE
from infersim.report.figures.style import BOUND, ROOM, add_band, add_line, dense_line, finish

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

MEAN, RANGE, MEAN_BOUND = "predicted, mean", "all batches and contexts", "bound, mean"


def sweep_curve(rows: pd.DataFrame, top: float) -> go.Figure:
    """Rows of one pruning in a frame of `sweep_summary`; `top` ends the axis, so that panels share it."""
    import plotly.graph_objects as go

    rows = rows.sort_values("sparsity_realised")
    x, look = 100 * rows["sparsity_realised"], family_look(str(rows["family"].iloc[0]))
    figure = go.Figure()
    add_band(figure, x, rows["low"], rows["high"], RANGE, look.colour)
    for key, name, drawn in (("bound", MEAN_BOUND, BOUND), ("predicted", MEAN, look._replace(dash="solid"))):
        hover = (
            f"{name} %{{y:.2f}}x at %{{x:.1f}} %<br>predicted %{{customdata[0]:.2f}}–%{{customdata[1]:.2f}}x "
            "over all"
        )
        add_line(figure, x, rows[key], name, drawn, hover, rows[["low", "high"]])
    return finish(
        figure,
        height=260,
        x=X_TITLE,
        y="speedup (x)",
        xaxis={"range": [0, 100]},
        yaxis={"range": [0, top * ROOM]},
        shapes=[dense_line()],
    )
