"""Rows of a frontier: a loss of quality beside its plan's speedups, and its standing among the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from infersim.simulation.frontier.choice import Planned
from infersim.simulation.frontier.pareto import Standing, standings
from infersim.simulation.frontier.quality import QualityPoint
from infersim.simulation.measured.table import Scope, Timed

if TYPE_CHECKING:
    import pandas as pd

SCENARIO_KEYS = ("model", "gpu", "gpus", "calibration", "phase", "request", "batch", "context")
GROUP_KEYS = ("regime", "axis")
"""What tells frontiers of one scenario apart."""

PairWidth = Callable[[str, str], float]
"""80 % half-width of the log ratio of two plans' times, by their titles."""

_SPEEDUPS = (
    "sparsity_realised",
    "params_removed",
    "flops_removed",
    "bytes_removed",
    "loss_kernel_efficiency",
    "loss_launch",
    "bound",
    "ceiling",
    "predicted",
    "predicted_lower",
    "predicted_upper",
    "static_m_equivalent",
    "measured",
    "latency_ms",
    "calibrated_share",
)

_DENSE = ""
"""Title of the dense model among plans."""


def point_rows(chosen: Sequence[Planned], compared: pd.DataFrame) -> pd.DataFrame:
    """One row for each point; `compared` holds the plans of one scenario in a frame of `compare`."""
    import pandas as pd

    by_plan = {str(row["plan"]): row for _, row in compared.iterrows()}
    scenario = {key: compared.iloc[0][key] for key in SCENARIO_KEYS}
    return pd.DataFrame([scenario | _row(each, by_plan, scenario) for each in chosen])


def with_standings(group: pd.DataFrame, half_width: PairWidth) -> pd.DataFrame:
    """The points of one frontier with `standing`, `measured_standing` and `gain_per_point`.

    The dense model stands among them: it loses nothing and gains nothing.
    """
    loss = np.append(group["quality_loss_percent"].to_numpy(float), 0.0)
    uncertainty = np.append(group["loss_uncertainty_percent"].to_numpy(float), np.nan)
    fitting = np.append(np.where(group["fits_memory"], group["predicted"].to_numpy(float), np.nan), 1.0)
    log_predicted = np.log(fitting)
    plans = [*group["plan"], _DENSE]
    own = np.append(np.log((group["predicted"] / group["predicted_lower"]).to_numpy(float)), 0.0)

    def predicted_width(j: int, i: int) -> float:
        # Far apart, the widths beside the dense model decide without a look at the pair.
        if _DENSE in (plans[j], plans[i]) or log_predicted[j] - log_predicted[i] >= own[j] + own[i]:
            return 0.0 if plans[j] == plans[i] else float(own[j] + own[i])
        return half_width(plans[j], plans[i])

    log_measured = np.append(np.log(group["measured"].to_numpy(float)), 0.0)
    gain = 100 * (group["predicted"] - 1)
    losing = group["quality_loss_percent"].where(group["quality_loss_percent"] > 0)
    return group.assign(
        standing=_texts(standings(loss, uncertainty, log_predicted, predicted_width)),
        measured_standing=_texts(standings(loss, uncertainty, log_measured, lambda _j, _i: 0.0)),
        gain_per_point=gain / losing,
    )


def _texts(found: Sequence[Standing]) -> list[str]:
    """Without the dense model, which was added last."""
    return [standing.value for standing in found[:-1]]


def _row(each: Planned, by_plan: dict[str, pd.Series], scenario: dict[str, object]) -> dict[str, object]:
    point = each.point
    compared = by_plan[each.plan.title] if each.plan else None
    measured = _measured(point, compared, scenario)
    return {
        "regime": point.regime,
        "axis": point.axis,
        "point": point.id,
        "family": point.family,
        "method": point.method,
        "plan": each.plan.title if each.plan else f"{point.family}, sparsity not stated",
        "sparsity": math.nan if point.sparsity is None else point.sparsity,
        "quality_loss_percent": point.quality_loss_percent,
        "loss_uncertainty_percent": _or_nan(point.loss_uncertainty_percent),
        "task_type": point.task_type,
        "metric": point.metric,
        "dense_score": _or_nan(point.dense),
        "pruned_score": _or_nan(point.pruned),
        "source": point.source,
        "locator": point.locator,
        "evidence": point.evidence,
        "checkpoint": point.model_as_published,
        "series": point.series,
        "note": point.note,
        **{name: math.nan if compared is None else float(compared[name]) for name in _SPEEDUPS},
        **measured,
        "fits_memory": True if compared is None else bool(compared["fits_memory"]),
    }


def _measured(
    point: QualityPoint, compared: pd.Series | None, scenario: dict[str, object]
) -> dict[str, object]:
    """What was measured of the plan in this scenario, else what the point's own source says of it.

    The latter stands for no known scenario: it is a mean, of one phase or of both.
    """
    if compared is not None and not math.isnan(compared["measured"]):
        return {name: compared[name] for name in ("measured", "measured_scope", "measured_source")}
    phases = (str(scenario["phase"]), Timed.BOTH if scenario["phase"] != Timed.REQUEST else Timed.REQUEST)
    here = point.measured_phase in phases and point.measured_gpu in (scenario["gpu"], None)
    if point.measured_speedup is None or not here:
        return {"measured": math.nan, "measured_scope": "", "measured_source": ""}
    return {
        "measured": point.measured_speedup,
        "measured_scope": Scope.MEAN.value,
        "measured_source": f"{point.source}, {point.locator}",
    }


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
