"""The answer of a sweep: who leads, the means of every family, and the fastest of every case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.core.screen import Answer
from infersim.report.sweep.tables import families_table, fastest_table
from infersim.report.sweep.verdict import sweep_verdict

if TYPE_CHECKING:
    import pandas as pd


def sweep_answer(summary: pd.DataFrame) -> Answer:
    """Of a frame of `sweep_summary`."""
    return Answer(verdict=sweep_verdict(summary), tables=(families_table(summary), fastest_table(summary)))
