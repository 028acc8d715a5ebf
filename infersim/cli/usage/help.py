"""How `--help` shows commands: values by names that a person knows, and options in groups."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from typer.core import TyperCommand

from infersim.cli.usage.examples import EXAMPLES

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
        examples = EXAMPLES.get(str(ctx.info_name), ())
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
