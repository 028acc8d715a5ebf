"""The verdict on a prediction: how long, how near to the floor, and what takes most of the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.losses import PART_TITLES
from infersim.report.core.notes import frame_grade, prediction_notes
from infersim.report.core.scenarios import gpu_text, label, varying_keys
from infersim.report.core.verdict import Verdict, as_sentence
from infersim.report.speedups.tables import TIMED_PARTS

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 6
"""Up to so many scenarios are told one by one, more are summed up."""

_WHAT = {"prefill": "prefill of {}", "decode": "a decode step of {}", "request": "a request to {}"}


def predict_verdict(frame: pd.DataFrame) -> Verdict:
    """Judge a frame of `predict`."""
    rows = [row for _, row in frame.iterrows()] if len(frame) <= MAX_ROWS else []
    keys = set(varying_keys(frame)) & {"batch", "context"}
    sentences = [_sentence(row, label(row, keys)) for row in rows] or _summary(frame)
    return Verdict(
        sentences=tuple(map(as_sentence, sentences)),
        notes=prediction_notes(frame),
        grade=frame_grade(frame, "", "_ms"),
    )


def _sentence(row: pd.Series, sizes: str) -> str:
    """One scenario: `prefill of ... takes ... ms on ..., 1.6 times its floor; FFN takes 44 % of it`."""
    what = _WHAT[row["phase"]].format(row["model"]) + (f" ({sizes})" if sizes else "")
    if not row["fits_memory"]:
        need = rounding.quantity(row["memory_gib"])
        return f"{what} does not fit into the memory of {gpu_text(row)}: it needs {need} GiB"
    time = rounding.duration(row["latency_ms"], row["lower_ms"], row["upper_ms"])
    above = rounding.quantity(row["latency_ms"] / row["floor_ms"])
    largest = max(TIMED_PARTS, key=lambda part: float(row[f"ms_{part}"]))
    portion = rounding.share(row[f"ms_{largest}"] / row["latency_ms"])
    return (
        f"{what} is predicted to take {time} on {gpu_text(row)}, {above} times its floor; "
        f"{PART_TITLES[largest]} takes {portion} of it"
    )


def _summary(frame: pd.DataFrame) -> list[str]:
    sentences = []
    for (_, _, phase), rows in frame.groupby(["gpu", "gpus", "phase"], sort=False):
        fitting = rows[rows["fits_memory"]]
        what = f"{_WHAT[str(phase)].format(rows['model'].iloc[0])} on {gpu_text(rows.iloc[0])}"
        if fitting.empty:
            sentences.append(f"{what} does not fit into memory in any of {len(rows)} scenarios")
            continue
        low, high = map(rounding.quantity, (fitting["latency_ms"].min(), fitting["latency_ms"].max()))
        sentences.append(
            f"{what} is predicted to take {low} to {high} ms in {len(fitting)} of {len(rows)} scenarios"
        )
    return sentences
