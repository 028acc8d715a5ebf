"""What a dry run says of a sweep."""

from __future__ import annotations

from infersim.report.core import rounding
from infersim.simulation.sweeping.estimate import Estimate


def estimate_text(estimate: Estimate, workers: int) -> str:
    """`42,000 scenarios in 12 chunks would take about 10 s on 1 core and 5.28 MB (from ...)`."""
    chunks = "1 chunk" if estimate.chunks == 1 else f"{estimate.chunks:,} chunks"
    cores = "1 core" if workers == 1 else f"{workers} cores"
    return (
        f"{estimate.rows:,} scenarios in {chunks} would take about "
        f"{rounding.quantity(estimate.core_s / workers)} s on {cores} and "
        f"{rounding.prefixed(estimate.file_bytes, 'B')} (from a chunk of {estimate.tried_rows:,} rows)."
    )
