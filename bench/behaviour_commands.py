"""The commands whose answers `behaviour.py` keeps; the files that they read are in `behaviour_files.py`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`infersim ARGUMENTS` in a folder of its own files; `writes` is a file that is part of the answer.

    `timed`: what it prints for people holds seconds of this run.
    """

    arguments: str
    writes: str | None = None
    timed: bool = False


def first_commands() -> list[Command]:
    """Every command but those that read what these write."""
    return (
        [Command(arguments=line) for line in ANSWERED]
        + [
            Command(arguments=f"import {source} {path} --out {source}.csv", writes=f"{source}.csv")
            for source, path in IMPORTED
        ]
        + [
            Command(
                arguments="calibrate h100-sxm gemm.csv attention.csv --hold-out 0.3 --seed 1 --out h100.json",
                writes="h100.json",
                timed=True,
            ),
            Command(arguments="validate h100-sxm gemm.csv attention.csv --json"),
            Command(
                arguments="validate h100-sxm sparse.csv --default gpu=h100-sxm --csv"
                " --predictions predicted.csv",
                writes="predicted.csv",
            ),
            Command(arguments="sweep sweep.toml --dry-run", timed=True),
            Command(arguments="sweep sweep.toml --out sweep.parquet --json"),
            Command(arguments="sweep requests.toml --out requests.parquet --csv --chunk-rows 7"),
        ]
    )


def second_commands() -> list[Command]:
    """Those that read the fit that was made."""
    return [
        Command(
            arguments="calibrate h100-sxm gemm.csv --rows 60 --fit h100.json --out again.json",
            writes="again.json",
            timed=True,
        ),
        Command(arguments="validate h100-sxm gemm.csv attention.csv --fit h100.json --json"),
        Command(arguments="predict -m llama-3.2-1b -g own/h100-sxm.toml -c 512,4096 -f all --json"),
    ]


ANSWERED = (
    "gemm 1,16,256,4096 1024,4096,14336 4096,5000 -g h100-sxm,a100-sxm-80gb,rtx-pro-6000,mi300x --json",
    "gemm 8,512 4096 4096 -g h100-sxm,l40s,b200-sxm --dtype fp8 --sparsity 2:4 --csv",
    "gemm 64 4096 4096,11008 -g h200-sxm,l4 --dtype int8 --no-act-quant --weight-copies 1 --json",
    "gemm 1,4096 4096 4096 -g h100-sxm --dtype w4a16 --set memory.bandwidth_gb_s=6000 --json",
    "gemm 1 1024 1024 -g t4,v100-sxm,rtx-3090 --dtype fp16",
    "predict -m llama-3.1-8b -g h100-sxm,rtx-pro-6000,a30 -b 1,16 -c 128,8192 --json",
    "predict -m llama-3.1-8b -g l4 -c 512 -f all --csv",
    "predict -m qwen3-32b -g b200-sxm --dtype fp8 --kv-dtype fp8 -b 1,64 -c 4096 -p decode --json",
    "predict -m mistral-7b -g a100-sxm-80gb --execution separate --no-cuda-graph -c 1024 -b 4 --json",
    "predict -m llama-2-13b -g l40s --request reasoning -b 1,8 --json",
    "predict -m qwen2.5-7b -g gb300 --prompt 300 --output 50 -f static-nk,dynamic-m -s 0.25,0.5 --json",
    "predict -g h100-sxm --plan depth.toml --plan widths.toml --plan dynamic.toml -c 2048 --json",
    "predict -m small.json -g rtx-4090 --pruned-config pruned.json -c 512 --dtype fp16 --json",
    "predict -m llama-3.1-8b -g h100-sxm -c 4096 -p prefill",
    "compare -m llama-3.1-8b -g h100-sxm,rtx-pro-6000,mi300x -c 1024,8192 -b 1,16 --json",
    "compare -m llama-3.1-70b -g b200-sxm,h20 -s 0.25,0.75 --dtype fp8 -c 2048 --csv",
    "compare -m llama-2-7b -g a100-sxm-80gb,l4 -s 0.3 --dtype fp16 --execution separate -b 8 -c 512 --json",
    "compare -m llama-3.1-8b -g rtx-pro-6000-server -c 4096 --json -f static-m/target=ffn,"
    "static-k-2:4/result=transposed,static-k-lowrank/target=ffn/fused=true,static-nk/kv_heads=keep,"
    "static-nk-cross/residual_maps=0,dynamic-m/execution=gather/dense_kv=false,dynamic-nk/masks=head,"
    "kv-pruning/score=accumulated",
    "compare -m llama-3.1-8b -g h100-sxm --request generation -b 1,32 --kv-dtype fp8 --json",
    "compare -g rtx-5090 --plan depth.toml --plan dynamic.toml --plan mixed.toml -p decode -c 8192 --json",
    "compare -m small.json -g l40s --pruned-config pruned.json --layers 4 -c 256 --json",
    "compare -m llama-3.1-8b -g h100-sxm -c 4096 --target-speedup 1.3 --json",
    "compare -m llama-3.1-8b -g h100-sxm -c 4096 --sweep-set memory.bandwidth_gb_s=2000:8000:4 --json",
    "compare -m llama-3.1-8b -g l4 -c 1024 -p decode --sweep-set chip.sm_count=40:80:3 -f static-m --csv",
    "compare -m llama-3.1-8b -g h100-sxm --measured measured.csv -f static-m,static-nk -c 1024 --json",
    "compare -m llama-3.1-8b -g h100-sxm,rtx-4090 -c 4096 -b 1,64",
    "compare -m llama-3.1-8b -g h100-sxm -c 4096 --sweep-set memory.bandwidth_gb_s=2000:8000:4",
    "frontier -m llama-2-7b -g a100-sxm-80gb --json",
    "frontier -m llama-3.1-8b -g h100-sxm,l4 --request generation,reasoning --csv",
    "frontier -m llama-3.1-8b -g rtx-pro-6000 --quality quality.csv -p decode -b 8 --json",
    "frontier -m llama-2-7b -g h100-sxm --max-loss 10 --recovery none -p decode",
    "advise -m llama-3.1-8b -g h100-sxm --target-speedup 1.5 --json",
    "advise -m llama-3.1-8b -g l40s,a100-sxm-80gb -f static-m,static-nk,static-k-lowrank -s 0.25 --json",
    "advise -m llama-3.2-3b -g rtx-pro-6000 -t 1.2 --request classification --csv",
    "advise -m llama-3.1-8b -g h100-sxm -t 2 -p decode -b 16",
    "gpus --json",
    "gpus h100-sxm --json",
    "gpus mi300x --csv",
    "gpus h200-sxm --explain --json",
    "gpus a10 --explain --csv",
    "gpus rtx-pro-6000 --explain",
    "gpus t4 --explain",
    "models --json",
    "reproduce beyond-flops --json",
    "reproduce beyond-flops",
    "reproduce published --json",
    "reproduce published",
    "predict -m llama-3.1-8b -g t4 --dtype fp8 -c 512",
    "compare -m llama-3.1-8b -g h100-sxm -f static-x",
    "predict -m llama-3.1-8b -g h100-sxm --plan broken.toml -c 512",
)

IMPORTED = (
    ("neusight", "linear.csv"),
    ("aiconfigurator", "gemm_perf.txt"),
    ("slidesparse", "alg_search_model.csv"),
    ("alibaba-infersim", "bench_data"),
    ("vidur", "profiling"),
)
