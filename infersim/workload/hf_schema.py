"""The keys of a Hugging Face `config.json` that shape a model, checked by pydantic, one class a model type.

Errors are FileContentError: file, key, value, expectation. Building the model is `hf_config`'s work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infersim.profile_files.validation import content_error

# Several times what any published dense model has: a larger number is a slip, not a model.
MAX_HIDDEN = 2**17
MAX_WIDTH = 2**20
MAX_VOCAB = 2**22
MAX_LAYERS = 2**12
MAX_HEADS = 2**12
MAX_HEAD_DIM = 2**12
MAX_POSITION = 2**30
MAX_FFN_MULT = 64

Heads = Annotated[int, Field(gt=0, le=MAX_HEADS)]
HeadDim = Annotated[int, Field(gt=0, le=MAX_HEAD_DIM)]
Positions = Annotated[int, Field(gt=0, le=MAX_POSITION)]
Width = Annotated[int, Field(gt=0, le=MAX_WIDTH)]


class _Keys(BaseModel):
    """Strict (no number in quotes, no 4096.0, no true for 1); keys that shape nothing are passed over."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False)


class CommonKeys(_Keys):
    """What every supported model type has."""

    hidden_size: Annotated[int, Field(gt=0, le=MAX_HIDDEN)]
    vocab_size: Annotated[int, Field(gt=0, le=MAX_VOCAB)]
    num_hidden_layers: Annotated[int, Field(gt=0, le=MAX_LAYERS)]
    num_attention_heads: Heads
    max_position_embeddings: Positions
    tie_word_embeddings: bool = False
    head_dim: HeadDim | None = None


class LlamaKeys(CommonKeys):
    """`llama`: biases are all or none; without `num_key_value_heads` each head has its own K and V."""

    intermediate_size: Width
    num_key_value_heads: Heads | None = None
    attention_bias: bool = False
    mlp_bias: bool = False


class MistralKeys(CommonKeys):
    """`mistral`: no biases; `sliding_window` holds for every layer."""

    intermediate_size: Width
    num_key_value_heads: Heads
    sliding_window: Positions | None = None


class Qwen2Keys(CommonKeys):
    """`qwen2`: q, k and v have biases; layers from `max_window_layers` on may have a sliding window.

    `layer_types` (newer files) says it layer by layer instead.
    """

    intermediate_size: Width
    num_key_value_heads: Heads
    use_sliding_window: bool = False
    sliding_window: Positions | None = None
    max_window_layers: Annotated[int, Field(ge=0)] | None = None
    layer_types: list[str] | None = None


class Qwen3Keys(Qwen2Keys):
    """`qwen3`: q and k are normed, the head dimension is explicit, biases are an option."""

    head_dim: HeadDim
    attention_bias: bool = False


class DeciAttention(_Keys):
    """Attention of one `nemotron-nas` block: `n_heads_in_group` queries share a key and value."""

    n_heads_in_group: Heads | None = None
    no_op: bool = False
    replace_with_linear: bool = False
    window_length: Positions | None = None
    num_sink_tokens: int | None = None
    sparsify: Any = None


class DeciFeedForward(_Keys):
    """Feed-forward of one `nemotron-nas` block; its width follows from `ffn_mult`."""

    ffn_mult: Annotated[float, Field(gt=0, le=MAX_FFN_MULT)] | None = None
    no_op: bool = False
    replace_with_linear: bool = False
    sparsify: Any = None


class DeciBlock(_Keys):
    """One entry of `block_configs`."""

    attention: DeciAttention
    ffn: DeciFeedForward


class NemotronNasKeys(CommonKeys):
    """`nemotron-nas` (DeciLM): each block chosen by a search, so no two need be alike."""

    block_configs: list[DeciBlock]
    attention_bias: bool = False
    mlp_bias: bool = False


KeysT = TypeVar("KeysT", bound=BaseModel)


def checked_keys(schema: type[KeysT], config: Mapping[str, object], file: object) -> KeysT:
    """Return the keys of `config` that `schema` knows; raises FileContentError at the first wrong one."""
    try:
        return schema.model_validate(dict(config))
    except ValidationError as error:
        raise content_error(file, error) from None
