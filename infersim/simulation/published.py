"""The published speedups that travel with infersim, and a user's own in the same form.

`calibration/README.md` says what each column means; matching lives in `measured`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from infersim.files.locations import data_folder
from infersim.simulation.measured import MeasuredSpeedup, MeasuredTable, Scope, match_measured

__all__ = ["MeasuredSpeedup", "MeasuredTable", "Scope", "load_measured", "load_published", "match_measured"]


@cache
def load_published() -> MeasuredTable:
    """The curated table of cited facts, `calibration/published_speedups.csv`."""
    from infersim.simulation.measured_files import read_cited

    return read_cited(data_folder("calibration") / "published_speedups.csv")


def load_measured(path: str | Path) -> MeasuredTable:
    """A user's own speedups, a .csv or .parquet file with the columns of the published table.

    Needed: `gpu model family sparsity phase batch context measured_speedup` (and `output_len` for requests);
    `dense_ms` and `pruned_ms`, where given, must amount to the speedup. Raises FileContentError naming file,
    line, column, value and expectation; InvalidValueError for a path that cannot be read.
    """
    from infersim.simulation.measured_files import read_own

    return read_own(Path(path))
