"""The tables of a plan file as pydantic models: exact types, no unknown keys.

Key names follow the records of `workload.transformer`. What depends on the model (does layer 40 exist?) is
checked where the tables are applied.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PositiveInt
from pydantic_core import PydanticCustomError

from infersim.files.tables import Table
from infersim.pruning.families.dynamic_m import ROUTER_WIDTH
from infersim.pruning.families.dynamic_mnk import CHANNELS
from infersim.pruning.families.dynamic_mnk import ROUTER_WIDTH as GROUP_ROUTER_WIDTH
from infersim.pruning.plan import OptionValue
from infersim.pruning.plan_files.layer_numbers import WORDS, spelt_out

MatrixName = Literal["q", "k", "v", "o", "gate", "up", "down"]
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
