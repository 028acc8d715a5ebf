"""Advice in words: what a speedup takes, where families do not pay, and which widths are for free."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infersim.report.advice.tables import needed_sparsity, saved_between, signed_percent
from infersim.report.core import rounding
from infersim.report.core.notes import trust_notes
from infersim.report.core.scenarios import SCENARIO_KEYS, place, varying_keys
from infersim.report.core.trust import grade_line
from infersim.report.core.verdict import Verdict, as_sentence, enumeration

if TYPE_CHECKING:
    import pandas as pd

WORTH_TELLING = 0.005
"""An aligned width that is faster by less than half a percent is in the table only."""


def advice_verdict(
    needed: pd.DataFrame | None,
    pays: pd.DataFrame | None,
    widths: pd.DataFrame | None,
    padded: pd.DataFrame | None = None,
) -> Verdict:
    """Judge frames of `sparsity_for`, `break_even`, `free_widths` and `padded_widths`.

    None for what was not asked.
    """
    sentences: list[str] = []
    notes: list[str] = []
    if needed is not None:
        sentences += _targets(needed)
        notes += [*trust_notes(needed), *_memory_note(needed)]
    if pays is not None:
        sentences += _paying(pays)
        notes += [] if needed is not None else trust_notes(pays)
    if widths is not None and not widths.empty:
        sentences += _widths(widths)
    if padded is not None and not padded.empty:
        sentences += _padding(padded)
    frames = (needed, pays, widths, padded)
    known = next((each for each in frames if each is not None and "calibration" in each), None)
    return Verdict(
        sentences=tuple(map(as_sentence, sentences)),
        notes=(*notes, _QUALITY),
        short=tuple(map(as_sentence, _short(needed, pays))),
        grade="" if known is None else grade_line(known["calibration"], known["gpu"]),
    )


def _short(needed: pd.DataFrame | None, pays: pd.DataFrame | None) -> list[str]:
    """For one screen: what a target needs, or where plans pay, the exceptions left to the table."""
    if needed is not None:
        return [said for said in _targets(needed) if not said.startswith(_MISSED)]
    if pays is None:
        return []
    keys = {*varying_keys(pays), "phase"}
    sentences = []
    for _, rows in pays.groupby(["gpu", "gpus", "phase"], sort=False):
        always = rows[(rows["batches"] == "always") & (rows["contexts"] == "always")]["plan"].tolist()
        never = rows[(rows["batches"] == "never") & (rows["contexts"] == "never")]["plan"].tolist()
        where = place(rows.iloc[0], keys).strip()
        some = rows[~rows["plan"].isin([*always, *never])]
        said = [f"{enumeration(always)} {_pay(always)} everywhere"] if always else []
        said += [f"{enumeration(never)} {_pay(never)} nowhere"] if never else []
        if len(some) == 1:
            only = some.iloc[0]
            said.append(f"{only['plan']} pays at batches: {only['batches']}; at contexts: {only['contexts']}")
        elif len(some):
            said.append(f"{'the others' if said else 'all'} pay where the table says")
        sentences.append(f"{where} {', '.join(said)}")
    return sentences


def _pay(plans: list[str]) -> str:
    return "pays" if len(plans) == 1 else "pay"


_MISSED = "not with "


_QUALITY = "Speed only: `infersim frontier` sets what a sparsity costs in quality beside it."


def _targets(needed: pd.DataFrame) -> Iterator[str]:
    keys = varying_keys(needed)
    target = rounding.speedup(float(needed["target"].iloc[0]))
    for _, rows in needed.groupby(list(SCENARIO_KEYS), sort=False):
        where = place(rows.iloc[0], keys)
        reached = rows[rows["reached"].astype(bool)].sort_values("params_removed", kind="stable")
        names = [
            f"{row['family']} at {rounding.fraction(row['sparsity_realised'])}"
            for _, row in rows.iterrows()
            if row["reached"]
        ]
        if reached.empty:
            yield f"no family reaches {target}{where}"
        else:
            yield f"{target}{where} takes {' or '.join(_listed(names))}"
        missed = [
            f"{row['family']} ({needed_sparsity(0, row['limit'], row['highest'], row['ceiling'])})"
            for _, row in rows.iterrows()
            if not row["reached"]
        ]
        if missed:
            yield f"{_MISSED}{enumeration(missed)}"


def _listed(names: list[str]) -> list[str]:
    """All but the last joined by commas, so that `or` stands once."""
    return [", ".join(names[:-1]), names[-1]] if len(names) > 1 else names


def _paying(pays: pd.DataFrame) -> Iterator[str]:
    keys = {*varying_keys(pays), "phase"}
    for _, rows in pays.groupby(["gpu", "gpus", "phase"], sort=False):
        where = place(rows.iloc[0], keys).strip()
        never = rows[(rows["batches"] == "never") & (rows["contexts"] == "never")]["plan"].tolist()
        some = [
            f"{row['plan']} (batches: {row['batches']}; contexts: {row['contexts']})"
            for _, row in rows.iterrows()
            if row["plan"] not in never and not row["batches"] == row["contexts"] == "always"
        ]
        if some:
            yield f"{where} these do not pay everywhere: {enumeration(some)}"
        if never:
            yield f"{where} {enumeration(never)} {'is' if len(never) == 1 else 'are'} never worth it"
        if not some and not never:
            yield f"{where} all of them pay at every batch and context that was tried"


def _widths(widths: pd.DataFrame) -> Iterator[str]:
    keys = varying_keys(widths)
    for _, row in widths.iterrows():
        where = place(row, keys) if keys else ""
        if row["nearest_cost"] <= -WORTH_TELLING:
            yield (
                f"{row['dimension']}{where}: take {row['nearest']} rather than {row['asked']}, "
                f"{signed_percent(row['nearest_cost'])} time"
            )
        elif row["free"] > row["asked"]:
            yield f"{row['dimension']}{where}: {row['free']} takes no longer than {row['asked']}"


def _padding(padded: pd.DataFrame) -> Iterator[str]:
    """For each width the padding that saves most; of equals the narrowest."""
    keys = varying_keys(padded)
    for _, rows in padded.groupby([*SCENARIO_KEYS, "dimension", "width"], sort=False):
        best = rows.iloc[int(rows["saves"].round(4).argmax())]
        where = place(best, keys) if keys else ""
        change = f"{best['dimension']}{where}: {best['width']} -> {best['padded']}"
        if best["saves"] < WORTH_TELLING:
            yield f"{change} changes nothing that counts"
            continue
        saved = saved_between(best["saves"], best["saves_lower"], best["saves_upper"])
        more = rounding.quantity(best["memory_mib"])
        yield f"{change} is predicted to save {saved} of the time for {more} MiB more"


def _memory_note(needed: pd.DataFrame) -> Iterator[str]:
    left = needed[~needed["fits_memory"].astype(bool)]["plan"].tolist()
    if left:
        yield f"Does not fit into memory and is timed as if it did: {enumeration(left)}."
