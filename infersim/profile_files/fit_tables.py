"""Fits as tables of plain JSON values: sorted names, rounded numbers, grids as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from infersim.domain.errors import InvalidValueError
from infersim.domain.fit import Fit, KindFit, ResidualGrid
from infersim.profile_files.grid_coding import encode_grid

FORMAT, VERSION = "infersim fit", 1
"""What every fit file says of itself; `fit_schema` describes the same version."""

DIGITS = 7
"""Significant digits of a written number: below what any measurement can show, and short to read."""


def table_of_fit(fit: Fit) -> dict[str, Any]:
    """`fit` in the layout of `fit_schema`, without transferred kinds, which change with the pool.

    Raises InvalidValueError for what JSON cannot hold.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "gpu": fit.gpu,
        "provenance": plain("provenance", fit.provenance),
        "kinds": {
            kind: _kind_table(f"kinds.{kind}", fit.kinds[kind])
            for kind in sorted(fit.kinds)
            if not fit.kinds[kind].transferred
        },
    }


def _kind_table(key: str, kind: KindFit) -> dict[str, Any]:
    fields = {
        "rows": kind.rows,
        "weight_copies": kind.weight_copies,
        "parameters": kind.parameters,
        "uncertainties": kind.uncertainties,
        "at_bound": sorted(kind.at_bound),
        "ranges": kind.ranges,
        "interval": {
            "by_regime": kind.interval.by_regime,
            "pair": kind.interval.pair,
            "outside": kind.interval.outside,
        },
        "held_out": kind.held_out,
    }
    table = {name: plain(f"{key}.{name}", value) for name, value in fields.items()}
    grids = [_residual_table(f"{key}.residuals[{i}]", grid) for i, grid in enumerate(kind.residuals)]
    return table | {"residuals": grids}


def _residual_table(key: str, residual: ResidualGrid) -> dict[str, Any]:
    shape = tuple(axis.count for axis in residual.axes)
    if residual.values.shape != shape:
        raise InvalidValueError(f"{key}.values", residual.values.shape, f"the shape of its axes, {shape}")
    if not np.all(np.isfinite(residual.values)):
        raise InvalidValueError(f"{key}.values", "not all finite", "finite numbers")
    exponent, text = encode_grid(residual.values)
    axes = [asdict(axis) for axis in residual.axes]
    return {"axes": plain(f"{key}.axes", axes), "unit_exponent": exponent, "values": text}


def plain(key: str, value: object) -> Any:
    """`value` in the types of JSON: names sorted, numbers rounded, numpy's numbers as Python's."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidValueError(key, value, "a finite number")
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, Mapping):
        return {str(name): plain(f"{key}.{name}", value[name]) for name in sorted(value, key=str)}
    if isinstance(value, Sequence):
        return [plain(f"{key}[{index}]", item) for index, item in enumerate(value)]
    raise InvalidValueError(
        key, value, "a text, a number, true or false, nothing, or a list or table of these"
    )
