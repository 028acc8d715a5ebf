"""The roofline of a GPU with the ops of the dense model and of plans: work for each byte, and its pace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from infersim.domain.arguments import checked, one_or_several, text
from infersim.domain.profile import GIGA, TERA, HardwareProfile
from infersim.files.frames import a_frame
from infersim.profile_files.profiles import a_profile
from infersim.report.core.losses import PART_TITLES
from infersim.report.figures.palette import NEUTRAL, PART_COLOURS, series
from infersim.report.figures.style import finish, plain
from infersim.simulation.speedups.resolving import DENSE

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_SMALLEST, _LARGEST = 7.0, 26.0
"""Diameters in pixels of an op that takes no time and of one that takes it all."""


@checked(
    frame=a_frame(
        numbers=("flop", "kernel_bytes", "latency_ms", "share"),
        others=("plan", "part", "op", "limiter"),
        source="rows of one scenario of gather_comparison's ops",
    ),
    profile=a_profile,
    visible=one_or_several(text, at_least=0),
)
def roofline(frame: pd.DataFrame, profile: HardwareProfile, visible: Sequence[str] = (DENSE,)) -> go.Figure:
    """`frame`: the rows of one scenario of `op_frames`; plans other than those `visible` wait in the legend.

    Intensity counts operands and results (`kernel_bytes`); a point's area is its share of the time. Ops
    without FLOPs have no place here.

    Parameters
    ----------
    frame
        The rows of one scenario of `ops` of a ComparisonReport.
    profile
        The GPU: a profile, a name or a `.toml` path.
    visible
        Titles of plans that are shown at once.

    Returns
    -------
    Figure
        Of plotly.

    Raises
    ------
    InvalidValueError
        For a frame without the columns, or with texts in the place of numbers.

    References
    ----------
    .. [1] S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for
       multicore architectures", Communications of the ACM 52(4), 2009.

    Examples
    --------
    >>> import infersim as sim
    >>> plans = [sim.prune("llama-3.2-1b", "static-m", 0.5)]
    >>> report = sim.gather_comparison("llama-3.2-1b", plans, "l4", phase="decode", context=1024)
    >>> sim.roofline(report.ops, "l4").layout.yaxis.title.text
    'predicted TFLOP/s'
    """
    import plotly.graph_objects as go

    ops = frame[frame["flop"] > 0]
    ops = ops.assign(
        intensity=ops["flop"] / ops["kernel_bytes"], tflops=ops["flop"] / (ops["latency_ms"] * 1e-3) / TERA
    )
    figure = go.Figure()
    _roofs(figure, profile, float(ops["intensity"].min()) / 3, float(ops["intensity"].max()))
    for index, (plan, rows) in enumerate(ops.groupby("plan", sort=False)):
        _points(figure, str(plan), rows, series(index).marker, plan in visible)
    _part_key(figure, ops["part"].unique().tolist())
    decades = {"type": "log", "dtick": 1, "exponentformat": "power", "minor": {"ticks": "inside"}}
    return finish(
        figure,
        height=460,
        x="intensity (FLOP per byte)",
        y="predicted TFLOP/s",
        xaxis=decades,
        yaxis=decades,
    )


def _roofs(figure: go.Figure, profile: HardwareProfile, low: float, high: float) -> None:
    """Bandwidth times intensity up to each peak; data types of equal peak share a roof."""
    bandwidth = profile.memory.bandwidth_bytes_per_s
    peaks: dict[float, list[str]] = {}
    for dtype in profile.matrix:
        peaks.setdefault(profile.bound_flop_per_s(dtype), []).append(dtype.value)
    end = max(40 * high, *(40 * peak / bandwidth for peak in peaks))  # beyond the ops, for the labels
    for peak, dtypes in sorted(peaks.items()):
        name = ", ".join(dtypes)
        label = f"{name} {peak / TERA:,.0f}"
        x = np.array([min(low, peak / bandwidth), peak / bandwidth, end])
        figure.add_scatter(
            x=x,
            y=np.minimum(x * bandwidth, peak) / TERA,
            mode="lines+text",
            text=["", "", label],
            textposition="top left",
            line={"color": NEUTRAL, "width": 1.5},
            name="roofs",
            legendgroup="roofs",
            showlegend=peak == min(peaks),
            hovertemplate=f"{label} TFLOP/s, {bandwidth / GIGA:,.0f} GB/s<extra></extra>",
        )


def _points(figure: go.Figure, plan: str, rows: pd.DataFrame, symbol: str, visible: bool) -> None:
    title = plain(plan)
    figure.add_scatter(
        x=rows["intensity"],
        y=rows["tflops"],
        customdata=rows[["op", "latency_ms", "limiter", "share"]],
        mode="markers",
        name=title,
        legendgroup=plan,
        visible=True if visible else "legendonly",
        marker={
            "color": rows["part"].map(PART_COLOURS),
            "symbol": symbol,
            "size": _SMALLEST + (_LARGEST - _SMALLEST) * np.sqrt(rows["share"]),
            "opacity": 0.85,
            "line": {"width": 1, "color": NEUTRAL},
        },
        hovertemplate="<b>%{customdata[0]}</b>, %{fullData.name}<br>"
        "%{x:.3~g} FLOP/byte, %{y:.3~g} TFLOP/s<br>"
        "%{customdata[1]:.3~g} ms (%{customdata[3]:.0%}), limited by %{customdata[2]}<extra></extra>",
    )


def _part_key(figure: go.Figure, parts: Sequence[str]) -> None:
    """Traces without points: legends say by them what the colours of points mean."""
    for part, colour in PART_COLOURS.items():
        if part in parts:
            figure.add_scatter(
                x=[None],
                y=[None],
                mode="markers",
                name=PART_TITLES[part],
                legendgroup=PART_TITLES[part],
                marker={"color": colour, "symbol": "circle", "size": 10},
            )
