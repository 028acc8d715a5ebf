"""The files that the commands of `behaviour_commands.py` read.

Nothing here imports infersim: samples come from a plain roofline, so that a change of the code cannot change
what it is asked.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

Row = dict[str, str | int | float]

PEAK_FLOP_PER_US, BYTES_PER_US, LAUNCH_US = 700e6, 2.6e6, 3.0
"""The GPU of the samples: some 70 % of an H100."""

PLANS = {
    "depth.toml": 'model = "llama-3.1-8b"\n[remove]\nlayers = [30, 29]\nattention = [5, 20]\nffn = [7]\n',
    "widths.toml": """model = "llama-3.1-8b"
[layer."8-15"]
num_heads = 16
num_kv_heads = 4
ffn_width = 7168
""",
    "dynamic.toml": """model = "llama-3.1-8b"
[layer.0-7]
skip = { attention = 0.5, ffn = 0.25, router_width = 0, dense_kv = false, execution = "gather" }
[layer.8-15]
skip = { ffn = 0.5 }
block_sparsity = { kept = 0.4, block = 128 }
[layer.16-31]
kv_kept = 0.5
""",
    "mixed.toml": """model = "llama-3.1-8b"
[remove]
layers = [3]
[layer.'4-31']
rank = { q = 512, gate = 1024 }
sparse_2_4 = ['down']
""",
    "broken.toml": 'model = "llama-3.1-8b"\n[layer.40]\nnum_heads = 16\n',
    "sweep.toml": """model = ["llama-3.2-1b", "llama-3.1-8b"]
gpu = ["l4", "a100-sxm-80gb", "h100-sxm"]
family = "all"
sparsity = [0.25, 0.5]
phase = ["prefill", "decode"]
batch = [1, 16]
context = [512, 8192]
dtype = ["bf16", "fp8"]
""",
    "requests.toml": """model = "llama-3.1-8b"
gpu = ["rtx-pro-6000", "b200-sxm"]
family = ["static-nk", "static-nk-cross", "dynamic-m"]
sparsity = 0.5
request = ["classification", "generation"]
batch = [1, 8]
dtype = "fp16"
""",
}


def write_files(folder: Path, datasheet: Path) -> None:
    """All that the commands read, in `folder`; `datasheet` is that of the H100."""
    for name, text in PLANS.items():
        (folder / name).write_text(text, encoding="utf-8")
    _write_rows(folder / "gemm.csv", list(_gemm_samples()))
    _write_rows(folder / "attention.csv", list(_attention_samples()))
    _write_rows(folder / "sparse.csv", list(_sparse_samples()))
    _write_tables(folder)
    _write_published(folder)
    _write_configs(folder)
    (folder / "own").mkdir()
    (folder / "own" / datasheet.name).write_bytes(datasheet.read_bytes())


def _gemm_samples() -> Iterator[Row]:
    """GEMMs of several m for each of some matrices, misaligned ones too."""
    matrices = [(n, k) for n in (1024, 2048, 4096, 6144, 14336, 4100) for k in (1024, 4096, 8192)]
    for n, k in matrices:
        for m in (1, 8, 16, 64, 256, 1024, 4096):
            work, traffic = 2 * m * n * k, 2 * (m * n + m * k + n * k)
            yield {
                "gpu": "h100-sxm",
                "kind": "gemm",
                "dtype": "bf16",
                "m": m,
                "n": n,
                "k": k,
                "latency_us": _measured_us(work, traffic, m + n + k),
            }


def _attention_samples() -> Iterator[Row]:
    for batch in (1, 4, 16):
        for context in (256, 1024, 4096, 8192):
            for kv_heads in (4, 8, 32):
                traffic = 2 * 2 * batch * context * kv_heads * 128
                yield {
                    "gpu": "h100-sxm",
                    "kind": "attention",
                    "dtype": "bf16",
                    "phase": "decode",
                    "batch": batch,
                    "query_len": 1,
                    "context_len": context,
                    "num_heads": 32,
                    "num_kv_heads": kv_heads,
                    "head_dim": 128,
                    "latency_us": _measured_us(0, traffic, batch + context + kv_heads),
                }


def _sparse_samples() -> Iterator[Row]:
    """Dense GEMMs and the same in 2:4, of no GPU that is named."""
    for row in _gemm_samples():
        if row["n"] in (2048, 4096) and int(row["m"]) >= 64:
            dense = {key: value for key, value in row.items() if key != "gpu"}
            yield {**dense, "sparsity": ""}
            faster = float(row["latency_us"]) * 0.7 + 1
            yield {**dense, "kind": "sparse_gemm", "sparsity": "2:4", "latency_us": faster}


def _measured_us(work: float, traffic: float, seed: int) -> float:
    """A roofline's time and a launch, off by up to 4 % in a way that `seed` fixes."""
    roofline = max(work / PEAK_FLOP_PER_US, traffic / BYTES_PER_US)
    return round((LAUNCH_US + roofline) * (1 + 0.04 * math.sin(seed)), 4)


