"""The page of the reproduction: the source paper's numbers and infersim's, drawn and tabulated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.figures.reproduction import component_bars, mean_speedup_points
from infersim.report.html.body import Chart, Panel, View
from infersim.report.html.page import Page
from infersim.report.paper.reproduction import (
    claims_table,
    components_table,
    mean_speedups_table,
    reproduction_verdict,
)
from infersim.simulation.paper.reproduction import EXECUTION, GPU, MODEL, TOTAL, Reproduction

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import plotly.graph_objects as go

from infersim.report.core.glossary import glossary

GLOSSARY = glossary("bound", "predicted", "paper", "difference", "static-m equivalent") | {
    "bound": (
        "Cold roofline of the dense model over that of the plan: each op takes its FLOPs at the peak or its "
        "weights and KV cache, all read from memory; the mean over the grid."
    ),
    "predicted": "Mean over the grid; the line reaches from the least to the greatest speedup in it.",
}


def reproduction_page(reproduction: Reproduction) -> Page:
    """The page's content."""
    components, speedups = reproduction.components, reproduction.speedups
    phases = components["phase"].unique()
    charts = (
        Chart(
            name="components",
            title="Where the time goes (Figure 2)",
            caption="Dense model, batch 1, 32768 tokens.",
            panels=_by_phase(components[components["component"] != TOTAL], component_bars),
        ),
        Chart(
            name="speedups",
            title="Mean speedups (Table 2)",
            caption="Over dense, by family and sparsity. The one mean over both phases is in the table.",
            panels=_by_phase(speedups[speedups["phase"].isin(phases)], mean_speedup_points),
        ),
    )
    return Page(
        title="Beyond FLOPs, reproduced",
        setting=f"{MODEL} on {GPU}, bf16, execution {EXECUTION}, CUDA graph on",
        verdict=reproduction_verdict(reproduction),
        views=(View(label="all", charts=charts),),
        tables=(
            components_table(reproduction),
            mean_speedups_table(reproduction),
            claims_table(reproduction),
        ),
        glossary=GLOSSARY,
    )


def _by_phase(frame: pd.DataFrame, draw: Callable[[pd.DataFrame], go.Figure]) -> tuple[Panel, ...]:
    return tuple(
        Panel(title=str(phase), figure=draw(rows), data=rows)
        for phase, rows in frame.groupby("phase", sort=False)
    )
