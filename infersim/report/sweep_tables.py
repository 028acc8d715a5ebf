"""Tables of a sweep: the fastest plan of each case at each sparsity, every mean, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.table import Column, Table, number_column, text_column
from infersim.report.sweep_cases import case_label, shared_setting, varying_case_keys
from infersim.simulation.sweeping.resolved import LeftOut
from infersim.simulation.sweeping.summary import SWEEP_CASE

if TYPE_CHECKING:
    import pandas as pd

MAX_CASES = 24
"""Cases of a table in the terminal; more are for machines and the page."""

OWN = "own plans"
"""The column of plans from files, which have no sparsity."""

_MEANS = "Geometric means of predicted speedups over the batches and contexts that fit into memory."


def families_table(summary: pd.DataFrame) -> Table:
    """One row for each pruning, one column for each sparsity: the mean and the span of the cases' means."""
    import numpy as np
    import pandas as pd

    rows = []
    for pruning, plans in summary.groupby("pruning", sort=False):
        cells = {"pruning": str(pruning)}
        for sparsity, cases in plans.groupby("sparsity", sort=False, dropna=False):
            means = cases["predicted"].dropna()
            cells[_heading(sparsity)] = (
                rounding.UNKNOWN
                if means.empty
                else rounding.speedup_between(
                    float(np.exp(np.log(means).mean())), float(means.min()), float(means.max())
                )
            )
        rows.append(cells)
    frame = pd.DataFrame(rows).fillna("")
    columns = [text_column("pruning", "pruning")]
    columns += [Column(heading=name, keys=(name,)) for name in frame.columns if name != "pruning"]
    return Table(
        title="Mean speedup at each sparsity (least and greatest mean of a case)",
        frame=frame,
        columns=tuple(columns),
    )


def fastest_table(summary: pd.DataFrame, most: int | None = MAX_CASES) -> Table:
    """One row for each case, one column for each sparsity: the fastest pruning and its mean speedup."""
    import pandas as pd

    keys = varying_case_keys(summary)
    rows, labels = [], []
    for _, case in summary.groupby(list(SWEEP_CASE), sort=False):
        first = case.iloc[0]
        labels.append(str(first["model"]) if "model" in keys else "")
        cells = {"case": case_label(first, set(keys) - {"model"}) or "all"}
        for sparsity, plans in case.groupby("sparsity", sort=False, dropna=False):
            fastest = plans[plans["fastest"]]
            text = rounding.UNKNOWN
            if not fastest.empty:
                best = fastest.iloc[0]
                text = f"{best['pruning']} {rounding.speedup(best['predicted'])}"
            cells[_heading(sparsity)] = text
        rows.append(cells)
    frame = pd.DataFrame(rows).fillna("")
    more = 0 if most is None else max(0, len(frame) - most)
    caption = f"{_MEANS} {more} more cases are in --json, --csv and --html." if more else _MEANS
    shown = frame if most is None else frame.head(most)
    return Table(
        title=f"Fastest at each sparsity: {shared_setting(summary)}",
        frame=shown,
        columns=tuple(text_column("" if name == "case" else name, name) for name in frame.columns),
        labels=tuple(labels[: len(shown)]) if any(labels) else (),
        caption=caption,
    )


def summary_table(summary: pd.DataFrame) -> Table:
    """Every case and plan with its mean, range and bound."""
    keys = varying_case_keys(summary)
    return Table(
        title="Every mean",
        frame=summary,
        columns=(
            text_column("plan", "plan"),
            number_column("predicted\nmean", "predicted", rounding.speedup),
            Column(heading="range", keys=("low", "high"), text=rounding.interval),
            number_column("bound\nmean", "bound", rounding.speedup),
            number_column("scenarios", "scenarios", _whole),
            number_column("fitting", "fitting", _whole),
        ),
        labels=tuple(case_label(row, keys) for _, row in summary.iterrows()),
        caption=_MEANS,
    )


def left_out_table(left_out: Sequence[LeftOut]) -> Table:
    """What could not be, and why."""
    import pandas as pd

    return Table(
        title="Left out",
        frame=pd.DataFrame([asdict(each) for each in left_out]),
        columns=(
            text_column("what", "what"),
            number_column("scenarios", "scenarios", _whole),
            text_column("why", "reason"),
        ),
    )


def _whole(count: float) -> str:
    return f"{count:,.0f}"


def _heading(sparsity: object) -> str:
    return rounding.fraction(sparsity) if isinstance(sparsity, float) and sparsity == sparsity else OWN
