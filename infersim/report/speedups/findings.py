"""What each figure shows, in a sentence above it: who leads, what is lost, where the time goes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.losses import PART_TITLES, largest_loss
from infersim.report.core.verdict import as_sentence, enumeration
from infersim.report.speedups.verdict import Outcome, figures, outcome, realised
from infersim.simulation.speedups.resolving import DENSE

if TYPE_CHECKING:
    import pandas as pd


def plans_finding(rows: pd.DataFrame) -> str:
    """Of one scenario of `compare`: the fastest plan that fits, and how many others pay."""
    fitting = rows[rows["fits_memory"]]
    if fitting.empty:
        return "No plan fits into memory."
    best = fitting.iloc[int(fitting.apply(realised, axis=1).argmax())]
    if outcome(best) is not Outcome.FASTER:
        return as_sentence(f"no plan surely gains; the best, {best['plan']}, is {figures(best)}")
    found = f"{best['plan']} {'is the fastest' if len(rows) > 1 else 'pays'}: {figures(best)}"
    poor = len(rows) - int((rows.apply(outcome, axis=1) == Outcome.FASTER).sum())
    return as_sentence(
        f"{found}; {poor} of {len(rows)} plans {'does' if poor == 1 else 'do'} not surely pay"
        if poor
        else found
    )


def curves_finding(curves: pd.DataFrame) -> str:
    """Which curve leads over how many of the sparsities that were tried."""
    requested = curves[curves["sparsity"].notna()]
    best = requested.loc[requested.groupby("sparsity")["predicted"].idxmax()]
    leaders = Counter(best["curve"]).most_common()
    if not leaders:
        return ""
    if len(leaders) == 1:
        return as_sentence(f"{leaders[0][0]} leads at every sparsity")
    parts = [f"{name} at {times}" for name, times in leaders]
    return f"Of {len(best)} sparsities, {enumeration(parts).replace(' at ', ' leads at ', 1)}."


def promise_finding(curve: pd.DataFrame) -> str:
    """Of one curve: what is promised and what is predicted at the sparsity nearest to a half."""
    row = curve.iloc[int((curve["sparsity_realised"] - 0.5).abs().argmin())]
    at = rounding.fraction(row["sparsity_realised"])
    promised, predicted = map(rounding.speedup, (row["flops"], row["predicted"]))
    return f"At {at}: promised {promised}, predicted {predicted}"


def losses_finding(rows: pd.DataFrame) -> str:
    """Of one scenario: the loss that is the largest for the most plans."""
    titles = Counter(loss.title for _, row in rows.iterrows() if (loss := largest_loss(row)) is not None)
    if len(rows) < 2:
        return as_sentence(loss_finding(rows.iloc[0]))
    if not titles:
        return "Next to nothing is lost: plans come out as FLOPs promise."
    parts = [f"{title} ({times} of {len(rows)} plans)" for title, times in titles.most_common(2)]
    return as_sentence(f"the largest loss is most often {enumeration(parts)}")


def loss_finding(row: pd.Series) -> str:
    """Of one plan: what eats the most of its speedup."""
    loss = largest_loss(row)
    return "Next to nothing is lost" if loss is None else as_sentence(loss.phrase).rstrip(".")


def time_finding(ops: pd.DataFrame) -> str:
    """The part of the dense model, or else of the only plan, that takes the most time."""
    totals = ops.groupby("plan", sort=False)["total_ms"].first()
    first = str(totals.index[0])
    rows = ops[ops["plan"] == first]
    parts = rows.groupby("part", sort=False)["latency_ms"].sum()
    largest = str(parts.idxmax())
    share = rounding.share(parts.max() / totals.iloc[0])
    return as_sentence(f"{PART_TITLES[largest]} takes {share} of {_whose_time(rows)}")


def limits_finding(ops: pd.DataFrame) -> str:
    """What limits the kernels of the dense model, or else of the only plan, by time."""
    rows = ops[ops["plan"] == ops["plan"].iloc[0]]
    limits = rows.groupby("limiter", sort=False)["latency_ms"].sum().sort_values(ascending=False)
    share = rounding.share(limits.iloc[0] / limits.sum())
    return as_sentence(f"{limits.index[0]} limits {share} of {_whose_time(rows)}")


def _whose_time(rows: pd.DataFrame) -> str:
    return "the dense model's time" if rows["plan"].iloc[0] == DENSE else "the time"
