"""The verdict on a search: how fast the plan is and what it loses, beside the best uniform plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from infersim.report.core import rounding
from infersim.report.core.notes import frame_grade
from infersim.report.core.scenarios import label
from infersim.report.core.trust import grade_line
from infersim.report.core.verdict import Verdict, as_sentence
from infersim.report.search.tables import TARGET_TITLES, loss_text
from infersim.simulation.search.curve import SAME_LOSS, SAME_TIME
from infersim.simulation.search.searching import SearchResult
from infersim.simulation.search.table import REMAINDER

if TYPE_CHECKING:
    import pandas as pd


AS_GOOD = 1e-3
"""Relative losses nearer than this are not told apart."""

LEAST_GAP = 1e-6
"""Relative gaps of the solver up to this are rounding."""


def search_verdict(found: SearchResult) -> Verdict:
    """What the plan is, what it is worth, and how far to trust it."""
    if _touched(found):
        sentences = [_plan(found), *_layers(found), *_beside(found), *_runs(found)]
    else:
        sentences = [f"nothing has to go: the dense model meets {_targets(found)}"]
    return Verdict(
        sentences=tuple(map(as_sentence, sentences)),
        notes=(*found.notes, *_trust(found)),
        grade=frame_grade(found.answer),
    )


def _plan(found: SearchResult) -> str:
    row: Any = found.answer.iloc[0]
    speed = rounding.speedup_between(row["predicted"], row["predicted_lower"], row["predicted_upper"])
    gap = f"; the best plan loses at most {100 * row['gap']:.2g} % less" if row["gap"] > LEAST_GAP else ""
    return (
        f"the plan is predicted {speed} and loses {loss_text(row['loss'])}: it meets {_targets(found)}{gap}"
    )


def _targets(found: SearchResult) -> str:
    sure = float(found.answer["sure"].iloc[0])
    each = "each " if len(found.goals) > 1 else ""
    told = f", {each}with a probability of {rounding.share(sure)}" if sure > 0.5 else ""
    return " and ".join(_met(goal) for _, goal in found.goals.iterrows()) + told


def _met(goal: Any) -> str:
    where = f" in {goal['where']}" if goal["where"] else ""
    title, _, unit = TARGET_TITLES[goal["target"]].partition(" (")
    if goal["target"] == "speedup":
        return f"the speedup of {rounding.speedup(goal['limit'])}{where}"
    unit = f" {unit.rstrip(')')}" if unit else ""
    return f"the {title} of at most {rounding.quantity(goal['limit'])}{unit}{where}"


def _touched(found: SearchResult) -> int:
    """Layers that are not as they were."""
    return int(((found.layers["attention"] != "kept") | (found.layers["ffn"] != "kept")).sum())


def _layers(found: SearchResult) -> Iterator[str]:
    layers = found.layers
    gone = {
        name: int((layers[column] == "none").sum())
        for name, column in (("attention", "attention"), ("FFN", "ffn"))
    }
    removed = [f"{count} without {name}" for name, count in gone.items() if count]
    share = rounding.share(float(found.answer["params_removed"].iloc[0]))
    told = f", {' and '.join(removed)}" if removed else ""
    yield f"it changes {_touched(found)} of {len(layers)} layers{told}, and removes {share} of the parameters"


def _beside(found: SearchResult) -> Iterator[str]:
    if found.uniform.empty:
        return
    row: Any = found.answer.iloc[0]
    same_time = found.uniform[found.uniform["compared"] == SAME_TIME]
    same_loss = found.uniform[found.uniform["compared"] == SAME_LOSS]
    if len(same_time):
        best: Any = same_time.sort_values("loss", kind="stable").iloc[0]
        if best["loss"] > row["loss"] * (1 + AS_GOOD):
            losses = f"{loss_text(best['loss'])} instead of {loss_text(row['loss'])}"
            yield f"the best uniform plan that is as fast, {best['plan']}, loses {losses}"
        else:
            yield f"a uniform plan is as good: {best['plan']}"
    if len(same_loss):
        fastest: Any = same_loss.sort_values("predicted", kind="stable").iloc[-1]
        yield (
            f"the fastest uniform plan that loses no more, {fastest['plan']}, is predicted "
            f"{rounding.speedup(fastest['predicted'])}"
        )


def _runs(found: SearchResult) -> Iterator[str]:
    row: Any = found.answer.iloc[0]
    if row["engine"]:
        yield (
            f"{row['engine']} runs it"
            if row["runs"] == "yes"
            else f"to run it on {row['engine']}: {row['runs_needs']}"
        )


def _trust(found: SearchResult) -> Iterator[str]:
    row: Any = found.answer.iloc[0]
    if not row["fits_memory"]:
        yield "The plan does not fit into the GPU's memory in these scenarios: it is timed as if it did."
    if row["calibration"] != "fitted":
        yield f"Calibration of {row['gpu']}: {row['calibration']}; intervals are wider for it."


def table_verdict(frame: pd.DataFrame) -> Verdict:
    """What a latency table holds, and what of the time is there to be chosen."""
    rows = frame[frame["sublayer"] != REMAINDER]
    name = "latency_ms" if "latency_ms" in frame else "request_ms"
    kept = rows[rows["choice"] == "kept"]
    keys = [key for key in ("phase", "batch", "context", "engine") if key in frame]
    sentences = [
        f"{len(rows) // max(1, frame[keys].drop_duplicates().shape[0])} choices of {kept['layer'].nunique()} "
        f"layers of {frame['model'].iloc[0]} on {frame['gpu'].iloc[0]}"
    ]
    for _, part in frame.groupby(keys, sort=False):
        own = part[(part["choice"] == "kept")][name].sum()
        whole = own + part[part["sublayer"] == REMAINDER][name].sum()
        first = part.iloc[0]
        where = str(first["engine"]) if "engine" in keys else label(first, keys)
        sentences.append(
            f"{where}: {rounding.quantity(whole)} ms, of which {rounding.share(own / whole)} in sublayers "
            "that have choices"
        )
    return Verdict(
        sentences=tuple(map(as_sentence, sentences)),
        notes=tuple(_table_notes(frame)),
        grade=grade_line(frame["calibration"], frame["gpu"]),
    )


def _table_notes(frame: pd.DataFrame) -> Iterator[str]:
    calibration = frame["calibration"].iloc[0]
    if calibration != "fitted":
        yield f"Calibration of {frame['gpu'].iloc[0]}: {calibration}."
