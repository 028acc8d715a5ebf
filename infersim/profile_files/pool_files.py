"""The pool file, version 1.

What `infersim calibrate --pool` writes and every profile without a fit starts from.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.domain.fit import IntervalFit
from infersim.files.locations import data_folder
from infersim.files.opening import read_bytes
from infersim.files.writing import write_whole
from infersim.profile_files.fit_format import IntervalTable, Number, Width, plain
from infersim.profile_files.schema import Table, Text
from infersim.transfer.pool import (
    FormatRelation,
    GpuFacts,
    Law,
    Pool,
    PooledKind,
    PooledParameter,
    RelatedParameter,
    Spread,
)

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class FactsTable(Table):
    """What parameters may depend on, of one pooled GPU."""

    vendor: Text
    generation: Text
    clock_max_mhz: Positive
    flop_per_clock_per_sm: Positive
    memory_bytes_per_clock_per_sm: Positive
    power_ratio: Width
    memory_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    links: str = ""


class SpreadTable(Table):
    """Standard deviations of a coordinate; a GPU's own is never 0, so that GPUs can differ."""

    shared: Width
    own: Positive
    generation: Width
    rate: Width
    memory: Width
    links: Width = 0.0
    kernels: Width = 0.0


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


class RelatedTable(Table):
    """One parameter of a format, by its base."""

    log: bool
    low: Number
    high: Number
    typical: Number
    offsets: Annotated[dict[Text, Number], Field(min_length=1)]


class RelationTable(Table):
    """What sets a format apart from its base."""

    base: Text
    parameters: Annotated[dict[Text, RelatedTable], Field(min_length=1)]
    interval: IntervalTable
    ranges: dict[str, tuple[Number, Number]]
    weight_copies: Annotated[int, Field(ge=1)] | None = None
    left_out: dict[str, Any]


class PoolTable(Table):
    """A whole pool file."""

    format: Literal["infersim pool"]
    version: Literal[1]
    provenance: dict[str, Any]
    gpus: Annotated[dict[Text, FactsTable], Field(min_length=2)]
    kinds: dict[Text, PooledKindTable]
    relations: dict[Text, RelationTable] = Field(default_factory=dict)


FORMAT, VERSION = "infersim pool", 1
NAME = "pool.json"


def shipped_pool_path() -> Path:
    """Where the pool that comes with infersim lies; there may be none."""
    return data_folder("hw_profiles") / NAME


def shipped_pool() -> Pool | None:
    """The pool that comes with infersim, read once; None where there is none."""
    path = shipped_pool_path()
    return _read_once(path, path.stat().st_mtime_ns) if path.is_file() else None


@lru_cache(maxsize=2)
def _read_once(path: Path, _modified: int) -> Pool:
    return read_pool(path)


def _plain_kind(kind: PooledKind | FormatRelation) -> dict[str, Any]:
    """What is written of a kind, without its name, and of spreads no `kernels` where there are none."""
    fields = {key: value for key, value in asdict(kind).items() if key != "kind"}
    for parameter in fields["parameters"].values():
        if "spread" in parameter and not parameter["spread"]["kernels"]:
            del parameter["spread"]["kernels"]
    return fields


def write_pool(pool: Pool, path: str | Path) -> None:
    """Write `pool` as JSON, whole or not at all; raises what `write_fit` raises."""
    kinds, relations = (
        {name: _plain_kind(kind) for name, kind in several.items()}
        for several in (pool.kinds, pool.relations)
    )
    gpus = {name: asdict(facts) for name, facts in pool.gpus.items()}
    table = {
        "format": FORMAT,
        "version": VERSION,
        "provenance": plain("provenance", pool.provenance),
        "gpus": plain("gpus", gpus),
        "kinds": plain("kinds", kinds),
        "relations": plain("relations", relations),
    }
    text = json.dumps(table, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(Path(path), text, "pool file")


def read_pool(path: str | Path) -> Pool:
    """Read a pool file; FileContentError with file, key, value and expectation where it is damaged."""
    # pydantic is imported with the first file, so that importing infersim stays fast.
    from pydantic import ValidationError

    from infersim.files.errors import content_error
    from infersim.profile_files.pool_files import PoolTable

    path = Path(path)
    if not path.is_file():
        raise InvalidValueError("pool file", str(path), "an existing file")
    try:
        table = PoolTable.model_validate_json(read_bytes(path, "pool file"))
    except ValidationError as error:
        raise content_error(path.name, error) from None
    gpus = {name: GpuFacts(**facts.model_dump()) for name, facts in table.gpus.items()}
    kinds = {name: _kind(name, kind, gpus, path.name) for name, kind in table.kinds.items()}
    relations = {
        name: _relation(name, relation, table, path.name) for name, relation in table.relations.items()
    }
    return Pool(gpus=gpus, kinds=kinds, provenance=table.provenance, relations=relations)


def _relation(name: str, table: RelationTable, pool: PoolTable, file: str) -> FormatRelation:
    if table.base not in pool.kinds:
        expected = f"one of {', '.join(pool.kinds)}"
        raise FileContentError(file, f"relations.{name}.base", table.base, expected)
    for parameter, found in table.parameters.items():
        for gpu in found.offsets:
            if gpu not in pool.gpus:
                key = f"relations.{name}.parameters.{parameter}.offsets"
                raise FileContentError(file, key, gpu, f"one of {', '.join(pool.gpus)}")
    return FormatRelation(
        kind=name,
        base=table.base,
        parameters={each: RelatedParameter(**found.model_dump()) for each, found in table.parameters.items()},
        interval=IntervalFit(**table.interval.model_dump()),
        ranges=table.ranges,
        weight_copies=table.weight_copies,
        left_out=table.left_out,
    )


def _kind(name: str, table: PooledKindTable, gpus: dict[str, GpuFacts], file: str) -> PooledKind:
    return PooledKind(
        kind=name,
        parameters={
            parameter: _parameter(f"kinds.{name}.parameters.{parameter}", found, gpus, file)
            for parameter, found in table.parameters.items()
        },
        interval=IntervalFit(**table.interval.model_dump()),
        deviation=table.deviation,
        ranges=table.ranges,
        weight_copies=table.weight_copies,
        left_out=table.left_out,
    )


def _parameter(key: str, table: ParameterTable, gpus: dict[str, GpuFacts], file: str) -> PooledParameter:
    """A parameter; what the schema cannot say: a logarithm needs numbers above 0, and GPUs are known."""
    numbers = {
        "low": table.low,
        "typical": table.typical,
        **{f"found.{n}": v for n, v in table.found.items()},
    }
    for name, value in numbers.items():
        if table.log and value <= 0:
            raise FileContentError(file, f"{key}.{name}", value, "a number above 0")
    if table.low > table.high:
        raise FileContentError(file, f"{key}.low", table.low, f"a number up to high ({table.high:g})")
    for gpu in table.found:
        if gpu not in gpus:
            raise FileContentError(file, f"{key}.found", gpu, f"one of {', '.join(gpus)}")
    return PooledParameter(
        law=table.law,
        log=table.log,
        low=table.low,
        high=table.high,
        typical=table.typical,
        spread=Spread(**table.spread.model_dump()),
        found=table.found,
    )
