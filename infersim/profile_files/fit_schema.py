"""The layout of `<gpu>.fit.json`, version 1. Imported with the first fit that is read: see `schema`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from infersim.profile_files.schema import Table, Text

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


class FitTable(Table):
    """A whole fit file."""

    format: Literal["infersim fit"]
    version: Literal[1]
    gpu: Text
    provenance: dict[str, Any]
    kinds: dict[Text, KindTable]
