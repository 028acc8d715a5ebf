"""Per-layer patterns of configs: sliding windows and layers without rotary positions."""

from __future__ import annotations

from collections.abc import Sequence

from infersim.domain.errors import UnsupportedError
from infersim.workload.hf.architecture import LayerRotary, LayerWindows
from infersim.workload.hf.config_keys import MAX_LAYERS, Keys

FULL, SLIDING, CHUNKED = "full_attention", "sliding_attention", "chunked_attention"


def one_window(keys: Keys) -> list[int | None]:
    """`sliding_window` holds for every layer, unless `layer_types` says it layer by layer."""
    return _by_types(keys) or [keys.optional_whole("sliding_window")] * keys.whole("num_hidden_layers")


def one_window_everywhere(keys: Keys) -> list[int | None]:
    """`sliding_window` holds for every layer."""
    return [keys.optional_whole("sliding_window")] * keys.whole("num_hidden_layers")


def one_window_where_used(keys: Keys) -> list[int | None]:
    """With `use_sliding_window`, every layer has the window."""
    window = keys.optional_whole("sliding_window") if keys.flag("use_sliding_window") else None
    return [window] * keys.whole("num_hidden_layers")


def every_other_of_the_first(keys: Keys) -> list[int | None]:
    """Qwen's first experts: with `use_sliding_window`, layers 0, 2, 4... below `max_window_layers`."""
    listed, layers = _by_types(keys), keys.whole("num_hidden_layers")
    if listed and keys.flag("use_sliding_window"):
        return listed
    window = keys.optional_whole("sliding_window") if keys.flag("use_sliding_window") else None
    end = keys.count("max_window_layers")
    return [window if layer % 2 == 0 and layer < end else None for layer in range(layers)]


def windows_from(keys: Keys) -> list[int | None]:
    """Layers from `max_window_layers` on have the window."""
    window, start = keys.optional_whole("sliding_window"), keys.count("max_window_layers")
    layers = keys.whole("num_hidden_layers")
    return _by_types(keys) or [None if layer < start else window for layer in range(layers)]


def chunks_where_rotary(keys: Keys) -> list[int | None]:
    """Llama 4: layers with rotary positions attend in chunks, unless `layer_types` says it."""
    size, kinds = keys.optional_whole("attention_chunk_size"), keys.layer_list("layer_types")
    if kinds is None:
        return [size if rotary else None for rotary in listed_rotary_layers(keys)]
    check_kinds(keys, kinds, (FULL, CHUNKED))
    return [size if kind == CHUNKED else None for kind in kinds]


def windows_where_used(keys: Keys) -> list[int | None]:
    """Qwen: with `use_sliding_window`, layers from `max_window_layers` on have a window."""
    listed = _by_types(keys)
    if listed:
        return listed
    layers, window = keys.whole("num_hidden_layers"), keys.optional_whole("sliding_window")
    if not keys.flag("use_sliding_window") or window is None:
        return [None] * layers
    start = keys.value("max_window_layers")
    if isinstance(start, bool) or not isinstance(start, int) or start < 0:
        keys.fail("max_window_layers", start, "at least 0, as use_sliding_window is true")
    return [None if layer < start else window for layer in range(layers)]


def every_nth_full(pattern_key: str | None, period: int) -> LayerWindows:
    """Sliding windows but in every `period`-th layer; the key `pattern_key` may say another period."""

    def windows(keys: Keys) -> list[int | None]:
        listed = _by_types(keys)
        if listed:
            return listed
        step, layers = period, keys.whole("num_hidden_layers")
        if pattern_key is not None and keys.value(pattern_key) is not None:
            step = keys.checked_whole(pattern_key, keys.value(pattern_key), high=MAX_LAYERS)
        window = keys.optional_whole("sliding_window")
        return [window if (layer + 1) % step else None for layer in range(layers)]

    return windows


def first_of_four_full(keys: Keys) -> list[int | None]:
    """Sliding windows but in layers 0, 4, 8..."""
    window = keys.optional_whole("sliding_window")
    return _by_types(keys) or [window if i % 4 else None for i in range(keys.whole("num_hidden_layers"))]


def windows_of_layers_without_rotary(keys: Keys) -> list[int | None]:
    """SmolLM3: with `use_sliding_window`, the layers without rotary positions have the window."""
    listed = _by_types(keys)
    if listed:
        return listed
    window = keys.optional_whole("sliding_window") if keys.flag("use_sliding_window") else None
    return [None if rotary else window for rotary in listed_rotary_layers(keys)]


def local_layers(keys: Keys) -> list[int | None]:
    """GPT-Neo: `attention_types` such as `[[["global", "local"], 12]]`; local layers have `window_size`."""
    window, layers = keys.whole("window_size"), keys.whole("num_hidden_layers")
    kinds: list[object] = []
    value = keys.value("attention_types")
    try:
        for names, times in value:  # type: ignore[attr-defined]
            kinds += (list(names) * min(int(times), layers + 1))[: layers + 1]
            if len(kinds) > layers:
                break
    except (TypeError, ValueError):
        keys.fail("attention_types", value, "a list of [kinds, times]")
    if len(kinds) != layers or not {"global", "local"}.issuperset(map(str, kinds)):
        keys.fail("attention_types", value, f"global or local for each of {layers} layers")
    return [window if kind == "local" else None for kind in kinds]


def listed_rotary_layers(keys: Keys) -> list[bool]:
    """SmolLM3: `no_rope_layers` has 1 where a layer has rotary positions; else every nth layer has none."""
    listed = keys.layer_list("no_rope_layers") if keys.value("no_rope_layers") else None
    if listed is not None:
        return [bool(entry) for entry in listed]
    step, layers = keys.whole("no_rope_layer_interval"), keys.whole("num_hidden_layers")
    return [(layer + 1) % step != 0 for layer in range(layers)]


def rotary_where_theta(keys: Keys) -> list[bool]:
    """Granite with windows: `layer_rope_theta` has 0 or null for a layer without rotary positions."""
    thetas = keys.layer_list("layer_rope_theta")
    return [True] * keys.whole("num_hidden_layers") if thetas is None else [bool(each) for each in thetas]


def rotary_in_windows(windows: LayerWindows) -> LayerRotary:
    """Layers of full attention have no rotary positions, as long as there is a window at all."""

    def layers(keys: Keys) -> list[bool]:
        sliding = windows(keys)
        return [window is not None or keys.optional_whole("sliding_window") is None for window in sliding]

    return layers


def _by_types(keys: Keys) -> list[int | None] | None:
    """Windows by `layer_types`, if the file has such a list."""
    kinds = keys.layer_list("layer_types")
    if kinds is None:
        return None
    check_kinds(keys, kinds)
    window = keys.optional_whole("sliding_window")
    if SLIDING in kinds and window is None:
        keys.fail("sliding_window", None, "an integer, as layer_types has sliding_attention")
    return [window if kind == SLIDING else None for kind in kinds]


def check_kinds(keys: Keys, kinds: Sequence[object], known: tuple[str, str] = (FULL, SLIDING)) -> None:
    """Raise UnsupportedError for kinds of layers other than the known ones."""
    unknown = {str(kind) for kind in kinds} - set(known)
    if unknown:
        raise UnsupportedError(
            f"{keys.file}: layer_types has {', '.join(sorted(unknown))}; supported are {' and '.join(known)}"
        )
