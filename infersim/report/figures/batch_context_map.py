"""Predicted speedup over batch and context: a map whose colour turns where a plan is as fast as dense."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from infersim.report.figures.palette import BLUE, VERMILION
from infersim.report.figures.style import finish

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_MIDDLE = "#F2F2F2"
"""As fast as dense."""

_MAX_WRITTEN = 8
"""Contexts up to which there is room to write each speedup into its cell."""

_CELL = 0.96
"""Of a cell that is filled; the rest keeps cells apart."""

UNIT = 1024


def batch_context_map(rows: pd.DataFrame, reach: float) -> go.Figure:
    """Rows of one plan in one case; what does not fit into memory is left blank.

    Colours are even in the logarithm of the speedup and end at `reach` and 1 / `reach`: panels share them.
    Cells are bars of height 1 above each other, as the page's plotly has no maps.
    """
    import plotly.graph_objects as go

    fitting = rows["predicted"].where(rows["fits_memory"] & rows["dense_fits_memory"])
    grid = rows.assign(predicted=fitting).pivot(index="batch", columns="context", values="predicted")
    speedups = grid.to_numpy(dtype=float)
    written = len(grid.columns) <= _MAX_WRITTEN
    end = float(np.log2(reach))
    row, column = np.nonzero(~np.isnan(speedups))
    shown = speedups[row, column]
    contexts = [_short(int(context)) for context in grid.columns]
    batches = [str(batch) for batch in grid.index]
    figure = go.Figure()
    figure.add_bar(
        x=[contexts[place] for place in column],
        y=[_CELL] * len(shown),
        base=(row + (1 - _CELL) / 2).tolist(),
        width=_CELL,
        customdata=[[batches[place], value] for place, value in zip(row, shown, strict=True)],
        marker={"color": [_colour(float(value) / end) for value in np.log2(shown)]},
        text=[f"{value:.2f}" for value in shown] if written else None,
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        showlegend=False,
        hovertemplate="batch %{customdata[0]}, context %{x}: %{customdata[1]:.2f}x<extra></extra>",
    )
    places = {"tickvals": (np.arange(len(batches)) + 0.5).tolist(), "ticktext": batches}
    return finish(
        figure,
        height=120 + 26 * len(batches),
        x="context (tokens)",
        y="batch (sequences)",
        xaxis={"type": "category", "showgrid": False, "categoryorder": "array", "categoryarray": contexts},
        yaxis={"range": [0, len(batches)], "showgrid": False, **places},
        barmode="overlay",
    )


def _short(context: int) -> str:
    """`4096` as `4k`."""
    return f"{context // UNIT}k" if context >= UNIT and context % UNIT == 0 else str(context)


def _colour(share: float) -> str:
    """From -1, the slowest, over 0, as fast as dense, to 1: between the palette's colours, in sRGB."""
    end = _channels(BLUE if share > 0 else VERMILION)
    mixed = (m + (e - m) * min(abs(share), 1.0) for m, e in zip(_channels(_MIDDLE), end, strict=True))
    return "#" + "".join(f"{round(channel):02X}" for channel in mixed)


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.lstrip("#")))
