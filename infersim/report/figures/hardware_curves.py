"""Speedup along a number of the datasheet, one plan or all of them, and along the number of GPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.domain.arguments import checked
from infersim.files.frames import a_frame
from infersim.report.figures.palette import NEUTRAL, family_look
from infersim.report.figures.style import BOUND, ROOM, add_band, add_line, add_predictions, dense_line, finish

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


def plans_along(frame: pd.DataFrame, x_title: str) -> go.Figure:
    """Predicted speedup of every plan of one scenario; `frame`: rows of `compare_along`."""
    import plotly.graph_objects as go

    figure = go.Figure()
    add_predictions(figure, frame.groupby("plan", sort=False), "value", 1, "%{x:,}")
    lines = [dense_line(), _own_line(frame)]
    y_title = "predicted speedup over dense (x)"
    return finish(figure, height=360, x=x_title, y=y_title, xaxis=_around(frame), shapes=lines)


def plan_along(frame: pd.DataFrame, x_title: str, top: float) -> go.Figure:
    """One plan of one scenario: bound, and predicted with its 80 % interval. `top` ends the axis."""
    import plotly.graph_objects as go

    rows = frame.sort_values("value")
    x, look = rows["value"], family_look(str(rows["family"].iloc[0]))
    figure = go.Figure()
    add_band(figure, x, rows["predicted_lower"], rows["predicted_upper"], "80 % interval", look.colour)
    for key, drawn in (("bound", BOUND), ("predicted", look._replace(dash="solid"))):
        add_line(figure, x, rows[key], key, drawn, f"{key} %{{y:.2f}}x at %{{x:,}}")
    return finish(
        figure,
        height=260,
        x=x_title,
        y="speedup (x)",
        xaxis=_around(frame),
        yaxis={"range": [0, top * ROOM]},
        shapes=[dense_line(), _own_line(frame)],
    )


@checked(
    frame=a_frame(
        numbers=("gpus", "predicted", "predicted_lower", "predicted_upper", "bound"),
        others=("plan", "family"),
        source="a frame of compare",
    )
)
def plans_by_gpus(frame: pd.DataFrame) -> go.Figure:
    """Predicted speedup of every plan of one scenario over GPUs that share the model; rows of `compare`."""
    import plotly.graph_objects as go

    figure = go.Figure()
    add_predictions(figure, frame.groupby("plan", sort=False), "gpus", 1, "%{x} GPUs")
    counts = sorted(frame["gpus"].unique().tolist())
    return finish(
        figure,
        height=360,
        x="GPUs that share the model (number)",
        y="predicted speedup over dense (x)",
        xaxis={"type": "log", "tickmode": "array", "tickvals": counts, "ticktext": list(map(str, counts))},
        yaxis={"rangemode": "tozero"},
        shapes=[dense_line()],
    )


def highest(frame: pd.DataFrame) -> float:
    """The highest speedup of all plans, so that their figures can share an axis."""
    return float(frame[["bound", "predicted_upper"]].max().max())


def _around(frame: pd.DataFrame) -> dict[str, object]:
    """An axis that ends a little beyond the values, and so within its last tick."""
    low, high = float(frame["value"].min()), float(frame["value"].max())
    margin = 0.04 * (high - low)
    return {"range": [low - margin, high + margin]}


def _own_line(frame: pd.DataFrame) -> dict[str, object]:
    """A line at the datasheet's own value."""
    own = float(frame.loc[frame["own"], "value"].iloc[0])
    line = {"color": NEUTRAL, "width": 1, "dash": "dot"}
    return {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": own, "x1": own, "line": line}
