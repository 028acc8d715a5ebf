"""Vidur's profiles: `data/profiling/compute/<gpu>/<model>/mlp.csv` and `attention.csv`.

Facts of that format: fp16 throughout, times in milliseconds in columns `time_stats.<op>.median`, the model's
dimensions whole and `num_tensor_parallel_workers` that divide them. The layer's kernels run one after the
other, so each finds its weights cold. Decode counts the `kv_cache_size` tokens before the current one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from infersim.fitting.importers.source import US_PER_MS, Importer, SourceFile
from infersim.fitting.samples.converted import Converted, leave_out
from infersim.fitting.samples.schema import Kind

MODEL = ("n_embd", "num_tensor_parallel_workers")
MLP = (*MODEL, "n_head", "n_kv_head", "n_expanded_embd", "use_gated_mlp", "num_tokens")
ATTENTION = (
    *MODEL,
    "n_q_head",
    "n_kv_head",
    "batch_size",
    "prefill_chunk_size",
    "kv_cache_size",
    "is_prefill",
)
FP16_BYTES = 2


def _convert(file: SourceFile) -> Converted:
    if file.has(MLP):
        return _mlp(file)
    if file.has(ATTENTION):
        return _attention(file)
    raise file.refuse(f"those of Vidur: {', '.join(MLP)}; or {', '.join(ATTENTION)}")


def _mlp(file: SourceFile) -> Converted:
    frame = file.frame
    linears = [
        _timed(file, op).assign(kind=Kind.GEMM.value, dtype="fp16", m=frame["num_tokens"], n=n, k=k)
        for op, (n, k) in _weights(frame).items()
    ]
    elementwise = [
        _timed(file, op).assign(
            kind=Kind.MEMORY.value,
            op=name,
            read_bytes=FP16_BYTES * read,
            write_bytes=FP16_BYTES * written,
            rows=frame["num_tokens"],
        )
        for op, (name, read, written) in _elementwise(frame).items()
        if f"time_stats.{op}.median" in frame
    ]
    return _only_timed(pd.concat([*linears, *elementwise]))


def _weights(frame: pd.DataFrame) -> dict[str, tuple[pd.Series[Any], pd.Series[Any]]]:
    """(N, K) of one worker's part of each linear layer."""
    hidden, workers = frame["n_embd"], frame["num_tensor_parallel_workers"]
    head_dim = hidden // frame["n_head"]
    heads, kv_heads = frame["n_head"] // workers, frame["n_kv_head"] // workers
    width = frame["n_expanded_embd"] // workers
    gates = 1 + frame["use_gated_mlp"].astype(int)
    return {
        "attn_pre_proj": ((heads + 2 * kv_heads) * head_dim, hidden),
        "attn_post_proj": (hidden, heads * head_dim),
        "mlp_up_proj": (gates * width, hidden),
        "mlp_down_proj": (hidden, width),
    }


def _elementwise(frame: pd.DataFrame) -> dict[str, tuple[str, pd.Series[Any], pd.Series[Any]]]:
    """Canonical name, values read and values written of the kernels whose traffic the file determines."""
    tokens = frame["num_tokens"]
    workers = frame["num_tensor_parallel_workers"]
    width = tokens * (frame["n_expanded_embd"] // workers)
    residual = tokens * frame["n_embd"]
    head_dim = frame["n_embd"] // frame["n_head"]
    turned = tokens * head_dim * (frame["n_head"] // workers + frame["n_kv_head"] // workers)
    return {
        "input_layernorm": ("norm", residual, residual),
        "post_attention_layernorm": ("norm", residual, residual),
        "attn_rope": ("rotary", turned + tokens * head_dim, turned),
        "mlp_act": ("activation", (1 + frame["use_gated_mlp"].astype(int)) * width, width),
        "add": ("add", 2 * residual, residual),
        "emb": ("embedding", residual, residual),
    }


def _attention(file: SourceFile) -> Converted:
    frame = file.frame
    workers = frame["num_tensor_parallel_workers"]
    prefill = frame["is_prefill"].astype(bool)
    new_tokens = frame["prefill_chunk_size"].where(prefill, 1)
    timed = _timed(file, "attn_prefill").where(prefill, _timed(file, "attn_decode"))
    samples = timed.assign(
        kind=Kind.ATTENTION.value,
        dtype="fp16",
        phase=prefill.map({True: "prefill", False: "decode"}),
        batch=frame["batch_size"],
        query_len=new_tokens,
        context_len=frame["kv_cache_size"] + new_tokens,
        num_heads=frame["n_q_head"] // workers,
        num_kv_heads=frame["n_kv_head"] // workers,
        head_dim=frame["n_embd"] // frame["n_q_head"],
    )
    return _only_timed(samples)


def _timed(file: SourceFile, op: str) -> pd.DataFrame:
    """GPU, latency and spread (standard deviation) of `op` in each row; empty where it was not timed."""
    columns = {"latency_us": f"time_stats.{op}.median", "spread_us": f"time_stats.{op}.std"}
    times = {
        name: file.frame[column] * US_PER_MS if column in file.frame else np.nan
        for name, column in columns.items()
    }
    return pd.DataFrame({"gpu": _gpu(file.path), **times}, index=file.frame.index)


def _only_timed(samples: pd.DataFrame) -> Converted:
    return leave_out(samples, {"not timed": samples["latency_us"].isna()})


def _gpu(path: Path) -> str | None:
    """The folder below `compute`, or below `profiling` as older versions had it."""
    folders = path.resolve().parts[:-1]
    for parent in ("compute", "profiling"):
        if parent in folders[:-1]:
            return folders[folders.index(parent) + 1]
    return None


VIDUR = Importer(
    name="vidur",
    title="Vidur's profiles",
    patterns=(("mlp.csv", "attention.csv"),),
    convert=_convert,
    numbers=(
        *("time_stats.*.median", "time_stats.*.std", "num_tokens", "num_tensor_parallel_workers"),
        *("n_embd", "n_head", "n_kv_head", "n_q_head", "n_expanded_embd"),
        *("prefill_chunk_size", "kv_cache_size"),
    ),
    truths=("use_gated_mlp", "is_prefill"),
)
