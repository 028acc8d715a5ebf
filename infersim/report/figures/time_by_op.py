"""Time by op: the dense model and every plan of one scenario as stacked bars, coloured by part."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING

from infersim.domain.arguments import checked
from infersim.files.frames import a_frame
from infersim.report.core import rounding
from infersim.report.core.losses import PART_TITLES
from infersim.report.figures.palette import INK, PART_COLOURS
from infersim.report.figures.style import finish, folded
from infersim.simulation.timing.timeline import LAUNCH

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_LINE_HEIGHT, _GAP, _AXIS_HEIGHT = 16, 8, 90


@checked(
    frame=a_frame(
        numbers=("kernel_ms", "launch_ms", "total_ms", "total_lower_ms", "total_upper_ms"),
        others=("plan", "part", "op"),
        source="rows of one scenario of gather_comparison's ops",
    )
)
def time_by_op(frame: pd.DataFrame) -> go.Figure:
    """`frame`: the rows of one scenario of `op_frames`. Kernel time of each op, then all launches.

    The line on each bar is the 80 % interval of the whole latency.

    Parameters
    ----------
    frame
        The rows of one scenario of `ops` of a ComparisonReport.

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
    >>> sim.time_by_op(report.ops).layout.xaxis.title.text
    'predicted time (ms)'
    """
    import plotly.graph_objects as go

    totals = frame.drop_duplicates("plan").set_index("plan")
    labels = {
        plan: f"{folded(str(plan))}<br>{rounding.quantity(total)} ms"
        for plan, total in totals["total_ms"].items()
    }
    figure = go.Figure()
    seen: set[str] = set()
    for (part, op), rows in _in_order_of_parts(frame):
        times = rows.set_index("plan")["kernel_ms"]
        _bars(figure, times, totals["total_ms"], labels, part=part, op=op, named=part not in seen)
        seen.add(part)
    launches = frame.groupby("plan", sort=False)["launch_ms"].sum()
    _bars(figure, launches, totals["total_ms"], labels, part=LAUNCH, op="all launches", named=True)
    _intervals(figure, totals, labels)
    lines = 1 + max(label.count("<br>") for label in labels.values())
    order = {"categoryorder": "array", "categoryarray": list(labels.values())}
    return finish(
        figure,
        height=_AXIS_HEIGHT + (_LINE_HEIGHT * lines + _GAP) * len(totals),
        x="predicted time (ms)",
        y="",
        yaxis={"autorange": "reversed", **order},
        barmode="stack",
        bargap=0.25,
    )


def _in_order_of_parts(frame: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Rows by part and op: parts in the order of the legend, ops in that of execution."""
    order = {part: place for place, part in enumerate(PART_COLOURS)}
    ordered = frame.sort_values("part", key=lambda part: part.map(order), kind="stable")
    for (part, op), rows in ordered.groupby(["part", "op"], sort=False):
        yield (str(part), str(op)), rows


def _bars(
    figure: go.Figure,
    times_ms: pd.Series[float],
    totals_ms: pd.Series[float],
    labels: Mapping[Hashable, str],
    *,
    part: str,
    op: str,
    named: bool,
) -> None:
    """One op of every plan that has it; `times_ms` and `totals_ms` by plan. Only one op names its part."""
    figure.add_bar(
        x=times_ms.to_numpy(),
        y=[labels[plan] for plan in times_ms.index],
        orientation="h",
        customdata=(100 * times_ms / totals_ms.loc[times_ms.index]).to_numpy(),
        name=PART_TITLES[part],
        legendgroup=PART_TITLES[part],
        showlegend=named,
        marker={"color": PART_COLOURS[part], "line": {"color": "rgba(255,255,255,0.6)", "width": 0.5}},
        hovertemplate=f"<b>{op}</b> ({PART_TITLES[part]})<br>"
        "%{x:.3~g} ms, %{customdata:.1f} %<extra></extra>",
    )


def _intervals(figure: go.Figure, totals: pd.DataFrame, labels: Mapping[Hashable, str]) -> None:
    total = totals["total_ms"]
    figure.add_scatter(
        x=total,
        y=[labels[plan] for plan in totals.index],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": totals["total_upper_ms"] - total,
            "arrayminus": total - totals["total_lower_ms"],
            "color": INK,
            "thickness": 1.5,
        },
        customdata=totals[["total_lower_ms", "total_upper_ms"]],
        name="80 % interval",
        legendgroup="80 % interval",
        mode="markers",
        marker={"color": INK, "size": 4},
        hovertemplate="%{x:.4~g} ms (%{customdata[0]:.4~g}–%{customdata[1]:.4~g})<extra></extra>",
    )
