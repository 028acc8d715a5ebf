"""Hostile files: those that infersim reads, spoilt as text, as a tree, or as a table."""

from __future__ import annotations

import csv
import io
import json
import random
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fuzz_toml import as_toml
from fuzz_words import spoilt_text, spoilt_tree, value, word

ROOT = Path(__file__).parents[1]

PLAN = """name = "mixed"
model = "llama-3.2-1b"
[remove]
layers = [12]
attention = [3]
[layer."8-10"]
num_heads = 16
num_kv_heads = 4
ffn_width = 4096
[layer.2]
rank = { q = 512, gate = 1024 }
sparse_2_4 = ["down"]
[layer."13-14"]
skip = { attention = 0.5, ffn = 0.25, execution = "gather" }
[[step]]
family = "kv-pruning"
sparsity = 0.25
score = "window"
"""
SWEEP = """model = ["llama-3.2-1b"]
gpu = ["h100-sxm", { name = "l4", set = { memory.bandwidth_gb_s = 400 } }]
family = ["static-m", { name = "dynamic-m", execution = ["blocks", "gather"], sparsity = 0.25 }]
sparsity = [0.25, 0.5]
phase = ["prefill", "decode"]
batch = [1, 8]
context = [512, 1024]
request = ["generation", { prompt = 64, output = 2 }]
dtype = ["bf16"]
kv_dtype = ["auto", "fp8"]
cuda_graph = [true, false]
"""
QUALITY = (
    "family,sparsity,dense,pruned,recovery,task_type\n"
    "static-m,0.25,70,68,none,zero-shot\nstatic-nk,0.5,70,60,none,zero-shot\n"
)
MEASURED = (
    "gpu,model,family,sparsity,phase,batch,context,dense_ms,pruned_ms,measured_speedup\n"
    "h100-sxm,llama-3.2-1b,static-m,0.25,prefill,1,4096,28.0,21.2,1.321\n"
)
MERGEKIT = (
    "slices:\n- sources:\n  - model: a\n    layer_range: [0, 4]\n"
    "- sources:\n  - model: a\n    layer_range: [8, 16]\n"
)
CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 512,
    "intermediate_size": 1536,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 64,
    "vocab_size": 32000,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "max_position_embeddings": 8192,
    "quantization_config": {
        "quant_method": "fp8",
        "activation_scheme": "dynamic",
        "weight_block_size": [128, 128],
    },
}
SAMPLE: dict[str, Any] = {
    "gpu": "h100-sxm", "kind": "gemm", "dtype": "bf16", "m": 16, "n": 4096, "k": 2048, "latency_us": 9.5,
    "weight_copies": None, "includes_act_quant": None, "sparsity": None, "spread_us": 0.1, "status": "ok",
}  # fmt: skip
ATTENTION: dict[str, Any] = {
    "gpu": "h100-sxm", "kind": "attention", "dtype": "bf16", "phase": "decode", "batch": 8, "query_len": 1,
    "context_len": 4096, "num_heads": 32, "num_kv_heads": 8, "head_dim": 128, "latency_us": 61.0,
}  # fmt: skip


@cache
def _toml(path: str) -> Any:
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))


@cache
def _json(path: str) -> Any:
    return json.loads((ROOT / path).read_text(encoding="utf-8"))


