"""The picture of a comparison: GPU x phase x plan, coloured by speedup, with a mark where it may be none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.scenarios import (
    label,
    only_scenarios,
    scenario_groups,
    shared_title,
    shown_scenarios,
    varying_keys,
)
from infersim.report.html.matrix import Cell, Matrix
from infersim.report.speedups.verdict import Outcome, figures, outcome, realised
from infersim.simulation.measured.table import Scope

if TYPE_CHECKING:
    import pandas as pd


def speedup_matrix(frame: pd.DataFrame) -> Matrix:
    """Plans in rows, scenarios in columns, the fastest plan of all scenarios first."""
    keys = varying_keys(frame)
    shown = only_scenarios(frame, shown_scenarios(frame))
    heads, columns = [], []
    for rows in scenario_groups(shown):
        heads.append(label(rows.iloc[0], keys).replace(", ", "\n") or "speedup")
        columns.append({str(row["plan"]): _cell(row) for _, row in rows.iterrows()})
    plans = list(dict.fromkeys(map(str, shown["plan"])))
    mean = {plan: [column[plan].speedup for column in columns if plan in column] for plan in plans}
    plans.sort(key=lambda plan: -sum(mean[plan]) / len(mean[plan]))
    return Matrix(
        title=f"Speedup over the dense model: {shared_title(frame)}",
        caption="Blue is faster, orange slower. ~ and a dashed edge: the 80 % interval holds 1, so the plan "
        "may gain nothing. * measured. ! does not fit into memory.",
        heads=tuple(heads),
        rows=tuple((plan, tuple(column.get(plan) for column in columns)) for plan in plans),
    )


def marked(row: pd.Series) -> str:
    """A speedup and its marks: `~1.02x` where it may be none, `*` measured, `!` too large for the memory."""
    fits = "" if row["fits_memory"] else "!"
    mark = "*" if row["measured_scope"] == Scope.POINT else "~" if unsure(row) else ""
    return f"{fits}{mark}{rounding.speedup(realised(row))}"


def unsure(row: pd.Series) -> bool:
    """Whether the plan may gain nothing."""
    return outcome(row) in (Outcome.UNCERTAIN, Outcome.UNCHANGED)


def _cell(row: pd.Series) -> Cell:
    words = f"{row['plan']}: {figures(row)}"
    return Cell(text=marked(row), speedup=realised(row), words=words, unsure=unsure(row))
