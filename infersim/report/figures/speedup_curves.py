"""Speedup over sparsity: one family with promised, possible, predicted and measured, or all families."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.domain.arguments import checked, optional
from infersim.domain.numbers import number
from infersim.files.frames import a_frame
from infersim.report.figures.palette import INK, NEUTRAL, Look, family_look
from infersim.report.figures.style import (
    BOUND,
    ROOM,
    add_band,
    add_line,
    add_predictions,
    dense_line,
    finish,
    plain,
)
from infersim.simulation.measured.table import Scope

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

X_TITLE, Y_TITLE = "sparsity (%)", "speedup over dense (x)"


_PREDICTED = ("sparsity_realised", "predicted", "predicted_lower", "predicted_upper")


@checked(
    frame=a_frame(
        numbers=(*_PREDICTED, "bound"), others=("curve", "family"), source="curves of gather_comparison"
    )
)
def family_curves(frame: pd.DataFrame) -> go.Figure:
    """Predicted speedup of every curve of one scenario; `frame`: `curves` of a ComparisonReport.

    Parameters
    ----------
    frame
        Rows of one scenario of `curves` of a ComparisonReport.

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
    >>> plans = [sim.prune("llama-3.2-1b", "static-m", 0.5)]
    >>> report = sim.gather_comparison("llama-3.2-1b", plans, "l4", phase="decode", context=1024)
    >>> len(sim.family_curves(report.curves).data)
    1
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    add_predictions(figure, frame.groupby("curve", sort=False), "sparsity_realised", 100, "%{x:.1f} %")
    return finish(figure, height=360, x=X_TITLE, y=f"predicted {Y_TITLE}", shapes=[dense_line()])


@checked(
    frame=a_frame(
        numbers=(*_PREDICTED, "flops", "bound", "measured"),
        others=("family", "measured_scope", "measured_source"),
        source="curves of gather_comparison",
    ),
    top=optional(number("a speedup above 0", above=0.0)),
)
def speedup_curve(frame: pd.DataFrame, top: float | None = None) -> go.Figure:
    """One curve of one scenario: flops, bound, predicted with its interval, measured.

    What is predicted has the colour and marker of the family, all else is in ink or grey. `top` ends the
    axis; left out, the highest of these speedups does.

    Parameters
    ----------
    frame
        One curve of one scenario of `curves` of a ComparisonReport.
    top
        The speedup at the end of the axis. Left out: the highest of these.

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
    >>> plans = [sim.prune("llama-3.2-1b", "static-m", 0.5)]
    >>> report = sim.gather_comparison("llama-3.2-1b", plans, "l4", phase="decode", context=1024)
    >>> figure = sim.speedup_curve(report.curves, top=4.0)
    >>> sorted({trace.name for trace in figure.data if trace.name})
    ['80 % interval', 'bound', 'flops', 'predicted']
    """
    import plotly.graph_objects as go

    rows = frame.sort_values("sparsity_realised")
    x = 100 * rows["sparsity_realised"]
    look = family_look(str(rows["family"].iloc[0]))
    figure = go.Figure()
    _line(figure, x, rows["flops"], "flops", Look(colour=NEUTRAL, marker="circle-open", dash="dot"))
    _line(figure, x, rows["bound"], "bound", BOUND)
    _interval(figure, rows, look.colour)
    _line(figure, x, rows["predicted"], "predicted", look._replace(dash="solid"))
    _measured(figure, rows)
    return finish(
        figure,
        height=260,
        x=X_TITLE,
        y="speedup (x)",
        xaxis={"range": [0, 100]},
        yaxis={"range": [0, (highest(rows) if top is None else top) * ROOM]},
        shapes=[dense_line()],
    )


def highest(frame: pd.DataFrame) -> float:
    """The highest speedup in a frame of `compare`, so that several figures can share an axis."""
    return float(frame[["flops", "bound", "predicted_upper", "measured"]].max().max())


def _line(figure: go.Figure, x: pd.Series[float], y: pd.Series[float], name: str, look: Look) -> None:
    add_line(figure, x, y, name, look, f"{name} %{{y:.2f}}x at %{{x:.1f}} %")


def _interval(figure: go.Figure, rows: pd.DataFrame, colour: str) -> None:
    """The 80 % interval as a band, or as an error bar where there is but one sparsity."""
    x, low, high = 100 * rows["sparsity_realised"], rows["predicted_lower"], rows["predicted_upper"]
    name = "80 % interval"
    if len(rows) == 1:
        figure.add_scatter(
            x=x,
            y=rows["predicted"],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": high - rows["predicted"],
                "arrayminus": rows["predicted"] - low,
                "color": colour,
            },
            name=name,
            legendgroup=name,
            mode="markers",
            marker={"color": colour, "size": 1},
            hoverinfo="skip",
        )
        return
    add_band(figure, x, low, high, name, colour)


def _measured(figure: go.Figure, rows: pd.DataFrame) -> None:
    """Points are full; means and other numbers that are not set against the prediction are hollow."""
    for name, symbol, chosen in (
        ("measured", "diamond", rows["measured_scope"] == Scope.POINT),
        ("measured (mean or other)", "diamond-open", ~rows["measured_scope"].isin(["", Scope.POINT])),
    ):
        found = rows[chosen]
        if not found.empty:
            figure.add_scatter(
                x=100 * found["sparsity_realised"],
                y=found["measured"],
                customdata=found[["measured_scope", "measured_source"]].map(plain),
                name=name,
                legendgroup=name,
                mode="markers",
                marker={"color": INK, "symbol": symbol, "size": 11, "line": {"width": 2, "color": INK}},
                hovertemplate="measured %{y:.2f}x at %{x:.1f} %<br>%{customdata[0]}: %{customdata[1]}"
                "<extra></extra>",
            )
