"""Speedups against the number of GPUs that share a model: a chart, a table, and a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.scenarios import SCENARIO_KEYS, label, shared_title
from infersim.report.core.table import Column, Table, text_column
from infersim.report.core.verdict import as_sentence
from infersim.report.figures.hardware_curves import plans_by_gpus
from infersim.report.html.body import Chart, Panel
from infersim.simulation.speedups.resolving import DENSE

if TYPE_CHECKING:
    import pandas as pd

OTHER_KEYS = tuple(key for key in SCENARIO_KEYS if key != "gpus")
"""What tells scenarios apart but the number of GPUs."""


def several_gpus(frame: pd.DataFrame) -> bool:
    """Whether a frame of `compare` has rows of more than one number of GPUs."""
    return bool(frame["gpus"].nunique() > 1)


def by_gpus_charts(frame: pd.DataFrame, scenario: pd.Series) -> tuple[Chart, ...]:
    """The chart of a scenario and those that differ from it in the number of GPUs; none where it is alone."""
    keys = list(OTHER_KEYS)
    rows = frame[(frame[keys] == scenario[keys]).all(axis=1)]
    if not several_gpus(rows):
        return ()
    chart = Chart(
        name="gpus",
        title="Speedup on more GPUs",
        finding=by_gpus_finding(rows),
        caption="Predicted speedup of every plan over the dense model on as many GPUs. What GPUs exchange is "
        "left by most plans as it is.",
        panels=(Panel(title="All plans", figure=plans_by_gpus(rows), data=rows),),
        wide=True,
    )
    return (chart,)


def by_gpus_finding(rows: pd.DataFrame) -> str:
    """Of one scenario on several numbers of GPUs: how many plans gain less, and which loses most."""
    few, many = int(rows["gpus"].min()), int(rows["gpus"].max())
    ends = rows.drop_duplicates(["plan", "gpus"]).pivot(index="plan", columns="gpus", values="predicted")
    kept = (ends[many] / ends[few]).dropna()
    less = int((kept < 1).sum())
    if not less:
        return as_sentence(f"no plan gains less on {many} GPUs than on {few}")
    worst = str(kept.idxmin())
    start, end = (rounding.speedup(float(ends[count][worst])) for count in (few, many))
    plans = "plan gains" if less == 1 else "plans gain"
    return as_sentence(
        f"{less} of {len(kept)} {plans} less on {many} GPUs than on {few}; {worst} most: {start} and {end}"
    )


def by_gpus_table(frame: pd.DataFrame) -> Table:
    """One row for each plan, the dense model's milliseconds before them; a column for each number of GPUs."""
    import pandas as pd

    counts = sorted(frame["gpus"].unique().tolist())
    varying = [key for key in OTHER_KEYS if frame[key].nunique() > 1]
    rows, labels = [], []
    for _, scenario in frame.groupby(list(OTHER_KEYS), sort=False):
        said = label(scenario.iloc[0], varying)
        of_dense = scenario.drop_duplicates("gpus").set_index("gpus")["dense_ms"]
        rows.append({"plan": DENSE, "unit": "ms", **_cells(of_dense, counts)})
        for plan, of_plan in scenario.groupby("plan", sort=False):
            predicted = of_plan.drop_duplicates("gpus").set_index("gpus")["predicted"]
            rows.append({"plan": str(plan), "unit": "x", **_cells(predicted, counts)})
        labels += [said] * (1 + scenario["plan"].nunique())
    columns = [
        Column(heading=f"{count} GPU{'s' if count > 1 else ''}", keys=("unit", f"on {count}"), text=_cell)
        for count in counts
    ]
    return Table(
        title=f"Speedups by number of GPUs: {shared_title(frame)}",
        frame=pd.DataFrame(rows),
        columns=(text_column("plan", "plan"), *columns),
        labels=tuple(labels) if varying else (),
        caption="Each over the dense model on as many GPUs, whose times stand first.",
    )


def _cells(values: pd.Series, counts: list[int]) -> dict[str, float]:
    return {f"on {count}": float(values.get(count, float("nan"))) for count in counts}


def _cell(unit: str, value: float) -> str:
    return f"{rounding.quantity(value)} ms" if unit == "ms" else rounding.speedup(value)
