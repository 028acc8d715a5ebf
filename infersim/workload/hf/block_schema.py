"""The keys of a searched architecture's blocks, checked by pydantic.

Errors are FileContentError: file, key, value, expectation. Building the blocks is the work of `nemotron_nas`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infersim.domain.errors import FileContentError
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
        first = error.errors(include_url=False)[0]
        value = None if first["type"] == "missing" else first["input"]
        raise FileContentError(
            file,
            _dotted(first["loc"]),
            value,
            _expectation(first["type"], first["msg"], first.get("ctx", {})),
        ) from None


def _dotted(location: tuple[int | str, ...]) -> str:
    """`("block_configs", 3, "ffn", "ffn_mult")` as `block_configs[3].ffn.ffn_mult`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return text.removeprefix(".")


def _expectation(kind: str, message: str, context: Mapping[str, Any]) -> str:
    """Pydantic's complaint as what was expected instead."""
    expectations = {
        "missing": "this key to be present",
        "int_type": "an integer",
        "float_type": "a number",
        "finite_number": "a finite number",
        "bool_type": "true or false",
        "string_type": "a text",
        "list_type": "a list",
        "model_type": "an object of keys and values",
        "greater_than": "more than {gt}",
        "greater_than_equal": "at least {ge}",
        "less_than_equal": "at most {le}",
    }
    if kind in expectations:
        return expectations[kind].format(**context)
    return message.removeprefix("Input should be ")
