"""The roofline of one data type with measured kernels under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from infersim.domain.dtypes import DType
from infersim.domain.profile import GIGA, MEGA, TERA, HardwareProfile
from infersim.report.figures.palette import NEUTRAL, series
from infersim.report.figures.style import finish

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


def sample_roofline(frame: pd.DataFrame, profile: HardwareProfile, dtype: DType) -> go.Figure:
    """`frame`: rows of `validation_points` with FLOPs; predictions wait in the legend.

    Intensity counts operands and result, so that a point may stand above the slanted roof where L2 saved
    traffic.
    """
    import plotly.graph_objects as go

    intensity = frame["flop"] / frame["kernel_bytes"]
    figure = go.Figure()
    _roof(figure, profile, dtype, float(intensity.min()) / 2, float(intensity.max()) * 2)
    for name, column, shown in (("measured", "latency_us", True), ("predicted", "predicted_us", False)):
        colour, symbol, _ = series(0 if shown else 1)
        figure.add_scatter(
            x=intensity,
            y=frame["flop"] / (frame[column] / MEGA) / TERA,
            customdata=frame[["shape", column]],
            mode="markers",
            name=name,
            legendgroup=name,
            visible=True if shown else "legendonly",
            marker={"color": colour, "symbol": symbol, "size": 5, "opacity": 0.5},
            hovertemplate=f"<b>%{{customdata[0]}}</b><br>{name} %{{customdata[1]:.3~g}} us<br>"
            "%{y:.3~g} TFLOP/s, %{x:.3~g} FLOP/byte<extra></extra>",
        )
    finish(figure, height=420, x="intensity (FLOP per byte)", y="TFLOP/s")
    decades = {"type": "log", "dtick": 1, "exponentformat": "power", "minor": {"ticks": "inside"}}
    return figure.update_xaxes(**decades).update_yaxes(**decades)


def _roof(figure: go.Figure, profile: HardwareProfile, dtype: DType, low: float, high: float) -> None:
    """Bandwidth times intensity up to the peak at the highest clock."""
    peak, bandwidth = profile.bound_flop_per_s(dtype), profile.memory.bandwidth_bytes_per_s
    ridge = peak / bandwidth
    x = np.array([min(low, ridge / 2), ridge, max(high, 2 * ridge)])
    figure.add_scatter(
        x=x,
        y=np.minimum(x * bandwidth, peak) / TERA,
        mode="lines",
        line={"color": NEUTRAL, "width": 1.5},
        name="roof",
        legendgroup="roof",
        hovertemplate=f"{dtype} {peak / TERA:,.0f} TFLOP/s, {bandwidth / GIGA:,.0f} GB/s<extra></extra>",
    )
