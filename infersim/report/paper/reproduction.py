"""The source paper reproduced, in words and tables: its numbers beside infersim's bound and prediction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.losses import PART_TITLES
from infersim.report.core.table import Column, Table, number_column, text_column
from infersim.report.core.verdict import Verdict, as_sentence
from infersim.simulation.paper.claims import EXPLAINED_FROM
from infersim.simulation.paper.reproduction import (
    BATCHES,
    CONTEXTS,
    EXECUTION,
    GPU,
    MODEL,
    TOTAL,
    Reproduction,
)
from infersim.simulation.paper.source import SHORT_CONTEXT, SOURCE, Quantity

if TYPE_CHECKING:
    import pandas as pd

_DENSE = {"prefill": "prefill of the dense model", "decode": "a decode step"}

_QUANTITIES = {
    Quantity.STATIC_M_EQUIVALENT: "static-m equivalent",
    Quantity.NON_GEMM_OVERHEAD_GROWTH: "growth of what is no GEMM",
    Quantity.GEMM_AND_LM_HEAD_SHARE: "share of GEMMs and attention",
}


def reproduction_verdict(reproduction: Reproduction) -> Verdict:
    """How near the predictions come, the farthest one named."""
    components = reproduction.components
    totals = components[components["component"] == TOTAL]
    dense = [_dense_sentence(row) for _, row in totals.iterrows()]
    return Verdict(
        sentences=tuple(map(as_sentence, [_speedup_sentence(reproduction.speedups), *dense])),
        notes=(
            f"{SOURCE}: {MODEL}, bf16, on {GPU}, execution {EXECUTION}, CUDA graph; "
            f"calibration of the profile: {reproduction.calibration}. Nothing is fitted to the paper.",
            "The paper does not state the scenarios behind its means. Ours are over batches "
            f"{_listed(BATCHES)} x contexts {_listed(CONTEXTS)} where the models fit into memory.",
        ),
    )


def components_table(reproduction: Reproduction) -> Table:
    """Figure 2: milliseconds and shares of each component, batch 1 and 32768 tokens."""
    frame = reproduction.components
    return Table(
        title="Figure 2: where the time of the dense model goes (batch 1, context 32768)",
        frame=frame,
        columns=(
            Column(heading="component", keys=("component",), text=_component, numeric=False),
            Column(
                heading="predicted ms\n(80 %)", keys=("predicted_ms", "lower_ms", "upper_ms"), text=_latency
            ),
            number_column("share", "predicted_share", rounding.share),
            Column(heading="paper ms", keys=("paper_ms", "paper_upper_limit"), text=_published),
            number_column("share", "paper_share", rounding.fraction),
            number_column("difference", "difference", rounding.difference),
        ),
        labels=tuple(frame["phase"]),
        caption="A small elementwise kernel costs its launch and little else: in decode, set the sum of both "
        "beside the paper's. Its launch time in prefill, for about as many kernels as in decode, is no cost "
        "of launching.",
    )


def mean_speedups_table(reproduction: Reproduction) -> Table:
    """Table 2 and the mean of section 5.2: ours with the spread over the grid."""
    frame = reproduction.speedups
    return Table(
        title="Mean speedups (ours: mean and spread over the grid)",
        frame=frame,
        columns=(
            Column(heading="plan", keys=("family", "sparsity"), text=_plan, numeric=False),
            number_column("scenarios", "scenarios", rounding.count, detail=4),
            number_column("flops", "flops", rounding.speedup),
            Column(
                heading="bound\n(spread)", keys=("bound", "bound_min", "bound_max"), text=_spread, detail=2
            ),
            Column(
                heading="predicted\n(spread)",
                keys=("predicted", "predicted_min", "predicted_max"),
                text=_spread,
            ),
            number_column(f"at {SHORT_CONTEXT}\ntokens", "predicted_short", rounding.speedup, detail=3),
            number_column("paper", "paper", rounding.speedup),
            number_column("difference", "difference", rounding.difference),
        ),
        labels=tuple(frame["phase"]),
        caption=_reasons(frame),
    )


def _reasons(speedups: pd.DataFrame) -> str:
    """Why means are off by more than EXPLAINED_FROM, each reason with the rows it is of."""
    far = speedups[speedups["reason"] != ""]
    reasons = []
    for (phase, reason), rows in far.groupby(["phase", "reason"], sort=False):
        plans = ", ".join(map(_plan, rows["family"], rows["sparsity"]))
        reasons.append(f"{plans} in {phase}: {reason}.")
    return " ".join([f"Off by more than {EXPLAINED_FROM}:", *reasons]) if reasons else ""


def claims_table(reproduction: Reproduction) -> Table:
    """Equivalents, overheads and shares that the paper states in its text."""
    frame = reproduction.claims
    return Table(
        title="Claims of the text",
        frame=frame,
        columns=(
            Column(heading="of", keys=("family", "sparsity"), text=_plan, numeric=False),
            text_column("phase", "phase"),
            Column(
                heading="predicted\n(spread)",
                keys=("predicted", "predicted_min", "predicted_max"),
                text=_percent_spread,
            ),
            number_column("paper", "paper", rounding.share),
            text_column("what the paper leaves open", "note"),
        ),
        labels=tuple(frame["quantity"].map(lambda quantity: _QUANTITIES[Quantity(quantity)])),
        caption="Overheads and shares are predicted for batch 1 and 32768 tokens, equivalents over the grid. "
        "A low-rank pair adds a launch here and nothing else; what the paper's runs beside it is not public.",
    )


def _speedup_sentence(speedups: pd.DataFrame) -> str:
    off = (speedups["predicted"] - speedups["paper"]).abs()
    far = speedups.iloc[off.argmax()]
    predicted, published = rounding.speedup(far["predicted"]), rounding.speedup(far["paper"])
    return (
        f"the paper's {len(speedups)} mean speedups are predicted within {off.mean():.2f} on average, half "
        f"of them within {off.median():.2f}; farthest off is {_plan(far['family'], far['sparsity'])} in "
        f"{far['phase']}, {predicted} where the paper has {published}"
    )


def _dense_sentence(row: pd.Series) -> str:
    time = rounding.quantity_between(row["predicted_ms"], row["lower_ms"], row["upper_ms"])
    return (
        f"{_DENSE[row['phase']]} is predicted to take {time} ms, measured "
        f"{_published(row['paper_ms'])} ms ({rounding.difference(row['difference'])})"
    )


def _component(name: str) -> str:
    return PART_TITLES.get(name, name)


def _plan(family: str | None, sparsity: float) -> str:
    """`static-nk 50 %`; the dense model where the claim is of no family."""
    if not isinstance(family, str):
        return "dense"
    return f"{family} {rounding.fraction(sparsity)}"


def _latency(value: float, low: float, high: float) -> str:
    return rounding.quantity(value) if math.isnan(low) else rounding.quantity_between(value, low, high)


def _published(milliseconds: float, upper_limit: bool = False) -> str:
    """With the four digits of the paper's totals."""
    return f"{'< ' if upper_limit else ''}{milliseconds:,.4g}"


def _spread(mean: float, low: float, high: float) -> str:
    return f"{rounding.speedup(mean)} ({rounding.interval(low, high)})"


def _percent_spread(value: float, low: float, high: float) -> str:
    spread = "" if math.isnan(low) else f" ({rounding.share(low)}–{rounding.share(high)})"
    return rounding.share(value) + spread


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))
