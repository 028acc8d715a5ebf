"""Speed gained over quality lost: points with their intervals, who leads, and what lies between points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from infersim.domain.arguments import checked
from infersim.files.frames import a_frame
from infersim.report.figures.palette import INK, NEUTRAL, Look, family_look
from infersim.report.figures.style import dense_line, finish, plain
from infersim.simulation.frontier.bands import series_curves
from infersim.simulation.frontier.pareto import Standing, bands

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

X_TITLE, Y_TITLE = "quality lost (%)", "speedup over dense (x)"

_ROOM = 1.08
"""The axis ends a little beyond the last point worth showing."""

_FAR = 1.5
"""Points that lose so many times more than the last of the frontier are left to the table."""

BETWEEN, LEADS, MEASURED = "between stated points", "frontier", "measured"


@checked(
    points=a_frame(
        numbers=("quality_loss_percent", "predicted", "predicted_lower", "predicted_upper", "measured"),
        others=(
            *("family", "plan", "method", "standing", "fits_memory", "source", "locator"),
            *("measured_scope", "measured_source"),
        ),
        source="points of a frontier",
    )
)
def frontier_figure(points: pd.DataFrame) -> go.Figure:
    """`points`: one frontier of one scenario. Families have colours and markers, dominated points are hollow.

    The stepped line is the frontier of stated points; dotted lines join points of one series and are no
    statement of any source.

    Parameters
    ----------
    points
        One frontier of one scenario: rows of `points` of what `frontier` returned.

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
    >>> found = sim.frontier("llama-2-7b", "l4", phase="decode", context=128, recovery="none")
    >>> points = found.points[found.points["axis"] == "zero-shot"]
    >>> sim.frontier_figure(points).layout.yaxis.title.text
    'predicted speedup over dense (x)'
    """
    import plotly.graph_objects as go

    known = points[points["predicted"].notna()]
    figure = go.Figure()
    for rows, curve in series_curves(known, "predicted"):
        if len(rows) > 1:
            _line(figure, curve.loss, curve.speedup, named=not figure.data)
    _frontier(figure, known)
    for family, rows in known.groupby("family", sort=False):
        _points(figure, rows, str(family), family_look(str(family)))
    _measured(figure, points)
    low, high = _range(known)
    return finish(
        figure,
        height=420,
        x=X_TITLE,
        y=f"predicted {Y_TITLE}",
        xaxis={"range": [low, high]},
        shapes=[dense_line()],
    )


def _range(points: pd.DataFrame) -> tuple[float, float]:
    """Losses from a little below 0 to beyond the frontier: what is far worse would crush the rest."""
    losses = points["quality_loss_percent"]
    leading = losses[points["standing"] == Standing.FRONTIER]
    last = float((leading if not leading.empty else losses).max())
    high = max(min(float(losses.max()), _FAR * last), 1.0) * _ROOM
    return min(float(losses.min()), 0.0) - 0.03 * high, high


def _line(figure: go.Figure, x: np.ndarray, y: np.ndarray, *, named: bool) -> None:
    """Only one line stands in the legend."""
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": NEUTRAL, "width": 1, "dash": "dot"},
        name=BETWEEN,
        legendgroup=BETWEEN,
        showlegend=named,
        hoverinfo="skip",
    )


def _frontier(figure: go.Figure, points: pd.DataFrame) -> None:
    """Steps: what is gained at most as the allowed loss grows, from dense on."""
    fitting = points[points["fits_memory"]]
    loss, speedup = (fitting[name].to_numpy(dtype=float) for name in ("quality_loss_percent", "predicted"))
    led = bands(np.append(loss, 0.0), np.append(speedup, 1.0))
    x = [band.low for band in led]
    y = [float(np.append(speedup, 1.0)[band.leader]) for band in led]
    figure.add_scatter(
        x=[*x, max(float(loss.max(initial=0.0)), x[-1])],
        y=[*y, y[-1]],
        mode="lines",
        line={"color": INK, "width": 2, "shape": "hv"},
        name=LEADS,
        legendgroup=LEADS,
        hoverinfo="skip",
    )


def _points(figure: go.Figure, rows: pd.DataFrame, family: str, look: Look) -> None:
    colour, marker, _ = look
    dominated = rows["standing"] == Standing.DOMINATED
    for chosen, symbol, shown in (
        (rows[~dominated], marker, True),
        (rows[dominated], f"{marker}-open", False),
    ):
        if chosen.empty:
            continue
        figure.add_scatter(
            x=chosen["quality_loss_percent"],
            y=chosen["predicted"],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": chosen["predicted_upper"] - chosen["predicted"],
                "arrayminus": chosen["predicted"] - chosen["predicted_lower"],
                "color": colour,
                "thickness": 1.5 if shown else 0.5,
            },
            customdata=_hover(chosen),
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 10 if shown else 7},
            name=family,
            legendgroup=family,
            showlegend=shown or bool(dominated.all()),
            hovertemplate="<b>%{customdata[0]}</b> (%{customdata[1]})<br>%{x:.3~g} % lost, predicted "
            "%{y:.2f}x (%{customdata[2]:.2f}–%{customdata[3]:.2f})<br>%{customdata[4]}<br>%{customdata[5]}"
            "<extra></extra>",
        )


def _measured(figure: go.Figure, points: pd.DataFrame) -> None:
    rows = points[points["measured"].notna()]
    if rows.empty:
        return
    figure.add_scatter(
        x=rows["quality_loss_percent"],
        y=rows["measured"],
        customdata=rows[["plan", "measured_scope", "measured_source"]].map(plain),
        mode="markers",
        marker={"color": INK, "symbol": "diamond-open", "size": 11, "line": {"width": 2, "color": INK}},
        name=MEASURED,
        legendgroup=MEASURED,
        hovertemplate="<b>%{customdata[0]}</b><br>%{x:.3~g} % lost, measured %{y:.2f}x<br>%{customdata[1]}: "
        "%{customdata[2]}<extra></extra>",
    )


def _hover(rows: pd.DataFrame) -> pd.DataFrame:
    words = rows[["plan", "method"]].map(plain)
    return words.assign(
        low=rows["predicted_lower"],
        high=rows["predicted_upper"],
        standing=rows["standing"],
        source=(rows["source"] + ", " + rows["locator"]).map(plain),
    )
