"""Tables of a sweep: the fastest plan of each case at each sparsity, every mean, and what was left out.

What varies between cases is said with each, the rest once. A dry run says what a sweep would take.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.table import Column, Table, number_column, text_column
from infersim.simulation.sweeping.resolved import LeftOut
from infersim.simulation.sweeping.result import SWEEP_CASE
from infersim.simulation.sweeping.table import Estimate

if TYPE_CHECKING:
    import pandas as pd


def estimate_text(estimate: Estimate, workers: int) -> str:
    """`42,000 scenarios in 12 chunks would take about 10 s on 1 core and 5.28 MB (from ...)`."""
    chunks = "1 chunk" if estimate.chunks == 1 else f"{estimate.chunks:,} chunks"
    cores = "1 core" if workers == 1 else f"{workers} cores"
    return (
        f"{estimate.rows:,} scenarios in {chunks} would take about "
        f"{rounding.quantity(estimate.core_s / workers)} s on {cores} and "
        f"{rounding.prefixed(estimate.file_bytes, 'B')} (from a chunk of {estimate.tried_rows:,} rows)."
    )


def varying_case_keys(summary: pd.DataFrame) -> tuple[str, ...]:
    """The columns that differ between cases; the phase and a request are one thing to a reader."""
    return tuple(key for key in SWEEP_CASE if summary[key].nunique() > 1)


def case_label(row: pd.Series, keys: Collection[str]) -> str:
    """Those of a case's `keys` in short: `qwen3-8b, h100-sxm, decode, fp8, no CUDA graph`."""
    return ", ".join(filter(None, (_word(key, row) for key in SWEEP_CASE if key in keys)))


def shared_setting(summary: pd.DataFrame) -> str:
    """What all cases share: `llama-3.1-8b, bf16, KV cache bf16, execution fused, CUDA graph`."""
    return case_label(summary.iloc[0], set(SWEEP_CASE) - set(varying_case_keys(summary)))


def _word(key: str, row: pd.Series) -> str:
    value = row[key]
    if key == "phase":
        return "" if value == "request" else str(value)
    if key == "request":
        return f"request {value}" if value else ""
    if key == "gpus":
        return f"{value} GPUs" if value > 1 else ""
    if key == "kv_dtype":
        return f"KV cache {value}"
    if key == "execution":
        return f"execution {value}"
    if key == "cuda_graph":
        return "CUDA graph" if value else "no CUDA graph"
    return str(value)


MAX_CASES = 24
"""Cases of a table in the terminal; more are for machines and the page."""

OWN = "own plans"
"""The column of plans from files, which have no sparsity."""

_MEANS = "Geometric means of predicted speedups over the batches and contexts that fit into memory."


def families_table(summary: pd.DataFrame) -> Table:
    """One row for each pruning, one column for each sparsity: the mean and the span of the cases' means."""
    import numpy as np
    import pandas as pd

    rows = []
    for pruning, plans in summary.groupby("pruning", sort=False):
        cells = {"pruning": str(pruning)}
        for sparsity, cases in plans.groupby("sparsity", sort=False, dropna=False):
            means = cases["predicted"].dropna()
            cells[_heading(sparsity)] = (
                rounding.UNKNOWN
                if means.empty
                else rounding.speedup_between(
                    float(np.exp(np.log(means).mean())), float(means.min()), float(means.max())
                )
            )
        rows.append(cells)
    frame = pd.DataFrame(rows).fillna("")
    columns = [text_column("pruning", "pruning")]
    columns += [Column(heading=name, keys=(name,)) for name in frame.columns if name != "pruning"]
    return Table(
        title="Mean speedup at each sparsity (least and greatest mean of a case)",
        frame=frame,
        columns=tuple(columns),
    )


def fastest_table(summary: pd.DataFrame, most: int | None = MAX_CASES) -> Table:
    """One row for each case, one column for each sparsity: the fastest pruning and its mean speedup."""
    import pandas as pd

    keys = varying_case_keys(summary)
    rows, labels = [], []
    for _, case in summary.groupby(list(SWEEP_CASE), sort=False):
        first = case.iloc[0]
        labels.append(str(first["model"]) if "model" in keys else "")
        cells = {"case": case_label(first, set(keys) - {"model"}) or "all"}
        for sparsity, plans in case.groupby("sparsity", sort=False, dropna=False):
            fastest = plans[plans["fastest"]]
            text = rounding.UNKNOWN
            if not fastest.empty:
                best = fastest.iloc[0]
                text = f"{best['pruning']} {rounding.speedup(best['predicted'])}"
            cells[_heading(sparsity)] = text
        rows.append(cells)
    frame = pd.DataFrame(rows).fillna("")
    more = 0 if most is None else max(0, len(frame) - most)
    caption = f"{_MEANS} {more} more cases are in --json, --csv and --html." if more else _MEANS
    shown = frame if most is None else frame.head(most)
    return Table(
        title=f"Fastest at each sparsity: {shared_setting(summary)}",
        frame=shown,
        columns=tuple(text_column("" if name == "case" else name, name) for name in frame.columns),
        labels=tuple(labels[: len(shown)]) if any(labels) else (),
        caption=caption,
    )


def summary_table(summary: pd.DataFrame) -> Table:
    """Every case and plan with its mean, range and bound."""
    keys = varying_case_keys(summary)
    return Table(
        title="Every mean",
        frame=summary,
        columns=(
            text_column("plan", "plan"),
            number_column("predicted\nmean", "predicted", rounding.speedup),
            Column(heading="range", keys=("low", "high"), text=rounding.interval),
            number_column("bound\nmean", "bound", rounding.speedup),
            number_column("scenarios", "scenarios", _whole),
            number_column("fitting", "fitting", _whole),
        ),
        labels=tuple(case_label(row, keys) for _, row in summary.iterrows()),
        caption=_MEANS,
    )


def left_out_table(left_out: Sequence[LeftOut]) -> Table:
    """What could not be, and why."""
    import pandas as pd

    return Table(
        title="Left out",
        frame=pd.DataFrame([asdict(each) for each in left_out]),
        columns=(
            text_column("what", "what"),
            number_column("scenarios", "scenarios", _whole),
            text_column("why", "reason"),
        ),
    )


def _whole(count: float) -> str:
    return f"{count:,.0f}"


def _heading(sparsity: object) -> str:
    return rounding.fraction(sparsity) if isinstance(sparsity, float) and sparsity == sparsity else OWN
