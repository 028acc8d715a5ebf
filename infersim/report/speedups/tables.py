"""The tables of a comparison and a prediction: which columns of the frame, in which order, how written.

Every table keeps its frame: people read the cells, machines the exact numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.domain.ops import Part
from infersim.domain.profile import Calibration
from infersim.report.core import rounding
from infersim.report.core.losses import FACTOR_TITLES, PART_TITLES
from infersim.report.core.scenarios import (
    by_scenario,
    section_labels,
    shared_title,
    varying_columns,
    varying_keys,
)
from infersim.report.core.table import Column, Table, number_column, text_column
from infersim.report.core.verdict import enumeration
from infersim.simulation.measured.table import Scope
from infersim.simulation.timing.timeline import LAUNCH

if TYPE_CHECKING:
    import pandas as pd

TIMED_PARTS = (*(part.value for part in Part), LAUNCH)
"""Parts of the columns `ms_<part>`, which sum to the latency."""

PREDICTED_FACTORS = tuple(name for name in FACTOR_TITLES if name != "unexplained")
"""The factors from `flops` to `predicted`."""

COMMUNICATION = Part.COMMUNICATION.value
"""A factor that is there where several GPUs share the model."""

_COMPARE_CAPTION = (
    "Attainment: realised over bound. Static-m equivalent: the part of the layers whose removal is as fast."
)

_PLACES, _SIZES = ("model", "gpu", "gpus", "phase"), ("batch", "context")
"""Scenario columns that label sections of a prediction, and those that tell its rows apart."""


def compare_table(frame: pd.DataFrame) -> Table:
    """Speedups of a frame of `compare`: promised, possible, predicted and measured; and latencies."""
    frame = by_scenario(frame)
    realised = number_column("realised", "sparsity_realised", rounding.fraction)
    fits = Column(heading="fits", keys=("fits_memory", "dense_fits_memory"), text=_fits, numeric=False)
    as_requested = (frame["sparsity_realised"] - frame["sparsity"]).abs() < rounding.AS_REQUESTED
    any_measured = bool(frame["measured"].notna().any())
    measured = Column(heading="measured", keys=("measured", "measured_scope"), text=_measured)
    all_fit = bool((frame["fits_memory"] & frame["dense_fits_memory"]).all())
    columns = (
        *_case_columns(frame),
        *(() if as_requested.all() else (realised,)),
        number_column("flops", "flops", rounding.speedup),
        number_column("bound", "bound", rounding.speedup),
        number_column("ceiling", "ceiling", rounding.speedup, detail=1),
        Column(
            heading="predicted\n(80 %)",
            keys=("predicted", "predicted_lower", "predicted_upper"),
            text=rounding.speedup_between,
        ),
        *((measured,) if any_measured else ()),
        Column(heading="attainment", keys=("attainment", "measured_scope"), text=_attainment, detail=2),
        number_column("static-m\nequivalent", "static_m_equivalent", rounding.share, detail=3),
        # At 80 columns there is room for one of the two; the dense latency is told with each scenario.
        *(() if any_measured else (number_column("ms", "latency_ms", rounding.quantity),)),
        *(() if all_fit else (fits,)),
    )
    return Table(
        title=f"Speedups of {shared_title(frame)}{_dense_ms(frame.iloc[0]) if _one_scenario(frame) else ''}",
        frame=frame,
        columns=columns,
        labels=tuple(
            f"{label}{_dense_ms(row)}"
            for label, (_, row) in zip(_case_labels(frame), frame.iterrows(), strict=False)
            if label
        ),
        caption=("All fit into memory. " if all_fit else "") + _COMPARE_CAPTION,
    )


def factors_of(frame: pd.DataFrame) -> tuple[str, ...]:
    """The factors from `flops` to `predicted`; on one GPU nothing is exchanged."""
    shared = bool((frame["gpus"] > 1).any())
    return tuple(name for name in PREDICTED_FACTORS if shared or name != COMMUNICATION)


def loss_table(frame: pd.DataFrame) -> Table:
    """Factors from the speedup that FLOPs promise to the predicted one, and to the measured one if any."""
    frame = by_scenario(frame)
    titles = {name: title.replace(" ", "\n") for name, title in FACTOR_TITLES.items()}
    columns = [
        *_case_columns(frame),
        number_column("flops", "flops", rounding.speedup),
        *(number_column(titles[name], f"loss_{name}", rounding.factor) for name in factors_of(frame)),
        number_column("predicted", "predicted", rounding.speedup),
    ]
    if (frame["measured_scope"] == Scope.POINT).any():
        columns += [
            number_column(titles["unexplained"], "loss_unexplained", rounding.factor),
            Column(heading="measured", keys=("measured", "measured_scope"), text=_measured),
        ]
    return Table(
        title="Where the speedup goes",
        frame=frame,
        columns=tuple(columns),
        labels=_case_labels(frame),
        caption="flops times the factors is the predicted speedup; ↑ marks a gain.",
    )


def prediction_table(frame: pd.DataFrame) -> Table:
    """Latencies of a frame of `predict`."""
    return Table(
        title=f"Latency of {shared_title(frame)}",
        frame=frame,
        columns=(
            *varying_columns(frame, _SIZES),
            Column(
                heading="ms\n(80 %)",
                keys=("latency_ms", "lower_ms", "upper_ms"),
                text=rounding.quantity_between,
            ),
            number_column("floor\nms", "floor_ms", rounding.quantity),
            number_column("tokens/s", "tokens_per_s", rounding.quantity),
            number_column("J/token", "energy_j_per_token", rounding.quantity),
            number_column("GiB", "memory_gib", rounding.quantity),
            Column(heading="fits", keys=("fits_memory",), text=_yes_or_no, numeric=False),
        ),
        labels=section_labels(frame, _PLACES),
        caption=_energy_caption(frame),
    )


def _energy_caption(frame: pd.DataFrame) -> str:
    """What joules rest on."""
    unmetered = frame.loc[frame["energy_calibration"] == Calibration.TRANSFERRED]
    if unmetered.empty:
        return ""
    gpus = enumeration(unmetered["gpu"].unique().tolist())
    width = (unmetered["energy_upper_j_per_token"] / unmetered["energy_j_per_token"] - 1).max()
    return (
        f"J: of the whole board, by the datasheet; nobody metered {gpus}: up to {rounding.share(width)} more."
    )


def parts_table(frame: pd.DataFrame) -> Table:
    """Milliseconds of each part, of a frame of `predict` or `compare` (there the plan's)."""
    parts = [part for part in TIMED_PARTS if (frame[f"ms_{part}"] > 0).any()]
    return Table(
        title="Milliseconds by part",
        frame=frame,
        columns=(
            *varying_columns(frame, _SIZES),
            *((text_column("plan", "plan"),) if "plan" in frame else ()),
            *(number_column(PART_TITLES[part], f"ms_{part}", rounding.quantity) for part in parts),
            number_column("all", "latency_ms", rounding.quantity),
        ),
        labels=section_labels(frame, _PLACES),
    )


def ops_table(frame: pd.DataFrame) -> Table:
    """Ops of a frame of `op_frames`: what runs how often, what limits it and what it takes."""
    columns = (
        text_column("op", "op"),
        number_column("count", "count", rounding.count),
        Column(heading="M x N x K", keys=("m", "n", "k"), text=_gemm_shape),
        Column(heading="FLOPs", keys=("flop",), text=lambda value: rounding.prefixed(value, "")),
        Column(heading="bytes", keys=("kernel_bytes",), text=lambda value: rounding.prefixed(value, "B")),
        text_column("limited by", "limiter"),
        number_column("ms", "latency_ms", rounding.quantity),
        number_column("share", "share", rounding.share),
    )
    return Table(
        title="Ops",
        frame=frame,
        columns=columns,
        labels=tuple(
            ", ".join(filter(None, (where, plan)))
            for where, plan in zip(section_labels(frame), frame["plan"], strict=True)
        ),
        caption="FLOPs, bytes and milliseconds are totals over the count; launch is included.",
    )


def _case_columns(frame: pd.DataFrame) -> tuple[Column, ...]:
    """Scenario and plan, unless sections tell the scenario: with one plan each scenario is one row."""
    several = frame["plan"].nunique() > 1
    return (*(() if several else varying_columns(frame)), text_column("plan", "plan"))


def _one_scenario(frame: pd.DataFrame) -> bool:
    return not varying_keys(frame)


def _dense_ms(row: pd.Series) -> str:
    return f" (dense: {rounding.quantity(row['dense_ms'])} ms)"


def _case_labels(frame: pd.DataFrame) -> tuple[str, ...]:
    return section_labels(frame) if frame["plan"].nunique() > 1 else ()


def _measured(value: float, scope: str) -> str:
    mark = "" if scope in ("", Scope.POINT) else f" {scope.replace('_', '-')}"
    return f"{rounding.speedup(value)}{mark}"


def _attainment(value: float, scope: str) -> str:
    """None beside a measured mean or the like: it would be read as the measurement's."""
    return rounding.share(value) if scope in ("", Scope.POINT) else rounding.UNKNOWN


def _fits(plan: bool, dense: bool) -> str:
    return _yes_or_no(plan) if dense == plan else "plan only" if plan else "dense only"


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def _gemm_shape(m: float, n: float, k: float) -> str:
    """Of GEMMs only."""
    return " x ".join(map(rounding.count, (m, n, k))) if m == m else rounding.UNKNOWN
