"""Measured speedups in words and a table: the rows that `measure model` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from infersim.report.core import rounding
from infersim.report.core.screen import Answer
from infersim.report.core.table import Column, Table, number_column, text_column
from infersim.report.core.verdict import Verdict

PARTS = ("qkvo", "ffn", "attention", "lm_head", "elementwise", "extra")


def measured_row_line(row: Mapping[str, Any]) -> str:
    """`static-nk 50 %, decode, batch 1, context 512: 1.52x (dense 12.3 ms, pruned 8.1 ms)`."""
    where = f"{row['plan']}, {row['phase']}, batch {row['batch']}, context {row['context']}"
    if row["status"] != "ok":
        return f"{where}: {row['status']}"
    times = f"dense {rounding.quantity(row['dense_ms'])} ms, pruned {rounding.quantity(row['pruned_ms'])} ms"
    return f"{where}: {rounding.speedup(row['measured_speedup'])} ({times})"


def measured_models_answer(rows: Sequence[Mapping[str, Any]]) -> Answer:
    """The fastest plan of each phase, what was not measured, and the table of all rows."""
    timed = [row for row in rows if row["status"] == "ok"]
    said = []
    for phase in dict.fromkeys(str(row["phase"]) for row in timed):
        best = max(
            (row for row in timed if row["phase"] == phase), key=lambda row: float(row["measured_speedup"])
        )
        speedup = rounding.speedup(float(best["measured_speedup"]))
        where = f"batch {best['batch']}, context {best['context']}"
        said.append(f"In {phase} {best['plan']} is the fastest that was measured: {speedup} ({where}).")
    missing = len(rows) - len(timed)
    if missing:
        said.append(f"{missing} of {len(rows)} rows could not be measured; the status says why.")
    return Answer(verdict=Verdict(sentences=tuple(said)), tables=(measured_models_table(rows),))


def measured_models_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """All rows of a file, read back or just measured; what was not measured says why."""
    import pandas as pd

    numbers = [
        "measured_speedup",
        "speedup_spread",
        "dense_ms",
        "pruned_ms",
        "dense_drift",
        "dense_memory_gib",
        "pruned_memory_gib",
        *(f"{side}_ms_{part}" for side in ("dense", "pruned") for part in PARTS),
    ]
    frame = pd.DataFrame(list(rows))
    frame = frame.reindex(columns=list(dict.fromkeys([*frame.columns, *numbers])))
    frame[numbers] = frame[numbers].apply(pd.to_numeric)
    first = frame.iloc[0]
    threads = "" if not str(first["threads"] or "") else f", {first['threads']} threads"
    return Table(
        title=f"{first['model']} on {first['gpu']} ({first['dtype']}, {first['execution']}{threads})",
        frame=frame,
        columns=(
            text_column("plan", "plan"),
            text_column("phase", "phase"),
            Column(heading="batch", keys=("batch",)),
            Column(heading="context", keys=("context",)),
            Column(heading="speedup\n(spread)", keys=("measured_speedup", "speedup_spread"), text=_spread),
            number_column("dense\nms", "dense_ms", rounding.quantity),
            number_column("pruned\nms", "pruned_ms", rounding.quantity),
            number_column("drift", "dense_drift", rounding.fraction, detail=2),
            *(_part_column(part) for part in PARTS),
            Column(
                heading="GiB dense\n> pruned",
                keys=("dense_memory_gib", "pruned_memory_gib"),
                text=_from_to,
                detail=2,
            ),
            text_column("status", "status"),
        ),
        caption="Parts: ms, dense > pruned. Drift: how much longer the dense model took in the second half.",
    )


def _part_column(part: str) -> Column:
    return Column(
        heading=part.replace("_", " "),
        keys=(f"dense_ms_{part}", f"pruned_ms_{part}"),
        text=_from_to,
        detail=3,
    )


def _from_to(dense: float, pruned: float) -> str:
    return f"{rounding.quantity(dense)} > {rounding.quantity(pruned)}"


def _spread(speedup: float, spread: float) -> str:
    return f"{rounding.speedup(speedup)} ({rounding.quantity(spread)})"
