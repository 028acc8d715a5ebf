"""The tables of a plan file as pydantic models: exact types, no unknown keys.

Key names follow the records of `workload.transformer`. What depends on the model (does layer 40 exist?) is
checked where the tables are applied. `check_used` refuses keys that nothing would come of, as another key is
missing or rules: what a file states is used or refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PositiveInt
from pydantic_core import PydanticCustomError

from infersim.domain.errors import InvalidValueError
from infersim.files.tables import Table
from infersim.pruning.families.dynamic_m import ROUTER_WIDTH
from infersim.pruning.families.dynamic_mnk import CHANNELS
from infersim.pruning.families.dynamic_mnk import ROUTER_WIDTH as GROUP_ROUTER_WIDTH
from infersim.pruning.plan import OptionValue
from infersim.pruning.plan_files.layer_numbers import WORDS, spelt_out

MatrixName = Literal["q", "k", "v", "o", "o_gate", "gate", "up", "down"]
SublayerName = Literal["attention", "ffn"]


def _spelt_out(value: object) -> object:
    """Ranges in a list of layers as numbers; a text stands for the list that it holds."""
    entries = value.split(",") if isinstance(value, str) else value
    return spelt_out(entries) if isinstance(entries, list) else entries


def _no_text(entry: object) -> object:
    if isinstance(entry, str):
        raise PydanticCustomError("layer_range", WORDS)
    return entry


def _no_expert_text(entry: object) -> object:
    if isinstance(entry, str):
        raise PydanticCustomError("expert_range", "an expert such as 22, or a range such as '22-28'")
    return entry


LayerNumber = Annotated[int, Field(ge=0), BeforeValidator(_no_text)]
LayerNumbers = Annotated[list[LayerNumber], BeforeValidator(_spelt_out)]
ExpertNumber = Annotated[int, Field(ge=0), BeforeValidator(_no_expert_text)]
ExpertNumbers = Annotated[list[ExpertNumber], BeforeValidator(_spelt_out)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Zeroed = Annotated[float, Field(gt=0, lt=1)]
Kept = Annotated[float, Field(gt=0, le=1)]


class RemoveTable(Table):
    """Layers and sublayers that are gone (static-m), numbered from 0 as in the dense model; `"22-28"` too."""

    layers: LayerNumbers = Field(default_factory=list)
    attention: LayerNumbers = Field(default_factory=list)
    ffn: LayerNumbers = Field(default_factory=list)


class SkipTable(Table):
    """Skip rates of token executions (dynamic-m); `router_width` 0 is one linear layer hidden -> 2.

    `one_router`: the FFN's tokens are those that attention's router let through, as in an early exit.
    """

    attention: Rate | None = None
    ffn: Rate | None = None
    router_width: Annotated[int, Field(ge=0)] = ROUTER_WIDTH
    dense_kv: bool = True
    execution: Literal["blocks", "gather"] = "blocks"
    forecaster: Annotated[int, Field(ge=0)] = 0
    one_router: bool = False


class GroupsTable(Table):
    """Skip rates of token x group executions (dynamic-mnk); `heads` 0 are the query heads of a KV head."""

    attention: Rate | None = None
    ffn: Rate | None = None
    heads: Annotated[int, Field(ge=0)] = 0
    channels: PositiveInt = CHANNELS
    router_width: PositiveInt = GROUP_ROUTER_WIDTH
    kernels: Literal["cute", "triton"] = "cute"


class BlockSparsityTable(Table):
    """The share of causal blocks that attention computes (dynamic-nk)."""

    kept: Kept
    block: PositiveInt = 64
    gate_dim: PositiveInt = 128
    estimate: Literal["pooled", "scores"] = "pooled"
    masks: Literal["group", "head"] = "group"


class LayerTable(Table):
    """Detail of one layer, or of each of a range; what is not named stays as it was.

    `linear` puts a linear layer in a sublayer's place (0: one matrix, else the rank of two factors);
    `format` is how a sublayer's matrices are stored and multiplied.
    """

    num_heads: PositiveInt | None = None
    num_kv_heads: PositiveInt | None = None
    ffn_width: PositiveInt | None = None
    num_experts: PositiveInt | None = None
    remove_experts: ExpertNumbers = Field(default_factory=list)
    top_k: PositiveInt | None = None
    expert_width: PositiveInt | None = None
    rank: dict[MatrixName, PositiveInt] = Field(default_factory=dict)
    sparse_2_4: list[MatrixName] = Field(default_factory=list)
    zeros: dict[MatrixName, Zeroed] = Field(default_factory=dict)
    zeros_kernel: Literal["macko", "cusparse", "dense"] = "macko"
    linear: dict[SublayerName, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    format: dict[SublayerName, str] = Field(default_factory=dict)
    skip: SkipTable | None = None
    groups: GroupsTable | None = None
    block_sparsity: BlockSparsityTable | None = None
    kv_kept: Kept | None = None
    kv_score: Literal["position", "window", "accumulated"] = "position"


class StepTable(Table):
    """One family over the whole model, as `prune` takes it: all further keys are the family's options."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, OptionValue] = Field(init=False)

    family: str
    sparsity: Rate | None = None


