"""What a config states of how its weights are stored: nothing, or a format that must not be passed over."""

from __future__ import annotations

from collections.abc import Mapping

from infersim.domain.errors import UnsupportedError

FORMAT_KEYS = ("quantization_config", "compression_config", "sparsity_config", "quantization")
"""Keys that state a quantised or sparse checkpoint, in the files of different libraries."""


def refuse_stated_formats(config: Mapping[str, object], file: object) -> None:
    """Raise UnsupportedError where the file states a quantised or sparse format."""
    for key in FORMAT_KEYS:
        stated = config.get(key)
        if not stated:
            continue
        method = stated.get("quant_method") if isinstance(stated, Mapping) else None
        name, value = (key, stated) if method is None else (f"{key}.quant_method", method)
        raise UnsupportedError(
            f"{file}: {name} = {value!r}: quantised and sparse checkpoints are not read yet; give the config "
            "of the model before quantisation, and the format by --dtype"
        )
