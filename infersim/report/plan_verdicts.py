"""What to say of one plan in one scenario: is it faster, of what is possible, and what eats the rest."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

from infersim.pruning.static_m import STATIC_M
from infersim.report import rounding
from infersim.report.losses import largest_loss
from infersim.simulation.measured import Scope

if TYPE_CHECKING:
    import pandas as pd

NO_CHANGE = 0.005
"""Speedups this near to 1 are printed as 1.00x or 1.01x: no change."""


class Outcome(StrEnum):
    """What a plan does to the latency, as far as prediction or measurement can tell."""

    FASTER = "faster"
    UNCERTAIN = "uncertain"  # the interval holds both faster and slower
    UNCHANGED = "unchanged"
    SLOWER = "slower"


def realised(row: pd.Series) -> float:
    """The speedup to judge by: measured in this very scenario, else predicted."""
    return float(row["measured"] if row["measured_scope"] == Scope.POINT else row["predicted"])


def outcome(row: pd.Series) -> Outcome:
    """Judge a comparison row."""
    speedup = realised(row)
    if abs(speedup - 1) <= NO_CHANGE and abs(row["bound"] - 1) <= NO_CHANGE:
        return Outcome.UNCHANGED
    if row["measured_scope"] == Scope.POINT:
        return Outcome.FASTER if speedup > 1 else Outcome.SLOWER
    if row["predicted_lower"] > 1:
        return Outcome.FASTER
    return Outcome.SLOWER if row["predicted_upper"] < 1 else Outcome.UNCERTAIN


def subject(row: pd.Series) -> str:
    """`at 50 % static-nk`; plans of several steps, with options or with a name by their title.

    The sparsity realised is told where it is not the one asked for.
    """
    sparsity, came_out = float(row["sparsity"]), float(row["sparsity_realised"])
    if math.isnan(sparsity):
        return f"{row['plan']} ({rounding.fraction(came_out)} of the block linears removed)"
    requested = rounding.fraction(sparsity)
    plain = row["plan"] == f"{row['family']} {requested}"
    name = f"at {requested} {row['family']}" if plain else str(row["plan"])
    return (
        name
        if abs(came_out - sparsity) < rounding.AS_REQUESTED
        else f"{name} ({rounding.fraction(came_out)} realised)"
    )


def plan_sentence(row: pd.Series, where: str) -> str:
    """The verdict on the only plan of a scenario; `where` names the scenario."""
    plan = f"{subject(row)}{where}"
    if not row["fits_memory"]:
        return f"{plan} does not fit into memory: it needs {rounding.quantity(row['memory_gib'])} GiB"
    match outcome(row):
        case Outcome.FASTER:
            verb = "is"
        case Outcome.UNCERTAIN:
            verb = "may gain nothing:"
        case Outcome.SLOWER:
            verb = "makes the model slower:"
        case Outcome.UNCHANGED:
            return f"{plan} changes nothing: {figures(row)}"
    return f"{plan} {verb} {figures(row)}{reason(row)}"


def equivalent_sentence(row: pd.Series) -> list[str]:
    """The static-m sparsity that is as fast, for plans of other families that can run and are faster."""
    if row["family"] == STATIC_M.name or not row["fits_memory"] or outcome(row) is not Outcome.FASTER:
        return []
    return [f"as fast as {STATIC_M.name} at {rounding.share(row['static_m_equivalent'])}"]


def figures(row: pd.Series) -> str:
    """`predicted 1.71x (1.63–1.80) of a possible 1.77x`, what was measured first."""
    predicted = rounding.speedup_between(row["predicted"], row["predicted_lower"], row["predicted_upper"])
    text = f"predicted {predicted}{_possible(row)}"
    if row["measured_scope"] == Scope.POINT:
        return f"measured {rounding.speedup(row['measured'])}, {text}"
    return text


def reason(row: pd.Series) -> str:
    """`; FLOPs promise 2.00x, and most of the loss is unpruned attention`: why it is not more."""
    loss = largest_loss(row)
    if loss is None:
        return ""
    promised, bound = rounding.speedup(row["flops"]), rounding.speedup(row["bound"])
    if promised in (bound, rounding.UNKNOWN):
        return f"; {loss.phrase}"
    return f"; FLOPs promise {promised}, and {loss.phrase}"


def _possible(row: pd.Series) -> str:
    """The bound is a ratio of floors, no limit: it is exceeded where dense is the less efficient."""
    bound = rounding.speedup(row["bound"])
    above = row["predicted"] > row["bound"] and rounding.speedup(row["predicted"]) != bound
    return (
        f", above the bound of {bound} as dense is the less efficient" if above else f" of a possible {bound}"
    )
