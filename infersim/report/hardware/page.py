"""The page of a comparison along one number of the datasheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.core.glossary import glossary
from infersim.report.core.scenarios import label, of_scenario, shown_scenarios, varying_keys
from infersim.report.figures.hardware_curves import highest, plan_along, plans_along
from infersim.report.hardware.tables import hardware_table, hardware_verdict, named
from infersim.report.html.body import Chart, Panel, View
from infersim.report.html.page import Page

if TYPE_CHECKING:
    import pandas as pd

_WORDS = ("bound", "predicted")


def hardware_page(frame: pd.DataFrame, setting: str) -> Page:
    """The page's content; `setting` says how the model is run."""
    name, _ = named(str(frame["key"].iloc[0]))
    models, gpus = (" and ".join(frame[column].unique()) for column in ("model", "gpu"))
    keys = varying_keys(frame)
    scenarios = shown_scenarios(frame)
    return Page(
        title=f"{models}, pruned, on {gpus} with another {name}",
        setting=setting,
        verdict=hardware_verdict(frame),
        views=tuple(
            View(label=label(row, keys), charts=_charts(of_scenario(frame, row)))
            for _, row in scenarios.iterrows()
        ),
        tables=(hardware_table(frame),),
        glossary=glossary(*_WORDS),
    )


def _charts(rows: pd.DataFrame) -> tuple[Chart, ...]:
    name, unit = named(str(rows["key"].iloc[0]))
    x_title = f"{name} ({unit})" if unit else name
    top = highest(rows)
    alone = Chart(
        name="along",
        title="Possible and predicted",
        caption=f"Bound and predicted speedup by {name}. The dotted line is the datasheet's own value.",
        panels=tuple(
            Panel(title=str(plan), figure=plan_along(each, x_title, top), data=each)
            for plan, each in rows.groupby("plan", sort=False)
        ),
    )
    together = Chart(
        name="plans-along",
        title="Which plan",
        caption=f"Predicted speedup of every plan by {name}. Below 1 is slower than dense.",
        panels=(Panel(title="All plans", figure=plans_along(rows, x_title), data=rows),),
        wide=True,
    )
    return (together, alone) if len(alone.panels) > 1 else (alone,)
