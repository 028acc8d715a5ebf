"""Tables of docs/accuracy-served.md from the error figures in docs/accuracy-served.csv."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from _generate.markdown import markdown_table
from infersim.report.core import rounding

FIGURES = Path(__file__).parents[2] / "docs" / "accuracy-served.csv"

FAILED = 0.2
"""A mean error above it stands among the failures."""


@cache
def _figures() -> pd.DataFrame:
    return pd.read_csv(FIGURES)


def served_on(_: dict[str, Any]) -> str:
    """The day of the figures."""
    (day,) = _figures()["computed"].unique()
    return f"\nThe figures are of {day}.\n\n"


def served_failures(_: dict[str, Any]) -> str:
    """Groups that are off by more than FAILED in the mean, the worst first."""
    rows = _figures()
    return _table(rows[rows["mean"] > FAILED].sort_values("mean", ascending=False))


def served_accuracy(question: dict[str, Any]) -> str:
    """All groups of a source, with their means by quantity."""
    rows = _figures()
    rows = rows[rows["source"] == question["source"]]
    assert len(rows), question
    return _table(rows) + _means(rows)


def _table(rows: pd.DataFrame) -> str:
    with_other = rows["other"].notna().any()
    lines = [
        [
            row["group"],
            row["quantity"],
            rounding.count(row["rows"]),
            rounding.fraction(row["mean"]),
            rounding.fraction(row["median"]),
            rounding.from_log(row["bias"]),
            rounding.share(row["coverage"]),
            *([rounding.fraction(row["other"])] if with_other else []),
        ]
        for row in rows.to_dict("records")
    ]
    headings = ["group", "quantity", "rows", "mean", "median", "bias", "in 80 % interval"]
    headings += ["another predictor, mean"] if with_other else []
    return markdown_table(headings, lines, numeric=[False, False, *[True] * (len(headings) - 2)])


def _means(rows: pd.DataFrame) -> str:
    """One sentence: the mean over groups."""
    means = rows.groupby("quantity", sort=False)["mean"].mean()
    said = ", ".join(f"{name} {rounding.fraction(value)}" for name, value in means.items())
    return f"\nMean over the groups: {said}.\n"
