"""Published timings of small kernels as samples: `elementwise/elementwise.csv` and `quantize/<gpu>.parquet`.

LLMServingSim's layer times (vLLM, one decoder layer, means over the layer's calls) and Vidur's (torch 2.1, a
kernel set of its own) name an op and a model, which give the shape; aiconfigurator's time the quantisation of
activations, a static scale by itself and what a dynamic one adds, in a loop over one array.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from published import table_of

VALUE_BYTES, QUANTISED_BYTES = 2, 1
FIRST_GATHERED = 20
"""Up to 16 tokens PyTorch gathers rows by another kernel, which takes them one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What the ops of a model's layer work on; `gates`: 2 where the FFN has gate and up."""

    hidden: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    gates: int = 2

    @property
    def turned(self) -> int:
        """Values of q and k a token."""
        return (self.heads + self.kv_heads) * self.head_dim


MODELS = {
    "meta-llama/Llama-3.1-8B": Sizes(hidden=4096, width=14336, heads=32, kv_heads=8, head_dim=128),
    "Qwen/Qwen3-30B-A3B-Instruct-2507": Sizes(hidden=2048, width=768, heads=32, kv_heads=4, head_dim=128),
    "Qwen/Qwen-72B": Sizes(hidden=8192, width=24576, heads=64, kv_heads=64, head_dim=128),
    "codellama/CodeLlama-34b-Instruct-hf": Sizes(
        hidden=8192, width=22016, heads=64, kv_heads=8, head_dim=128
    ),
    "meta-llama/Llama-2-70b-hf": Sizes(hidden=8192, width=28672, heads=64, kv_heads=8, head_dim=128),
    "meta-llama/Llama-2-7b-hf": Sizes(hidden=4096, width=11008, heads=32, kv_heads=32, head_dim=128),
    "meta-llama/Meta-Llama-3-70B": Sizes(hidden=8192, width=28672, heads=64, kv_heads=8, head_dim=128),
    "microsoft/phi-2": Sizes(hidden=2560, width=10240, heads=32, kv_heads=32, head_dim=80, gates=1),
}

OPS = {
    "layernorm": "layer_norms",
    "final_layernorm": "add_norm",
    "input_layernorm": "norm",
    "post_attention_layernorm": "norm",
    "qk_norm": "qk_norm",
    "act_fn": "activation",
    "mlp_act": "activation",
    "rotary_emb": "rotary",
    "attn_rope": "rotary",
    "add": "add",
    "emb": "embedding",
    "embedding": "embedding",
}
"""Ops of the table by the names of the samples format; its GEMMs are none of them."""


def elementwise_samples(folder: Path, gpu: str) -> pd.DataFrame:
    """The small kernels of `elementwise.csv` that were timed on `gpu`; empty where there are none.

    Columns `model`, `tokens`, `layer` and `source` say where each comes from.
    """
    table = pd.read_csv(folder / "elementwise" / "elementwise.csv")
    table = table[(table["gpu"] == gpu) & table["op"].isin(list(OPS))]
    table = table[~table["op"].map(OPS).eq("embedding") | (table["tokens"] >= FIRST_GATHERED)]
    values = [_values(OPS[op], MODELS[model]) for op, model in zip(table["op"], table["model"], strict=True)]
    reads, writes, rows = np.array(values, dtype=np.float64).reshape(-1, 3).T
    tokens = table["tokens"].to_numpy(dtype=np.float64)
    return pd.DataFrame(
        {
            "gpu": gpu,
            "kind": "memory",
            "op": table["op"].map(OPS),
            "read_bytes": VALUE_BYTES * reads * tokens,
            "write_bytes": VALUE_BYTES * writes * tokens,
            "rows": np.maximum(np.round(rows * tokens), 1),
            "latency_us": table["latency_us"],
            "model": table["model"],
            "tokens": table["tokens"],
            "layer": table["op"],
            "source": table["source"],
        }
    ).reset_index(drop=True)


def _values(op: str, sizes: Sizes) -> tuple[float, float, float]:
    """Values that the op reads and writes, and rows that it works on, a token."""
    hidden, width, turned = sizes.hidden, sizes.width, sizes.turned
    heads = sizes.heads + sizes.kv_heads
    return {
        # The mean of the first layer's two: the plain one moves 1 + 1, the one with the residual 2 + 2.
        "layer_norms": (1.5 * hidden, 1.5 * hidden, 1.0),
        "add_norm": (2 * hidden, 2 * hidden, 1.0),
        "norm": (hidden, hidden, 1.0),
        # The mean of a call on q and one on k.
        "qk_norm": (turned / 2, turned / 2, heads / 2),
        "activation": (sizes.gates * width, width, 1.0),
        "rotary": (turned + sizes.head_dim, turned, 1.0),
        "add": (2 * hidden, hidden, 1.0),
        "embedding": (hidden, hidden, 1.0),
    }[op]


def quantise_samples(folder: Path, gpu: str) -> pd.DataFrame:
    """Static and dynamic quantisation of activations on `gpu`, in a loop over one array."""
    table = table_of(folder, "quantize", gpu)
    if table.empty:
        return table
    table = table.pivot_table(index=["m", "k"], columns="op_name", values="latency_us")
    table = table.reset_index()
    static = table.assign(op="quantise", latency_us=table["scale_matrix"])
    dynamic = table.assign(op="quantise_dynamic", latency_us=table["scale_matrix"] + table["compute_scale"])
    both = pd.concat([static, dynamic], ignore_index=True).dropna(subset=["latency_us"])
    values = both["m"] * both["k"]
    return pd.DataFrame(
        {
            "gpu": gpu,
            "kind": "memory",
            "op": both["op"],
            "read_bytes": VALUE_BYTES * values,
            "write_bytes": QUANTISED_BYTES * values,
            "rows": both["m"],
            "weight_copies": 1,
            "latency_us": both["latency_us"],
            "model": both["k"].map("width {}".format),
            "tokens": both["m"],
            "layer": both["op"],
            "source": "aiconfigurator, vLLM 0.24",
        }
    ).reset_index(drop=True)


PAST = "torch-2.1"
"""The kernel set of Vidur's table."""


def small_kernel_samples(folder: Path, gpu: str, kernels: str) -> pd.DataFrame:
    """The published small kernels of a GPU and a kernel set in the samples format; empty for none."""
    layers = elementwise_samples(folder, gpu)
    layers = layers[layers["source"].str.startswith("Vidur") == (kernels == PAST)]
    parts = [layers, quantise_samples(folder, gpu)] if kernels == "vllm" else [layers]
    found = [part for part in parts if len(part)] if kernels in ("vllm", PAST) else []
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()
