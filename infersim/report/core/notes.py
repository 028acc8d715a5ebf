"""Notes beside a verdict: how far to trust it, what does not fit, what was measured elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infersim.domain.profile import Calibration
from infersim.report.core import rounding
from infersim.report.core.scenarios import SCENARIO_KEYS, label, varying_keys
from infersim.report.core.trust import grade_line, trust_in
from infersim.simulation.measured.table import Scope
from infersim.simulation.speedups.columns import as_notes

if TYPE_CHECKING:
    import pandas as pd

WELL_CALIBRATED = 0.9
"""Below this share of time inside the calibrated range a fitted prediction is flagged."""

MAX_EXAMPLES = 4
"""How many cases a note lists before it counts the rest."""

_SCOPES = {
    Scope.MEAN: "a mean over scenarios that the source does not state",
    Scope.HOST_BOUND: "slowed by the host, which a model of the GPU does not know",
    Scope.OVERHEAD: "decided by gather and scatter around the kernel",
}
"""What stands beside a measured speedup that is not set against the prediction."""


def comparison_notes(frame: pd.DataFrame) -> tuple[str, ...]:
    """Notes on a frame of `compare`."""
    several = frame["plan"].nunique() > 1
    quality = ("Speed only: what a sparsity costs in quality differs between families.",) if several else ()
    return (
        *_calibration_notes(frame),
        *_memory_notes(frame),
        *_dense_memory_notes(frame),
        *_measured_notes(frame),
        *_row_notes(frame),
        *quality,
    )


def prediction_notes(frame: pd.DataFrame) -> tuple[str, ...]:
    """Notes on a frame of `predict`."""
    return (
        *_calibration_notes(frame),
        *_memory_notes(frame),
        *_row_notes(frame),
    )


def frame_grade(frame: pd.DataFrame, value: str = "predicted_", unit: str = "") -> str:
    """The graded line on a frame whose columns `{value}lower{unit}` and `{value}upper{unit}` bound it."""
    lower, upper = frame[f"{value}lower{unit}"], frame[f"{value}upper{unit}"]
    widths = (upper / lower.where(lower > 0)) ** 0.5 - 1
    known = "calibrated_share" in frame
    unlike = (frame["calibrated_share"] < WELL_CALIBRATED).tolist() if known else []
    return grade_line(frame["calibration"], frame["gpu"], widths.tolist(), unlike)


def trust_notes(frame: pd.DataFrame) -> Iterator[str]:
    """What stands behind the GPUs of a frame with `gpu` and `calibration`."""
    yield from trust_in(frame["calibration"], frame["gpu"])


def _calibration_notes(frame: pd.DataFrame) -> Iterator[str]:
    yield from trust_notes(frame)
    calibrated = frame[frame["calibration"] != Calibration.NONE]
    for gpu, rows in calibrated[calibrated["calibrated_share"] < WELL_CALIBRATED].groupby("gpu", sort=False):
        if "plan" in frame and frame["plan"].nunique() > 1:
            lowest = rows.sort_values("calibrated_share", kind="stable").drop_duplicates("plan")
            shares = map(rounding.share, 1 - lowest["calibrated_share"])
            plans = [f"{plan} ({share})" for plan, share in zip(lowest["plan"], shares, strict=True)]
            yield (f"Kernels unlike those measured on {gpu}, by their share of the time: {_examples(plans)}.")
        else:
            most = rounding.share(1 - rows["calibrated_share"].min())
            yield f"Kernels unlike those measured on {gpu}: up to {most} of the time."


def _memory_notes(frame: pd.DataFrame) -> Iterator[str]:
    rows = frame[~frame["fits_memory"].astype(bool)]
    if not rows.empty:
        cases = [_case(row, frame) for _, row in rows.iterrows()]
        yield f"Does not fit into memory and is timed as if it did: {_examples(cases)}."


def _dense_memory_notes(frame: pd.DataFrame) -> Iterator[str]:
    rows = frame[~frame["dense_fits_memory"].astype(bool)].drop_duplicates(list(SCENARIO_KEYS))
    if not rows.empty:
        keys = varying_keys(frame)
        cases = [label(row, keys) or "this scenario" for _, row in rows.iterrows()]
        yield f"The dense model does not fit into memory and is timed as if it did: {_examples(cases)}."


def _measured_notes(frame: pd.DataFrame) -> Iterator[str]:
    for scope, meaning in _SCOPES.items():
        if (frame["measured_scope"] == scope).any():
            mark = scope.value.replace("_", "-")
            yield f"Measured speedups marked {mark} are {meaning}: shown without attainment."
    cases = _contradicting_means(frame[frame["measured_scope"] == Scope.MEAN], frame)
    if cases:
        yield f"Such means lie outside the predicted interval: {_examples(cases)}."


def _contradicting_means(means: pd.DataFrame, frame: pd.DataFrame) -> list[str]:
    """Means outside the span of the intervals of all scenarios shown."""
    keys = [key for key in varying_keys(frame) if key not in ("batch", "context")]
    cases = []
    for _, rows in means.groupby(["model", "gpu", "gpus", "phase", "plan"], sort=False):
        low, high, mean = (
            rows["predicted_lower"].min(),
            rows["predicted_upper"].max(),
            rows["measured"].iloc[0],
        )
        if not low <= mean <= high:
            case = ", ".join(filter(None, [str(rows["plan"].iloc[0]), label(rows.iloc[0], keys)]))
            cases.append(f"{case} ({rounding.speedup(mean)}, predicted {rounding.interval(low, high)})")
    return cases


def _row_notes(frame: pd.DataFrame) -> Iterator[str]:
    """What the rows themselves say, each note once."""
    counts = Counter(note for notes in frame["notes"] for note in dict.fromkeys(as_notes(notes)))
    for note, rows in counts.items():
        yield f"{note[0].upper()}{note[1:]}" + (f" ({rows} of {len(frame)} rows)." if len(frame) > 1 else ".")


def _case(row: pd.Series, frame: pd.DataFrame) -> str:
    """A row by what distinguishes it in its frame."""
    plan = [str(row["plan"])] if "plan" in frame and frame["plan"].nunique() > 1 else []
    where = label(row, varying_keys(frame))
    return ", ".join(filter(None, [*plan, where])) or "this scenario"


def _examples(cases: list[str]) -> str:
    if len(cases) <= MAX_EXAMPLES + 1:
        return "; ".join(cases)
    return "; ".join([*cases[:MAX_EXAMPLES], f"and {len(cases) - MAX_EXAMPLES} more"])
