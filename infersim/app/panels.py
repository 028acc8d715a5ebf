"""The panels of the page: what each shows of the choices, as figures that plotly draws and as HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from infersim.app.answers import comparison, curves, ops_on, profiles_of, pruned, served
from infersim.report.figures.loss_waterfall import loss_waterfall
from infersim.report.figures.roofline import roofline
from infersim.report.figures.speedup_curves import family_curves
from infersim.report.figures.time_by_op import time_by_op
from infersim.report.html.elements import framed_table, verdict_html
from infersim.report.serving.figure import load_figure
from infersim.report.serving.tables import load_table
from infersim.report.speedups.tables import compare_table
from infersim.report.speedups.verdict import compare_verdict
from infersim.simulation.serving.under_load import under_load_frame
from infersim.simulation.speedups.resolving import DENSE

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from infersim.app.choices import Choices


class Drawn(NamedTuple):
    """A panel as it is: a figure for each GPU, and what stands below them in HTML."""

    figures: tuple[go.Figure, ...]
    words: str = ""


class Panel(NamedTuple):
    """A panel: its title, how to read it, and what draws it."""

    title: str
    caption: str
    draw: Callable[[Choices], Drawn]


def verdict(choices: Choices) -> str:
    """The verdict and the table of speedups, as `infersim compare` prints them."""
    frame = comparison(choices).frame
    said = compare_verdict(frame)
    left_out = tuple(f"Left out: {reason}." for reason in pruned(choices).left_out)
    answer = verdict_html(replace(said, notes=(*said.notes, *left_out)))
    return f"{answer}\n{framed_table(compare_table(frame))}"


def _losses(choices: Choices) -> Drawn:
    frame = comparison(choices).frame
    rows = frame[frame["family"] == choices.family_of_losses]
    if rows.empty:  # the family is left out
        rows = frame.drop_duplicates("gpu")
    return Drawn(tuple(loss_waterfall(row) for _, row in rows.iterrows()))


def _curves(choices: Choices) -> Drawn:
    frame = curves(choices)
    return Drawn(tuple(family_curves(rows) for _, rows in frame.groupby("gpu", sort=False)))


def _time(choices: Choices) -> Drawn:
    timed = comparison(choices)
    return Drawn(tuple(time_by_op(ops_on(timed, place, choices)) for place in range(len(timed.timings))))


def _roofline(choices: Choices) -> Drawn:
    timed = comparison(choices)
    plans = [plan.title for plan in pruned(choices).plans]
    return Drawn(
        tuple(
            roofline(ops_on(timed, place, choices), profile, (DENSE, *plans))
            for place, profile in enumerate(profiles_of(choices))
        )
    )


def _served(choices: Choices) -> Drawn:
    found = served(choices)
    tables = "\n".join(framed_table(load_table(under_load_frame(each))) for each in found)
    return Drawn(tuple(load_figure(each) for each in found), tables)


PANELS: Mapping[str, Panel] = MappingProxyType(
    {
        "losses": Panel(
            "Chain of losses",
            "From the speedup that FLOPs promise to the predicted one, factor by factor.",
            _losses,
        ),
        "curves": Panel(
            "Speedup against sparsity", "Predicted speedup of every family. Below 1 is slower.", _curves
        ),
        "time": Panel("Time by op", "Kernel time of every op, coloured by part; launches last.", _time),
        "roofline": Panel(
            "Roofline",
            "Ops under memory bandwidth (slanted) and tensor peaks (flat); larger points take longer.",
            _roofline,
        ),
        "served": Panel(
            "Served: throughput against TPOT",
            "Each point is a number of requests at once. Up and to the left is better.",
            _served,
        ),
    }
)


def drawn(choices: Choices, names: Iterator[str] | tuple[str, ...]) -> dict[str, Drawn]:
    """The panels of those names; unknown names are passed over."""
    return {name: PANELS[name].draw(choices) for name in names if name in PANELS}
