"""The page of a prediction: how long, where the time goes, and how near that is to what the GPU can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infersim.domain.profile import HardwareProfile
from infersim.pruning.plan import Plan
from infersim.report.charts import roofline_chart, time_chart
from infersim.report.inventories import gpus_table
from infersim.report.op_frames import op_frames
from infersim.report.page import Page, View
from infersim.report.prediction_verdict import predict_verdict
from infersim.report.scenarios import label, of_scenario, only_scenarios, shown_scenarios, varying_keys
from infersim.report.setting import setting_text
from infersim.report.tables import ops_table, parts_table, prediction_table
from infersim.simulation.cases import make_cases, make_execution
from infersim.simulation.prediction import predict
from infersim.simulation.resolving import Dimension, Gpu, Model, as_plan, as_profiles
from infersim.workload.requests import Request

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
    phase: str = "prefill",
    batch: Dimension = 1,
    context: Dimension | None = None,
    dtype: str = "bf16",
    execution: str = "fused",
    cuda_graph: bool = True,
    kv_dtype: str | None = None,
    request: str | Request | None = None,
) -> PredictionReport:
    """Predict, and add what figures need; arguments and errors are those of `predict`."""
    plan, profiles = as_plan(model_or_plan), as_profiles(gpu)
    prediction = predict(
        plan,
        profiles,
        phase=phase,
        batch=batch,
        context=context,
        dtype=dtype,
        execution=execution,
        cuda_graph=cuda_graph,
        kv_dtype=kv_dtype,
        request=request,
    )
    scenarios = shown_scenarios(prediction)
    runs = make_execution(dtype=dtype, execution=execution, cuda_graph=cuda_graph, kv_dtype=kv_dtype)
    cases = make_cases(
        phase=phase,
        batch=scenarios["batch"].unique().tolist(),
        context=scenarios["context"].unique().tolist() if request is None else None,
        request=request,
        execution=runs,
    )
    shown = [profile for profile in profiles if profile.name in set(scenarios["gpu"])]
    ops = op_frames(plan.base, [plan] if plan.steps else [], shown, cases)
    return PredictionReport(
        prediction=prediction,
        scenarios=scenarios,
        ops=only_scenarios(ops.assign(model=prediction["model"].iloc[0]), scenarios),
        profiles={profile.name: profile for profile in profiles},
        setting=setting_text(runs, cases),
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
        glossary={"floor": "The time that no kernels can beat: FLOPs at the peak, or compulsory bytes."},
    )


def _view(report: PredictionReport, scenario: pd.Series) -> View:
    ops = of_scenario(report.ops, scenario)
    profile = report.profiles[str(scenario["gpu"])]
    return View(
        label=label(scenario, varying_keys(report.prediction)),
        charts=(time_chart(ops), roofline_chart(ops, profile, ops["plan"].unique().tolist())),
        tables=(ops_table(ops),),
    )
