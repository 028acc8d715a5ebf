"""The verdict on a comparison: whether to prune, which family, and why not more.

And what to say of one plan.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

from infersim.pruning.families.registry import find_family
from infersim.pruning.families.static_m import STATIC_M
from infersim.report.core import rounding
from infersim.report.core.losses import largest_loss
from infersim.report.core.notes import comparison_notes, frame_grade
from infersim.report.core.scenarios import SCENARIO_KEYS, place, scenario_groups, varying_keys
from infersim.report.core.verdict import Verdict, as_sentence, enumeration
from infersim.simulation.measured.table import Scope

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
        family = find_family(str(row["family"]))
        if family is not None and (family.of_experts or family.quality_axis):  # these cut no block linears
            return f"{row['plan']} ({family.name} {rounding.fraction(came_out)})"
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


NEAR = 0.1
"""How far from its bound a speedup is still at it: a wide interval holds bounds that are far away."""


def _possible(row: pd.Series) -> str:
    """Beside the bound, a ratio of rooflines and no limit: at it where it is near, and in the interval."""
    bound = rounding.speedup(row["bound"])
    near = abs(row["predicted"] / row["bound"] - 1) <= NEAR
    if near and row["predicted_lower"] <= row["bound"] <= row["predicted_upper"]:
        return f", at its bound ({bound})"
    return f", above its bound ({bound})" if row["predicted"] > row["bound"] else f" of a possible {bound}"


MOST_SHORT = 3
"""Sentences of a verdict on one screen."""

MOST_NAMED = 6
"""Plans that such a sentence names."""

MAX_SCENARIOS = 6
"""Up to so many scenarios are judged one by one, more are summed up."""

_POOR = {
    Outcome.UNCERTAIN: "may gain nothing",
    Outcome.UNCHANGED: "changes nothing",
    Outcome.SLOWER: "is slower than dense",
}


def compare_verdict(frame: pd.DataFrame) -> Verdict:
    """Judge a frame of `compare`."""
    if frame.groupby(list(SCENARIO_KEYS)).ngroups > MAX_SCENARIOS:
        sentences = list(map(as_sentence, _summary(frame)))
    else:
        keys = varying_keys(frame)
        sentences = [
            " ".join(map(as_sentence, _scenario_sentences(rows, place(rows.iloc[0], keys))))
            for rows in scenario_groups(frame)
        ]
    return Verdict(
        sentences=tuple(sentences),
        notes=comparison_notes(frame),
        short=_short(frame),
        grade=frame_grade(frame),
    )


def _short(frame: pd.DataFrame) -> tuple[str, ...]:
    """Of two scenarios the best plan of each, of more how often which is; then what pays nowhere."""
    groups = list(scenario_groups(frame))
    if len(groups) == 1:
        return ()
    keys = varying_keys(frame)
    said = [_scenario_sentences(rows, place(rows.iloc[0], keys))[0] for rows in groups]
    sentences = said if len(groups) < MOST_SHORT else _summary(frame)[: MOST_SHORT - 1]
    return tuple(map(as_sentence, [*sentences, *_poor_everywhere(frame)][:MOST_SHORT]))


def _poor_everywhere(frame: pd.DataFrame) -> list[str]:
    """Plans that are surely faster in no scenario."""
    if frame["plan"].nunique() == 1:
        return []
    faster = frame.assign(pays=[outcome(row) is Outcome.FASTER for _, row in frame.iterrows()])
    pays = faster.groupby("plan", sort=False)["pays"].any()
    never = [str(plan) for plan, once in pays.items() if not once]
    if not never:
        return []
    shown = (
        never
        if len(never) <= MOST_NAMED
        else [*never[: MOST_NAMED - 1], f"{len(never) - MOST_NAMED + 1} more"]
    )
    return [f"surely faster in no scenario: {enumeration(shown)}"]


def _scenario_sentences(rows: pd.DataFrame, where: str) -> list[str]:
    """The best plan and why it is not faster; then which others are as good, and which do not pay."""
    if len(rows) == 1:
        only = rows.iloc[0]
        return [plan_sentence(only, where), *equivalent_sentence(only)]
    fitting = rows[rows["fits_memory"]]
    if fitting.empty:
        least = rounding.quantity(rows["memory_gib"].min())
        return [f"none of the {len(rows)} plans fits into memory{where}: the smallest needs {least} GiB"]
    ranked = fitting.assign(realised=fitting.apply(realised, axis=1))
    ranked = ranked.sort_values("realised", ascending=False, kind="stable")
    best = ranked.iloc[0]
    sentences = [_choice(best, rows, where), *equivalent_sentence(best)]
    return sentences + _others(best, ranked) if outcome(best) is Outcome.FASTER else sentences


def _choice(best: pd.Series, rows: pd.DataFrame, where: str) -> str:
    families = rows["family"].nunique()
    among = f"{len(rows)} plans" + (f" of {families} families" if families > 1 else "")
    judged = outcome(best)
    if judged is Outcome.FASTER:
        return f"{subject(best)} is the fastest of {among}{where}: {figures(best)}{reason(best)}"
    opening = {
        Outcome.UNCERTAIN: "no plan surely gains",
        Outcome.UNCHANGED: "no plan changes anything",
        Outcome.SLOWER: "every plan makes the model slower",
    }[judged]
    return f"{opening}{where}: the best of {among}, {subject(best)}, is {figures(best)}{reason(best)}"


def _others(best: pd.Series, ranked: pd.DataFrame) -> list[str]:
    """Plans that cannot be told apart from the best, and families of which no plan pays."""
    rivals = ranked.iloc[1:]
    # Two measured speedups tell themselves apart; a plan that does not pay is no rival.
    unmeasured = rivals["measured"].isna() | (rivals["measured_scope"] != Scope.POINT)
    close = (rivals["predicted_upper"] >= best["predicted_lower"]) & (rivals["family"] != best["family"])
    faster = rivals.apply(outcome, axis=1).isin([Outcome.FASTER])
    near = rivals[close & faster & (unmeasured if _is_measured(best) else True)].drop_duplicates("family")
    sentences = []
    if not near.empty:
        names = [f"{row['plan']} ({rounding.speedup(row['realised'])})" for _, row in near.iterrows()]
        sentences.append(f"as good, within the intervals: {enumeration(names)}")
    poor = [
        f"{row['family']} {_POOR[outcome(row)]} ({rounding.speedup(row['realised'])})"
        for _, row in ranked.drop_duplicates("family").iterrows()
        if outcome(row) in _POOR
    ]
    if poor:
        sentences.append(f"not worth it: {enumeration(poor)}")
    return sentences


def _is_measured(row: pd.Series) -> bool:
    return bool(row["measured_scope"] == Scope.POINT and row["measured"] == row["measured"])


def _summary(frame: pd.DataFrame) -> list[str]:
    """Many scenarios: how often which plan is the fastest, and how often none is."""
    scenarios = frame.groupby(list(SCENARIO_KEYS)).ngroups
    judged = frame.assign(realised=frame.apply(realised, axis=1), outcome=frame.apply(outcome, axis=1))
    fitting = judged[judged["fits_memory"]]
    best = fitting.loc[fitting.groupby(list(SCENARIO_KEYS), sort=False)["realised"].idxmax()]
    wins = best[best["outcome"] == Outcome.FASTER].groupby("plan", sort=False)["realised"]
    counted = sorted(wins, key=lambda win: -len(win[1]))
    win = "the fastest" if frame["plan"].nunique() > 1 else "faster than dense"
    sentences = [
        f"{plan} is {win} in {len(speedups)} of {scenarios} scenarios "
        f"({_span(speedups.min(), speedups.max())})"
        for plan, speedups in counted
    ]
    for poor, phrase in _POOR.items():
        times = int((best["outcome"] == poor).sum())
        if times:
            sentences.append(f"in {times} of {scenarios} scenarios the best plan {phrase}")
    if len(best) < scenarios:
        sentences.append(f"in {scenarios - len(best)} of {scenarios} scenarios no plan fits into memory")
    return sentences


def _span(low: float, high: float) -> str:
    """`1.31x to 2.00x`, or one speedup where both are written alike."""
    return " to ".join(dict.fromkeys(map(rounding.speedup, (low, high))))
