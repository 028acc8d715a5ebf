"""Rows of another format as samples, and those that this one cannot hold, counted by reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from infersim.fitting.samples.schema import Mask


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Converted:
    """Samples of one file, in microseconds and canonical data types, and counts of rows left out by reason.

    The index of `samples` is that of the source's rows; the column `gpu` holds the name that the source
    uses, empty where it says none.
    """

    samples: pd.DataFrame
    left_out: Mapping[str, int] = field(default_factory=dict)


def leave_out(frame: pd.DataFrame, reasons: Mapping[str, Mask | pd.Series[bool]]) -> Converted:
    """Rows for which no reason holds, and how many each reason, the first that holds, took away."""
    kept = pd.Series(True, index=frame.index)
    counts = {}
    for reason, mask in reasons.items():
        going = kept & mask
        if going.any():
            counts[reason] = int(going.sum())
            kept &= ~going
    return Converted(samples=frame[kept], left_out=counts)
