"""Hostile reports: for every importer a small file of its tool that is right, spoilt."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import fuzz_files as files
from fuzz_words import spoilt_text
from infersim.fitting.importers.importing import importers

H100 = "NVIDIA H100 80GB HBM3"
_TIMES = "time_stats.attn_decode.median,time_stats.attn_prefill.median"

TABLES: dict[str, tuple[tuple[str, str], ...]] = {
    "cutlass": (
        (
            "report.csv",
            "Problem,Provider,OperationKind,Operation,Disposition,Status,gemm_kind,m,n,k,A,B,C,D,Runtime,GFLOPs\n"
            "1,CUTLASS,gemm,cutlass_x,passed,success,universal,16,4096,4096,"
            "f16:row,f16:column,f32:column,f16:column,0.02,1\n",
        ),
    ),
    "vidur": (
        (
            "attention.csv",
            "n_embd,n_q_head,n_kv_head,block_size,num_tensor_parallel_workers,max_model_len,batch_size,"
            f"prefill_chunk_size,kv_cache_size,is_prefill,attention_backend,{_TIMES}\n"
            "4096,32,8,16,1,4096,8,0,1024,False,FLASHINFER,0.05,\n",
        ),
    ),
    "aiconfigurator": (
        (
            "gemm_perf.txt",
            "framework,version,device,op_name,kernel_source,gemm_dtype,m,n,k,latency,power\n"
            f"VLLM,0.24.0,{H100},gemm,made_up,bfloat16,1,256,512,0.0025,310.5\n"
            f"VLLM,0.24.0,{H100},gemm,made_up,fp8,16,256,512,0.00375,0.0\n",
        ),
        (
            "generation_attention_perf.txt",
            "framework,version,device,op_name,kernel_source,batch_size,isl,num_heads,num_key_value_heads,head_dim,"
            "beam_width,attn_dtype,kv_cache_dtype,step,latency\n"
            f"VLLM,0.24.0,{H100},generation_attention,made_up,8,1024,32,8,128,1,bfloat16,bfloat16,1,0.0625\n",
        ),
    ),
    "neusight": (
        (
            "linear.csv",
            "OPName,Latency,Device,Torch Version,Kernel Name,Grid x,Kernels,B,M,N,K\n"
            "linear,0.5,Tesla T4,p2.1.0,some_kernel,8,;some_kernel,2,128,512,2048\n",
        ),
    ),
    "slidesparse": (
        (
            "alg_search_model.csv",
            "# GPU: NVIDIA A100 80GB PCIe\n# Backend: cuBLASLt\n# dtype: BF16 -> BF16\n# torch: 2.9.0+cu129\n"
            "M,N,K,alg_count,tops_1,lat_us_1,alg_id_1,workspace_1\n64,3072,2048,8,64.0,12.5,31,0\n",
        ),
    ),
    "alibaba-infersim": (
        ("gemm/h20/data.csv", "m,k,n,latency_us,mfu\n16,2048,6144,10.5,0.1\n"),
        (
            "mha/decode/h20/16-2-256.csv",
            "dtype,kv_dtype,batch_size,kv_len,latency_us,mfu\nbf16,bf16,16,4096,63.5,0.1\n",
        ),
    ),
    "llm-serving-sim": (
        (
            "perf/RTX4090/meta-llama/Llama-3.1-8B/bf16/tp2/dense.csv",
            "layer,tokens,time_us\nqkv_proj,64,75.0\nlayernorm,64,2.4\nembedding,64,2.7\n",
        ),
    ),
    "torch-benchmark": (
        (
            "table.txt",
            "[------- gemm -------]\n            |  bf16\n1 threads: -----\n"
            "      m=16, n=4096, k=1024 |  14.5\n\nTimes are in microseconds (us).\n",
        ),
    ),
}
"""Files that are right, by source."""

_STATE = {
    "device": 0,
    "axis_values": [
        {"name": name, "type": "int64", "value": value}
        for name, value in (("M", "64"), ("N", "4096"), ("K", "1024"), ("dtype", "BF16"))
    ],
    "summaries": [
        {"tag": "nv/cold/time/gpu/mean", "data": [{"name": "value", "type": "float64", "value": "2e-5"}]}
    ],
    "is_skipped": False,
}
_TYPES = ["c10::BFloat16", "c10::BFloat16"]
_OP = {"External id": 1, "Input Dims": [[8, 64], [64, 128]], "Input type": _TYPES}

TREES: dict[str, Any] = {
    "nvbench": {
        "devices": [{"id": 0, "name": H100}],
        "benchmarks": [{"name": "gemm", "states": [_STATE, _STATE]}],
    },
    "torch-profiler": {
        "schemaVersion": 1,
        "deviceProperties": [{"id": 0, "name": H100}],
        "traceEvents": [
            {"ph": "X", "cat": "cpu_op", "name": "aten::mm", "ts": 1.0, "dur": 9.0, "args": _OP},
            {
                "ph": "X",
                "cat": "kernel",
                "name": "sm90_gemm",
                "ts": 2.0,
                "dur": 5.0,
                "args": {"External id": 1, "device": 0, "stream": 7},
            },
        ],
    },
    "torch-benchmark": [
        {
            "number_per_run": 10,
            "raw_times": [3e-4, 1e-4],
            "task_spec": {"stmt": "a @ b", "label": "bf16", "sub_label": "m=16, n=32, k=64"},
            "metadata": None,
        }
    ],
}
"""JSON that is right, by source."""


def report(chance: random.Random, folder: Path) -> tuple[str, Path]:
    """A source, and a spoilt file of it, or the folder that it lies in."""
    source = chance.choice(sorted(importers()))
    if source in TREES and (source not in TABLES or chance.random() < 0.5):
        path = files.json_file(chance, folder / "report" / "report.json", TREES[source])
        if chance.random() < 0.2:
            packed = gzip.compress(path.read_bytes())
            path = path.with_suffix(".json.gz")
            path.write_bytes(
                packed if chance.random() < 0.5 else spoilt_text(chance, packed.decode("latin-1"))
            )
    else:
        name, text = chance.choice(TABLES[source])
        path = files.table(chance, folder / "report", name, text)
    return source, folder / "report" if chance.random() < 0.1 else path
