"""How far off predictions are over one dimension of the shape; the median shows what is systematic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from infersim.domain.arguments import checked, refused, text
from infersim.files.frames import a_frame, is_numeric
from infersim.report.figures.palette import INK, NEUTRAL, series
from infersim.report.figures.style import finish

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_BINS_PER_OCTAVE = 1
"""Medians are over the rows of an octave."""

_SHOWN = (0.4, 2.5)
"""Ratios further out are drawn at the edge, so that they do not flatten the rest."""


_TITLES = {
    "m": "m (tokens)",
    "n x k": "n x k (weights)",
    "k": "k (input features)",
    "context_len": "context (tokens)",
    "batch": "batch (sequences)",
    "num_heads": "heads (number)",
    "bytes": "read and written (bytes)",
    "message_bytes": "message (bytes)",
    "gpus": "GPUs (number)",
}
"""Dimensions with their units."""


@checked(
    frame=a_frame(
        numbers=("latency_us", "predicted_us"),
        others=("shape", "shape_class"),
        source="rows of validation_points",
    ),
    dimension=text,
)
def residual_by_shape(frame: pd.DataFrame, dimension: str) -> go.Figure:
    """`frame`: rows of `validation_points` with the column `dimension`.

    Parameters
    ----------
    frame
        Rows of `validation_points`.
    dimension
        One of their columns of numbers, such as `m`.

    Returns
    -------
    Figure
        Of plotly.

    Raises
    ------
    InvalidValueError
        For a frame without the columns, or with texts in the place of numbers.
        For a dimension that is no column of numbers.

    Examples
    --------
    >>> import infersim as sim
    >>> import pandas as pd
    >>> shapes = {"gpu": "l4", "kind": "gemm", "dtype": "bf16", "m": [16, 256], "n": 4096, "k": 4096}
    >>> found = sim.validate("l4", pd.DataFrame({**shapes, "latency_us": [150.0, 190.0]}))
    >>> points = sim.validation_points(found.predictions)
    >>> sim.residual_by_shape(points, "m").layout.xaxis.type
    'log'
    """
    import plotly.graph_objects as go

    if dimension not in frame.columns or not is_numeric(frame[dimension]):
        raise refused("dimension", dimension, f"a column of numbers of {', '.join(map(str, frame.columns))}")
    ratio = (frame["predicted_us"] / frame["latency_us"]).clip(*_SHOWN)
    figure = go.Figure()
    for index, (name, rows) in enumerate(frame.groupby("shape_class", sort=True)):
        colour, symbol, _ = series(index)
        figure.add_scatter(
            x=rows[dimension],
            y=ratio[rows.index],
            customdata=rows[["shape", "predicted_us", "latency_us"]],
            mode="markers",
            name=name,
            legendgroup=name,
            marker={"color": colour, "symbol": symbol, "size": 5, "opacity": 0.5},
            hovertemplate="<b>%{customdata[0]}</b><br>predicted / measured %{y:.2f}<br>"
            "%{customdata[1]:.3~g} / %{customdata[2]:.3~g} us<extra></extra>",
        )
    medians = octave_medians(ratio, frame[dimension])
    figure.add_scatter(
        x=medians.index.to_numpy(),
        y=medians.to_numpy(),
        mode="lines+markers",
        name="median",
        legendgroup="median",
        line={"color": INK, "width": 3},
        marker={"color": INK, "size": 6},
        hovertemplate="median %{y:.3f} around %{x:.3~s}<extra></extra>",
    )
    figure.add_hline(y=1, line={"color": NEUTRAL, "width": 1})
    finish(figure, height=300, x=_TITLES.get(dimension, dimension), y="predicted / measured (ratio)")
    figure.update_xaxes(type="log", dtick=1, exponentformat="power")
    return figure.update_yaxes(
        type="log", range=[float(np.log10(end)) for end in _SHOWN], tickvals=[0.5, 0.7, 1, 1.4, 2]
    )


def octave_medians(ratio: pd.Series[float], dimension: pd.Series[float]) -> pd.Series[float]:
    """Median of `ratio` over the rows of each octave of `dimension`, by the octave's middle."""
    octave = (np.log2(dimension) * _BINS_PER_OCTAVE).round() / _BINS_PER_OCTAVE
    return ratio.groupby(2.0**octave).median()
