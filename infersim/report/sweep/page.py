"""The page of a sweep: case by case the speedup over sparsity, batch and context; all means below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from infersim.report.core import rounding
from infersim.report.core.glossary import glossary
from infersim.report.core.scenarios import MAX_SHOWN
from infersim.report.core.verdict import Verdict, enumeration
from infersim.report.figures.batch_context_map import batch_context_map
from infersim.report.figures.speedup_curves import family_curves
from infersim.report.figures.sweep_curves import sweep_curve
from infersim.report.html.body import Chart, Panel, View
from infersim.report.html.page import Page
from infersim.report.speedups.findings import curves_finding
from infersim.report.sweep.tables import (
    case_label,
    families_table,
    fastest_table,
    left_out_table,
    shared_setting,
    summary_table,
    varying_case_keys,
)
from infersim.report.sweep.verdict import sweep_verdict
from infersim.simulation.sweeping.result import SWEEP_CASE, SweepResult

if TYPE_CHECKING:
    import pandas as pd

GLOSSARY = glossary("case", "mean", "predicted", "bound", "sparsity") | {
    "predicted": "Dense latency over the plan's, as infersim expects them; below 1 the plan is slower.",
}

MAX_NAMED = 4
"""Models or GPUs of the title up to which each is named."""

_MAP_COLUMNS = ("batch", "context", "predicted", "fits_memory", "dense_fits_memory")


def sweep_page(result: SweepResult, summary: pd.DataFrame) -> Page:
    """The page's content."""
    cases = _shown_cases(summary)
    maps = _maps(result, cases)
    verdict = sweep_verdict(summary)
    keys = varying_case_keys(summary)
    total = summary.groupby(list(SWEEP_CASE)).ngroups
    few = (f"Figures show {len(cases)} of {total} cases.",) if len(cases) < total else ()
    return Page(
        title=f"Sweep of {_named(summary['model'], 'models')} on {_named(summary['gpu'], 'GPUs')}",
        setting=shared_setting(summary),
        verdict=Verdict(sentences=verdict.sentences, notes=(*verdict.notes, *few)),
        views=tuple(
            View(
                label=case_label(rows.iloc[0], keys) or "all",
                charts=(*_curve_charts(rows), *_map_charts(maps.get(case, {}))),
            )
            for case, rows in cases.items()
        ),
        tables=(
            families_table(summary),
            fastest_table(summary, None),
            summary_table(summary),
            *((left_out_table(result.left_out),) if result.left_out else ()),
        ),
        glossary=GLOSSARY,
    )


def _named(names: pd.Series, what: str) -> str:
    """The names, or where they are many how many."""
    several = [str(name) for name in names.unique()]
    return enumeration(several) if len(several) <= MAX_NAMED else f"{len(several)} {what}"


def _shown_cases(summary: pd.DataFrame) -> dict[tuple[object, ...], pd.DataFrame]:
    """Rows of the cases that are drawn; of many, so many as a page can bear, evenly taken."""
    cases = {tuple(case): rows for case, rows in summary.groupby(list(SWEEP_CASE), sort=False)}
    places = np.linspace(0, len(cases) - 1, min(len(cases), MAX_SHOWN)).round().astype(int)
    return {case: rows for place, (case, rows) in enumerate(cases.items()) if place in places}


def _curve_charts(rows: pd.DataFrame) -> Iterator[Chart]:
    known = rows[rows["predicted"].notna() & rows["sparsity"].notna()]
    if known.empty:
        return
    curves = known.assign(curve=known["pruning"], predicted_lower=known["low"], predicted_upper=known["high"])
    top = float(known[["high", "bound"]].max().max())
    if known["pruning"].nunique() > 1:
        yield Chart(
            name="families",
            title="Which family",
            finding=curves_finding(curves),
            caption="Mean predicted speedup over the sparsity realised. Below 1 is slower than dense.",
            panels=(Panel(title="All families", figure=family_curves(curves), data=known),),
            wide=True,
        )
    yield Chart(
        name="curves",
        title="How much it depends on batch and context",
        caption="The band holds every batch and context that fits into memory; one scale for all.",
        panels=tuple(
            Panel(title=str(name), figure=sweep_curve(curve, top), data=curve, finding=_spread(curve))
            for name, curve in known.groupby("pruning", sort=False)
        ),
    )


def _spread(curve: pd.DataFrame) -> str:
    """Mean and range of one pruning at the sparsity nearest to a half."""
    row = curve.iloc[int((curve["sparsity_realised"] - 0.5).abs().argmin())]
    at, between = rounding.fraction(row["sparsity_realised"]), rounding.interval(row["low"], row["high"])
    return f"At {at}: {rounding.speedup(row['predicted'])} on average, {between} over all"


def _reach(rows: pd.DataFrame) -> str:
    """The least and the greatest speedup of one plan, and where the greatest is."""
    fitting = rows[rows["fits_memory"] & rows["dense_fits_memory"]]
    if fitting.empty:
        return "Nothing fits into memory"
    best = fitting.iloc[int(fitting["predicted"].argmax())]
    low, high = map(rounding.speedup, (fitting["predicted"].min(), best["predicted"]))
    return f"{low} to {high}, the most at batch {best['batch']}, context {best['context']}"


def _map_charts(maps: Mapping[str, pd.DataFrame]) -> Iterator[Chart]:
    speedups = [rows["predicted"] for rows in maps.values()]
    if not speedups:
        return
    reach = max(1.01, *(float(max(values.max(), 1 / values.min())) for values in speedups))
    yield Chart(
        name="maps",
        title="Where it pays",
        caption="Predicted speedup over batch and context, at the sparsity nearest to 50 %. Blue is faster "
        "than dense, orange slower; blank does not fit into memory.",
        panels=tuple(
            Panel(title=plan, figure=batch_context_map(rows, reach), data=rows, finding=_reach(rows))
            for plan, rows in maps.items()
        ),
    )


def _maps(
    result: SweepResult, cases: Mapping[tuple[object, ...], pd.DataFrame]
) -> dict[tuple[object, ...], dict[str, pd.DataFrame]]:
    """For each case and plan of middle sparsity its rows, where there are several batches and contexts."""
    import pandas as pd

    wanted = pd.concat([_middle(rows) for rows in cases.values()])[[*SWEEP_CASE, "plan"]]
    wanted = wanted[wanted["request"] == ""].astype(object)
    found = [
        chunk.astype(dict.fromkeys(chunk.select_dtypes("category").columns, object)).merge(wanted)
        for chunk in result.chunks([*SWEEP_CASE, "plan", *_MAP_COLUMNS])
    ]
    rows = pd.concat(found, ignore_index=True)
    if rows["batch"].nunique() < 2 or rows["context"].nunique() < 2:
        return {}
    maps: dict[tuple[object, ...], dict[str, pd.DataFrame]] = {}
    for (*case, plan), group in rows.groupby([*SWEEP_CASE, "plan"], sort=False):
        maps.setdefault(tuple(case), {})[str(plan)] = group
    return maps


def _middle(rows: pd.DataFrame) -> pd.DataFrame:
    """Of each pruning the plan of the sparsity nearest to a half; plans from files as they are."""
    distance = (rows["sparsity"].fillna(0.5) - 0.5).abs()
    return rows[distance == distance.groupby(rows["pruning"]).transform("min")].drop_duplicates("pruning")
