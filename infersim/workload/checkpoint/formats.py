"""Formats of a checkpoint's matrices: what headers and config say together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from infersim.domain.errors import UnsupportedError
from infersim.workload.checkpoint.storage import Storage, StoredMatrices
from infersim.workload.hf.stated_formats import refuse_stated_formats
from infersim.workload.transformer import Transformer


def as_stored_in_files(
    model: Transformer, stored: StoredMatrices, config: Mapping[str, object], place: Path
) -> Transformer:
    """The model with the formats of its matrices."""
    refuse_stated_formats(config, place)
    for (layer, role), factors in stored.items():
        for factor in factors:
            if factor.storage is not Storage.FLOAT:
                raise UnsupportedError(f"{place.parent}: layer {layer}: {role} is stored as {factor.storage}")
    return model
