"""Tables of docs/accuracy.md from the error figures in docs/accuracy.csv, which `make accuracy` measures."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from _generate.markdown import markdown_table
from infersim.report.core import rounding

FIGURES = Path(__file__).parents[2] / "docs" / "accuracy.csv"


@cache
def _figures() -> pd.DataFrame:
    return pd.read_csv(FIGURES)


def _rows(**wanted: str) -> pd.DataFrame:
    found = _figures()
    for column, value in wanted.items():
        found = found[found[column] == value]
    assert len(found), wanted
    return found


def computed_on(_: dict[str, Any]) -> str:
    """The day of the figures."""
    (day,) = _figures()["computed"].unique()
    return f"\nThe figures are of {day}.\n\n"


def accuracy(question: dict[str, Any]) -> str:
    """Errors of one kind and data type: of all rows, or the mean error in each class of `division`."""
    if "division" in question:
        return _by_class(question, "mape")
    rows = _rows(kind=question["kind"], dtype=question["dtype"], division="all")
    columns = ("mape", "median_ape", "p90_ape", "bias", "roofline_mape")
    lines = [
        [
            row["gpu"],
            rounding.count(row["fitted_rows"]),
            rounding.count(row["rows"]),
            *(_percent(row[c]) for c in columns),
            rounding.share(row["coverage"]),
            f"±{_percent(row['log_half_width'])}",
        ]
        for row in rows.to_dict("records")
    ]
    means = rows[list(columns)].mean()
    lines.append(
        ["mean", "", "", *(_percent(means[c]) for c in columns), rounding.share(rows["coverage"].mean()), ""]
    )
    return markdown_table(
        [
            *("GPU", "rows fitted", "rows scored", "mean", "median", "90th percentile", "bias"),
            *("plain roofline, mean", "in 80 % interval", "interval"),
        ],
        lines,
    )


def coverage(question: dict[str, Any]) -> str:
    """The share of rows inside their 80 % interval, in each class of `division`."""
    return _by_class(question, "coverage")


def _by_class(question: dict[str, Any], figure: str) -> str:
    rows = _rows(kind=question["kind"], dtype=question["dtype"], division=question["division"])
    table = rows.pivot(index="gpu", columns="shape_class", values=figure).reindex(list(rows["gpu"].unique()))
    text = rounding.share if figure == "coverage" else _percent
    lines = [
        [str(gpu), *(text(value) for value in line)]
        for gpu, line in zip(table.index, table.to_numpy(), strict=True)
    ]
    return markdown_table(["GPU", *map(str, table.columns)], lines)


def speedup_accuracy(question: dict[str, Any]) -> str:
    """Errors of speedups on pairs of GEMMs cut along N or K."""
    rows = _rows(kind="gemm speedup", dtype=question["dtype"], shape_class="n or k")
    columns = ("median_ape", "mape", "flops_median_ape", "roofline_median_ape")
    lines = [
        [
            row["gpu"],
            rounding.count(row["rows"]),
            *(_percent(row[c]) for c in columns),
            rounding.share(row["coverage"]),
        ]
        for row in rows.to_dict("records")
    ]
    headings = [
        "GPU",
        "pairs",
        "median",
        "mean",
        "FLOPs ratio, median",
        "plain roofline, median",
        "in 80 % interval",
    ]
    return markdown_table(headings, lines)


def sparse_accuracy(question: dict[str, Any]) -> str:
    """Errors of 2:4 speedups, by what was left out."""
    rows = _rows(kind="2:4 speedup", method=question["method"])
    columns = ("median_ape", "mape", "bias", "flops_median_ape", "roofline_median_ape")
    lines = [
        [row["gpu"], row["dtype"], rounding.count(row["rows"]), *(_percent(row[c]) for c in columns)]
        for row in rows.to_dict("records")
    ]
    headings = [
        "GPU",
        "dtype",
        "rows",
        "median",
        "mean",
        "bias",
        "nominal 2x, median",
        "plain roofline, median",
    ]
    return markdown_table(headings, lines, numeric=[False, False, *(True for _ in headings[2:])])


def _percent(value: float) -> str:
    return rounding.UNKNOWN if pd.isna(value) else f"{round(100 * value, 1) + 0.0:.1f} %"
