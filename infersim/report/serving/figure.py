"""Throughput against TPOT: a curve for each plan, from one request to the most that fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from infersim.report.figures.palette import INK, NEUTRAL, Look, family_looks
from infersim.report.figures.style import finish, plain
from infersim.simulation.serving.under_load import Curve, UnderLoad

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

MOST_POINTS = 40
"""Points of a curve that are drawn: its ends, and between them in steps of equal ratio."""

DENSE_LOOK = Look(colour=INK, marker="circle", dash="solid")


def load_figure(found: UnderLoad) -> go.Figure:
    """Up and to the left is better: more tokens each second, less time for each."""
    import plotly.graph_objects as go

    figure = go.Figure()
    owners = [(curve.title, curve.answer.plan.family) for curve in found.plans]
    looks = {found.dense.title: DENSE_LOOK, **family_looks(owners)}
    for curve in found.curves:
        if curve.most:
            _curve(figure, curve, looks[curve.title])
    target = found.targets.tpot_ms
    shapes = [] if target is None else [_target_line(target)]
    return finish(
        figure,
        height=420,
        x="time for each token, TPOT (ms)",
        y="throughput (tokens/s)",
        xaxis={"rangemode": "tozero"},
        yaxis={"rangemode": "tozero"},
        shapes=shapes,
    )


def curve_data(found: UnderLoad) -> pd.DataFrame:
    """The points that are drawn."""
    import pandas as pd

    return pd.concat(
        [
            pd.DataFrame(
                {
                    "plan": curve.title,
                    "concurrency": curve.concurrency[places].astype(int),
                    "tokens_per_s": curve.tokens_per_s[places],
                    "tpot_ms": curve.tpot_ms[places],
                    "ttft_ms": curve.ttft_ms[places],
                }
            )
            for curve in found.curves
            if (places := _places(curve)).size
        ],
        ignore_index=True,
    )


def _curve(figure: go.Figure, curve: Curve, look: Look) -> None:
    places = _places(curve)
    figure.add_scatter(
        x=curve.tpot_ms[places],
        y=curve.tokens_per_s[places],
        customdata=np.stack([curve.concurrency[places], curve.ttft_ms[places]], axis=1),
        name=plain(curve.title),
        legendgroup=curve.title,
        mode="lines+markers",
        line={"color": look.colour, "dash": look.dash, "width": 2},
        marker={"color": look.colour, "symbol": look.marker, "size": 6},
        hovertemplate="<b>%{fullData.name}</b>, %{customdata[0]:.0f} at once<br>%{y:,.0f} tokens/s, "
        "%{x:.3~g} ms a token<br>%{customdata[1]:,.3~g} ms to the first<extra></extra>",
    )


def _places(curve: Curve) -> np.ndarray:
    if not curve.most:
        return np.array([], dtype=int)
    steps = np.geomspace(1, curve.most, min(MOST_POINTS, curve.most)).round().astype(int)
    return np.unique(steps) - 1


def _target_line(tpot_ms: float) -> dict[str, object]:
    return {
        "type": "line",
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "x0": tpot_ms,
        "x1": tpot_ms,
        "line": {"color": NEUTRAL, "width": 1},
    }
