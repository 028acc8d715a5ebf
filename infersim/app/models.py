"""Models of the page: presets, and a config that was dropped on it, packed so that an address can hold it."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from infersim.domain.errors import InvalidValueError
from infersim.files.foreign import each_once

if TYPE_CHECKING:
    from infersim.workload.transformer import Transformer

OWN = "config"
"""The name of the model whose config was dropped on the page."""

LARGEST_BYTES = 256 * 1024
"""Of a config: those of models have a few thousand."""

LONGEST_PACKED = 16 * 1024
"""Of a config in an address, in characters."""


def packed_text(packed: str) -> str:
    """The config that an address holds; InvalidValueError where it holds none."""
    expected = "a config that the page packed"
    if len(packed) > LONGEST_PACKED:
        raise InvalidValueError("config", f"{len(packed)} characters", f"at most {LONGEST_PACKED}")
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(urlsafe_b64decode(packed.encode()), LARGEST_BYTES)
        if not unpacking.eof:
            raise InvalidValueError("config", packed[:20], f"{expected}, at most {LARGEST_BYTES} bytes")
        return text.decode()
    except (Error, ValueError, zlib.error):
        raise InvalidValueError("config", packed[:20], expected) from None


def packed_upload(contents: str, name: str) -> str:
    """The file that a browser sent (`data:...;base64,...`), packed, once it is known to describe a model.

    Raises InvalidValueError for what is no JSON of an object, and the errors of reading a config.
    """
    try:
        text = b64decode(contents.partition(",")[2]).decode()
    except (Error, ValueError):
        raise InvalidValueError("config", name, "a config.json in UTF-8") from None
    if len(text) > LARGEST_BYTES:
        raise InvalidValueError("config", f"{name}, {len(text)} characters", f"at most {LARGEST_BYTES}")
    keys = json.dumps(_keys(text, name), separators=(",", ":"))
    own_model(keys, name)
    packed = urlsafe_b64encode(zlib.compress(keys.encode(), 9)).decode()
    packed_text(packed)
    return packed


@lru_cache(maxsize=8)
def own_model(text: str, name: str) -> Transformer:
    """The model of a config; errors as in `transformer_from_config`."""
    from infersim.workload.hf.reading import transformer_from_config

    return transformer_from_config(_keys(text, name), file=name)


@lru_cache(maxsize=8)
def chosen_model(model: str, config: str, config_name: str) -> Transformer:
    """A preset, or the model of a packed config."""
    from infersim.workload.presets import load_model

    return own_model(packed_text(config), config_name or "config.json") if model == OWN else load_model(model)


def _keys(text: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(text, object_pairs_hook=lambda pairs: each_once(pairs, name))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidValueError("config", name, "a config.json of Hugging Face: a JSON object")
    return found
