"""A Transformer from a Hugging Face `config.json`: Llama, Mistral, Qwen2, Qwen3 and Nemotron-NAS (DeciLM).

Shapes only: activation functions, rotary scaling and a checkpoint's quantisation change no shape and are
passed over (the number format is the execution's choice).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.workload import hf_nemotron_nas
from infersim.workload.hf_schema import (
    CommonKeys,
    LlamaKeys,
    MistralKeys,
    NemotronNasKeys,
    Qwen2Keys,
    Qwen3Keys,
    checked_keys,
)
from infersim.workload.hf_shapes import checked_head_dim, checked_kv_heads, layer_windows
from infersim.workload.hf_support import supported_type
from infersim.workload.norms import QkNorm
from infersim.workload.sizes import grouped_query_attention, swiglu
from infersim.workload.transformer import Attention, Block, Transformer

CONFIG_NAME = "config.json"


def transformer_from_file(path: str | Path) -> Transformer:
    """Read a `config.json`, or the folder that holds one.

    The model is named after the file, or after its folder where the file is called `config.json`. Raises
    InvalidValueError where there is no such file, FileContentError for its content, UnsupportedError for an
    architecture out of scope.
    """
    file = Path(path)
    if file.is_dir():
        file = file / CONFIG_NAME
    if not file.is_file():
        raise InvalidValueError("model", str(path), f"a file, or a folder that holds {CONFIG_NAME}")
    stem = file.resolve().parent.name if file.name == CONFIG_NAME else file.stem
    return transformer_from_config(_read_json_object(file), name=stem, file=file)


def transformer_from_config(
    config: Mapping[str, object], *, name: str = "custom", file: object = CONFIG_NAME
) -> Transformer:
    """Build a Transformer from the keys of a config; `file` is what errors call their source.

    Raises FileContentError (file, key, value, expectation) and UnsupportedError.
    """
    model_type = supported_type(config, _BLOCKS, file)
    keys, blocks = _BLOCKS[model_type](config, file)
    return Transformer(
        name=name,
        hidden=keys.hidden_size,
        vocab=keys.vocab_size,
        tied_embeddings=keys.tie_word_embeddings,
        max_position=keys.max_position_embeddings,
        blocks=blocks,
    )


def _read_json_object(file: Path) -> dict[str, object]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        near = error.doc[error.pos : error.pos + 20]
        place = f"line {error.lineno}, column {error.colno}"
        raise FileContentError(file, place, near, f"valid JSON ({error.msg})") from None
    except (OSError, ValueError, RecursionError) as error:
        raise FileContentError(file, "content", "unreadable", f"JSON text in UTF-8 ({error})") from None
    if not isinstance(content, dict):
        raise FileContentError(file, "content", type(content).__name__, "an object of keys and values")
    return content


_Parsed = tuple[CommonKeys, tuple[Block, ...]]


def _llama(config: Mapping[str, object], file: object) -> _Parsed:
    keys = checked_keys(LlamaKeys, config, file)
    kv_heads = keys.num_attention_heads if keys.num_key_value_heads is None else keys.num_key_value_heads
    attention = _attention(keys, kv_heads, file, qkv_bias=keys.attention_bias, o_bias=keys.attention_bias)
    ffn = swiglu(hidden=keys.hidden_size, width=keys.intermediate_size, bias=keys.mlp_bias)
    return keys, (Block(attention=attention, ffn=ffn),) * keys.num_hidden_layers


def _mistral(config: Mapping[str, object], file: object) -> _Parsed:
    keys = checked_keys(MistralKeys, config, file)
    attention = _attention(keys, keys.num_key_value_heads, file)
    windows = [keys.sliding_window] * keys.num_hidden_layers
    return keys, _windowed_blocks(attention, windows, keys.hidden_size, keys.intermediate_size)


def _qwen2(config: Mapping[str, object], file: object) -> _Parsed:
    keys = checked_keys(Qwen2Keys, config, file)
    attention = _attention(keys, keys.num_key_value_heads, file, qkv_bias=True)
    windows = layer_windows(keys, file)
    return keys, _windowed_blocks(attention, windows, keys.hidden_size, keys.intermediate_size)


def _qwen3(config: Mapping[str, object], file: object) -> _Parsed:
    keys = checked_keys(Qwen3Keys, config, file)
    bias = keys.attention_bias
    attention = _attention(keys, keys.num_key_value_heads, file, qkv_bias=bias, o_bias=bias, qk_norm=True)
    windows = layer_windows(keys, file)
    return keys, _windowed_blocks(attention, windows, keys.hidden_size, keys.intermediate_size)


def _nemotron_nas(config: Mapping[str, object], file: object) -> _Parsed:
    keys = checked_keys(NemotronNasKeys, config, file)
    return keys, hf_nemotron_nas.blocks(keys, file)


def _attention(
    keys: CommonKeys,
    kv_heads: int,
    file: object,
    *,
    qkv_bias: bool = False,
    o_bias: bool = False,
    qk_norm: bool = False,
) -> Attention:
    return grouped_query_attention(
        hidden=keys.hidden_size,
        num_heads=keys.num_attention_heads,
        num_kv_heads=checked_kv_heads(keys, kv_heads, file),
        head_dim=checked_head_dim(keys, file),
        qkv_bias=qkv_bias,
        o_bias=o_bias,
        qk_norm=QkNorm() if qk_norm else None,
    )


def _windowed_blocks(
    attention: Attention, windows: Sequence[int | None], hidden: int, width: int
) -> tuple[Block, ...]:
    ffn = swiglu(hidden=hidden, width=width)
    return tuple(Block(attention=replace(attention, window=window), ffn=ffn) for window in windows)


_BLOCKS: dict[str, Callable[[Mapping[str, object], object], _Parsed]] = {
    "llama": _llama,
    "mistral": _mistral,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "nemotron-nas": _nemotron_nas,
}
"""Model type -> its keys and blocks."""
