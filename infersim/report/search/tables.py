"""Tables of a search (targets, layers, uniform plans, the curve) and of a latency table."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.table import Column, Table, number_column, text_column
from infersim.simulation.search.searching import SearchResult
from infersim.simulation.search.table import REMAINDER

if TYPE_CHECKING:
    import pandas as pd

TARGET_TITLES = {
    "speedup": "speedup",
    "latency_ms": "latency (ms)",
    "tpot_ms": "TPOT (ms)",
    "ttft_ms": "TTFT (ms)",
    "memory_gib": "memory (GiB)",
    "price_per_million": "price of a million tokens",
}
"""Targets as people read them."""


def search_tables(found: SearchResult) -> tuple[Table, ...]:
    """The tables of an answer, those that are empty left out."""
    tables = [goal_table(found), layer_table(found)]
    if len(found.uniform):
        tables.append(uniform_table(found))
    if len(found.curve):
        tables.append(curve_table(found))
    return tuple(tables)


def loss_text(value: float) -> str:
    """A loss in the unit of its source: four significant digits."""
    return rounding.UNKNOWN if math.isnan(value) else f"{value:.4g}"


def goal_table(found: SearchResult) -> Table:
    """Each target and what the plan keeps of it."""
    sure = float(found.answer["sure"].iloc[0])
    kept = "" if sure <= 0.5 else f"kept\n({rounding.share(sure)})"
    columns = [
        Column(heading="target", keys=("target", "where"), text=_target, numeric=False),
        number_column("wanted", "limit", rounding.quantity),
        number_column("predicted", "value", rounding.quantity),
    ]
    if kept:
        columns.append(number_column(kept, "kept", rounding.quantity))
    return Table(title="Targets", frame=found.goals, columns=tuple(columns))


def _target(target: str, where: str) -> str:
    return f"{TARGET_TITLES[target]}{f', {where}' if where else ''}"


def layer_table(found: SearchResult) -> Table:
    """What became of layers; neighbours that became the same are one row."""
    return Table(
        title="Layers",
        frame=together(found.layers),
        columns=(
            text_column("layers", "layers"),
            text_column("attention", "attention"),
            text_column("FFN", "ffn"),
            number_column("loss", "loss", loss_text),
            number_column("share of\nits time", "share", rounding.share),
        ),
        caption=f"Losses: {found.answer['importance'].iloc[0]}. They are taken to add.",
    )


def together(layers: pd.DataFrame) -> pd.DataFrame:
    """Layers in runs of equal choices, with the losses and shares of all of a run."""
    same = (layers[["attention", "ffn"]] == layers[["attention", "ffn"]].shift()).all(axis=1)
    runs = (~same).cumsum()
    grouped = layers.groupby(runs, sort=False)
    frame = grouped.agg(
        first=("layer", "first"),
        last=("layer", "last"),
        attention=("attention", "first"),
        ffn=("ffn", "first"),
        loss=("loss", "sum"),
        share=("share", "sum"),
    )
    names = [str(a) if a == b else f"{a}–{b}" for a, b in zip(frame["first"], frame["last"], strict=True)]
    return frame.assign(layers=names).reset_index(drop=True)


def uniform_table(found: SearchResult) -> Table:
    """The best uniform plan of each family beside the answer."""
    return Table(
        title="Beside uniform plans",
        frame=found.uniform,
        columns=(
            text_column("family", "family"),
            text_column("plan", "plan"),
            text_column("compared", "compared"),
            number_column("loss", "loss", loss_text),
            _speedup_column(),
        ),
        caption="The same choice in every layer, layers gone beside it. At the same loss: the fastest that "
        "loses no more than the plan. At the same time: the one that loses least and is as fast.",
    )


def curve_table(found: SearchResult) -> Table:
    """The trade-off between loss and speed."""
    return Table(
        title="The whole trade-off",
        frame=found.curve,
        columns=(
            number_column("loss", "loss", loss_text),
            _speedup_column(),
            number_column("memory\n(GiB)", "memory_gib", rounding.quantity),
            Column(heading="", keys=("answer",), text=_marked, numeric=False),
        ),
        caption="Plans of least loss at times between the dense model's and the fastest plan's, within the "
        "limits; targets aside.",
    )


def _marked(answer: bool) -> str:
    return "the plan" if answer else ""


def _speedup_column() -> Column:
    keys = ("predicted", "predicted_lower", "predicted_upper")
    return Column(heading="predicted\n(80 %)", keys=keys, text=rounding.speedup_between)


_TIMES: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("latency_ms", "latency\n(ms)", rounding.quantity),
    ("prefill_ms", "prefill\n(ms)", rounding.quantity),
    ("decode_ms", "decode\n(ms)", rounding.quantity),
    ("step_ms", "step\n(ms)", rounding.quantity),
    ("prompt_ms", "prompt\n(ms)", rounding.quantity),
    ("tpot_ms", "TPOT\n(ms)", rounding.quantity),
    ("ttft_ms", "TTFT\n(ms)", rounding.quantity),
    ("floor_ms", "floor\n(ms)", rounding.quantity),
    ("memory_gib", "memory\n(GiB)", rounding.quantity),
    ("parameters", "parameters", lambda value: rounding.prefixed(value, "")),
    ("flops", "FLOPs", lambda value: rounding.prefixed(value, "")),
)


def latency_tables(frame: pd.DataFrame) -> tuple[Table, ...]:
    """One table for each scenario: each distinct sublayer once, with the layers that have it."""
    keys = [name for name in ("phase", "batch", "context", "engine", "concurrency") if name in frame]
    return tuple(
        _latency_table(rows, ", ".join(f"{name} {rows[name].iloc[0]}" for name in keys))
        for _, rows in frame.groupby(keys, sort=False)
    )


def scenarios_table(frame: pd.DataFrame) -> Table:
    """Each distinct sublayer once, with its time in every scenario."""
    keys = [name for name in ("phase", "batch", "context", "engine", "concurrency") if name in frame]
    varying = [name for name in keys if frame[name].nunique() > 1]
    time = "latency_ms" if "latency_ms" in frame else "request_ms"
    wide: pd.DataFrame | None = None
    columns = []
    for place, (_, rows) in enumerate(frame.groupby(keys, sort=False)):
        name = f"scenario {place}"
        own = rows[["sublayer", "choice", "layer", time]].rename(columns={time: name})
        wide = (
            own
            if wide is None
            else wide.merge(own, on=["sublayer", "choice", "layer"], how="left", sort=False)
        )
        where = "\n".join(str(rows[key].iloc[0]) for key in varying)
        columns.append(number_column(f"{where}\n(ms)", name, rounding.quantity))
    assert wide is not None
    names = [column.keys[0] for column in columns]
    shown = wide.groupby(["sublayer", "choice", *names], sort=False).agg(layers=("layer", _layers))
    same = ", ".join(f"{name} {frame[name].iloc[0]}" for name in keys if name not in varying)
    return Table(
        title=f"Time of one layer{f': {same}' if same else ''}",
        frame=shown.reset_index(),
        columns=(
            text_column("sublayer", "sublayer"),
            text_column("choice", "choice"),
            text_column("layers", "layers"),
            *columns,
        ),
    )


def _latency_table(rows: pd.DataFrame, title: str) -> Table:
    times = [each for each in _TIMES if each[0] in rows]
    names = [name for name, *_ in times]
    shown = rows.groupby(["sublayer", "choice", *names], sort=False).agg(layers=("layer", _layers))
    frame = shown.reset_index()
    return Table(
        title=title,
        frame=frame,
        columns=(
            text_column("sublayer", "sublayer"),
            text_column("choice", "choice"),
            text_column("layers", "layers"),
            *(number_column(heading, name, text) for name, heading, text in times),
        ),
        caption=f"Of one layer each. The {REMAINDER} is the rest of the model: one choice of each sublayer "
        "of each layer and the remainder sum to the whole.",
    )


def _layers(numbers: pd.Series[int]) -> str:
    ordered = sorted(numbers)
    if ordered[0] < 0:
        return ""
    if ordered == list(range(ordered[0], ordered[-1] + 1)):
        return str(ordered[0]) if len(ordered) == 1 else f"{ordered[0]}–{ordered[-1]}"
    shown = ", ".join(map(str, ordered[:4]))
    return shown if len(ordered) <= 4 else f"{shown}, ... ({len(ordered)})"
