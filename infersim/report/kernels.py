"""Single kernels in words and tables: what `gemm_latency` and `attention_latency` returned.

Rows are plain columns, so that a command that times a few kernels starts without pandas.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from infersim.domain.arrays import Array, Numeric
from infersim.domain.costs import Latency
from infersim.report.core import rounding
from infersim.report.core.table import Column, Table, text_column
from infersim.report.core.trust import grade_line, kernel_notes
from infersim.report.core.verdict import Verdict, as_sentence

if TYPE_CHECKING:
    import pandas as pd

MICRO = 1e6

KernelRows: TypeAlias = Mapping[str, npt.NDArray[Any]]
"""Columns of equal length by name."""


def kernel_rows(gpu: str, dimensions: Mapping[str, Numeric | str], latency: Latency) -> KernelRows:
    """One row for each kernel: `gpu kernels calibration`, its dimensions, microseconds, limiter.

    `dimensions` broadcast to the shape of the latency, which is flattened. Columns: `latency_us` with its
    80 % interval `lower_us upper_us`, `floor_us`, `energy_j` and mean `watts` of the board where its power
    limit is known, `limiter`, `in_range`.
    """
    extent = np.shape(latency.latency_s)
    seconds = {
        "latency_us": latency.latency_s,
        "lower_us": latency.lower_s,
        "upper_us": latency.upper_s,
        "floor_us": latency.floor_s,
    }
    named = {"gpu": gpu, "kernels": latency.kernels, "calibration": latency.calibration, **dimensions}
    return {
        **{name: np.broadcast_to(_column(value), extent).ravel() for name, value in named.items()},
        **{name: np.ravel(value) * MICRO for name, value in seconds.items()},
        **_energy(latency),
        "limiter": np.ravel(latency.limiter),
        "in_range": np.ravel(latency.in_range),
    }


def _column(value: Numeric | str | None) -> npt.NDArray[Any]:
    """Numbers as they are, a text as an object, so that no other text is cut to its length."""
    return np.asarray(value, dtype=object) if isinstance(value, str | None) else np.asarray(value)


def _energy(latency: Latency) -> dict[str, Array]:
    """Joules and mean watts of the board, where its power limit is known."""
    if latency.power is None:
        return {}
    joules = latency.energy_j
    return {"energy_j": np.ravel(joules), "watts": np.ravel(joules / latency.latency_s)}


def joined_rows(several: Sequence[KernelRows]) -> KernelRows:
    """The rows of several GPUs below each other; what one of them lacks is not-a-number."""
    names = list(dict.fromkeys(name for rows in several for name in rows))

    def column(name: str) -> npt.NDArray[Any]:
        parts = [rows.get(name, np.full(len(rows["gpu"]), np.nan)) for rows in several]
        return np.concatenate(parts)

    return {name: column(name) for name in names}


def kernel_table(rows: KernelRows) -> Table:
    """Kernels of `kernel_rows`; those of several GPUs may stand below each other."""
    gpus = list(dict.fromkeys(rows["gpu"]))
    return Table(
        title="Kernels" if len(gpus) > 1 else f"Kernels on {gpus[0]}",
        frame=cast("pd.DataFrame", rows),  # its text needs no more of a frame than columns by name
        columns=(
            *([text_column("GPU", "gpu")] if len(gpus) > 1 else []),
            *(Column(heading=name, keys=(name,), text=_dimension) for name in _dimensions(rows)),
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


def kernel_verdict(kind: str, rows: KernelRows) -> Verdict:
    """Judge kernels of one `kind` ("GEMM")."""
    count = len(rows["latency_us"])
    if count == 1:
        row = {name: column[0] for name, column in rows.items()}
        shape = " ".join(f"{name}={_dimension(row[name])}" for name in _dimensions(rows))
        time = rounding.quantity_between(row["latency_us"], row["lower_us"], row["upper_us"])
        above = rounding.quantity(row["latency_us"] / row["floor_us"])
        text = f"the {kind} {shape} is predicted to take {time} us on {row['gpu']}, {above} times its floor; "
        text += f"it is limited by {row['limiter']}"
    else:
        low, high = map(rounding.quantity, (rows["latency_us"].min(), rows["latency_us"].max()))
        ((limiter, most),) = Counter(rows["limiter"].tolist()).most_common(1)
        text = f"{count} {kind}s are predicted to take {low} to {high} us; "
        text += f"{f'{most} of them' if most < count else 'all'} are limited by {limiter}"
    notes = kernel_notes(rows["calibration"], rows["gpu"], rows["in_range"], rows["kernels"])
    half_widths = np.sqrt(rows["upper_us"] / rows["lower_us"]) - 1
    grade = grade_line(rows["calibration"], rows["gpu"], half_widths.tolist(), ~rows["in_range"])
    return Verdict(sentences=(as_sentence(text),), notes=notes, grade=grade)


def _dimensions(rows: KernelRows) -> list[str]:
    """Columns between the calibration and the latency."""
    names = list(rows)
    return names[names.index("calibration") + 1 : names.index("latency_us")]


def _dimension(value: object) -> str:
    return value if isinstance(value, str) else rounding.count(float(str(value)))
