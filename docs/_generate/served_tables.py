"""Tables of docs/accuracy-served.md from the error figures in docs/accuracy-served*.csv."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from _generate.markdown import markdown_table
from infersim.report.core import rounding

FIGURES = Path(__file__).parents[2] / "docs" / "accuracy-served.csv"

HELD_OUT = FIGURES.with_stem("accuracy-served-held-out")

FAILED = 0.2
"""A mean error above it stands among the failures."""

TOLD_APART = "prompts cached|queued"
"""Groups whose services did what their table does not state: they decide means over all groups."""


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


def served_held_out(_: dict[str, Any]) -> str:
    """TPOT and TTFT of each group, by what the engines' constants were fitted without, and the means."""
    rows = pd.read_csv(HELD_OUT)
    wide = rows.pivot(index="group", columns="left_out", values=["tpot", "ttft"])
    wide.loc["mean over the groups"] = wide.mean()
    left_out = rows["left_out"].unique()
    lines = [
        [
            str(group),
            *(
                f"{rounding.fraction(row['tpot'][name])} / {rounding.fraction(row['ttft'][name])}"
                for name in left_out
            ),
        ]
        for group, row in wide.iterrows()
    ]
    headings = [
        "group, without",
        *(name if name != "nothing" else "nothing: as shipped" for name in left_out),
    ]
    return markdown_table(headings, lines, numeric=[False, *[True] * len(left_out)])


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
    """One sentence: the mean over groups, and over those that are not told apart."""
    said, others = _mean_errors(rows), rows[~rows["group"].str.contains(TOLD_APART)]
    if len(others) < len(rows):
        said += f"; without cached prompts and queues {_mean_errors(others)}"
    return f"\nMean over the groups: {said}.\n"


def _mean_errors(rows: pd.DataFrame) -> str:
    means = rows.groupby("quantity", sort=False)["mean"].mean()
    return ", ".join(f"{name} {rounding.fraction(value)}" for name, value in means.items())
