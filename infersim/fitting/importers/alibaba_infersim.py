"""Alibaba InferSim's kernel tables: `bench_data/gemm/<gpu>/data.csv` and `bench_data/mha/<phase>/<gpu>/...`.

Facts of that format: `latency_us` in microseconds. GEMMs are fp8 (DeepGEMM, weights cold, activations already
quantised); attention files are named `<heads>-<kv heads>-<head dim>.csv`; prefill is one causal sequence.
"""

from __future__ import annotations

import re

import pandas as pd

from infersim.fitting.importers.source import Importer, SourceFile, unknown_words
from infersim.fitting.samples.converted import Converted, leave_out
from infersim.fitting.samples.schema import Kind

GEMM = ("m", "n", "k", "latency_us")
DECODE = ("dtype", "kv_dtype", "batch_size", "kv_len", "latency_us")
PREFILL = ("dtype", "seq_len", "latency_us")
DTYPES = {"bf16": "bf16", "fp16": "fp16", "fp8": "fp8"}

_HEADS = re.compile(r"(?P<num_heads>\d+)-(?P<num_kv_heads>\d+)-(?P<head_dim>\d+)")


def _convert(file: SourceFile) -> Converted:
    if file.has(GEMM):
        samples = file.frame[list(GEMM)].assign(
            gpu=file.path.resolve().parent.name, kind=Kind.GEMM.value, dtype="fp8", includes_act_quant=False
        )
        return Converted(samples=samples)
    heads = _HEADS.fullmatch(file.path.stem)
    if heads and (file.has(DECODE) or file.has(PREFILL)):
        return _attention(file, {name: int(value) for name, value in heads.groupdict().items()})
    expected = "; or ".join(", ".join(columns) for columns in (GEMM, DECODE, PREFILL))
    raise file.refuse(f"those of InferSim: {expected}, attention in files HEADS-KVHEADS-HEADDIM.csv")


def _attention(file: SourceFile, heads: dict[str, int]) -> Converted:
    decode = file.has(DECODE)
    reasons = unknown_words(file.frame["dtype"], DTYPES, "dtype")
    if decode:
        reasons |= unknown_words(file.frame["kv_dtype"], DTYPES, "kv_dtype")
    kept = leave_out(file.frame, reasons)
    rows = kept.samples
    samples = pd.DataFrame(
        {
            "gpu": file.path.resolve().parent.name,
            "kind": Kind.ATTENTION.value,
            "dtype": rows["dtype"].map(DTYPES),
            "phase": "decode" if decode else "prefill",
            "batch": rows["batch_size"] if decode else 1,
            "query_len": 1 if decode else rows["seq_len"],
            "context_len": rows["kv_len"] if decode else rows["seq_len"],
            "latency_us": rows["latency_us"],
            **heads,
        },
        index=rows.index,
    )
    if decode:
        samples = samples.assign(kv_dtype=rows["kv_dtype"].where(rows["kv_dtype"] != rows["dtype"]))
    return Converted(samples=samples, left_out=kept.left_out)


ALIBABA_INFERSIM = Importer(
    name="alibaba-infersim",
    title="Alibaba InferSim's kernel tables",
    patterns=(("gemm/*/data.csv", "mha/decode/*/*.csv", "mha/prefill/*/*.csv"),),
    convert=_convert,
)
