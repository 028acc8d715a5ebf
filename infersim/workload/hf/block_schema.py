"""The keys of a searched architecture's blocks, checked by pydantic.

Errors are FileContentError: file, key, value, expectation. Building the blocks is the work of `nemotron_nas`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infersim.profile_files.validation import content_error
from infersim.workload.hf.config_keys import MAX_HEADS, MAX_POSITION

MAX_FFN_MULT = 64

Heads = Annotated[int, Field(gt=0, le=MAX_HEADS)]
Positions = Annotated[int, Field(gt=0, le=MAX_POSITION)]


class _Keys(BaseModel):
    """Strict (no number in quotes, no true for 1); what a block may have beside is refused by hand."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False)


class DeciAttention(_Keys):
    """Attention of one block: `n_heads_in_group` queries share a key and value."""

    n_heads_in_group: Heads | None = None
    no_op: bool = False
    replace_with_linear: bool = False
    window_length: Positions | None = None
    num_sink_tokens: int | None = None
    sparsify: Any = None


class DeciFeedForward(_Keys):
    """Feed-forward of one block; its width follows from `ffn_mult`."""

    ffn_mult: Annotated[float, Field(gt=0, le=MAX_FFN_MULT)] | None = None
    no_op: bool = False
    replace_with_linear: bool = False
    sparsify: Any = None


class DeciBlock(_Keys):
    """One entry of `block_configs`."""

    attention: DeciAttention
    ffn: DeciFeedForward


class DeciBlocks(_Keys):
    """All blocks, each chosen by a search, so that no two need be alike."""

    block_configs: list[DeciBlock]


KeysT = TypeVar("KeysT", bound=BaseModel)


def checked_keys(schema: type[KeysT], config: Mapping[str, object], file: object) -> KeysT:
    """Return the keys of `config` that `schema` knows; raises FileContentError at the first wrong one."""
    try:
        return schema.model_validate(dict(config))
    except ValidationError as error:
        raise content_error(file, error) from None
