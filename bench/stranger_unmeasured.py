"""What other hands add to the intervals of GPUs that were not measured: from their tables, each GPU left out.

All rows of such a GPU share most of their error, so that one table says little: on it an interval holds
nearly all rows, or few. What is added makes the mean coverage of all tables what intervals promise.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from infersim.domain.arrays import Array
from infersim.fitting.fits.intervals import COVERAGE
from infersim.report.core import rounding
from infersim.report.core.table import Table, number_column
from stranger_spread import FEWEST
from stranger_tables import ENGINES, OTHER_FORMATS, StrangerTable

SIXTEEN_BIT, EIGHT_BIT = "gemm, 16 bit", "gemm, 8 bit by the library"
TABLE = ["source", "gpu", "kind"]


def of_library(table: StrangerTable) -> bool:
    """GEMMs that the vendor's library runs: of 16 bit, and of other formats that no engine timed."""
    return table.group == SIXTEEN_BIT or (
        table.group == OTHER_FORMATS and table.source not in ENGINES.values()
    )


def unmeasured_table(rows: pd.DataFrame, pairs: pd.DataFrame) -> Table:
    """By group: mean coverage with the others' word alone (of ratios: over tables), and what hands add."""
    held = pairs[pairs["pairs"] >= 2 * FEWEST].groupby("group")["held"].mean()
    lines = []
    for group, part in rows.groupby("group"):
        gpus = part["gpu"].unique()
        without = [added(part[part["gpu"] != gpu]) for gpu in gpus] if len(gpus) > 1 else [np.nan]
        lines.append(
            {
                "group": EIGHT_BIT if group == OTHER_FORMATS else group,
                "pairs": held.get(group, np.nan),
                "tables": len(part.groupby(TABLE)),
                "alone": float(weights(part) @ (part["error"].abs() <= part["own"])),
                "shipped": float(weights(part) @ part["covered"]),
                "added": added(part),
                "least": min(without),
                "most": max(without),
            }
        )
    frame = pd.DataFrame(lines)
    half_widths = {"added": "added", "least, a GPU\nleft out": "least", "most": "most"}
    return Table(
        title="GPUs that were not measured: what other hands add (natural log)",
        frame=frame,
        columns=(
            number_column("tables", "tables", str),
            number_column("covered by\nthe others' word", "alone", rounding.share),
            number_column("pairs\nof kernels", "pairs", rounding.share),
            number_column("as\nshipped", "shipped", rounding.share),
            *(
                number_column(heading, key, lambda value: f"{value:.3f}")
                for heading, key in half_widths.items()
            ),
        ),
        labels=tuple(frame["group"]),
    )


def weights(rows: pd.DataFrame) -> Array:
    """Of rows: each source counts once, each of its tables the same."""
    tables = rows[TABLE].drop_duplicates().groupby("source").size()
    each = rows.groupby(TABLE)["error"].transform("size") * rows["source"].map(tables) * len(tables)
    return (1.0 / each).to_numpy(dtype=np.float64)


def added(rows: pd.DataFrame) -> float:
    """The least half-width that, in quadrature, brings the mean coverage to what intervals promise."""
    missed, own = (rows[name].to_numpy(dtype=np.float64) for name in ("error", "own"))
    asked = np.sqrt(np.maximum(missed**2 - own**2, 0.0))
    order = np.argsort(asked)
    reached = np.cumsum(weights(rows)[order])
    return float(asked[order][np.searchsorted(reached, COVERAGE)])
