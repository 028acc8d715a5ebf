"""Checkpoints in folders, written by the real writer: zeros of the types and shapes that a test names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
torch_files = pytest.importorskip("safetensors.torch")

Shapes = Mapping[str, tuple[str, tuple[int, ...]]]
"""Name -> type as headers call it, and shape."""

_TYPES = {
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F32": torch.float32,
    "I8": torch.int8,
    "U8": torch.uint8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F8_E4M3": torch.float8_e4m3fn,
}


def write_config(folder: Path, config: Mapping[str, Any]) -> Path:
    """`config.json` in the folder, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def write_shard(path: Path, shapes: Shapes) -> None:
    """One file of zeros."""
    tensors = {name: torch.zeros(shape, dtype=_TYPES[dtype]) for name, (dtype, shape) in shapes.items()}
    torch_files.save_file(tensors, path, metadata={"format": "pt"})


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
