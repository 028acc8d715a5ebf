"""The answer of a comparison, and its one table: what differs between plans, scenarios and GPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.scenarios import SCENARIO_KEYS, label, scenario_groups, shared_title, varying_keys
from infersim.report.core.screen import Answer
from infersim.report.core.table import Column, Table, number_column, text_column
from infersim.report.speedups.by_gpus import by_gpus_table, several_gpus
from infersim.report.speedups.matrix import marked
from infersim.report.speedups.tables import compare_table, loss_table
from infersim.report.speedups.verdict import compare_verdict

if TYPE_CHECKING:
    import pandas as pd

MOST_ABREAST = 6
"""Up to so many scenarios stand beside each other; of more, each is a row with its fastest plan."""


def comparison_answer(frame: pd.DataFrame, more: tuple[Table, ...] = ()) -> Answer:
    """Of a frame of `compare`; `more` tables stand last."""
    shared = (by_gpus_table(frame),) if several_gpus(frame) else ()
    tables = (*shared, compare_table(frame), loss_table(frame), *more)
    return Answer(verdict=compare_verdict(frame), tables=tables, lead=lead_table(frame))


def lead_table(frame: pd.DataFrame) -> Table | None:
    """The one table of a screen; None where the table of all columns is it."""
    scenarios = frame.groupby(list(SCENARIO_KEYS)).ngroups
    if scenarios == 1 or frame["plan"].nunique() == 1:
        return _with_support(frame)
    return beside_table(frame) if scenarios <= MOST_ABREAST else fastest_table(frame)


def _with_support(frame: pd.DataFrame) -> Table | None:
    """The table of all columns, and whether the engine that was named runs a plan."""
    if "runs" not in frame:
        return None
    table = compare_table(frame)
    columns = (*table.columns[:1], text_column("runs", "runs"), *table.columns[1:])
    return Table(
        title=table.title, frame=table.frame, columns=columns, labels=table.labels, caption=table.caption
    )


def beside_table(frame: pd.DataFrame) -> Table:
    """One row for each plan, one column for each scenario: the speedup, marked where it may be none."""
    import pandas as pd

    keys = varying_keys(frame)
    plans = list(dict.fromkeys(frame["plan"]))
    wide: dict[str, list[str]] = {"plan": plans}
    columns = [text_column("plan", "plan")]
    if "runs" in frame:
        answers = dict(zip(frame["plan"], frame["runs"], strict=True))
        wide["runs"] = [str(answers[plan]) for plan in plans]
        columns.append(text_column("runs", "runs"))
    for place, rows in enumerate(scenario_groups(frame)):
        first = rows.iloc[0]
        of_plan = {str(row["plan"]): marked(row) for _, row in rows.iterrows()}
        wide[f"scenario {place}"] = [of_plan.get(plan, rounding.UNKNOWN) for plan in plans]
        columns.append(Column(heading=_heading(first, keys), keys=(f"scenario {place}",)))
    cells = [cell for name in wide if name != "plan" for cell in wide[name]]
    return Table(
        title=f"Speedups of {shared_title(frame)}",
        frame=pd.DataFrame(wide),
        columns=tuple(columns),
        caption=" ".join(said for mark, said in _MARKS if any(mark in cell for cell in cells)),
    )


_MARKS = (
    ("~", "~ the 80 % interval holds 1: the plan may gain nothing."),
    ("*", "* measured, not predicted."),
    ("!", "! does not fit into memory."),
)


def _heading(row: pd.Series, keys: tuple[str, ...] | list[str]) -> str:
    """A scenario over a column, a line for each thing that varies."""
    return label(row, keys).replace(", ", "\n")


def fastest_table(frame: pd.DataFrame) -> Table:
    """One row for each scenario: the fastest plan that fits, and the next of another family."""
    import pandas as pd

    keys = varying_keys(frame)
    rows = []
    for group in scenario_groups(frame):
        fitting = group[group["fits_memory"].astype(bool)]
        ranked = (fitting if len(fitting) else group).sort_values("predicted", ascending=False, kind="stable")
        best = ranked.iloc[0]
        others = ranked[ranked["family"] != best["family"]]
        second = (
            ""
            if others.empty
            else f"{others.iloc[0]['plan']} {rounding.speedup(others.iloc[0]['predicted'])}"
        )
        rows.append(
            {
                "where": label(best, keys),
                "plan": str(best["plan"]) if len(fitting) else "nothing fits",
                "second": second,
                **best[["predicted", "predicted_lower", "predicted_upper", "bound", "dense_ms"]].to_dict(),
            }
        )
    between = ("predicted", "predicted_lower", "predicted_upper")
    return Table(
        title=f"The fastest plan in each scenario: {shared_title(frame)}",
        frame=pd.DataFrame(rows),
        columns=(
            text_column("scenario", "where"),
            text_column("fastest", "plan"),
            Column(heading="predicted\n(80 %)", keys=between, text=rounding.speedup_between),
            number_column("bound", "bound", rounding.speedup, detail=1),
            text_column("next family", "second", detail=2),
            number_column("dense ms", "dense_ms", rounding.quantity, detail=3),
        ),
    )
