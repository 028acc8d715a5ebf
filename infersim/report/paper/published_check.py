"""Published speedups beside predictions: how many match, which do not, and why."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.table import Column, Table, number_column, text_column
from infersim.report.core.verdict import Verdict, as_sentence
from infersim.simulation.measured.table import Scope
from infersim.simulation.paper.published_check import WITHIN

if TYPE_CHECKING:
    import pandas as pd

SORTING = (
    "so small a GEMM waits for the sort of the mask, a chain of kernels of which only the launches are "
    "predicted; and its dense side is predicted too slow"
)
HOST_LOOP = (
    "each token also costs the host the loop around the model, the same at any depth, which no GPU model has"
)
REASONS = {"pruning-kernels": SORTING, "shortened-llama": HOST_LOOP}
"""Why predictions of a source's rows are off, by what their ids begin with."""

HOST = "over-predicted: the host issues more slowly than the GPU works, so narrower matrices gain nothing"
OVERHEAD = "over-predicted: copies around the GEMM, and waiting for how many rows they are, decide"
UNDER = "under-predicted"


def published_verdict(check: pd.DataFrame) -> Verdict:
    """How many of the known rows match, and what becomes of the others."""
    scored = check[check["scored"]]
    matched = int(scored["within"].sum())
    over = check[check["scope"].isin([Scope.HOST_BOUND, Scope.OVERHEAD])]
    stated = scored[scored["measured_dense_ms"].notna()]
    off = (stated["dense_ms"] / stated["measured_dense_ms"] - 1).abs()
    said = (
        f"{matched} of {len(scored)} published figures with known conditions are predicted within "
        f"{rounding.share(WITHIN)}",
        f"{int((over['difference'] > 0).sum())} of {len(over)} that the host or copies decide are "
        "over-predicted, as a model of the GPU must",
    )
    return Verdict(
        sentences=tuple(map(as_sentence, said)),
        notes=(
            "No speedup is fitted to these rows; what a host in Python takes for a kernel comes from one "
            "dense latency among them (7B on H100). What a source leaves open is assumed for all its rows at "
            "once (conditions).",
            f"Ratios are nearer than latencies: {int((off <= WITHIN).sum())} of {len(stated)} dense "
            f"latencies are within {rounding.share(WITHIN)}. Hosts differ by several times, and a GPU "
            "without a fit of its own is predicted from its datasheet.",
        ),
    )


def scored_table(check: pd.DataFrame) -> Table:
    """Rows with known conditions: they count."""
    frame = check[check["scored"]]
    frame = frame.assign(verdict=[_verdict(row) for row in frame.to_dict("records")])
    return _table("Conditions known", frame, "verdict", _LATENCIES)


def overpredicted_table(check: pd.DataFrame) -> Table:
    """Rows that the host, or gathering and scattering, decides."""
    frame = check[check["scope"].isin([Scope.HOST_BOUND, Scope.OVERHEAD])]
    why = frame["scope"].map({Scope.HOST_BOUND: HOST, Scope.OVERHEAD: OVERHEAD})
    return _table(
        "Decided by the host or by copies",
        frame.assign(verdict=why.where(frame["difference"] > 0, UNDER)),
        "verdict",
    )


def partial_table(check: pd.DataFrame) -> Table:
    """Rows of which a condition is not known."""
    frame = check[~check["scored"] & (check["scope"] == Scope.PARTIAL)]
    return _table("A condition is missing", frame, "note")


def _both(dense: float, pruned: float) -> str:
    texts = [rounding.quantity(value) for value in (dense, pruned) if not math.isnan(value)]
    return ", ".join(texts) or rounding.UNKNOWN


_LATENCIES = (
    Column(
        heading="measured ms\ndense, pruned",
        keys=("measured_dense_ms", "measured_pruned_ms"),
        text=_both,
        detail=4,
    ),
    Column(heading="predicted ms\ndense, pruned", keys=("dense_ms", "pruned_ms"), text=_both, detail=4),
)


def _table(title: str, frame: pd.DataFrame, last: str, more: tuple[Column, ...] = ()) -> Table:
    columns = (
        text_column("row", "number"),
        text_column("GPU", "gpu"),
        text_column("what", "what"),
        text_column("conditions", "conditions", detail=5),
        Column(heading="measured", keys=("measured", "quantity"), text=_figure),
        Column(heading="predicted\n(80 %)", keys=("predicted", "lower", "upper", "quantity"), text=_interval),
        number_column("difference", "difference", rounding.difference),
        *more,
        text_column("verdict" if last == "verdict" else "what is missing", last, detail=3),
    )
    return Table(title=title, frame=frame, columns=columns, labels=tuple(frame["source"]))


def _verdict(row: Mapping[Hashable, object]) -> str:
    if row["within"]:
        return f"within {rounding.share(WITHIN)}"
    source = str(row["id"]).rpartition("-")[0]
    return f"off: {REASONS.get(source, 'unexplained')}"


def _figure(value: float, quantity: str) -> str:
    return f"{rounding.quantity(value)} ms" if quantity == "ms" else rounding.speedup(value)


def _interval(value: float, low: float, high: float, quantity: str) -> str:
    if math.isnan(value):
        return rounding.UNKNOWN
    if quantity == "ms":
        return f"{rounding.quantity_between(value, low, high)} ms"
    return rounding.speedup_between(value, low, high)