def _written(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    return path


def toml_file(chance: random.Random, folder: Path, name: str, tree: Any) -> Path:
    """A TOML file of a tree, spoilt as text or as a tree."""
    if chance.random() < 0.3:
        return _written(folder / name, spoilt_text(chance, as_toml(tree)))
    return _written(folder / name, as_toml(spoilt_tree(chance, tree)))


def json_file(chance: random.Random, path: Path, tree: Any) -> Path:
    """A JSON file of a tree, spoilt as text or as a tree."""
    if chance.random() < 0.3:
        return _written(path, spoilt_text(chance, json.dumps(tree)))
    try:
        text = json.dumps(spoilt_tree(chance, tree))
    except ValueError:  # a number of more digits than Python turns into text
        text = json.dumps(tree).replace("1", "9" * 5000, 1)
    return _written(path, text)


def profile(chance: random.Random, folder: Path) -> Path:
    """A datasheet; beside some lies a fit."""
    name = chance.choice(("h100-sxm", "l4", "rtx-4090", "mi300x", "a100-sxm-80gb"))
    path = toml_file(chance, folder, f"{name}.toml", _toml(f"hw_profiles/{name}.toml"))
    if chance.random() < 0.3:
        fit(chance, folder, f"{name}.fit.json")
    return path


def fit(chance: random.Random, folder: Path, name: str = "a100-sxm-80gb.fit.json") -> Path:
    """A fit."""
    kept = chance.choice(("a100-sxm-80gb", "h100-sxm"))
    return json_file(chance, folder / name, _json(f"hw_profiles/{kept}.fit.json"))


def pool(chance: random.Random, folder: Path) -> Path:
    """A pool of fits."""
    return json_file(chance, folder / "pool.json", _json("hw_profiles/pool.json"))


def plan(chance: random.Random, folder: Path) -> Path:
    """A pruning plan: ours, or mergekit's."""
    if chance.random() < 0.2:
        return _written(folder / "plan.yaml", spoilt_text(chance, MERGEKIT))
    return toml_file(chance, folder, "plan.toml", tomllib.loads(PLAN))


def sweep_plan(chance: random.Random, folder: Path) -> Path:
    """A sweep's plan."""
    return toml_file(chance, folder, "sweep.toml", tomllib.loads(SWEEP))


def measurement_plan(chance: random.Random, folder: Path) -> Path:
    """A plan of kernels to measure."""
    name = chance.choice(("check", "cpu", "standard"))
    return toml_file(chance, folder, "measure.toml", _toml(f"calibration/plans/{name}.toml"))


def config(chance: random.Random, folder: Path) -> Path:
    """A Hugging Face config; beside some lies the header of a weight file."""
    path = json_file(chance, folder / "model" / "config.json", CONFIG)
    if chance.random() < 0.3:
        header = {
            "model.embed_tokens.weight": {
                "dtype": "BF16",
                "shape": [32000, 512],
                "data_offsets": [0, 32768000],
            },
            "model.layers.0.self_attn.q_proj.weight": {
                "dtype": "BF16",
                "shape": [512, 512],
                "data_offsets": [0, 524288],
            },
        }
        data = json.dumps(spoilt_tree(chance, header)[:9] if chance.random() < 0.0 else header).encode()
        if chance.random() < 0.7:
            data = spoilt_text(chance, data.decode())
        size = chance.choice((len(data), len(data), 0, 2**63, 10**9)).to_bytes(8, "little")
        _written(path.parent / "model.safetensors", size + data)
    return path if chance.random() < 0.5 else path.parent


def samples(chance: random.Random, folder: Path) -> Path:
    """Samples in one of the three formats."""
    rows = [dict(chance.choice((SAMPLE, SAMPLE, ATTENTION))) for _ in range(chance.choice((1, 3, 60)))]
    for row in rows:
        for name in ("m", "context_len"):
            if name in row:
                row[name] = chance.randrange(1, 5000)
                row["latency_us"] = row["latency_us"] * (1 + row[name] / 500)
    suffix = chance.choice((".csv", ".csv", ".jsonl", ".jsonl", ".parquet"))
    if suffix == ".jsonl":
        rows = spoilt_tree(chance, rows) if chance.random() < 0.8 else rows
        text = "\n".join(_dumped(row) for row in rows) if isinstance(rows, list) else _dumped(rows)
        return _written(
            folder / "samples.jsonl", spoilt_text(chance, text) if chance.random() < 0.3 else text
        )
    frame = pd.DataFrame.from_records(rows)
    for _ in range(chance.choice((0, 0, 1, 1, 2))):
        _spoil_cell(chance, frame)
    if suffix == ".parquet":
        return _parquet(chance, folder, frame)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(frame.columns)
    writer.writerows([_cell(cell) for cell in row] for row in frame.astype(object).to_numpy())
    text = out.getvalue()
    data: bytes | str = spoilt_text(chance, text) if chance.random() < 0.3 else text
    return _written(folder / "samples.csv", data)


def _dumped(node: Any) -> str:
    try:
        return json.dumps(node)
    except ValueError:
        return "9" * 5000


def _cell(cell: Any) -> str:
    try:
        return "" if cell is None else str(cell)
    except ValueError:
        return "9" * 5000


def _plain(cell: Any) -> str:
    return _cell(cell).encode("utf-8", "replace").decode()


def _spoil_cell(chance: random.Random, frame: pd.DataFrame) -> None:
    name = chance.choice(list(frame.columns))
    cells = list(frame[name])
    cells[chance.randrange(len(cells))] = word(chance) if chance.random() < 0.6 else value(chance)
    held = np.empty(len(cells), dtype=object)  # an array of objects: no list among them is taken for rows
    held[:] = cells
    frame[name] = pd.Series(held, index=frame.index, dtype=object)


def _parquet(chance: random.Random, folder: Path, frame: pd.DataFrame) -> Path:
    path = folder / "samples.parquet"
    try:
        frame.to_parquet(path)
    except Exception:  # what Arrow cannot hold: as text then
        columns = {name: [_plain(cell) for cell in frame[name].astype(object)] for name in frame.columns}
        pq.write_table(pa.table(columns), path)
    if chance.random() < 0.3:
        data = bytearray(path.read_bytes())
        for _ in range(chance.randrange(1, 5)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(bytes(data[: chance.choice((len(data), len(data), len(data) // 2))]))
    return path


def table(chance: random.Random, folder: Path, name: str, text: str) -> Path:
    """A CSV table of quality or of measured speedups."""
    if chance.random() < 0.4:
        return _written(folder / name, spoilt_text(chance, text))
    lines = [line.split(",") for line in text.splitlines()]
    for _ in range(chance.choice((1, 1, 2))):
        cells = chance.choice(lines)
        cells[chance.randrange(len(cells))] = word(chance)
    return _written(folder / name, "\n".join(map(",".join, lines)) + "\n")


def frame(chance: random.Random) -> pd.DataFrame:
    """A samples frame with spoilt cells."""
    made = pd.DataFrame.from_records([SAMPLE, SAMPLE | {"m": 64}, ATTENTION])
    for _ in range(chance.choice((1, 1, 2))):
        _spoil_cell(chance, made)
    if chance.random() < 0.1:
        made = made.drop(columns=chance.choice(list(made.columns)))
    if chance.random() < 0.1:
        made = made.iloc[: chance.randrange(2)]
    if chance.random() < 0.1:
        made.index = np.array([7, 7, 8])[: len(made)]
    return made
