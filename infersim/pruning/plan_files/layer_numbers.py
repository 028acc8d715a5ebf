"""Lists of layers as people write them: numbers from 0, and ranges such as `22-28`, both ends included."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from infersim.domain.errors import FileContentError
from infersim.workload.hf.config_keys import MAX_LAYERS

LAYER_RANGE = re.compile(r"\s*(\d{1,9})(?:\s*-\s*(\d{1,9}))?\s*", re.ASCII)

WORDS = "a layer such as 22, or a range such as '22-28'"
"""What a text in a list of layers must be."""


def layers_in(text: str, count: int = MAX_LAYERS) -> range | None:
    """The layers that `3` or `8-15` names; None where it is neither, or leads beyond `count` layers."""
    match = LAYER_RANGE.fullmatch(text)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    return range(first, last + 1) if first <= last < count else None


def spelt_out(entries: Sequence[object]) -> list[object]:
    """`[3, "8-10"]` as `[3, 8, 9, 10]`; what is no range of layers stays as it is."""
    found: list[object] = []
    for entry in entries:
        layers = layers_in(entry) if isinstance(entry, str) else None
        found += [entry] if layers is None else layers
    return found


def listed_layers(value: object, count: int, file: object, key: str) -> list[int]:
    """The layers of a model of `count` that a list, a text with commas, a range or a number names.

    In ascending order, each once. FileContentError (file, key, value, expectation) for anything else, and for
    a layer that is named twice: a list of what is removed that repeats itself was made for another purpose.
    """
    entries = value.split(",") if isinstance(value, str) else value
    found: set[int] = set()
    for position, entry in enumerate(entries if isinstance(entries, list) else [entries]):
        place = f"{key}[{position}]" if isinstance(entries, list) else key
        for layer in _named(entry, count, file, place):
            if layer in found:
                raise FileContentError(file, place, entry, f"layer {layer} once")
            found.add(layer)
    return sorted(found)


def _named(entry: object, count: int, file: object, key: str) -> Iterator[int]:
    if isinstance(entry, float) and entry.is_integer():
        entry = int(entry)
    if isinstance(entry, bool) or not isinstance(entry, int | str):
        raise FileContentError(file, key, entry, WORDS)
    layers = layers_in(str(entry), count)
    if layers is None:
        expected = f"a layer from 0 to {count - 1}, or a range such as 0-1"
        raise FileContentError(file, key, entry, expected)
    yield from layers