def _write_tables(folder: Path) -> None:
    """Own speedups and own losses of quality."""
    scenario: Row = {
        "gpu": "h100-sxm",
        "model": "llama-3.1-8b",
        "phase": "decode",
        "batch": 1,
        "context": 1024,
    }
    _write_rows(
        folder / "measured.csv",
        [
            {
                **scenario,
                "family": "static-m",
                "plan": "static-m 50 %",
                "sparsity": 0.5,
                "dtype": "bf16",
                "execution": "fused",
                "cuda_graph": "True",
                "measured_speedup": 1.5,
                "dense_ms": 6,
                "pruned_ms": 4,
                "status": "ok",
            },
            {
                **scenario,
                "family": "static-nk",
                "plan": "static-nk 50 %",
                "sparsity": 0.5,
                "dtype": "bf16",
                "execution": "fused",
                "cuda_graph": "True",
                "measured_speedup": 1.25,
                "dense_ms": 6,
                "pruned_ms": 4.8,
                "status": "ok",
            },
        ],
    )
    quality: Row = {"model": "llama-3.1-8b", "recovery": "none", "task_type": "zero-shot", "dense": 70}
    _write_rows(
        folder / "quality.csv",
        [
            {**quality, "family": family, "sparsity": sparsity, "pruned": pruned}
            for family, sparsity, pruned in (
                ("static-m", 0.25, 63),
                ("static-m", 0.5, 42),
                ("static-nk", 0.25, 60),
                ("static-nk", 0.5, 45),
                ("static-k-2:4", 0.5, 58),
                ("static-k-lowrank", 0.25, 61),
                ("dynamic-m", 0.5, 64),
            )
        ],
    )


def _write_published(folder: Path) -> None:
    """A row or two in the form of each published source."""
    for path, text in {
        "linear.csv": "OPName,Latency,Device,B,M,N,K\nlinear,0.5,Tesla T4,1,64,512,2048\n"
        "linear,0.9,Tesla T4,2,64,512,2048\n",
        "gemm_perf.txt": "framework,version,device,op_name,kernel_source,gemm_dtype,m,n,k,latency,power\n"
        "VLLM,0.24.0,NVIDIA H100 80GB HBM3,gemm,x,bfloat16,1,256,512,0.0025,310.5\n"
        "VLLM,0.24.0,NVIDIA H100 80GB HBM3,gemm,x,fp8,16,256,512,0.00375,0.0\n"
        "VLLM,0.24.0,NVIDIA H100 80GB HBM3,gemm,x,nvfp4,16,256,512,0.005,0.0\n",
        "alg_search_model.csv": "# GPU: NVIDIA A100 80GB PCIe\n# Backend: cuBLASLt\n# dtype: BF16 -> BF16\n"
        "# torch: 2.9.0+cu129\n# NK_list: [(3072, 2048)]\n"
        "M,N,K,alg_count,tops_1,lat_us_1,alg_id_1,workspace_1\n64,3072,2048,8,64.0,12.5,31,0\n",
        "bench_data/gemm/h20/data.csv": "m,k,n,latency_us,mfu\n16,2048,6144,10.5,0.1\n",
        "bench_data/mha/decode/h20/16-2-256.csv": "dtype,kv_dtype,batch_size,kv_len,latency_us,mfu\n"
        "bf16,bf16,16,4096,63.5,0.1\nbf16,fp8,16,4096,40.5,0.1\n",
        "profiling/compute/a40/an-org/a-model/mlp.csv": _vidur(),
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def _vidur() -> str:
    ops = (
        "input_layernorm",
        "attn_pre_proj",
        "attn_post_proj",
        "post_attention_layernorm",
        "mlp_up_proj",
        "mlp_act",
        "mlp_down_proj",
    )
    heads = [f"time_stats.{op}.{figure}" for op in ops for figure in ("median", "std")]
    sizes = {
        "n_head": 32,
        "n_kv_head": 8,
        "n_embd": 4096,
        "n_expanded_embd": 14336,
        "vocab_size": 128256,
        "use_gated_mlp": True,
        "num_tokens": 512,
        "num_tensor_parallel_workers": 2,
    }
    times = [0.01 * (1 + place // 2) / (1 + 9 * (place % 2)) for place in range(len(heads))]
    return ",".join([*heads, *sizes]) + "\n" + ",".join(map(str, [*times, *sizes.values()])) + "\n"


def _write_configs(folder: Path) -> None:
    """A small Llama, and one that was cut in depth and width."""
    small = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 32000,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": False,
    }
    pruned = {**small, "intermediate_size": 4096, "num_hidden_layers": 12}
    for name, config in (("small.json", small), ("pruned.json", pruned)):
        (folder / name).write_text(json.dumps(config), encoding="utf-8")


def _write_rows(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
