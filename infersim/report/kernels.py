"""Single kernels in words and tables: what `gemm_latency` and `attention_latency` returned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from infersim.domain.arrays import Numeric
from infersim.domain.costs import Latency
from infersim.report.core import rounding
from infersim.report.core.notes import kernel_notes
from infersim.report.core.table import Column, Table, text_column
from infersim.report.core.verdict import Verdict, as_sentence

if TYPE_CHECKING:
    import pandas as pd

MICRO = 1e6


def kernel_frame(gpu: str, dimensions: Mapping[str, Numeric], latency: Latency) -> pd.DataFrame:
    """One row for each kernel: `gpu kernels calibration`, its dimensions, microseconds, limiter.

    `dimensions` broadcast to the shape of the latency, which is flattened. Columns: `latency_us` with its
    80 % interval `lower_us upper_us`, `floor_us`, `limiter`, `in_range`.
    """
    import pandas as pd

    extent = np.shape(latency.latency_s)
    seconds = {
        "latency_us": latency.latency_s,
        "lower_us": latency.lower_s,
        "upper_us": latency.upper_s,
        "floor_us": latency.floor_s,
    }
    return pd.DataFrame(
        {
            "gpu": gpu,
            "kernels": latency.kernels,
            "calibration": latency.calibration,
            **{name: np.broadcast_to(value, extent).ravel() for name, value in dimensions.items()},
            **{name: np.ravel(value) * MICRO for name, value in seconds.items()},
            "limiter": np.ravel(latency.limiter),
            "in_range": np.ravel(latency.in_range),
        }
    )


def kernel_table(frame: pd.DataFrame) -> Table:
    """Kernels of a `kernel_frame`; several frames may stand below each other."""
    gpu = [text_column("GPU", "gpu")] if frame["gpu"].nunique() > 1 else []
    return Table(
        title="Kernels" if gpu else f"Kernels on {frame['gpu'].iloc[0]}",
        frame=frame,
        columns=(
            *gpu,
            *(Column(heading=name, keys=(name,), text=_dimension) for name in _dimensions(frame)),
            Column(
                heading="us\n(80 %)",
                keys=("latency_us", "lower_us", "upper_us"),
                text=rounding.quantity_between,
            ),
            Column(heading="floor\nus", keys=("floor_us",), text=rounding.quantity),
            Column(
                heading="of\nfloor",
                keys=("floor_us", "latency_us"),
                text=lambda floor, time: rounding.share(floor / time),
            ),
            text_column("limited by", "limiter"),
        ),
    )


def kernel_verdict(kind: str, frame: pd.DataFrame) -> Verdict:
    """Judge kernels of one `kind` ("GEMM")."""
    frame = frame.reset_index(drop=True)
    if len(frame) == 1:
        row = frame.iloc[0]
        shape = " ".join(f"{name}={_dimension(row[name])}" for name in _dimensions(frame))
        time = rounding.quantity_between(row["latency_us"], row["lower_us"], row["upper_us"])
        above = rounding.quantity(row["latency_us"] / row["floor_us"])
        text = f"the {kind} {shape} is predicted to take {time} us on {row['gpu']}, {above} times its floor; "
        text += f"it is limited by {row['limiter']}"
    else:
        low, high = map(rounding.quantity, (frame["latency_us"].min(), frame["latency_us"].max()))
        limiter = frame["limiter"].value_counts()
        text = f"{len(frame)} {kind}s are predicted to take {low} to {high} us; "
        text += f"{limiter.iloc[0]} of them are limited by {limiter.index[0]}"
    return Verdict(sentences=(as_sentence(text),), notes=kernel_notes(frame))


def _dimensions(frame: pd.DataFrame) -> list[str]:
    """Columns between the calibration and the latency."""
    names = frame.columns.tolist()
    return [str(name) for name in names[names.index("calibration") + 1 : names.index("latency_us")]]


def _dimension(value: object) -> str:
    return value if isinstance(value, str) else rounding.count(float(str(value)))
