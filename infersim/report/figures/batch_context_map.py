"""Predicted speedup over batch and context: a map whose colour turns where a plan is as fast as dense."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from infersim.report.figures.style import BLUE, VERMILION, finish

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_SCALE = ((0.0, VERMILION), (0.5, "#F2F2F2"), (1.0, BLUE))
"""Slower than dense, as fast, faster."""

_MAX_WRITTEN = 8
"""Contexts up to which there is room to write each speedup into its cell."""

_TICKS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0)

UNIT = 1024


def batch_context_map(rows: pd.DataFrame, reach: float) -> go.Figure:
    """Rows of one plan in one case; what does not fit into memory is left blank.

    Colours are even in the logarithm of the speedup and end at `reach` and 1 / `reach`: panels share them.
    """
    import plotly.graph_objects as go

    fitting = rows["predicted"].where(rows["fits_memory"] & rows["dense_fits_memory"])
    grid = rows.assign(predicted=fitting).pivot(index="batch", columns="context", values="predicted")
    speedups = grid.to_numpy(dtype=float)
    written = len(grid.columns) <= _MAX_WRITTEN
    end = float(np.log2(reach))
    ticks = [tick for tick in _TICKS if abs(np.log2(tick)) <= end]
    figure = go.Figure()
    figure.add_heatmap(
        x=[_short(int(context)) for context in rows["context"].drop_duplicates().sort_values()],
        y=[str(batch) for batch in grid.index],
        z=np.log2(speedups),
        customdata=speedups,
        zmin=-end,
        zmax=end,
        colorscale=_SCALE,
        showscale=not written,
        colorbar={
            "thickness": 10,
            "tickvals": np.log2(ticks).tolist(),
            "ticktext": [f"{tick:g}x" for tick in ticks],
        },
        text=[[f"{value:.2f}" if value == value else "" for value in row] for row in speedups],
        texttemplate="%{text}" if written else "",
        xgap=1,
        ygap=1,
        hoverongaps=False,
        hovertemplate="batch %{y}, context %{x}: %{customdata:.2f}x<extra></extra>",
    )
    category = {"type": "category", "showgrid": False}
    return finish(
        figure,
        height=120 + 26 * len(grid.index),
        x="context",
        y="batch",
        xaxis=category,
        yaxis=category,
    )


def _short(context: int) -> str:
    """`4096` as `4k`."""
    return f"{context // UNIT}k" if context >= UNIT and context % UNIT == 0 else str(context)
