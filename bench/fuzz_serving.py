"""Hostile services: command lines, calls and files of `serve` and `engines`."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import fuzz_files as files
from fuzz_parts import OFTEN, either
from fuzz_words import GPUS, word
from infersim.engines.reading import DATA, list_engines

TRACE = "prompt,output\n1024,128\n2048,16\n64,512\n"
NAMES = ("vllm", "sglang", "transformers", "TensorRT-LLM")


@cache
def _engine_tree(name: str) -> Any:
    return tomllib.loads((DATA / f"{name}.toml").read_text(encoding="utf-8"))


def engine(chance: random.Random, folder: Path) -> str:
    """An engine: a name, or a file that is spoilt."""
    if chance.random() < 0.7:
        return word(chance) if chance.random() < 0.1 else chance.choice(NAMES)
    return str(files.toml_file(chance, folder, "engine.toml", _engine_tree(chance.choice(list_engines()))))


def trace(chance: random.Random, folder: Path) -> Path:
    """Lengths of requests."""
    return files.table(chance, folder, "trace.csv", TRACE)


def serve_command(chance: random.Random, folder: Path, where: list[str], plans: list[str]) -> list[str]:
    """The options of `serve` beside those of models, GPUs and plans."""
    made = ["serve", *where, *(plans if chance.random() < 0.4 else [])]
    if chance.random() < 0.3:
        made += ["--trace", str(trace(chance, folder))]
    else:
        made += [
            "--prompt",
            either(chance, ("128", "1024", "64", "64,1024"), OFTEN),
            "--output",
            either(chance, ("1", "64"), OFTEN),
        ]
    more: tuple[tuple[str, Callable[[], str]], ...] = (
        ("-n", lambda: either(chance, ("1", "max", "64", "1,8"), OFTEN)),
        ("-e", lambda: engine(chance, folder)),
        ("--gpus", lambda: either(chance, ("1", "2"), OFTEN)),
        ("--tpot-target", lambda: either(chance, ("20",), OFTEN)),
        ("--ttft-target", lambda: either(chance, ("500",), OFTEN)),
        ("--price-per-hour", lambda: either(chance, ("2.5",), OFTEN)),
        ("--dtype", lambda: either(chance, ("fp8", "bf16", "w4a16"), OFTEN)),
        ("--kv-dtype", lambda: either(chance, ("fp8",), OFTEN)),
    )
    for name, value in more:
        made += [name, value()] if chance.random() < 0.25 else []
    if chance.random() < 0.15:
        made += ["--simulate", "--requests", either(chance, ("20",), OFTEN)]
        made += ["--rate", either(chance, ("0.5",), OFTEN)] if chance.random() < 0.5 else []
    return made


def engines_command(chance: random.Random, folder: Path) -> list[str]:
    """One engine, or all."""
    return ["engines", *([engine(chance, folder)] if chance.random() < 0.8 else [])]


def _service(chance: random.Random, folder: Path) -> dict[str, Any]:
    """Options of a service."""
    made: dict[str, Any] = {"concurrency": 2}
    if chance.random() < 0.3:
        made["trace"] = trace(chance, folder)
    else:
        made |= {"prompt": 64, "output": 8}
    more = {
        "engine": engine(chance, folder),
        "gpus": 1,
        "dtype": "fp8",
        "kv_dtype": "bf16",
        "price_per_hour": 2.0,
    }
    return made | {name: value for name, value in more.items() if chance.random() < 0.4}


Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def serve_call(chance: random.Random, folder: Path, asked: Any) -> Arguments:
    """A call of `serve`; `asked` is a model, a plan, or several."""
    return (asked, chance.choice(GPUS[:5])), _service(chance, folder)


def simulate_call(chance: random.Random, folder: Path, asked: Any) -> Arguments:
    """A call of `simulate_serving`."""
    return (asked, chance.choice(GPUS[:5])), {
        "rate": chance.choice((None, 0.5)),
        "requests": 10,
        "seed": 0,
        **_service(chance, folder),
    }


def compare_call(chance: random.Random, folder: Path, model: Any, plan: Any) -> Arguments:
    """A call of `compare_served`."""
    targets = {"tpot_target_ms": None, "ttft_target_ms": 1000.0}
    return (model, [plan], chance.choice(GPUS[:5])), targets | _service(chance, folder)
