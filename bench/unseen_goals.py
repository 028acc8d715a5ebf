"""The goals that the scores of `unseen_gpus` are held against, and whether they are reached."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from accuracy_goals import Outcome, at_most, outcomes_table
from infersim.report.core.table import Table

DATASHEET_MEAN, DATASHEET_EACH = 0.15, 0.21
ATTENTION_MEAN = 0.20
ROWS_MEAN = {30: 0.11, 100: 0.09}
"""GEMM bf16: mean error over GPUs by rows of the left-out GPU."""

SPEEDUP_MEAN = 0.06
MODEL_SPEEDUP = 0.06
COVERED = (0.7, 0.9)


def goals_table(scores: pd.DataFrame, models: pd.DataFrame) -> Table:
    """Every goal that `scores` (one row for each GPU, kind and number of rows) and `models` can tell."""
    return outcomes_table([*_outcomes(scores), *_model_outcomes(models)], "Goals, on GPUs left out")


def _outcomes(scores: pd.DataFrame) -> Iterator[Outcome]:
    gemm = scores[(scores["kind"] == "gemm") & (scores["dtype"] == "bf16")]
    sheet = gemm[gemm["fitted_rows"] == 0].set_index("gpu")
    if len(sheet):
        yield _mean("GEMM bf16, datasheet alone: mean error", sheet["mape"], DATASHEET_MEAN)
        worst, gpu = sheet["mape"].max(), sheet["mape"].idxmax()
        what = "GEMM bf16, datasheet alone: each GPU"
        yield at_most(what, worst, DATASHEET_EACH, f"{worst:.1%} ({gpu})")
        yield _mean("pruned GEMM: median speedup error", sheet["speedup_median_ape"], SPEEDUP_MEAN)
        below = sheet["speedup_median_ape"] < sheet["flops_median_ape"]
        yield Outcome(
            what="pruned GEMM: speedups better than the FLOPs ratio",
            goal="on every GPU",
            found=f"on {int(below.sum())} of {len(below)}",
            reached=bool(below.all()),
        )
        yield _covered("GEMM bf16 rows covered", sheet["coverage"])
        yield _covered("pruned GEMM pairs covered", sheet["pair_coverage"])
    attention = scores[scores["kind"].str.startswith("attention") & (scores["fitted_rows"] == 0)]
    if len(attention):
        yield _mean("attention, datasheet alone: mean error", attention["mape"], ATTENTION_MEAN)
        for kind, rows in attention.groupby("kind"):
            yield _covered(f"{kind} rows covered", rows.set_index("gpu")["coverage"])
    for size, limit in ROWS_MEAN.items():
        few = gemm[gemm["fitted_rows"] == size]
        if len(few):
            yield _mean(f"GEMM bf16, {size} rows: mean error", few["mape"], limit)


def _model_outcomes(models: pd.DataFrame) -> Iterator[Outcome]:
    for phase in [column for column in models.columns if column != "gpu"]:
        worst = models.set_index("gpu")[phase]
        found = f"{worst.max():.1%} ({worst.idxmax()})"
        what = f"model speedups, {phase}: median difference from the own fit"
        yield at_most(what, worst.max(), MODEL_SPEEDUP, found)


def _mean(what: str, errors: pd.Series, limit: float) -> Outcome:
    mean = errors.mean()
    return at_most(what, mean, limit, f"{mean:.1%}")


def _covered(what: str, coverage: pd.Series) -> Outcome:
    low, high = COVERED
    return Outcome(
        what=what,
        goal=f"{low:.0%} to {high:.0%} on each GPU",
        found=f"{coverage.min():.1%} ({coverage.idxmin()}) to {coverage.max():.1%} ({coverage.idxmax()})",
        reached=bool(coverage.between(low, high).all()),
    )
