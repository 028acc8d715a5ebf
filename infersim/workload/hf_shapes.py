"""Shapes that follow from several keys of a config together: KV groups, head dimension, sliding windows."""

from __future__ import annotations

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.workload.hf_schema import CommonKeys, Qwen2Keys


def checked_kv_heads(keys: CommonKeys, kv_heads: int, file: object) -> int:
    """Return `kv_heads`; raises FileContentError where the heads do not divide into as many groups."""
    if keys.num_attention_heads % kv_heads:
        raise FileContentError(
            file,
            "num_key_value_heads",
            kv_heads,
            f"a divisor of num_attention_heads = {keys.num_attention_heads}",
        )
    return kv_heads


def checked_head_dim(keys: CommonKeys, file: object) -> int:
    """The explicit head dimension, else hidden / heads; raises FileContentError if that is no integer."""
    if keys.head_dim is not None:
        return keys.head_dim
    if keys.hidden_size % keys.num_attention_heads:
        raise FileContentError(
            file,
            "hidden_size",
            keys.hidden_size,
            f"a multiple of num_attention_heads = {keys.num_attention_heads}, or a head_dim",
        )
    return keys.hidden_size // keys.num_attention_heads


def layer_windows(keys: Qwen2Keys, file: object) -> list[int | None]:
    """Sliding window of each layer (None: full attention), by `layer_types` or by `max_window_layers`.

    Raises FileContentError for a list of the wrong length or a window without its size, UnsupportedError for
    a kind of layer that is neither full nor sliding attention.
    """
    layers = keys.num_hidden_layers
    if keys.layer_types is not None:
        return _windows_by_type(keys, keys.layer_types, file)
    if not keys.use_sliding_window:
        return [None] * layers
    if keys.sliding_window is None or keys.max_window_layers is None:
        missing = "sliding_window" if keys.sliding_window is None else "max_window_layers"
        raise FileContentError(file, missing, None, "an integer, as use_sliding_window is true")
    full = min(keys.max_window_layers, layers)
    return [None] * full + [keys.sliding_window] * (layers - full)


def _windows_by_type(keys: Qwen2Keys, layer_types: list[str], file: object) -> list[int | None]:
    if len(layer_types) != keys.num_hidden_layers:
        raise FileContentError(
            file, "layer_types", layer_types, f"one entry for each of {keys.num_hidden_layers} layers"
        )
    unknown = set(layer_types) - {"full_attention", "sliding_attention"}
    if unknown:
        raise UnsupportedError(
            f"{file}: layer_types has {', '.join(sorted(unknown))}; "
            "supported are full_attention and sliding_attention"
        )
    if "sliding_attention" in layer_types and keys.sliding_window is None:
        raise FileContentError(
            file, "sliding_window", None, "an integer, as layer_types has sliding_attention"
        )
    return [keys.sliding_window if kind == "sliding_attention" else None for kind in layer_types]
