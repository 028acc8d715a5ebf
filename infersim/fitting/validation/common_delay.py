"""A delay that all short kernels share: the mark of another way of timing than samples say."""

from __future__ import annotations

import numpy as np
import pandas as pd

from infersim.fitting.samples.schema import Timed
from infersim.fitting.samples.timing import ways_of_timing

SHORT_US = 50.0
"""Kernels in which a start of some microseconds shows."""

FEWEST = 8
"""Short kernels that can tell."""

LEAST_SHARE, STEADY = 0.1, 0.5
"""Of a short kernel's time, what a delay is at least; its interquartile range over its median, at most."""


def common_delay_us(predictions: pd.DataFrame) -> float | None:
    """Microseconds that short kernels timed in a graph take longer than predicted, where they agree on it.

    None where there are few of them, where they are as predicted, or where errors go with the time.
    """
    measured = predictions["latency_us"].to_numpy(dtype=np.float64)
    predicted = predictions["predicted_us"].to_numpy(dtype=np.float64)
    short = (measured <= SHORT_US) & (ways_of_timing(predictions) == Timed.GRAPH)
    if short.sum() < FEWEST:
        return None
    late = measured[short] - predicted[short]
    low, middle, high = np.quantile(late, (0.25, 0.5, 0.75))
    if middle < LEAST_SHARE * np.median(measured[short]) or high - low > STEADY * middle:
        return None
    return float(middle)
