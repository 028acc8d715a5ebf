"""Advice in tables: the sparsity that a speedup needs, where families pay, and widths that cost nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.scenarios import section_labels, varying_columns
from infersim.report.core.table import Column, Table, number_column, text_column

if TYPE_CHECKING:
    import pandas as pd


def advice_tables(
    needed: pd.DataFrame | None,
    pays: pd.DataFrame | None,
    widths: pd.DataFrame | None,
    padded: pd.DataFrame | None = None,
) -> tuple[Table, ...]:
    """The tables of frames of `sparsity_for`, `break_even`, `free_widths` and `padded_widths`.

    None for what was not asked.
    """
    tables = [] if needed is None else [target_table(needed)]
    tables += [] if pays is None else [break_even_table(pays)]
    tables += [] if widths is None or widths.empty else [widths_table(widths)]
    tables += [] if padded is None or padded.empty else [padding_table(padded)]
    return tuple(tables)


def target_table(needed: pd.DataFrame) -> Table:
    """What each family needs for a speedup; `needed`: a frame of `sparsity_for`."""
    target = rounding.speedup(float(needed["target"].iloc[0]))
    return Table(
        title=f"What {target} needs",
        frame=needed,
        columns=(
            text_column("family", "family"),
            Column(
                heading="sparsity",
                keys=("sparsity_realised", "limit", "highest", "ceiling"),
                text=needed_sparsity,
            ),
            number_column("parameters\nremoved", "params_removed", rounding.share),
            Column(
                heading="predicted\n(80 %)",
                keys=("predicted", "predicted_lower", "predicted_upper"),
                text=_speedup_between,
            ),
            number_column("highest\npredicted", "highest", rounding.speedup),
            number_column("ceiling", "ceiling", rounding.speedup),
        ),
        labels=section_labels(needed),
        caption="Sparsity as it can be realised. Highest and ceiling: of any sparsity up to 94 %; no "
        "implementation exceeds the ceiling.",
    )


def break_even_table(found: pd.DataFrame) -> Table:
    """Where each plan is surely faster than dense; `found`: a frame of `break_even`."""
    row = found.iloc[0]
    return Table(
        title=f"Where it pays: batches at context {row['context']}, contexts at batch {row['batch']}",
        frame=found,
        columns=(
            text_column("plan", "plan"),
            text_column("batches", "batches"),
            text_column("contexts", "contexts"),
            Column(
                heading="predicted\nfrom–to", keys=("predicted_low", "predicted_high"), text=rounding.interval
            ),
        ),
        labels=section_labels(found),
        caption="To pay, the whole interval must be above 1. Tried in powers of two, whether it fits in "
        "memory or not: batches 1 to 256, contexts 256 to 131072.",
    )


def widths_table(found: pd.DataFrame) -> Table:
    """The widest dimensions that take no longer; `found`: a frame of `free_widths`."""
    return Table(
        title="Widths that cost nothing",
        frame=found,
        columns=(
            *varying_columns(found),
            text_column("dimension", "dimension"),
            number_column("dense", "full", rounding.count),
            number_column("asked", "asked", rounding.count),
            number_column("next\naligned", "nearest", rounding.count),
            number_column("its cost", "nearest_cost", signed_percent),
            number_column("widest\nfor free", "free", rounding.count),
            number_column("kept\nfor free", "kept", rounding.fraction),
        ),
        caption="Aligned: a multiple of 64. Cost: what is added to the latency of the width asked for.",
    )


def padding_table(found: pd.DataFrame) -> Table:
    """What padding each odd width would change; `found`: a frame of `padded_widths`."""
    return Table(
        title="Widths worth padding",
        frame=found,
        columns=(
            *varying_columns(found),
            text_column("dimension", "dimension"),
            number_column("now", "width", rounding.count),
            number_column("padded", "padded", rounding.count),
            number_column("multiple\nof", "multiple", rounding.count),
            Column(
                heading="time saved\n(80 %)", keys=("saves", "saves_lower", "saves_upper"), text=saved_between
            ),
            number_column("MiB\nmore", "memory_mib", rounding.quantity),
        ),
        caption="Padded with zeros, the model computes the same. Below 0: it takes longer.",
    )


def saved_between(value: float, low: float, high: float) -> str:
    """`12.3 % (1.5 to 60)`."""
    one, two, three = (round(100 * share, 1) + 0.0 for share in (value, low, high))
    return f"{one:g} % ({two:g} to {three:g})"


def needed_sparsity(sparsity: float, limit: str, highest: float, ceiling: float) -> str:
    """`43.7 %`, or why there is none: `unreachable: ceiling 1.31x`."""
    if not limit:
        return rounding.fraction(sparsity)
    if limit == "ceiling":
        return f"unreachable: ceiling {rounding.speedup(ceiling)}"
    return f"out of reach: {rounding.speedup(highest)} at most"


def signed_percent(value: float) -> str:
    """`+1.2 %`; what is less than a tenth of a percent is none."""
    return f"{round(100 * value, 1) + 0.0:+g} %"


def _speedup_between(value: float, low: float, high: float) -> str:
    return rounding.UNKNOWN if math.isnan(value) else rounding.speedup_between(value, low, high)
