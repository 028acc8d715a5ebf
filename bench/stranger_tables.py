"""Tables that other hands measured of kernels that shipped fits predict, as samples: what `strangers` scores.

Each says how it was timed: weights that stay in L2 or not, quantisation of activations in it or not, kernels
that follow each other or stand alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from infersim.fitting.samples.reading import read_samples
from infersim.transfer.strangers import SIXTEEN_BIT

MOST_ROWS = 1500
"""Rows of each table that are scored, drawn at random: more move no figure by a point."""

LEAST_LOOPED_US = 15.0
"""Of launches one after the other the host takes some 6 us each: shorter kernels tell of the host."""

OTHER_FORMATS = "gemm, other formats"
KV_DTYPE, MOST_HEAD_DIM = "bf16", 128
"""The attention that shipped fits were fitted to."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StrangerTable:
    """Samples of one GPU and data type by one source."""

    source: str
    gpu: str
    kind: str
    samples: pd.DataFrame

    @property
    def group(self) -> str:
        """What has a spread of its own: 16-bit GEMMs, other GEMMs, a phase of attention."""
        kind, _, dtype = self.kind.partition(" ")
        if kind != "gemm":
            return kind
        return "gemm, 16 bit" if dtype in SIXTEEN_BIT else OTHER_FORMATS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layers:
    """Sizes of a model's layers: hidden, query and KV heads, head, FFN (None: experts), two FFN matrices."""

    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int | None
    gated: bool = True

    def of(self, op: str) -> tuple[int, int] | None:
        """N and K of the GEMM that a table names `op`; None for what is none, or not known."""
        attention = self.heads * self.head_dim
        if op in ("qkv_proj", "attn_pre_proj"):
            return attention + 2 * self.kv_heads * self.head_dim, self.hidden
        if op in ("o_proj", "attn_post_proj"):
            return self.hidden, attention
        if self.ffn is None:
            return None
        if op in ("gate_up_proj", "mlp_up_proj"):
            return (2 if self.gated else 1) * self.ffn, self.hidden
        return (self.hidden, self.ffn) if op in ("down_proj", "mlp_down_proj") else None


MODELS: Mapping[str, _Layers] = {
    "Qwen/Qwen-72B": _Layers(hidden=8192, heads=64, kv_heads=64, head_dim=128, ffn=24576),
    "codellama/CodeLlama-34b-Instruct-hf": _Layers(
        hidden=8192, heads=64, kv_heads=8, head_dim=128, ffn=22016
    ),
    "meta-llama/Llama-2-70b-hf": _Layers(hidden=8192, heads=64, kv_heads=8, head_dim=128, ffn=28672),
    "meta-llama/Llama-2-7b-hf": _Layers(hidden=4096, heads=32, kv_heads=32, head_dim=128, ffn=11008),
    "meta-llama/Meta-Llama-3-70B": _Layers(hidden=8192, heads=64, kv_heads=8, head_dim=128, ffn=28672),
    "meta-llama/Llama-3.1-8B": _Layers(hidden=4096, heads=32, kv_heads=8, head_dim=128, ffn=14336),
    "microsoft/phi-2": _Layers(hidden=2560, heads=32, kv_heads=32, head_dim=80, ffn=10240, gated=False),
    "Qwen/Qwen3-30B-A3B-Instruct-2507": _Layers(hidden=2048, heads=32, kv_heads=4, head_dim=128, ffn=None),
}
"""Those of the models' public configurations that tables of single layers name."""


def stranger_tables(data: Path, cases: Path) -> Iterator[StrangerTable]:
    """Every table that lies in the folders `data` and `cases`, thinned; nothing for one that is not there."""
    for source, frame in (
        *_layer_tables(data / "elementwise" / "elementwise.csv"),
        *_loop_tables(data / "sparse_gemm" / "slidesparse_2_4.csv"),
        *_engine_tables(data / "engine_gemm"),
        *_engine_attention_tables(data / "engine_attention"),
        *_profiler_tables(cases / "xla_h100_bf16.csv"),
    ):
        for (gpu, kind, dtype), rows in frame.groupby(["gpu", "kind", "dtype"], sort=True):
            thin = rows.sample(min(len(rows), MOST_ROWS), random_state=0)
            samples = read_samples(thin.reset_index(drop=True)).frame
            label = f"{kind} {dtype}" if kind == "gemm" else f"{kind}.{rows['phase'].iloc[0]}"
            yield StrangerTable(source=source, gpu=str(gpu), kind=label, samples=samples)


def _layer_tables(path: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Layers of real models as a profiler saw them: weights come from memory."""
    if not path.is_file():
        return
    frame = pd.read_csv(path)
    found = [
        None if model not in MODELS else MODELS[model].of(op)
        for model, op in zip(frame["model"], frame["op"], strict=True)
    ]
    frame = frame.assign(
        kind="gemm",
        dtype="bf16",
        m=frame["tokens"],
        n=[np.nan if at is None else at[0] for at in found],
        k=[np.nan if at is None else at[1] for at in found],
    ).dropna(subset=["n", "k"])
    for source, rows in frame.groupby(frame["source"].str.partition(",")[0]):
        yield str(source), rows[["gpu", "kind", "dtype", "m", "n", "k", "latency_us"]]


def _loop_tables(path: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Loops over one weight, launched one after the other; activations are not quantised in them."""
    if not path.is_file():
        return
    frame = pd.read_csv(path).rename(columns={"dense_us": "latency_us"})
    frame = frame[(frame["dtype"] != "fp16") & (frame["latency_us"] >= LEAST_LOOPED_US)]
    frame = frame.assign(kind="gemm", weight_copies=1)
    # Eight-bit kernels write 16 bit there, and the activations come quantised.
    frame["includes_act_quant"] = False
    yield "SlideSparse", frame[[*_GEMM_COLUMNS, "includes_act_quant"]]


_GEMM_COLUMNS = ["gpu", "kind", "dtype", "m", "n", "k", "weight_copies", "latency_us"]


def _engine_tables(folder: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Linear layers of other engines, timed as those that were fitted."""
    for path in sorted(folder.glob("*.parquet")) if folder.is_dir() else ():
        frame = pd.read_parquet(path).rename(columns={"format": "dtype"})
        frame = frame.assign(kind="gemm", weight_copies=6, includes_act_quant=frame["dtype"] == "fp8")
        # Scales of activations are static there, elsewhere found on the fly.
        static = frame["engine"].str.startswith("trtllm") & (frame["dtype"] == "fp8")
        frame = frame.assign(dtype=frame["dtype"].mask(static, "fp8_static"))
        for engine, rows in frame.groupby("engine"):
            yield ENGINES[str(engine).partition(" ")[0]], rows[[*_GEMM_COLUMNS, "includes_act_quant"]]


ENGINES = {"trtllm": "TensorRT-LLM", "sglang": "SGLang"}


def _engine_attention_tables(folder: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    for path in sorted(folder.glob("*.parquet")) if folder.is_dir() else ():
        frame = pd.read_parquet(path)
        alike = (frame["kv_dtype"] == KV_DTYPE) & (frame["head_dim"] <= MOST_HEAD_DIM)
        frame = frame[alike].assign(kind="attention", dtype="bf16", weight_copies=1)
        for (engine, _), rows in frame.groupby(["engine", "phase"]):
            yield ENGINES[str(engine).partition(" ")[0]], rows.drop(columns="engine")


def _profiler_tables(path: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """XLA's table: a profiler's duration of each kernel, alone on the GPU, its operands just copied there."""
    if path.is_file():
        yield "XLA", pd.read_csv(path).assign(timed="alone")
