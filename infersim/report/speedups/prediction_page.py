"""The page of a prediction: how long, where the time goes, and how near that is to what the GPU can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from infersim.domain.profile import HardwareProfile
from infersim.pruning.plan import Plan
from infersim.report.core.glossary import glossary
from infersim.report.core.scenarios import label, of_scenario, setting_text, shown_scenarios, varying_keys
from infersim.report.html.body import View
from infersim.report.html.page import Page
from infersim.report.inventories import gpus_table
from infersim.report.speedups.charts import roofline_chart, time_chart
from infersim.report.speedups.prediction_verdict import predict_verdict
from infersim.report.speedups.tables import ops_table, parts_table, prediction_table
from infersim.simulation.speedups.case_timings import case_timings
from infersim.simulation.speedups.op_frames import op_frames
from infersim.simulation.speedups.prediction import prediction_frame
from infersim.simulation.speedups.resolving import Gpu, Model, as_plan, as_profiles
from infersim.simulation.speedups.scenarios import ScenarioOptions, Scenarios

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictionReport:
    """The frame of `predict`, and the ops of those `scenarios` that are drawn; with a plan its base's too."""

    prediction: pd.DataFrame
    scenarios: pd.DataFrame
    ops: pd.DataFrame
    profiles: Mapping[str, HardwareProfile]
    setting: str


def gather_prediction(
    model_or_plan: Model | Plan,
    gpu: Gpu | Sequence[Gpu],
    *,
    scenarios: Scenarios | None = None,
    **options: Unpack[ScenarioOptions],
) -> PredictionReport:
    """Predict, and add what figures need; arguments and errors are those of `predict`."""
    plan, profiles = as_plan(model_or_plan), as_profiles(gpu)
    asked, plans = Scenarios.of(scenarios, **options), [plan] if plan.steps else []
    timings = tuple(case_timings(plan.base, plans, profiles, asked.cases(profiles=len(profiles))))
    prediction = prediction_frame(plan, ((each.case, (*each.pruned, each.dense)[0]) for each in timings))
    shown = shown_scenarios(prediction)
    ops = op_frames(timings, shown).assign(model=prediction["model"].iloc[0])
    return PredictionReport(
        prediction=prediction,
        scenarios=shown,
        ops=ops,
        profiles={profile.name: profile for profile in profiles},
        setting=setting_text(asked.execution, asked.request, transformer=plan.transformer, gpus=asked.gpus),
    )


def predict_page(report: PredictionReport) -> Page:
    """The page's content."""
    frame = report.prediction
    return Page(
        title=f"{frame['model'].iloc[0]} on {', '.join(report.profiles)}",
        setting=report.setting,
        verdict=predict_verdict(frame),
        views=tuple(_view(report, row) for _, row in report.scenarios.iterrows()),
        tables=(prediction_table(frame), parts_table(frame), gpus_table(list(report.profiles.values()))),
        glossary=glossary("floor"),
    )


def _view(report: PredictionReport, scenario: pd.Series) -> View:
    ops = of_scenario(report.ops, scenario)
    profile = report.profiles[str(scenario["gpu"])]
    return View(
        label=label(scenario, varying_keys(report.prediction)),
        charts=(time_chart(ops), roofline_chart(ops, profile, ops["plan"].unique().tolist())),
        tables=(ops_table(ops),),
    )
