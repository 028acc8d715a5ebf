"""The points of a validation's figures: one kind and data type, thinned to what an eye can tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from infersim.domain.arguments import checked
from infersim.files.frames import a_frame
from infersim.fitting.samples.schema import Kind, dimension_columns
from infersim.fitting.samples.shapes import shape_classes
from infersim.fitting.samples.splits import canonical_order
from infersim.report.core import rounding

if TYPE_CHECKING:
    import pandas as pd

MAX_POINTS = 800
"""More points would hide each other, and weigh on the page."""

DIVISIONS = {
    Kind.GEMM: "tokens",
    Kind.SPARSE_GEMM: "tokens",
    Kind.ATTENTION: "context",
    Kind.MEMORY: "size",
    Kind.COLLECTIVE: "size",
    Kind.MOE: "tokens",
}
"""The classes that colours tell apart."""

_NAMES = ("dtype", "sparsity", "phase", "op", "exchange")
"""Dimensions that are words."""

_COLUMNS = (
    *("shape", "shape_class", "latency_us", "predicted_us", "lower_us", "upper_us", "floor_us"),
    *("flop", "kernel_bytes", "limiter", "in_range"),
)


@checked(
    rows=a_frame(
        numbers=(
            *("latency_us", "predicted_us", "lower_us", "upper_us", "floor_us"),
            *("flop", "kernel_bytes"),
        ),
        others=("kind", "limiter", "in_range"),
        source="predictions of one kind of what validate returned",
    )
)
def validation_points(rows: pd.DataFrame) -> pd.DataFrame:
    """At most MAX_POINTS of `rows` (predictions of one kind), spread evenly over the sorted shapes.

    Columns: the dimensions (`n x k` and `bytes` added), `shape` in words, `shape_class`, latencies, work,
    limiter.

    Parameters
    ----------
    rows
        Predictions of one kind of what `validate` returned.

    Returns
    -------
    DataFrame
        What `predicted_measured` and `residual_by_shape` draw.

    Raises
    ------
    InvalidValueError
        For a frame without the columns of predictions.

    Examples
    --------
    >>> import infersim as sim
    >>> import pandas as pd
    >>> shapes = {"gpu": "l4", "kind": "gemm", "dtype": "bf16", "m": [16, 256], "n": 4096, "k": 4096}
    >>> found = sim.validate("l4", pd.DataFrame({**shapes, "latency_us": [150.0, 190.0]}))
    >>> points = sim.validation_points(found.predictions)
    >>> points["m"].tolist()
    [16, 256]
    """
    import pandas as pd

    kind = Kind(rows["kind"].iloc[0])
    ordered = canonical_order(rows)
    chosen = np.unique(np.linspace(0, len(ordered) - 1, min(MAX_POINTS, len(ordered))).astype(np.intp))
    points = ordered.iloc[chosen].reset_index(drop=True)
    names = [name for name in dimension_columns(kind) if name not in _NAMES]
    words = pd.DataFrame({name: f"{name} " + points[name].map(rounding.count) for name in names})
    shape = words.agg(", ".join, axis=1)
    derived = {}
    if {"n", "k"} <= set(names):
        derived["n x k"] = points["n"] * points["k"]
    if kind is Kind.MEMORY:
        derived["bytes"] = points["read_bytes"] + points["write_bytes"]
    classes = shape_classes(points, kind)[DIVISIONS[kind]]
    points = points.assign(shape=shape, shape_class=classes, **derived)
    return points[[*names, *derived, *_COLUMNS]]


def drawn_dimensions(points: pd.DataFrame) -> tuple[str, ...]:
    """The dimensions over which residuals are drawn: those that vary."""
    candidates = (
        *("m", "n x k", "k", "context_len", "batch", "num_heads", "bytes"),
        *("tokens", "num_experts", "message_bytes", "gpus"),
    )
    return tuple(name for name in candidates if name in points.columns and points[name].nunique() > 1)
