"""The goals that the scores of `accuracy` are held against, and whether they are reached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from infersim.report.core.table import Column, Table, text_column

ROWS_COVERED = (0.74, 0.86)
"""What an 80 % interval may cover on each GPU."""

MAX_FIT_S = 10.0
MAX_SPEEDUP_ERROR = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A limit on the mean error over the GPUs, and on that of each; `exceptions` have limits of their own."""

    kind: str
    dtype: str
    fitted_rows: int
    mean: float
    each: float | None = None
    exceptions: tuple[tuple[str, float], ...] = ()


GOALS = (
    Goal(kind="gemm", dtype="bf16", fitted_rows=400, mean=0.07, each=0.075, exceptions=(("l40s", 0.11),)),
    Goal(kind="gemm", dtype="bf16", fitted_rows=2000, mean=0.063),
    Goal(kind="gemm", dtype="fp8", fitted_rows=400, mean=0.1),
    Goal(kind="attention.prefill", dtype="bf16", fitted_rows=200, mean=0.08, each=0.12),
    Goal(kind="attention.decode", dtype="bf16", fitted_rows=200, mean=0.1, each=0.15),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One goal as text, what was found, and whether that reaches it."""

    what: str
    goal: str
    found: str
    reached: bool


def goals_table(scores: pd.DataFrame) -> Table:
    """Every goal whose kind, data type and number of rows is among `scores` (one row a GPU)."""
    outcomes = [
        outcome
        for keys, rows in scores.groupby(["kind", "dtype", "fitted_rows"], sort=False)
        for outcome in _outcomes(" ".join(map(str, keys)), rows.set_index("gpu"))
    ]
    return outcomes_table(outcomes, f"Goals, on {scores['gpu'].nunique()} GPUs")


def outcomes_table(outcomes: Iterable[Outcome], title: str) -> Table:
    """Goals, what was found, and which are missed."""
    frame = pd.DataFrame([(o.what, o.goal, o.found, o.reached) for o in outcomes])
    frame.columns = pd.Index(["what", "goal", "found", "reached"])
    verdict = Column(
        heading="", keys=("reached",), text=lambda reached: "reached" if reached else "MISSED", numeric=False
    )
    columns = (*(text_column(name, name) for name in ("what", "goal", "found")), verdict)
    return Table(title=title, frame=frame, columns=columns)


def at_most(what: str, value: float, limit: float, found: str) -> Outcome:
    """A fraction that may be `limit` at most."""
    return _at_most(what, value, limit, found, f"{limit:.0%}")


def _outcomes(what: str, rows: pd.DataFrame) -> Iterator[Outcome]:
    first = rows.iloc[0]
    for goal in GOALS:
        if (goal.kind, goal.dtype, goal.fitted_rows) == (first["kind"], first["dtype"], first["fitted_rows"]):
            yield from _error_outcomes(what, goal, rows["mape"])
    if rows["speedup_median_ape"].notna().all():
        yield from _speedup_outcomes(what, rows)
    yield _covered(f"{what}: rows covered", rows["coverage"])
    slowest = rows["fit_s"].max()
    yield _at_most(f"{what}: slowest fit", slowest, MAX_FIT_S, f"{slowest:.1f} s", f"{MAX_FIT_S:g} s")


def _error_outcomes(what: str, goal: Goal, errors: pd.Series) -> Iterator[Outcome]:
    mean = errors.mean()
    yield _at_most(f"{what}: mean error", mean, goal.mean, f"{mean:.2%}", f"{goal.mean:.2%}")
    if goal.each is None:
        return
    limits = dict.fromkeys(errors.index, goal.each) | {
        gpu: limit for gpu, limit in goal.exceptions if gpu in errors.index
    }
    for limit in sorted(set(limits.values())):
        held = errors[[gpu for gpu in errors.index if limits[gpu] == limit]]
        found = f"{held.max():.1%} ({held.idxmax()})"
        which = "each GPU" if limit == goal.each else " and ".join(held.index)
        yield _at_most(f"{what}: {which}", held.max(), limit, found, f"{limit:.1%}")


def _speedup_outcomes(what: str, rows: pd.DataFrame) -> Iterator[Outcome]:
    mean = rows["speedup_median_ape"].mean()
    limit = MAX_SPEEDUP_ERROR
    yield _at_most(f"{what}: median speedup error", mean, limit, f"{mean:.1%}", f"{limit:.1%}")
    below = rows["speedup_median_ape"] < rows["flops_median_ape"]
    yield Outcome(
        what=f"{what}: speedups better than the FLOPs ratio",
        goal="on every GPU",
        found=f"on {int(below.sum())} of {len(below)}",
        reached=bool(below.all()),
    )
    yield _covered(f"{what}: pairs covered", rows["pair_coverage"])


def _covered(what: str, coverage: pd.Series) -> Outcome:
    low, high = ROWS_COVERED
    return Outcome(
        what=what,
        goal=f"{low:.0%} to {high:.0%} on each GPU",
        found=f"{coverage.min():.1%} ({coverage.idxmin()}) to {coverage.max():.1%} ({coverage.idxmax()})",
        reached=bool(coverage.between(low, high).all()),
    )


def _at_most(what: str, value: float, limit: float, found: str, goal: str) -> Outcome:
    return Outcome(what=what, goal=f"at most {goal}", found=found, reached=bool(value <= limit))
