"""How frontiers, their scenarios and losses are called."""

from __future__ import annotations

import math
from collections.abc import Set
from typing import TYPE_CHECKING

from infersim.pruning.families.registry import quality_axis
from infersim.report.core import rounding

if TYPE_CHECKING:
    import pandas as pd

SCENARIO = ("gpu", "gpus", "phase", "request", "batch", "context")
"""Columns that say which scenario a row is about, when they vary."""


def percent(value: float) -> str:
    """A loss as published, in percent: `12.7 %`."""
    return rounding.UNKNOWN if math.isnan(value) else f"{round(value, 1) + 0.0:g} %"


def gain(value: float) -> str:
    """`4.99 %` of speed for each percent of quality; a dash where nothing is lost."""
    return rounding.UNKNOWN if math.isnan(value) else f"{value:.1f} %"


def group_labels(frame: pd.DataFrame) -> tuple[str, ...]:
    """The scenario, where it varies, and the frontier of each row."""
    varying = {key for key in SCENARIO if frame[key].nunique() > 1}
    return tuple(
        ", ".join(filter(None, (scenario_label(row, varying), group_label(row["regime"], row["axis"]))))
        for _, row in frame.iterrows()
    )


def group_label(regime: str, axis: str) -> str:
    """`lora (RedPajama, 164M tokens) recovery, zero-shot`."""
    return f"{'no' if regime == 'none' else regime} recovery, {axis}"


def scenario_label(row: pd.Series, keys: Set[str]) -> str:
    """Those of a scenario's `keys` that are named: `h100-sxm, reasoning, batch 64`."""
    named = [str(row["gpu"])] if "gpu" in keys else []
    named += [f"{row['gpus']} GPUs"] if "gpus" in keys else []
    if row["request"]:
        named += [str(row["request"])] if keys & {"request", "context", "phase"} else []
    else:
        named += [str(row["phase"])] if "phase" in keys else []
    named += [f"batch {row['batch']}"] if "batch" in keys else []
    named += [f"context {row['context']}"] if "context" in keys and not row["request"] else []
    return ", ".join(named)


def workload(request: str, phase: str, batch: int, context: int) -> str:
    """`reasoning, batch 1` or `prefill, batch 1, context 4096`."""
    return f"{request}, batch {batch}" if request else f"{phase}, batch {batch}, context {context}"


def shown_points(points: pd.DataFrame) -> pd.DataFrame:
    """Points of the frontiers that are told: those on an axis of their own only where there are no others."""
    shared = points[own_axes(points) == ""]
    return points if shared.empty else shared


def own_axes(points: pd.DataFrame) -> pd.Series:
    """The axis of its own that each point's family has, see `Family.quality_axis`; empty for the others."""
    return points["family"].map(str).map(quality_axis)
