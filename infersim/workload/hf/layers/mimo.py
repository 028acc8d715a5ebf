"""MiMo-V2: layers with windows have KV heads of their own number, by the library's keys or by the files'."""

from __future__ import annotations

from infersim.workload.hf.config_keys import MAX_HEADS, Keys
from infersim.workload.hf.layers import patterns

PERIOD = 6
"""Without a list, the first layer and each sixth attend to everything."""


def windows(keys: Keys) -> list[int | None]:
    """The window of each layer, by `layer_types`, else by 1 for a window in `hybrid_layer_pattern`.

    `sliding_window_size` are the tokens before the query's own.
    """
    before = keys.optional_whole("sliding_window_size")
    window = keys.optional_whole("sliding_window") if before is None else before + 1
    kinds, marks = keys.layer_list("layer_types"), _marks(keys, "hybrid_layer_pattern")
    if kinds is not None:
        patterns.check_kinds(keys, kinds)
        return [window if kind == patterns.SLIDING else None for kind in kinds]
    if marks is not None:
        return [window if mark else None for mark in marks]
    layers = range(keys.whole("num_hidden_layers"))
    return [window if layer and (layer + 1) % PERIOD else None for layer in layers]


def kv_heads(keys: Keys) -> list[int]:
    """KV heads of each layer: `swa_num_key_value_heads` with a window, else twice `num_key_value_heads`."""
    heads, of_full = keys.whole("num_attention_heads"), keys.whole("num_key_value_heads")
    of_windows = keys.optional_whole("swa_num_key_value_heads") or min(2 * of_full, MAX_HEADS)
    for key, groups in (("num_key_value_heads", of_full), ("swa_num_key_value_heads", of_windows)):
        if heads % groups:
            keys.fail(key, groups, f"a divisor of num_attention_heads = {heads}")
    return [of_full if window is None else of_windows for window in windows(keys)]


def sparse_layers(keys: Keys) -> list[bool]:
    """Layers with experts by 1 in `moe_layer_freq`, else all but the first."""
    marks = _marks(keys, "moe_layer_freq")
    return [layer > 0 for layer in range(keys.whole("num_hidden_layers"))] if marks is None else marks


def same_sizes(keys: Keys) -> None:
    """Heads in layers with windows are as many and as wide as others', and no expert is shared."""
    for key, wanted in (
        ("swa_num_attention_heads", keys.whole("num_attention_heads")),
        ("swa_head_dim", keys.whole("head_dim")),
        ("swa_v_head_dim", keys.whole("v_head_dim")),
        ("n_shared_experts", 0),
    ):
        if keys.config.get(key) not in (None, wanted):
            keys.fail(key, keys.config[key], f"{wanted}, as the model's code has it")
    chunk = keys.config.get("attention_chunk_size")
    if chunk not in (None, keys.value("sliding_window_size"), keys.value("sliding_window")):
        keys.fail("attention_chunk_size", chunk, "the window, as the published files have it")


def _marks(keys: Keys, name: str) -> list[bool] | None:
    """A list of 0 and 1, one for each layer."""
    marks = keys.layer_list(name)
    if marks is not None and not all(type(mark) is int and mark in (0, 1) for mark in marks):
        keys.fail(name, marks, "0 or 1 for each layer")
    return None if marks is None else [bool(mark) for mark in marks]
