"""How `--help` shows commands: values by names that a person knows, options in groups, two examples."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES, NUMBERS = "NAME[,NAME...]", "NUMBER[,NUMBER...]"

_VALUES: Mapping[str, str] = MappingProxyType(
    {
        "gpu": NAMES,
        "families": NAMES,
        "kind": NAMES,
        "sparsity": NUMBERS,
        "batch": NUMBERS,
        "context": NUMBERS,
        "prompt": NUMBERS,
        "output": NUMBERS,
        "gpus": NUMBERS,
        "keep": NUMBERS,
        "concurrency": "NUMBER[,NUMBER...] or max",
        "model": "NAME or FILE",
        "importance": "NAME or FILE",
        "pruned_config": "FILE or FOLDER",
        "measured": "FILE or FOLDER",
        "scheduler": "ADDRESS",
    }
)
"""What stands for the value of an option of words, where it is not one name."""

_TYPES = (
    (re.compile(r"<(?:list\[)?(?:path|Path)\]?>"), "FILE"),
    (re.compile(r"<(?:list\[)?(?:int|float)\]?>"), "NUMBER"),
    (re.compile(r"<(?:list\[)?str\]?>"), "NAME"),
    (re.compile(r"(?<= )(?:INTEGER|FLOAT)(?: RANGE)?$"), "NUMBER"),
    (re.compile(r"(?<= )PATH$"), "FILE"),
    (re.compile(r"(?<= )TEXT$"), "NAME"),
)
"""What versions of typer call the types of values, and what a person calls them."""

_GROUPS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "Model and pruning": frozenset(
            [
                "model",
                "families",
                "sparsity",
                "plan",
                "pruned_config",
                "layers",
                "target_speedup",
                "measured",
                "quality",
                "quality_model",
                "recovery",
                "task",
                "source",
                "max_loss",
                "importance",
                "metric",
                "attention",
                "ffn",
                "multiple",
                "group",
                "shapes",
                "keep",
                "target_latency",
                "target_tpot",
                "target_ttft",
                "target_memory",
                "target_price",
                "sure",
                "runs_on",
            ]
        ),
        "Scenario": frozenset(
            [
                "phase",
                "batch",
                "context",
                "request",
                "prompt",
                "output",
                "trace",
                "concurrency",
                "rate",
                "simulate",
                "requests",
                "dtype",
                "kv_dtype",
                "execution",
                "cuda_graph",
                "expert_parallel",
                "routing",
                "engine",
                "tpot_target",
                "ttft_target",
                "weight_copies",
                "act_quant",
                "sparse_kernel",
            ]
        ),
        "Hardware": frozenset(
            [
                "gpu",
                "gpus",
                "kernels",
                "overrides",
                "sweep_set",
                "price_per_hour",
                "tensor_parallel",
                "device",
                "threads",
                "clock",
            ]
        ),
        "Output": frozenset(
            [
                "full",
                "as_json",
                "as_csv",
                "html",
                "figures",
                "out",
                "form",
                "predictions",
                "beside_datasheet",
                "dry_run",
            ]
        ),
    }
)
"""Which option stands in which group; the others come last."""

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

_EXAMPLES: Mapping[str, tuple[str, str]] = MappingProxyType(
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


class PlainCommand(TyperCommand):
    """A command whose help groups its options and ends with examples."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments first, then groups of options."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": []}
        sections |= {title: [] for title in _GROUPS} | {"Other options": []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                sections[_section(param)].append((shown(param, record[0]), record[1]))
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Two examples, as they are typed."""
        examples = _EXAMPLES.get(str(ctx.info_name), ())
        if examples:
            with formatter.section("Examples"):
                for words in examples:
                    line = f"{ctx.command_path} {words}".rstrip()
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def _section(param: Any) -> str:
    if param.param_type_name == "argument":
        return "Arguments"
    return next((title for title, names in _GROUPS.items() if param.name in names), "Other options")


def shown(param: Any, typed: str) -> str:
    """How an option is typed, its value by a name that a person knows, whatever typer calls its type."""
    for pattern, name in _TYPES:
        value = _VALUES.get(str(param.name), name) if name in ("NAME", "FILE") else name
        replaced = pattern.sub(value, typed)
        if replaced != typed:
            return replaced
    return typed


def example_of(names: Sequence[str], *, single: bool = False) -> str:
    """An example of the first option that has one; empty where none has. `single`: it takes one value."""
    plain = [name.lstrip("-").replace("-", "_") for name in names]
    found = next((_SAMPLE[name] for name in plain if name in _SAMPLE), "")
    shown = found.partition(",")[0] if single else found
    return f"for example {shown}" if shown else ""
