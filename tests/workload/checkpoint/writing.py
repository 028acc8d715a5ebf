"""Checkpoints in folders, written by the real writer: zeros of the types and shapes that a test names."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

safetensors = pytest.importorskip("safetensors", reason="the library whose writer makes the files")

Shapes = Mapping[str, tuple[str, tuple[int, ...]]]
"""Name -> type as headers call it, and shape."""

_TYPES = {
    "BF16": ("bfloat16", 2),
    "F16": ("float16", 2),
    "F32": ("float32", 4),
    "I8": ("int8", 1),
    "U8": ("uint8", 1),
    "I16": ("int16", 2),
    "I32": ("int32", 4),
    "I64": ("int64", 8),
    "F8_E4M3": ("float8_e4m3fn", 1),
}
"""The writer's name of each type, and its bytes."""


def write_config(folder: Path, config: Mapping[str, Any]) -> Path:
    """`config.json` in the folder, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def write_shard(path: Path, shapes: Shapes) -> None:
    """One file of zeros."""
    values = {
        name: np.zeros(_TYPES[dtype][1] * math.prod(shape), np.uint8)
        for name, (dtype, shape) in shapes.items()
    }
    specs = {
        name: safetensors.TensorSpec(
            dtype=_TYPES[dtype][0],
            shape=list(shape),
            data_ptr=values[name].ctypes.data,
            data_len=values[name].nbytes,
        )
        for name, (dtype, shape) in shapes.items()
    }
    safetensors.serialize_file(specs, path, metadata={"format": "pt"})


def write_checkpoint(folder: Path, config: Mapping[str, Any], shapes: Shapes, *, shards: int = 1) -> Path:
    """A folder with config and weights, sharded with an index where `shards` is more than one."""
    write_config(folder, config)
    if shards == 1:
        write_shard(folder / "model.safetensors", shapes)
        return folder
    names = list(shapes)
    placed: dict[str, str] = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = names[shard::shards]
        write_shard(folder / file, {name: shapes[name] for name in part})
        placed |= dict.fromkeys(part, file)
    index = {"metadata": {"total_size": 0}, "weight_map": placed}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder
