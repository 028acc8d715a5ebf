"""aiconfigurator's kernel tables: `systems/data/<system>/...` (GEMM, attention, experts, exchanges).

Facts of that format: comma-separated `*_perf.txt` or Parquet, one row a kernel, `latency` in milliseconds.
GEMMs are timed over rotating weight copies, five under TensorRT-LLM and six under vLLM and SGLang; fp8 GEMMs
include the quantisation of activations, and so do those in blocks and in 4 bit. Generation attention attends
to `isl + step` tokens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from infersim.domain.errors import FileContentError
from infersim.domain.shapes import Phase
from infersim.fitting.importers.aiconfigurator_exchanges import CUSTOM_COLUMNS, NCCL_COLUMNS, exchanges
from infersim.fitting.importers.aiconfigurator_experts import MOE_COLUMNS, expert_layers
from infersim.fitting.importers.source import US_PER_MS, Importer, SourceFile, known_gpu, unknown_words
from infersim.fitting.samples.converted import Converted, leave_out
from infersim.fitting.samples.schema import Kind

GEMM_DTYPES = {
    "bfloat16": "bf16",
    "float16": "fp16",
    "fp8": "fp8",
    "int8": "int8",
    "sq": "int8",
    "int8_wo": "w8a16",
    "int4_wo": "w4a16",
    "fp8_static": "fp8_static",
    "fp8_block": "fp8_block",
    "nvfp4": "nvfp4",
}
ATTENTION_DTYPES = {"bfloat16": "bf16", "float16": "fp16", "fp8": "fp8", "int8": "int8"}
ACT_QUANT = {
    **dict.fromkeys(("bfloat16", "float16", "sq"), False),
    **dict.fromkeys(("fp8", "fp8_static", "fp8_block", "nvfp4"), True),
}
"""Of `sq`, SmoothQuant under TensorRT-LLM, the plugin alone is timed, whose activations come in int8."""

WEIGHT_COPIES = {"trtllm": 5, "vllm": 6, "sglang": 6}

SYSTEMS = {
    "a100_sxm": "a100-sxm-80gb",
    "a100_pcie": "a100-pcie-80gb",
    "gb200_sxm": "gb200",
    "gb300_sxm": "gb300",
}
"""Folders of systems whose names are not spelt as the profile's."""

ROOT = ("systems", "data")

ATTENTION = ("attn_dtype", "batch_size", "isl", "num_heads", "num_key_value_heads", "head_dim", "latency")
GEMM = ("gemm_dtype", "m", "n", "k", "latency")


def _convert(file: SourceFile) -> Converted:
    if file.has(GEMM):
        return _gemm(file)
    if file.has(ATTENTION):
        return _attention(file)
    if file.has(NCCL_COLUMNS) or file.has(CUSTOM_COLUMNS):
        return exchanges(file, _common(file, file.frame))
    if file.has(MOE_COLUMNS):
        return expert_layers(file, _common(file, file.frame))
    known = (GEMM, ATTENTION, MOE_COLUMNS, NCCL_COLUMNS, CUSTOM_COLUMNS)
    raise file.refuse(f"those of aiconfigurator: {'; or '.join(map(', '.join, known))}")


def _gemm(file: SourceFile) -> Converted:
    kept = leave_out(file.frame, unknown_words(file.frame["gemm_dtype"], GEMM_DTYPES, "gemm_dtype"))
    rows = kept.samples
    samples = _common(file, rows).assign(
        kind=Kind.GEMM.value,
        dtype=rows["gemm_dtype"].map(GEMM_DTYPES),
        m=rows["m"],
        n=rows["n"],
        k=rows["k"],
        weight_copies=_frameworks(rows).map(WEIGHT_COPIES),
        includes_act_quant=rows["gemm_dtype"].map(ACT_QUANT).astype(object),
    )
    return Converted(samples=samples, left_out=kept.left_out)


def _attention(file: SourceFile) -> Converted:
    frame = file.frame
    reasons = unknown_words(frame["attn_dtype"], ATTENTION_DTYPES, "attn_dtype")
    if "kv_cache_dtype" in frame:
        reasons |= unknown_words(frame["kv_cache_dtype"], ATTENTION_DTYPES, "kv_cache_dtype")
    if "window_size" in frame:
        reasons["sliding window"] = frame["window_size"].fillna(0) > 0
    if "beam_width" in frame:
        reasons["beam search"] = frame["beam_width"].fillna(1) > 1
    kept = leave_out(frame, reasons)
    rows = kept.samples
    dtype = rows["attn_dtype"].map(ATTENTION_DTYPES)
    decode = _phase(file) is Phase.DECODE
    samples = _common(file, rows).assign(
        kind=Kind.ATTENTION.value,
        dtype=dtype,
        phase=_phase(file).value,
        batch=rows["batch_size"],
        query_len=1 if decode else rows["isl"],
        context_len=rows["isl"] + rows.get("step", 0),
        num_heads=rows["num_heads"],
        num_kv_heads=rows["num_key_value_heads"],
        head_dim=rows["head_dim"],
    )
    if "kv_cache_dtype" in rows:
        cache = rows["kv_cache_dtype"].map(ATTENTION_DTYPES)
        samples = samples.assign(kv_dtype=cache.where(cache != dtype))
    return Converted(samples=samples, left_out=kept.left_out)


def _phase(file: SourceFile) -> Phase:
    """Phase of an attention table, as its op names or else its file name say."""
    ops = set(map(str, file.frame["op_name"])) if "op_name" in file.frame else {file.path.name}
    if all("generation" in op for op in ops):
        return Phase.DECODE
    if all("context" in op for op in ops):
        return Phase.PREFILL
    raise FileContentError(file.path, "op_name", ", ".join(sorted(ops)), "context or generation attention")


def _common(file: SourceFile, rows: pd.DataFrame) -> pd.DataFrame:
    columns = {"gpu": _gpus(file, rows), "latency_us": rows["latency"] * US_PER_MS}
    if "version" in rows:
        columns["version"] = _frameworks(rows) + " " + rows["version"].astype(str).astype(object)
    if "power" in rows:
        columns["power_w"] = rows["power"].where(rows["power"] > 0)
    return pd.DataFrame(columns, index=rows.index)


def _frameworks(rows: pd.DataFrame) -> pd.Series[Any]:
    if "framework" not in rows:
        return pd.Series(np.nan, index=rows.index, dtype=object)
    return rows["framework"].astype(str).str.lower().str.replace("-", "").astype(object)


def _gpus(file: SourceFile, rows: pd.DataFrame) -> pd.Series[str]:
    """The device column where it names a known GPU, else the system folder that the file lies in."""
    folder = _system(file.path)
    if "device" not in rows:
        return pd.Series(folder, index=rows.index, dtype=object)
    devices = rows["device"].astype(str)
    return devices.map({name: known_gpu(name) or folder or name for name in devices.unique()})


def _system(path: Path) -> str | None:
    """The GPU that the folder below `systems/data` stands for, None where the file lies elsewhere."""
    parts = path.resolve().parts
    systems = [
        after for two, data, after in zip(parts, parts[1:], parts[2:], strict=False) if (two, data) == ROOT
    ]
    return known_gpu(SYSTEMS.get(systems[-1], systems[-1])) if systems else None


AICONFIGURATOR = Importer(
    name="aiconfigurator",
    title="aiconfigurator's kernel tables",
    patterns=(
        tuple(
            f"{table}_perf.{suffix}"
            for table in (
                "gemm",
                "context_attention",
                "generation_attention",
                "moe",
                "nccl",
                "custom_allreduce",
            )
            for suffix in ("txt", "csv", "parquet")
        ),
    ),
    convert=_convert,
    numbers=(
        "latency",
        "power",
        "isl",
        "step",
        "window_size",
        "beam_width",
        "num_gpus",
        "message_size",
        "num_tokens",
    ),
)
