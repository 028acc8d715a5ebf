"""Predicted against measured latency, both logarithmic: a perfect prediction lies on the diagonal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.domain.arguments import checked
from infersim.files.frames import a_frame
from infersim.report.figures.palette import NEUTRAL, series
from infersim.report.figures.style import finish

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@checked(
    frame=a_frame(
        numbers=("latency_us", "predicted_us", "lower_us", "upper_us"),
        others=("shape", "shape_class", "limiter"),
        source="rows of validation_points",
    )
)
def predicted_measured(frame: pd.DataFrame) -> go.Figure:
    """`frame`: rows of `validation_points`; each class is a series of its own.

    Parameters
    ----------
    frame
        Rows of `validation_points`.

    Returns
    -------
    Figure
        Of plotly.

    Raises
    ------
    InvalidValueError
        For a frame without the columns, or with texts in the place of numbers.

    Examples
    --------
    >>> import infersim as sim
    >>> import pandas as pd
    >>> shapes = {"gpu": "l4", "kind": "gemm", "dtype": "bf16", "m": [16, 256], "n": 4096, "k": 4096}
    >>> found = sim.validate("l4", pd.DataFrame({**shapes, "latency_us": [150.0, 190.0]}))
    >>> points = sim.validation_points(found.predictions)
    >>> sim.predicted_measured(points).layout.yaxis.title.text
    'predicted (us)'
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    ends = [frame["latency_us"].min() / 1.5, frame["latency_us"].max() * 1.5]
    figure.add_scatter(
        x=ends,
        y=ends,
        mode="lines",
        line={"color": NEUTRAL, "width": 1.5},
        name="exact",
        legendgroup="exact",
        hoverinfo="skip",
    )
    for index, (name, rows) in enumerate(frame.groupby("shape_class", sort=True)):
        colour, symbol, _ = series(index)
        figure.add_scatter(
            x=rows["latency_us"],
            y=rows["predicted_us"],
            customdata=rows[["shape", "lower_us", "upper_us", "limiter"]],
            mode="markers",
            name=name,
            legendgroup=name,
            marker={"color": colour, "symbol": symbol, "size": 6, "opacity": 0.6},
            hovertemplate="<b>%{customdata[0]}</b><br>measured %{x:.3~g} us<br>predicted %{y:.3~g} us "
            "(%{customdata[1]:.3~g}–%{customdata[2]:.3~g})<br>limited by %{customdata[3]}<extra></extra>",
        )
    finish(figure, height=460, x="measured (us)", y="predicted (us)")
    decades = {"type": "log", "dtick": 1, "exponentformat": "power", "minor": {"ticks": "inside"}}
    return figure.update_xaxes(**decades).update_yaxes(**decades)