class PlanTables(Table):
    """A whole plan file: detail by layer first, then the steps in order."""

    model: str | None = None
    name: str | None = None
    remove: RemoveTable = RemoveTable()
    layer: dict[str, LayerTable] = Field(default_factory=dict)
    step: list[StepTable] = Field(default_factory=list)


NESTED: dict[str, type[Table]] = {
    "remove": RemoveTable,
    "layer": LayerTable,
    "skip": SkipTable,
    "groups": GroupsTable,
    "block_sparsity": BlockSparsityTable,
}
"""Tables by the key they stand under."""

_SIZES = {
    "attention": ("num_heads", "num_kv_heads"),
    "ffn": ("ffn_width", "num_experts", "remove_experts", "top_k", "expert_width"),
}
MATRICES: dict[str, tuple[str, ...]] = {
    "attention": ("q", "k", "v", "o", "o_gate"),
    "ffn": ("gate", "up", "down"),
}
"""Names of matrices by the sublayer that they are of."""


def check_used(table: LayerTable) -> None:
    """Raise InvalidValueError for the first key of the table that nothing would come of."""
    if table.skip is not None:
        _check_skip(table.skip)
    if table.groups is not None:
        _check_groups(table.groups)
    for key, needed in (("zeros_kernel", "zeros"), ("kv_score", "kv_kept")):
        if key in table.model_fields_set and needed not in table.model_fields_set:
            raise InvalidValueError(key, getattr(table, key), f"{needed} beside it")
    for sublayer in table.linear:
        for key, value in _of_sublayer(table, sublayer):
            expected = f"no such key beside linear.{sublayer}, which takes the sublayer's place"
            raise InvalidValueError(key, value, expected)


def _check_skip(skip: SkipTable) -> None:
    given = skip.model_fields_set
    if skip.attention is None and skip.ffn is None:
        raise InvalidValueError("skip", _shown(given), "the part that is skipped: attention, ffn or both")
    if skip.one_router and (skip.attention is None or skip.ffn is None):
        raise InvalidValueError("skip.one_router", True, "skip.attention and skip.ffn, which share it")
    if "dense_kv" in given and skip.attention is None:
        raise InvalidValueError("skip.dense_kv", skip.dense_kv, "skip.attention beside it")


def _check_groups(groups: GroupsTable) -> None:
    given = groups.model_fields_set
    if groups.attention is None and groups.ffn is None:
        raise InvalidValueError("groups", _shown(given), "the part that is skipped: attention, ffn or both")
    for key, needed in (("heads", "attention"), ("channels", "ffn")):
        if key in given and getattr(groups, needed) is None:
            raise InvalidValueError(f"groups.{key}", getattr(groups, key), f"groups.{needed} beside it")


def _of_sublayer(table: LayerTable, sublayer: str) -> Iterator[tuple[str, object]]:
    """What the table says of a sublayer's sizes and matrices, by key."""
    for key in _SIZES[sublayer]:
        if getattr(table, key) not in (None, []):
            yield key, getattr(table, key)
    for matrix in MATRICES[sublayer]:
        for key in ("rank", "zeros"):
            if matrix in getattr(table, key):
                yield f"{key}.{matrix}", getattr(table, key)[matrix]
        if matrix in table.sparse_2_4:
            yield "sparse_2_4", matrix


def _shown(given: set[str]) -> str:
    return f"a table of {', '.join(sorted(given))}" if given else "an empty table"
