"""The layout of a pool file, version 1. Imported with the first pool that is read: see `schema`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from infersim.domain.pool import Law
from infersim.profile_files.fit_schema import IntervalTable, Number, Width
from infersim.profile_files.schema import Table, Text

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class FactsTable(Table):
    """What parameters may depend on, of one pooled GPU."""

    vendor: Text
    generation: Text
    clock_max_mhz: Positive
    flop_per_clock_per_sm: Positive
    memory_bytes_per_clock_per_sm: Positive
    power_ratio: Width


class SpreadTable(Table):
    """Standard deviations of a coordinate; a GPU's own is never 0, so that GPUs can differ."""

    shared: Width
    own: Positive
    generation: Width
    rate: Width
    memory: Width


class ParameterTable(Table):
    """One pooled parameter."""

    law: Law
    log: bool
    low: Number
    high: Number
    typical: Number
    spread: SpreadTable
    found: Annotated[dict[Text, Number], Field(min_length=1)]


class PooledKindTable(Table):
    """One pooled kind."""

    weight_copies: Annotated[int, Field(ge=1)] | None = None
    parameters: Annotated[dict[Text, ParameterTable], Field(min_length=1)]
    interval: IntervalTable
    deviation: Positive
    ranges: dict[str, tuple[Number, Number]]
    left_out: dict[str, Any]


class PoolTable(Table):
    """A whole pool file."""

    format: Literal["infersim pool"]
    version: Literal[1]
    provenance: dict[str, Any]
    gpus: Annotated[dict[Text, FactsTable], Field(min_length=2)]
    kinds: dict[Text, PooledKindTable]
