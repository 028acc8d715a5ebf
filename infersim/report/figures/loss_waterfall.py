"""The waterfall of one plan: from the speedup that FLOPs promise, factor by factor, to what comes out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infersim.domain.arguments import checked
from infersim.files.frames import a_row
from infersim.report.core import rounding
from infersim.report.core.losses import FACTOR_TITLES
from infersim.report.figures.palette import GREEN, GREY, INK, VERMILION
from infersim.report.figures.style import dense_line, finish
from infersim.simulation.measured.table import Scope
from infersim.simulation.speedups.chain import FACTORS

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_BOUND_AFTER = "memory_floor"
"""The factor that ends at the bound."""

_STEP_HEIGHT, _AXIS_HEIGHT = 24, 66

_ROOM_FOR_NUMBERS = 1.35
"""The axis ends so far beyond the longest bar."""


_NUMBERS = (
    *("flops", "bound", "predicted", "predicted_lower", "predicted_upper", "measured"),
    *(f"loss_{name}" for name in FACTORS),
)
"""What is read of a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A bar of the waterfall: a speedup (from 0), or a factor that leads from one speedup to the next."""

    label: str
    start: float
    end: float
    text: str
    colour: str
    kind: str


def waterfall_steps(row: pd.Series) -> list[Step]:
    """The bars of one row of `compare`: flops, factors, bound in between, predicted and, if any, measured.

    Where FLOPs are undefined (no targeted work is left) the chain begins at the bound.
    """
    return list(_steps(row))


@checked(row=a_row(numbers=_NUMBERS, others=("measured_scope",), source="a frame of compare"))
def loss_waterfall(row: pd.Series) -> go.Figure:
    """Bars to the right are speedups; the coloured steps between them are gains and losses.

    Parameters
    ----------
    row
        One row of a frame of `compare`.

    Returns
    -------
    Figure
        Of plotly.

    Raises
    ------
    InvalidValueError
        For a row without the columns, or with texts in the place of numbers.

    Examples
    --------
    >>> import infersim as sim
    >>> plan = sim.prune("llama-3.2-1b", "static-m", 0.5)
    >>> frame = sim.compare("llama-3.2-1b", [plan], "l4", phase="decode", context=1024)
    >>> sim.loss_waterfall(frame.iloc[0]).layout.xaxis.title.text
    'speedup over dense (x)'
    """
    import plotly.graph_objects as go

    steps = waterfall_steps(row)
    figure = go.Figure()
    for kind in dict.fromkeys(step.kind for step in steps):
        chosen = [step for step in steps if step.kind == kind]
        figure.add_bar(
            x=[step.end - step.start for step in chosen],
            base=[step.start for step in chosen],
            y=[step.label for step in chosen],
            orientation="h",
            customdata=[step.text for step in chosen],
            name=kind,
            legendgroup=kind,
            marker={"color": chosen[0].colour},
            hovertemplate="%{y}: %{customdata}<extra></extra>",
        )
    longest = max(float(row["predicted_upper"]), *(max(step.start, step.end) for step in steps))
    right = _ROOM_FOR_NUMBERS * longest
    _predicted_interval(figure, row)
    _numbers(figure, steps, right)
    return finish(
        figure,
        height=_AXIS_HEIGHT + _STEP_HEIGHT * len(steps),
        x="speedup over dense (x)",
        y="",
        xaxis={"range": [0, right]},
        yaxis={
            "autorange": "reversed",
            "categoryorder": "array",
            "categoryarray": [step.label for step in steps],
            "ticks": "",
            "showgrid": False,
        },
        shapes=[dense_line(vertical=True)],
        barmode="overlay",
        bargap=0.3,
    )


def _steps(row: pd.Series) -> Iterator[Step]:
    reached = float(row["flops"])
    if math.isnan(reached):
        reached = float(row["bound"])
    else:
        yield _speedup("flops", reached)
        for name in ("unpruned_work", _BOUND_AFTER):
            yield _factor(name, reached, float(row[f"loss_{name}"]))
            reached *= float(row[f"loss_{name}"])
    yield _speedup("bound", reached)
    for name in ("extra_work", "kernel_efficiency", "launch", "communication"):
        if name == "communication" and row[f"loss_{name}"] == 1:  # one GPU exchanges nothing
            continue
        yield _factor(name, reached, float(row[f"loss_{name}"]))
        reached *= float(row[f"loss_{name}"])
    yield _speedup("predicted", reached)
    if row["measured_scope"] == Scope.POINT:
        yield _factor("unexplained", reached, float(row["loss_unexplained"]))
        yield _speedup("measured", float(row["measured"]))


def _speedup(label: str, value: float) -> Step:
    return Step(label=label, start=0.0, end=value, text=rounding.speedup(value), colour=GREY, kind="speedup")


def _factor(name: str, before: float, factor: float) -> Step:
    gain = factor > 1
    return Step(
        label=FACTOR_TITLES[name],
        start=before,
        end=before * factor,
        text=f"×{rounding.factor(factor).lstrip('↑')}",
        colour=GREEN if gain else VERMILION,
        kind="gain" if gain else "loss",
    )


def _numbers(figure: go.Figure, steps: list[Step], right: float) -> None:
    """The numbers in a column at the right, where no bar covers them."""
    figure.add_scatter(
        x=[right] * len(steps),
        y=[step.label for step in steps],
        text=[step.text for step in steps],
        mode="text",
        textposition="middle left",
        showlegend=False,
        hoverinfo="skip",
    )


def _predicted_interval(figure: go.Figure, row: pd.Series) -> None:
    figure.add_scatter(
        x=[row["predicted"]],
        y=["predicted"],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [row["predicted_upper"] - row["predicted"]],
            "arrayminus": [row["predicted"] - row["predicted_lower"]],
            "color": INK,
        },
        name="80 % interval",
        legendgroup="80 % interval",
        mode="markers",
        marker={"color": INK, "size": 4},
        hoverinfo="skip",
    )
