"""The plan of a sweep as pydantic models: exact types, no unknown keys, no empty list.

Keys are named as the arguments of `compare`. Names are looked up where the plan is resolved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field

from infersim.files.tables import Table
from infersim.pruning.plan import OptionValue
from infersim.pruning.plan_files.tables import Rate
from infersim.workload.scenario import MAX_BATCH, MAX_CONTEXT, MAX_GPUS

Value = TypeVar("Value")

AUTO = "auto"
"""What the model's file states; else linears in bf16, and the KV cache in the type of attention."""


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _as_table(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def _dotted(value: object) -> object:
    """`{memory: {bandwidth_gb_s: 1}}` as `{"memory.bandwidth_gb_s": 1}`: TOML reads a dot as a table."""
    if not isinstance(value, Mapping):
        return value
    found: dict[str, object] = {}
    for key, inner in value.items():
        nested = _dotted(inner)
        if isinstance(nested, Mapping):
            found |= {f"{key}.{rest}": number for rest, number in nested.items()}
        else:
            found[str(key)] = nested
    return found


Listed = Annotated[list[Value], BeforeValidator(_as_list), Field(min_length=1)]
"""One value, or a list of at least one."""

Tokens = Annotated[int, Field(ge=1, le=MAX_CONTEXT)]


class GpuTable(Table):
    """A GPU by name or file, with numbers set otherwise: keys and units of the profile files."""

    name: str
    set: Annotated[dict[str, float], BeforeValidator(_dotted)] = Field(default_factory=dict)


class FamilyTable(Table):
    """A family with options (all further keys), and sparsities of its own if it has any."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Listed[OptionValue]] = Field(init=False)

    name: str
    sparsity: Listed[Rate] | None = None


class RequestTable(Table):
    """A request by the name of its preset, or by its lengths."""

    name: str | None = None
    prompt: Tokens | None = None
    output: Tokens | None = None


class ServeTable(Table):
    """Services: each prompt with each output, at each concurrency (or `max`, the most that fits)."""

    prompt: Listed[Tokens]
    output: Listed[Tokens]
    concurrency: Listed[Annotated[int, Field(ge=1, le=MAX_BATCH)]] | Literal["max"]
    engine: Listed[str] = ["vllm"]  # noqa: RUF012
    cached: Annotated[float, Field(ge=0, lt=1)] = 0.0
    price_per_hour: Annotated[float, Field(gt=0)] | None = None


class SweepTables(Table):
    """A whole plan: every combination of what the lists hold."""

    model: Listed[str]
    gpu: Listed[Annotated[GpuTable, BeforeValidator(_as_table)]]
    family: Listed[Annotated[FamilyTable, BeforeValidator(_as_table)]] | None = None
    sparsity: Listed[Rate] | None = None
    plan: Listed[str] | None = None
    phase: Listed[Literal["prefill", "decode", "both"]] | None = None
    batch: Listed[Annotated[int, Field(ge=1, le=MAX_BATCH)]] = [1]  # noqa: RUF012 - pydantic copies it
    context: Listed[Tokens] | None = None
    request: Listed[Annotated[RequestTable, BeforeValidator(_as_table)]] | None = None
    serve: Listed[ServeTable] | None = None
    dtype: Listed[str] = [AUTO]  # noqa: RUF012
    kv_dtype: Listed[str] = [AUTO]  # noqa: RUF012
    execution: Listed[str] = ["fused"]  # noqa: RUF012
    cuda_graph: Listed[bool] = [True]  # noqa: RUF012
    gpus: Listed[Annotated[int, Field(ge=1, le=MAX_GPUS)]] = [1]  # noqa: RUF012
    expert_parallel: bool = False


NESTED: dict[str, type[Table]] = {
    "gpu": GpuTable,
    "family": FamilyTable,
    "request": RequestTable,
    "serve": ServeTable,
}
"""Tables by the key they stand under."""
