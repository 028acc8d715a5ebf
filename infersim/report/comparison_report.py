"""All that a comparison's page shows: the frame of `compare`, the ops behind it, and curves over sparsity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from infersim.domain.profile import HardwareProfile
from infersim.pruning.plan import Plan
from infersim.report.curves import curve_name, curve_plans
from infersim.report.op_frames import op_frames
from infersim.report.scenarios import only_scenarios, shown_scenarios
from infersim.report.setting import setting_text
from infersim.simulation.cases import make_cases, make_execution
from infersim.simulation.comparison import Measured, compare
from infersim.simulation.resolving import Dimension, Gpu, Model, as_plans, as_profiles, as_transformer
from infersim.workload.requests import Request

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparisonReport:
    """`comparison` holds all scenarios; `ops` and `curves` only those of `scenarios`, which are drawn.

    `curves` is a frame of `compare` with a column `curve`. `setting` says how the model is run, `left_out`
    which plans were asked for and cannot be.
    """

    comparison: pd.DataFrame
    scenarios: pd.DataFrame
    ops: pd.DataFrame
    curves: pd.DataFrame
    profiles: Mapping[str, HardwareProfile]
    setting: str
    left_out: tuple[str, ...] = ()


def gather_comparison(
    model: Model,
    plans: Plan | Sequence[Plan],
    gpu: Gpu | Sequence[Gpu],
    *,
    phase: str = "prefill",
    batch: Dimension = 1,
    context: Dimension | None = None,
    measured: Measured | None = None,
    dtype: str = "bf16",
    execution: str = "fused",
    cuda_graph: bool = True,
    kv_dtype: str | None = None,
    request: str | Request | None = None,
    left_out: Sequence[str] = (),
) -> ComparisonReport:
    """Compare, and add what figures need; arguments and errors are those of `compare`."""
    base = as_transformer(model)
    several, profiles = as_plans(base, plans), as_profiles(gpu)
    compared = partial(
        compare,
        base,
        phase=phase,
        measured=measured,
        dtype=dtype,
        execution=execution,
        cuda_graph=cuda_graph,
        kv_dtype=kv_dtype,
        request=request,
    )
    comparison = compared(several, profiles, batch=batch, context=context)
    scenarios = shown_scenarios(comparison)
    shown = [profile for profile in profiles if profile.name in set(scenarios["gpu"])]
    batch = scenarios["batch"].unique().tolist()
    context = scenarios["context"].unique().tolist() if request is None else None
    runs = make_execution(dtype=dtype, execution=execution, cuda_graph=cuda_graph, kv_dtype=kv_dtype)
    cases = make_cases(phase=phase, batch=batch, context=context, request=request, execution=runs)
    drawn = curve_plans(several)
    curves = compared(list(drawn.values()), shown, batch=batch, context=context)
    names = {title: curve_name(plan) for title, plan in drawn.items()}
    return ComparisonReport(
        comparison=comparison,
        scenarios=scenarios,
        ops=only_scenarios(op_frames(base, several, shown, cases), scenarios),
        curves=only_scenarios(curves.assign(curve=curves["plan"].map(names)), scenarios),
        profiles={profile.name: profile for profile in profiles},
        setting=setting_text(runs, cases),
        left_out=tuple(left_out),
    )
