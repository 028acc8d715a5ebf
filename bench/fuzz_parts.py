"""Parts of hostile command lines: values and options that several commands have."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import fuzz_files as files
from fuzz_words import FAMILIES, GPUS, MODELS, word

Options = list[str]

OFTEN = 0.15
"""Chance of a hostile value where a command has few of them."""


def either(chance: random.Random, good: tuple[str, ...], hostile: float = 0.08) -> str:
    """One of the known values; a hostile one by a chance."""
    return word(chance) if chance.random() < hostile else chance.choice(good)


def some(chance: random.Random, *options: tuple[str, Callable[[], str]], share: float = 0.3) -> Options:
    """Some of the options, each by a chance."""
    chosen = [(name, make()) for name, make in options if chance.random() < share]
    return [part for pair in chosen for part in pair]


def output(chance: random.Random, suffix: str) -> str:
    """Where an answer goes, always below the folder of the case."""
    if chance.random() < 0.75:  # what is written to no good place is refused before anything is read
        return f"out{suffix}"
    names = ("out", "missing/out" + suffix, ".", "", "é" + suffix, "a" * 300 + suffix)
    return chance.choice(names)


def gpu(chance: random.Random, folder: Path) -> str:
    """A GPU by its name, or a file that may be spoilt."""
    return str(files.profile(chance, folder)) if chance.random() < 0.2 else either(chance, GPUS, 0.05)


def model(chance: random.Random, folder: Path) -> str:
    """A model by its name, or a config that may be spoilt."""
    return str(files.config(chance, folder)) if chance.random() < 0.2 else either(chance, MODELS[:1], 0.05)


def model_and_gpu(chance: random.Random, folder: Path) -> Options:
    """What most commands are asked of."""
    return ["-m", model(chance, folder), "-g", gpu(chance, folder)]


def run(chance: random.Random) -> Options:
    """How kernels are run."""
    return [
        *some(
            chance,
            ("--dtype", lambda: either(chance, ("bf16", "fp8", "w4a16", "int8"))),
            ("--kv-dtype", lambda: either(chance, ("fp8", "bf16"))),
            ("--execution", lambda: either(chance, ("fused", "separate"))),
            ("--gpus", lambda: either(chance, ("8", "1,2"))),
            ("--routing", lambda: either(chance, ("random", "power_law_1.2"))),
            ("--kernels", lambda: either(chance, ("sglang", "vllm"))),
            ("--set", lambda: chance.choice(_SETS) + either(chance, ("6000", "0.5"))),
            share=0.12,
        ),
        *(["--no-cuda-graph"] if chance.random() < 0.1 else []),
    ]


_SETS = (
    *(
        "memory.bandwidth_gb_s=",
        "chip.sm_count=",
        "chip.l2_mib=",
        "matrix.bf16.datasheet_tflops=",
        "launch_us=",
    ),
    *("chip.tensor_clock_mhz=", "memory.capacity_gib=", "x=", "=", ""),
)


_PASSES = ("-p", "prefill", "decode", "both")


def scenario(chance: random.Random) -> Options:
    """What is asked of a model: phases, batches, contexts or a request."""
    made = some(
        chance,
        ("-p", lambda: either(chance, ("prefill", "decode", "both"))),
        ("-b", lambda: either(chance, ("1", "1,8", "64"))),
        share=0.5,
    )
    if chance.random() < 0.75:
        return [*made, "-c", either(chance, ("1024", "1,4096", "131072"))]
    request = ["--request", either(chance, ("classification", "generation"))]
    lengths = ["--prompt", either(chance, ("100",)), "--output", either(chance, ("3",))]
    alone = made if chance.random() < 0.1 else [each for each in made if each not in _PASSES]
    return [*alone, *chance.choice((request, lengths))]


def printed(chance: random.Random) -> Options:
    """How the answer is shown."""
    html = ["--html", output(chance, ".html")] if chance.random() < 0.03 else []
    return [*html, *chance.choice(([], ["--json"], ["--json"], ["--csv"]))]


def plans(chance: random.Random, folder: Path) -> Options:
    """Families and sparsities, a plan or a pruned config."""
    way = chance.random()
    if way < 0.3:
        return ["--plan", str(files.plan(chance, folder))]
    if way < 0.4:
        return ["--pruned", str(files.config(chance, folder))]
    return ["-f", either(chance, FAMILIES), "-s", either(chance, ("0.25", "0.5", "0.1,0.9"))]
