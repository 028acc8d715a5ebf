"""Hostile searches: command lines, calls and files of `table` and `search`."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import fuzz_files as files
import infersim as sim
from fuzz_parts import OFTEN, either
from fuzz_words import GPUS

LOSSES = "layer,sublayer,choice,loss\n" + "".join(
    f"{layer},ffn,{choice},{loss}\n"
    for layer in range(16)
    for choice, loss in (("width=4096", 0.1 * layer + 0.1), ("none", 0.5 * layer + 0.5))
)
"""Of a model of 16 layers."""

ATTENTION = ("none", "kv_heads=4,kv_heads=2", "heads=50%+kv_heads=50%", "linear,linear=256", "fp8")
FFN = ("width=50%", "width=25%..75%/25%", "width=1024..8192/1024", "none,linear", "lowrank=0.5,2:4", "w4a16")
FORMATS = ("csv", "parquet", "puzzletron", "spdy", "halp")

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def losses(chance: random.Random, folder: Path) -> str:
    """A rule, or a file that may be spoilt."""
    if chance.random() < 0.5:
        return either(chance, ("uniform", "depth"), OFTEN)
    return str(files.table(chance, folder, "losses.csv", LOSSES))


def table_command(chance: random.Random, folder: Path, where: list[str]) -> list[str]:
    """The options of `table` beside those of scenarios."""
    made = ["table", *where, *_choices(chance)]
    if chance.random() < 0.3:
        made += ["-o", str(folder / chance.choice(("t.csv", "t.parquet", "t.json", "t.txt", "t.pkl")))]
    return made + (["--format", either(chance, FORMATS, OFTEN)] if chance.random() < 0.2 else [])


def search_command(chance: random.Random, folder: Path, where: list[str]) -> list[str]:
    """The options of `search` beside those of scenarios."""
    made = ["search", *where, "-i", losses(chance, folder), *_choices(chance)]
    made += ["--time-limit", "2", "--points", "0"]
    more: tuple[tuple[str, Callable[[], str], float], ...] = (
        ("-t", lambda: either(chance, ("1.1", "1.3"), OFTEN), 0.8),
        ("--target-memory", lambda: either(chance, ("2.5",), OFTEN), 0.2),
        ("--target-tpot", lambda: either(chance, ("5",), OFTEN), 0.1),
        ("--sure", lambda: either(chance, ("0.8", "0.5"), OFTEN), 0.3),
        ("--group", lambda: either(chance, ("4", "16"), OFTEN), 0.2),
        ("--shapes", lambda: either(chance, ("2",), OFTEN), 0.1),
        ("--keep", lambda: either(chance, ("0,-1",), OFTEN), 0.1),
        ("--runs-on", lambda: either(chance, ("vllm", "tensorrt-llm"), OFTEN), 0.2),
        ("--multiple", lambda: either(chance, ("64",), OFTEN), 0.1),
    )
    for name, value, share in more:
        made += [name, value()] if chance.random() < share else []
    return made


@cache
def searched(model: Any) -> Any:
    """What a small search found."""
    choices = {"attention": ["none"], "ffn": ["width=50%", "none"]}
    return sim.search(
        model, "h100-sxm", "uniform", choices=choices, target_speedup=1.2, points=3, context=128
    )


def table_call(chance: random.Random, folder: Path, model: Any) -> Arguments:
    """A call of `latency_table`."""
    del folder
    return (model, chance.choice(GPUS[:3])), {**_texts(chance), "context": 128, "phase": "decode"}


def writing_call(chance: random.Random, folder: Path, model: Any) -> Arguments:
    """A call of `write_latency_table`."""
    positional, keywords = table_call(chance, folder, model)
    return (folder / "table.csv", *positional), keywords


def search_call(chance: random.Random, folder: Path, model: Any) -> Arguments:
    """A call of `search`."""
    own = losses(chance, folder)
    texts = {} if own.endswith(".csv") else {"choices": {"ffn": ["width=50%", "none"]}}
    return (model, "h100-sxm", own), {
        **texts,
        "target_speedup": 1.1,
        "sure": 0.6,
        "time_limit": 2.0,
        "points": 0,
        "uniform": False,
        "context": 128,
        "phase": "decode",
    }


def _choices(chance: random.Random) -> list[str]:
    made = ["--attention", either(chance, ATTENTION, OFTEN)] if chance.random() < 0.4 else []
    return made + (["--ffn", either(chance, FFN, OFTEN)] if chance.random() < 0.6 else [])


def _texts(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.4:
        return {}
    return {"choices": {"attention": ATTENTION[0].split(","), "ffn": chance.choice(FFN[:5]).split(",")}}
