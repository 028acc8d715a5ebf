"""Hostile command lines: every command with known and hostile values, and with hostile files."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import fuzz_files as files
import fuzz_samples
import fuzz_searches
import fuzz_serving
from fuzz_options import with_an_option
from fuzz_parts import Options, either, gpu, model_and_gpu, output, plans, printed, run, scenario, some
from fuzz_words import FAMILIES, word


def command(chance: random.Random, folder: Path) -> Options:
    """The arguments of one command, whose files lie in `folder`."""
    made = chance.choice(COMMANDS)(chance, folder)
    if chance.random() < 0.2:
        made = with_an_option(made, chance, word(chance), output(chance, ".html"))
    if chance.random() < 0.05:
        made.insert(chance.randrange(len(made) + 1), word(chance))
    if chance.random() < 0.03:
        del made[chance.randrange(len(made))]
    return made


def _predict(chance: random.Random, folder: Path) -> Options:
    pruned = plans(chance, folder) if chance.random() < 0.4 else []
    where = model_and_gpu(chance, folder)
    return ["predict", *where, *pruned, *scenario(chance), *run(chance), *printed(chance)]


def _compare(chance: random.Random, folder: Path) -> Options:
    more = some(
        chance,
        ("--measured", lambda: str(files.table(chance, folder, "measured.csv", files.MEASURED))),
        ("--layers", lambda: either(chance, ("2", "4"))),
        ("--target-speedup", lambda: either(chance, ("1.2",))),
        ("--sweep-set", lambda: "memory.bandwidth_gb_s=" + either(chance, ("1000:3000:3",), 0.5)),
        share=0.08,
    )
    where = model_and_gpu(chance, folder)
    return [
        *("compare", *where, *plans(chance, folder), *scenario(chance)),
        *(*more, *run(chance), *printed(chance)),
    ]


def _serve(chance: random.Random, folder: Path) -> Options:
    where = model_and_gpu(chance, folder)
    return [
        *fuzz_serving.serve_command(chance, folder, where, plans(chance, folder)),
        *printed(chance),
    ]


def _engines(chance: random.Random, folder: Path) -> Options:
    return [*fuzz_serving.engines_command(chance, folder), *printed(chance)]


def _frontier(chance: random.Random, folder: Path) -> Options:
    quality = ["--quality", str(files.table(chance, folder, "quality.csv", files.QUALITY))]
    more = some(
        chance,
        ("--max-loss", lambda: either(chance, ("5",))),
        ("--recovery", lambda: either(chance, ("none", "lora"))),
        ("--source", lambda: either(chance, ("arXiv:2606.09080",))),
        ("--task-type", lambda: either(chance, ("zero-shot",))),
    )
    where = model_and_gpu(chance, folder)
    return ["frontier", *where, *quality, *scenario(chance), *more, *printed(chance)]


def _advise(chance: random.Random, folder: Path) -> Options:
    asked = ["-t", either(chance, ("1.5",))] if chance.random() < 0.5 else ["-s", either(chance, ("0.5",))]
    families = ["-f", either(chance, FAMILIES[:3])]
    where = model_and_gpu(chance, folder)
    return ["advise", *where, *asked, *families, *scenario(chance), *run(chance), *printed(chance)]


def _search(chance: random.Random, folder: Path) -> Options:
    where = model_and_gpu(chance, folder)
    asked = [*scenario(chance), *run(chance), *printed(chance)]
    return [*fuzz_searches.search_command(chance, folder, where), *asked]


def _table(chance: random.Random, folder: Path) -> Options:
    where = model_and_gpu(chance, folder)
    printed = chance.choice(([], ["--json"], ["--csv"]))
    return [*fuzz_searches.table_command(chance, folder, where), *scenario(chance), *printed]


def _gemm(chance: random.Random, folder: Path) -> Options:
    sizes = [either(chance, ("1", "16,4096", "8192")) for _ in range(3)]
    more = some(
        chance,
        ("-s", lambda: either(chance, ("2:4", "6:8"))),
        ("--kernels", lambda: either(chance, ("sglang", "vllm"))),
        ("--weight-copies", lambda: either(chance, ("1", "6"))),
    )
    return ["gemm", *sizes, "-g", gpu(chance, folder), *more, *run(chance), *printed(chance)]


def _sweep(chance: random.Random, folder: Path) -> Options:
    more = some(
        chance,
        ("-w", lambda: either(chance, ("1", "0", "-1"), 0.0)),
        ("--chunk-rows", lambda: either(chance, ("32", "100"))),
        ("--engine", lambda: either(chance, ("local",))),
        share=0.15,
    )
    dry = ["--dry-run"] if chance.random() < 0.6 else []
    plan = str(files.sweep_plan(chance, folder))
    return ["sweep", plan, "-o", output(chance, ".parquet"), *dry, *more, *printed(chance)]


def _known(chance: random.Random, folder: Path) -> Options:
    way = chance.randrange(10)
    if way == 8:
        return ["glossary", either(chance, ("bound", "TTFT"), 0.5), *printed(chance)]
    if way == 9:
        return ["doctor", *printed(chance)]
    if way < 3:
        explain = ["--explain"] if chance.random() < 0.5 else []
        return ["gpus", gpu(chance, folder), *explain, *printed(chance)]
    if way == 3:
        return ["models", *printed(chance)]
    if way == 4:
        return ["reproduce", either(chance, ("published",), 0.6), *printed(chance)]
    return [word(chance), word(chance)]


COMMANDS: tuple[Callable[[random.Random, Path], Options], ...] = (
    *(_predict,) * 6,
    *(_compare,) * 5,
    *(_gemm,) * 5,
    *(_sweep,) * 4,
    *(fuzz_samples.validate_command,) * 6,
    *(fuzz_samples.import_command,) * 4,
    *(_frontier,) * 2,
    *(_serve,) * 4,
    *(fuzz_samples.measure_command,) * 2,
    *(_search, _table),
    *(_known, _advise, fuzz_samples.calibrate_command, fuzz_samples.calibrate_command, _engines),
)
