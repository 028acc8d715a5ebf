"""The source paper's numbers and infersim's, drawn side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.losses import PART_TITLES
from infersim.report.figures.palette import BLUE, INK, ORANGE, family_look
from infersim.report.figures.style import broken, dense_line, finish

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_BAR_HEIGHT, _AXIS_HEIGHT = 40, 70


def component_bars(frame: pd.DataFrame) -> go.Figure:
    """`frame`: the components of one phase of Figure 2, milliseconds predicted and published."""
    import plotly.graph_objects as go

    labels = [PART_TITLES[name] for name in frame["component"]]
    figure = go.Figure()
    for name, column, colour in (("predicted", "predicted_ms", BLUE), ("paper", "paper_ms", ORANGE)):
        figure.add_bar(
            x=frame[column].to_numpy(),
            y=labels,
            orientation="h",
            name=name,
            legendgroup=name,
            marker={"color": colour},
            hovertemplate="%{y}: %{x:.4~g} ms<extra>" + name + "</extra>",
        )
    finish(figure, height=_AXIS_HEIGHT + _BAR_HEIGHT * len(frame), x="time (ms)", y="")
    figure.update_layout(barmode="group", bargap=0.3)
    return figure.update_yaxes(autorange="reversed", title=None)


def mean_speedup_points(frame: pd.DataFrame) -> go.Figure:
    """`frame`: the mean speedups of one phase; bound, prediction with its spread over the grid, paper.

    Predictions have the colours and markers of their families.
    """
    import plotly.graph_objects as go

    labels = [
        broken(f"{family} {rounding.fraction(sparsity)}")
        for family, sparsity in zip(frame["family"], frame["sparsity"], strict=True)
    ]
    spread = {
        "type": "data",
        "symmetric": False,
        "array": (frame["predicted_max"] - frame["predicted"]).to_numpy(),
        "arrayminus": (frame["predicted"] - frame["predicted_min"]).to_numpy(),
        "color": INK,
        "thickness": 1.5,
    }
    looks = [family_look(str(family)) for family in frame["family"]]
    figure = go.Figure()
    for name, colour, symbol in (
        ("bound", INK, "line-ns-open"),
        ("predicted", [look.colour for look in looks], [look.marker for look in looks]),
        ("paper", INK, "diamond-open"),
    ):
        figure.add_scatter(
            x=frame[name].to_numpy(),
            y=labels,
            error_x=spread if name == "predicted" else None,
            name=name,
            legendgroup=name,
            mode="markers",
            marker={
                "color": colour,
                "symbol": symbol,
                "size": 10,
                "line": {"width": 2 if colour == INK else 0},
            },
            hovertemplate="%{y}: %{x:.2f}x<extra>" + name + "</extra>",
        )
    finish(
        figure,
        height=_AXIS_HEIGHT + _BAR_HEIGHT * len(frame),
        x="mean speedup over dense (x)",
        y="",
        shapes=[dense_line(vertical=True)],
    )
    return figure.update_yaxes(autorange="reversed", title=None)
