"""Sizes that a pruned model's config lists layer by layer, where its model type has one for all layers.

Such lists are code of the checkpoint's own, so they are read beside weight files alone, which outrank them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infersim.domain.errors import FileContentError
from infersim.workload.hf.config_keys import MAX_LAYERS

_SIZES = (
    "intermediate_size", "num_attention_heads", "num_key_value_heads", "head_dim", "num_experts",
    "num_local_experts", "n_routed_experts", "num_experts_per_tok", "moe_intermediate_size",
)  # fmt: skip
_ENDING = "_per_layer"


def layer_configs(
    config: Mapping[str, object], read: frozenset[str], file: object, prefix: str = ""
) -> list[dict[str, object]]:
    """A config for each layer, with the sizes of that layer for the lists; none where no size is a list.

    `read` are keys that the model type's entry reads as lists itself. A 0 of a layer whose sublayer is gone
    becomes the largest entry: the weight files say what is gone. Raises FileContentError for lists of another
    length than there are layers.
    """
    lists = {
        size: value
        for size in _SIZES
        for key in (size, f"{size}{_ENDING}")
        if key not in read - {size} and isinstance(value := config.get(key), list)
    }
    layers = config.get("num_hidden_layers")
    if not lists or not isinstance(layers, int) or not 0 < layers <= MAX_LAYERS:
        return []
    for size, value in lists.items():
        if len(value) != layers or not any(value):
            raise FileContentError(file, f"{prefix}{size}", value, f"one entry for each of {layers} layers")
    rest = {key: value for key, value in config.items() if key.removesuffix(_ENDING) not in lists}
    return [
        {**rest, **{size: _entry(value, layer) for size, value in lists.items()}} for layer in range(layers)
    ]


def _entry(listed: list[Any], layer: int) -> object:
    whole = [entry for entry in listed if isinstance(entry, int)]
    return listed[layer] if listed[layer] != 0 else max(whole)
