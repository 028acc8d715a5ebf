"""The page of advice: what a speedup needs of each family, where families pay, which widths cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from infersim.report.advice.tables import advice_tables
from infersim.report.advice.verdict import advice_verdict
from infersim.report.core import rounding
from infersim.report.core.glossary import glossary
from infersim.report.core.scenarios import SCENARIO_KEYS, label, varying_keys
from infersim.report.core.verdict import as_sentence, enumeration
from infersim.report.figures.advice import needed_sparsities, speedup_ranges
from infersim.report.html.body import Chart, Panel, View
from infersim.report.html.page import Page

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

GLOSSARY = glossary("sparsity needed", "ceiling", "to pay", "aligned")


def advice_page(
    needed: pd.DataFrame | None,
    pays: pd.DataFrame | None,
    widths: pd.DataFrame | None,
    setting: str,
    padded: pd.DataFrame | None = None,
) -> Page:
    """The page of frames of `sparsity_for`, `break_even`, `free_widths` and `padded_widths`.

    None for what is not asked.
    """
    charts = (*_needed_charts(needed), *_paying_charts(pays))
    asked = next(frame for frame in (needed, pays, widths) if frame is not None)
    models, gpus = (enumeration(asked[key].astype(str).unique().tolist()) for key in ("model", "gpu"))
    return Page(
        title=f"Advice: pruning {models} on {gpus}",
        setting=setting,
        verdict=advice_verdict(needed, pays, widths, padded),
        views=(View(label="all", charts=charts),) if charts else (),
        tables=advice_tables(needed, pays, widths, padded),
        glossary=GLOSSARY,
    )


def _needed_charts(needed: pd.DataFrame | None) -> Iterator[Chart]:
    """Of families that reach the speedup, for each scenario; the others are told."""
    if needed is None:
        return
    reached = needed[needed["reached"].astype(bool)]
    if reached.empty:
        return
    target = rounding.speedup(float(needed["target"].iloc[0]))
    least = reached.sort_values("sparsity_realised", kind="stable").iloc[0]
    sparsity = rounding.fraction(float(least["sparsity_realised"]))
    short = needed.loc[~needed["reached"].astype(bool), "family"].unique().tolist()
    finding = f"{least['family']} needs the least for {target}: {sparsity}"
    yield Chart(
        name="needed",
        title=f"What {target} needs",
        finding=as_sentence(f"{finding}; somewhere out of reach: {enumeration(short)}" if short else finding),
        caption="The sparsity at which each family reaches it; what it costs in quality differs.",
        panels=_panels(reached, needed_sparsities),
    )


def _paying_charts(pays: pd.DataFrame | None) -> Iterator[Chart]:
    if pays is None:
        return
    row = pays.iloc[0]
    never = pays.loc[(pays["batches"] == "never") & (pays["contexts"] == "never"), "plan"].unique().tolist()
    yield Chart(
        name="pays",
        title="Where it pays",
        finding=as_sentence(f"somewhere never worth it: {enumeration(never)}") if never else "",
        caption="The least and the greatest predicted speedup over batches 1 to 256 at context "
        f"{row['context']} and contexts 256 to 131072 at batch {row['batch']}. Left of the line at 1 a plan "
        "is slower than dense.",
        panels=_panels(pays, speedup_ranges),
    )


def _panels(frame: pd.DataFrame, draw: Callable[[pd.DataFrame], go.Figure]) -> tuple[Panel, ...]:
    keys = varying_keys(frame)
    return tuple(
        Panel(title=label(rows.iloc[0], keys) or "All families", figure=draw(rows), data=rows)
        for _, rows in frame.groupby(list(SCENARIO_KEYS), sort=False)
    )
