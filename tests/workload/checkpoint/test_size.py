"""A 70B model's headers are read soon, in little memory, and no weight is touched."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from infersim.workload.checkpoint.reading import transformer_from_path
from infersim.workload.counts import parameters
from infersim.workload.presets import load_model
from tests.workload.checkpoint.llama import shapes_of
from tests.workload.checkpoint.writing import Shapes, write_config

SHARDS = 30
CONFIG = {
    "model_type": "llama",
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
}


def write_headers(path: Path, shapes: Shapes) -> None:
    """A file of bf16 tensors whose values are a hole: it takes no room on the disk."""
    entries: dict[str, object] = {}
    reached = 0
    for name, (dtype, shape) in shapes.items():
        end = reached + 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [reached, end]}
        reached = end
    header = json.dumps(entries).encode()
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(header)) + header)
        stream.truncate(8 + len(header) + reached)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shapes = shapes_of(load_model("llama-3.1-70b"))
    names = list(shapes)
    placed: dict[str, str] = {}
    for shard in range(SHARDS):
        file = f"model-{shard + 1:05}-of-{SHARDS:05}.safetensors"
        part = names[shard::SHARDS]
        write_headers(tmp_path / file, {name: shapes[name] for name in part})
        placed |= dict.fromkeys(part, file)
    index = {"weight_map": placed}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return write_config(tmp_path, CONFIG)


def test_in_a_second(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir()) > 140e9
    began = time.perf_counter()
    model = transformer_from_path(folder)
    assert time.perf_counter() - began < 1
    assert model.blocks == load_model("llama-3.1-70b").blocks
    assert parameters(model) == parameters(load_model("llama-3.1-70b")) > 70e9
    tracemalloc.start()
    try:
        transformer_from_path(folder)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux's account of a process")
def test_a_whole_process_stays_small(folder: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from infersim.workload.presets import load_model\n"
        "load_model(sys.argv[1])\n"
        "assert 'torch' not in sys.modules and 'safetensors' not in sys.modules\n"
        "print(pathlib.Path('/proc/self/status').read_text())"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    ).stdout
    (peak_kib,) = (int(line.split()[1]) for line in printed.splitlines() if line.startswith("VmHWM"))
    assert peak_kib * 1024 < 200e6
