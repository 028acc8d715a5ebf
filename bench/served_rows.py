"""Writes docs/accuracy-served.csv, the error figures that docs/accuracy-served.md shows: `make accuracy`.

Figures only, no measured rows. The engines' constants are few and fitted to part of these tables;
`bench/served_fit.py` says what is left where they are fitted without the group that is scored.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from accuracy import MEASURED
from served_tables import served_rows

TARGET = Path(__file__).parents[1] / "docs" / "accuracy-served.csv"
COLUMNS = ("source", "group", "quantity", "rows", "mean", "median", "bias", "coverage", "other", "computed")
"""Errors are fractions of the measured value; `other` is the mean error of another predictor."""


def main() -> None:
    """Score everything, then write; an interrupted run leaves the old figures."""
    if not MEASURED.is_dir():
        print(f"served: skipped, there are no measurements in {MEASURED}; {TARGET} stays as it is")
        return
    frame = scores(served_rows()).assign(computed=date.today().isoformat()).reindex(columns=list(COLUMNS))
    frame.to_csv(TARGET, index=False, float_format="%.4g", lineterminator="\n")
    print(frame.drop(columns="computed").to_string(index=False))


def scores(rows: pd.DataFrame) -> pd.DataFrame:
    """Errors of each group and quantity."""
    return pd.DataFrame(list(_scores(rows)))


def _scores(rows: pd.DataFrame) -> Iterator[dict[str, object]]:
    for (source, group, quantity), some in rows.groupby(["source", "group", "quantity"], sort=False):
        error = some["predicted"] / some["measured"] - 1
        inside = (some["lower"] <= some["measured"]) & (some["measured"] <= some["upper"])
        other = (some["other"] / some["measured"] - 1).abs()
        yield {
            "source": source,
            "group": group,
            "quantity": quantity,
            "rows": len(some),
            "mean": error.abs().mean(),
            "median": error.abs().median(),
            "bias": np.log(some["predicted"] / some["measured"]).mean(),
            "coverage": inside.mean() if some["lower"].notna().any() else float("nan"),
            "other": other.mean(),
        }


if __name__ == "__main__":
    main()
