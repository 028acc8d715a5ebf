"""The verdict on a sweep: which family is the fastest, where, and what the table holds; and its answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.screen import Answer
from infersim.report.core.verdict import Verdict, as_sentence, enumeration
from infersim.report.sweep.tables import families_table, fastest_table, varying_case_keys
from infersim.simulation.sweeping.result import SWEEP_CASE

if TYPE_CHECKING:
    import pandas as pd

MAX_SENTENCES = 4
"""Sparsities that are told in words, the middle ones; the table has all."""

QUALITY = "speed only: what a sparsity costs in quality differs between families"


def sweep_answer(summary: pd.DataFrame) -> Answer:
    """Who leads, the means of every family, and the fastest of every case, of a frame of `sweep_summary`."""
    return Answer(verdict=sweep_verdict(summary), tables=(families_table(summary), fastest_table(summary)))


def sweep_verdict(summary: pd.DataFrame) -> Verdict:
    """Judge a frame of `sweep_summary`."""
    known = sorted(summary["sparsity"].dropna().unique())
    middle = sorted(known, key=lambda sparsity: (abs(sparsity - 0.5), sparsity))[:MAX_SENTENCES]
    sentences = [
        _sentence(f"at {rounding.fraction(sparsity)}", summary[summary["sparsity"] == sparsity])
        for sparsity in sorted(middle)
    ]
    own = summary[summary["sparsity"].isna()]
    if not own.empty:
        sentences.append(_sentence("of the plans from files", own))
    return Verdict(
        sentences=tuple(map(as_sentence, sentences)), notes=tuple(map(as_sentence, _notes(summary)))
    )


def _sentence(opening: str, rows: pd.DataFrame) -> str:
    """`At 50 % static-m is the fastest in 7 of 8 cases (1.84x to 1.99x on average) and ...`."""
    cases = rows.groupby(list(SWEEP_CASE)).ngroups
    won = rows[rows["fastest"]].drop_duplicates(list(SWEEP_CASE))
    if won.empty:
        return f"{opening} nothing fits into memory"
    wins = sorted(won.groupby("pruning", sort=False)["predicted"], key=lambda win: -len(win[1]))
    faster = [
        f"{pruning} {'is the fastest ' if not place else ''}in {len(means)}"
        f"{f' of {cases} cases' if not place else ''} ({_span(means)}{' on average' if not place else ''})"
        for place, (pruning, means) in enumerate(wins)
    ]
    faster += [f"in {cases - len(won)} nothing fits into memory"] if len(won) < cases else []
    return f"{opening} {enumeration(faster)}"


def _span(means: pd.Series) -> str:
    return " to ".join(dict.fromkeys((rounding.speedup(means.min()), rounding.speedup(means.max()))))


def _notes(summary: pd.DataFrame) -> Iterator[str]:
    fitting, all_rows = int(summary["fitting"].sum()), int(summary["scenarios"].sum())
    cases = summary.groupby(list(SWEEP_CASE)).ngroups
    each = {"gpu": "GPU", "gpus": "number of GPUs", "cuda_graph": "CUDA graph", "kv_dtype": "KV cache"}
    varied = [each.get(key, key) for key in varying_case_keys(summary)]
    of_what = f"; a case is one {' x '.join(varied)}" if varied else ""
    yield f"{all_rows:,} scenarios in {cases:,} {'cases' if cases > 1 else 'case'}{of_what}"
    if fitting < all_rows:
        yield f"averages leave out the {all_rows - fitting:,} scenarios that do not fit into memory"
    slower = summary[summary["high"] < 1]
    if not slower.empty:
        names = list(dict.fromkeys(slower["pruning"]))
        yield f"slower than dense in every scenario of some case: {enumeration(names)}"
    yield QUALITY
