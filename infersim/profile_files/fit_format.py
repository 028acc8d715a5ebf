"""The layout of `<gpu>.fit.json`, version 1: sorted names, rounded numbers, residual grids as text.

A grid is base64 of deflated little-endian int16, in units of a power of two, which is exact in binary:
reading and writing again changes nothing. Imported with the first fit that is read.
"""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from infersim.domain.arguments import refused
from infersim.domain.errors import InvalidValueError
from infersim.domain.fit import Claim, Fit, KindFit, ResidualGrid
from infersim.profile_files.schema import Table, Text

_LARGEST = np.iinfo(np.int16).max
_SMALLEST_EXPONENT = -8
"""Corrections are kept to 2**-8, 0.4 % of a latency: finer steps would be noise and would not deflate."""


def encode_grid(values: npt.NDArray[np.float32]) -> tuple[int, str]:
    """The exponent of the unit, and the text. Rounding costs half a unit."""
    largest = float(np.max(np.abs(values), initial=0.0))
    exponent = math.ceil(math.log2(largest / _LARGEST)) if largest > 0 else 0
    exponent = max(exponent, _SMALLEST_EXPONENT)
    whole = np.rint(np.ldexp(values.astype(np.float64), -exponent)).astype("<i2")
    return exponent, base64.b64encode(zlib.compress(whole.tobytes(), 9)).decode("ascii")


def decode_grid(exponent: int, text: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """The grid of `shape`; raises ValueError that says what is wrong with the text."""
    try:
        raw = zlib.decompress(base64.b64decode(text, validate=True))
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"not deflated base64: {error}") from None
    expected = math.prod(shape) * 2
    if len(raw) != expected:
        raise ValueError(f"{len(raw)} bytes, where {' x '.join(map(str, shape))} values take {expected}")
    whole = np.frombuffer(raw, dtype="<i2").reshape(shape)
    return np.ldexp(whole.astype(np.float32), exponent).astype(np.float32)


FORMAT, VERSION = "infersim fit", 1
"""What every fit file says of itself; `fit_schema` describes the same version."""

DIGITS = 7
"""Significant digits of a written number: below what any measurement can show, and short to read."""


def table_of_fit(fit: Fit) -> dict[str, Any]:
    """`fit` in the layout of `fit_schema`, without transferred kinds, which change with the pool.

    Raises InvalidValueError for what JSON cannot hold.
    """
    table = {
        "format": FORMAT,
        "version": VERSION,
        "gpu": fit.gpu,
        "provenance": plain("provenance", fit.provenance),
    }
    default = fit.default_kernels
    if default is None:
        return table | {"kinds": _kind_tables("kinds", fit.kinds)}
    # What no set holds (launches of this host, say) stands with the default set's.
    shared = {name: kind for name, kind in fit.kinds.items() if kind.kernels is None}
    sets = fit.kernel_sets
    return table | {
        "kernels": default,
        "kinds": _kind_tables("kinds", {**shared, **sets.get(default, {})}),
        "kernel_sets": {
            name: _kind_tables(f"kernel_sets.{name}", sets[name])
            for name in sorted(sets)
            if name != default and any(not kind.transferred for kind in sets[name].values())
        },
    }


def _kind_tables(key: str, kinds: Mapping[str, KindFit]) -> dict[str, Any]:
    return {
        kind: _kind_table(f"{key}.{kind}", kinds[kind])
        for kind in sorted(kinds)
        if not kinds[kind].transferred
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
    } | ({} if kind.claim is Claim.SETUP else {"claim": kind.claim.value})
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
    raise refused(key, value, "a text, a number, true or false, nothing, or a list or table of these")


def recordable(key: str, value: object) -> object:
    """A rule of arguments: what a fit can record of where its samples came from."""
    try:
        plain(f"provenance.{key}", value)
    except RecursionError:
        raise refused(f"provenance.{key}", value, "lists and tables that are not nested so deep") from None
    return value


Number = Annotated[float, Field(allow_inf_nan=False)]
Width = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class AxisTable(Table):
    """One axis of a residual grid: evenly spaced knots of a named feature."""

    name: Text
    low: Number
    high: Number
    count: Annotated[int, Field(ge=2)]
    holds_above: bool = False


class ResidualTable(Table):
    """A residual grid: `values` is base64 of deflated little-endian int16, in units of 2**`unit_exponent`."""

    axes: Annotated[list[AxisTable], Field(min_length=1)]
    unit_exponent: Annotated[int, Field(ge=-40, le=64)]
    values: str


class IntervalTable(Table):
    """80 % half-widths in natural log."""

    by_regime: dict[str, Width]
    pair: Width
    outside: Width


class KindTable(Table):
    """What calibration found for one kind of kernel; ranges are (low, high)."""

    rows: Annotated[int, Field(ge=0)]
    weight_copies: Annotated[int, Field(ge=1)] | None = None
    parameters: dict[str, Number]
    uncertainties: dict[str, Width | None]
    at_bound: list[str]
    ranges: dict[str, tuple[Number, Number]]
    interval: IntervalTable
    held_out: dict[str, Any]
    residuals: list[ResidualTable]
    claim: Claim = Claim.SETUP


class FitTable(Table):
    """A whole fit file: `kinds` are of the kernel set `kernels`, `kernel_sets` those of others by name."""

    format: Literal["infersim fit"]
    version: Literal[1]
    gpu: Text
    provenance: dict[str, Any]
    kernels: Text | None = None
    kinds: dict[Text, KindTable]
    kernel_sets: dict[Text, dict[Text, KindTable]] = Field(default_factory=dict)
