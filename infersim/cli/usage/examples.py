"""How options and commands are typed: an example of each, for `--help` and for errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

_SAMPLE: Mapping[str, str] = MappingProxyType(
    {
        "gpu": "--gpu h100-sxm",
        "model": "--model llama-3.1-8b",
        "families": "--families static-m,static-nk",
        "sparsity": "--sparsity 0.25,0.5",
        "batch": "--batch 1,8",
        "context": "--context 1024,32768",
        "gpus": "--gpus 1,2,4",
        "prompt": "--prompt 1024",
        "output": "--output 256",
        "layers": "--layers 4",
        "concurrency": "--concurrency 1,64",
        "importance": "--importance depth",
        "target_speedup": "--target-speedup 1.5",
        "max_loss": "--max-loss 5",
        "out": "--out FILE",
        "keep": "--keep 0,-1",
        "set": "--set memory.bandwidth_gb_s=6000",
    }
)

EXAMPLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "compare": (
            "-m llama-3.1-8b -g rtx-4090 --phase decode --batch 8",
            "-m llama-3.1-8b -g h100-sxm,l4 -f static-m,static-k-2:4 --html page.html",
        ),
        "frontier": (
            "-m llama-3.1-8b -g a100-sxm-80gb --context 4096 --max-loss 5",
            "-m llama-3.1-8b -g h100-sxm --request reasoning --task zero-shot",
        ),
        "advise": ("-m llama-3.1-8b -g h100-sxm", "-m llama-3.1-8b -g h100-sxm --target-speedup 1.5"),
        "search": (
            "-m llama-3.2-1b -g l4 --importance depth --target-speedup 1.3 --phase decode",
            "-m llama-3.1-8b -g h100-sxm -i losses.csv --target-tpot 5 --out plan.toml",
        ),
        "table": (
            "-m llama-3.2-1b -g l4",
            "-m llama-3.1-8b -g h100-sxm --ffn width=25%..75%/25% --out t.csv",
        ),
        "sweep": ("families --dry-run", "families --out results.parquet --workers 2"),
        "predict": (
            "-m llama-3.1-8b -g h100-sxm --context 4096",
            "-m qwen3-8b -g l4,a10 --phase decode --batch 1,8 --context 1024,32768",
        ),
        "serve": (
            "-m qwen3-8b -g h100-sxm --prompt 1024 --output 256",
            "-m qwen3-8b -g h100-sxm --prompt 1024 --output 256 -f static-nk -s 0.25 --price-per-hour 2.5",
        ),
        "gemm": ("16 4096 4096 -g h100-sxm", "1,256 4096 14336 -g l4 --dtype fp8 --sparsity 2:4"),
        "app": ("", "--port 8050 --no-browser"),
        "reproduce": ("beyond-flops", "published --full"),
        "gpus": ("", "rtx-4090 --explain"),
        "models": ("", "--json"),
        "engines": ("", "vllm"),
        "import": (
            "neusight linear.csv --out samples.csv",
            "vidur FOLDER --gpu a100-sxm-80gb --out samples.parquet",
        ),
        "kernels": ("--device cuda:0 --out samples.parquet", "--device cpu --threads 1 --clock cpu"),
        "model": (
            "-m llama-3.2-1b --out speedups.csv",
            "-m llama-3.2-1b -f static-nk --device cpu --layers 2",
        ),
        "calibrate": (
            "rtx-4090 samples.parquet",
            "rtx-4090 samples.parquet --hold-out 0.2 --beside-datasheet",
        ),
        "validate": ("rtx-4090 samples.parquet", "rtx-4090 samples.parquet --kind gemm --html page.html"),
        "glossary": ("", "bound"),
        "doctor": ("", "--json"),
    }
)
"""What follows a command in each of the two examples of its help."""


def example_of(names: Sequence[str], *, single: bool = False) -> str:
    """An example of the first option that has one; empty where none has. `single`: it takes one value."""
    plain = [name.lstrip("-").replace("-", "_") for name in names]
    found = next((_SAMPLE[name] for name in plain if name in _SAMPLE), "")
    shown = found.partition(",")[0] if single else found
    return f"for example {shown}" if shown else ""
