"""Hostile command lines: every command with known and hostile values, and with hostile files."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import fuzz_files as files
import fuzz_reports
import fuzz_searches
import fuzz_serving
from fuzz_options import with_an_option
from fuzz_words import FAMILIES, GPUS, MODELS, word

Options = list[str]


def command(chance: random.Random, folder: Path) -> Options:
    """The arguments of one command, whose files lie in `folder`."""
    made = chance.choice(COMMANDS)(chance, folder)
    if chance.random() < 0.2:
        made = with_an_option(made, chance, word(chance), _output(chance, ".html"))
    if chance.random() < 0.05:
        made.insert(chance.randrange(len(made) + 1), word(chance))
    if chance.random() < 0.03:
        del made[chance.randrange(len(made))]
    return made


def _either(chance: random.Random, good: tuple[str, ...], hostile: float = 0.08) -> str:
    return word(chance) if chance.random() < hostile else chance.choice(good)


def _some(chance: random.Random, *options: tuple[str, Callable[[], str]], share: float = 0.3) -> Options:
    chosen = [(name, make()) for name, make in options if chance.random() < share]
    return [part for pair in chosen for part in pair]


def _output(chance: random.Random, suffix: str) -> str:
    """Where an answer goes, always below the folder of the case."""
    if chance.random() < 0.75:  # what is written to no good place is refused before anything is read
        return f"out{suffix}"
    names = ("out", "missing/out" + suffix, ".", "", "é" + suffix, "a" * 300 + suffix)
    return chance.choice(names)


def _gpu(chance: random.Random, folder: Path) -> str:
    return str(files.profile(chance, folder)) if chance.random() < 0.2 else _either(chance, GPUS, 0.05)


def _model(chance: random.Random, folder: Path) -> str:
    return str(files.config(chance, folder)) if chance.random() < 0.2 else _either(chance, MODELS[:1], 0.05)


def _run(chance: random.Random) -> Options:
    return [
        *_some(
            chance,
            ("--dtype", lambda: _either(chance, ("bf16", "fp8", "w4a16", "int8"))),
            ("--kv-dtype", lambda: _either(chance, ("fp8", "bf16"))),
            ("--execution", lambda: _either(chance, ("fused", "separate"))),
            ("--gpus", lambda: _either(chance, ("8", "1,2"))),
            ("--routing", lambda: _either(chance, ("random", "power_law_1.2"))),
            ("--kernels", lambda: _either(chance, ("sglang", "vllm"))),
            ("--set", lambda: chance.choice(_SETS) + _either(chance, ("6000", "0.5"))),
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


def _scenario(chance: random.Random) -> Options:
    made = _some(
        chance,
        ("-p", lambda: _either(chance, ("prefill", "decode", "both"))),
        ("-b", lambda: _either(chance, ("1", "1,8", "64"))),
        share=0.5,
    )
    if chance.random() < 0.75:
        return [*made, "-c", _either(chance, ("1024", "1,4096", "131072"))]
    request = ["--request", _either(chance, ("classification", "generation"))]
    lengths = ["--prompt", _either(chance, ("100",)), "--output", _either(chance, ("3",))]
    alone = made if chance.random() < 0.1 else [each for each in made if each not in _PASSES]
    return [*alone, *chance.choice((request, lengths))]


def _printed(chance: random.Random) -> Options:
    html = ["--html", _output(chance, ".html")] if chance.random() < 0.03 else []
    return [*html, *chance.choice(([], ["--json"], ["--json"], ["--csv"]))]


def _plans(chance: random.Random, folder: Path) -> Options:
    way = chance.random()
    if way < 0.3:
        return ["--plan", str(files.plan(chance, folder))]
    if way < 0.4:
        return ["--pruned", str(files.config(chance, folder))]
    return ["-f", _either(chance, FAMILIES), "-s", _either(chance, ("0.25", "0.5", "0.1,0.9"))]


def _predict(chance: random.Random, folder: Path) -> Options:
    plans = _plans(chance, folder) if chance.random() < 0.4 else []
    where = ["-m", _model(chance, folder), "-g", _gpu(chance, folder)]
    return ["predict", *where, *plans, *_scenario(chance), *_run(chance), *_printed(chance)]


def _compare(chance: random.Random, folder: Path) -> Options:
    more = _some(
        chance,
        ("--measured", lambda: str(files.table(chance, folder, "measured.csv", files.MEASURED))),
        ("--layers", lambda: _either(chance, ("2", "4"))),
        ("--target-speedup", lambda: _either(chance, ("1.2",))),
        ("--sweep-set", lambda: "memory.bandwidth_gb_s=" + _either(chance, ("1000:3000:3",), 0.5)),
        share=0.08,
    )
    where = ["-m", _model(chance, folder), "-g", _gpu(chance, folder)]
    return [
        *("compare", *where, *_plans(chance, folder), *_scenario(chance)),
        *(*more, *_run(chance), *_printed(chance)),
    ]


def _serve(chance: random.Random, folder: Path) -> Options:
    where = ["-m", _model(chance, folder), "-g", _gpu(chance, folder)]
    return [
        *fuzz_serving.serve_command(chance, folder, where, _plans(chance, folder)),
        *_printed(chance),
    ]


def _engines(chance: random.Random, folder: Path) -> Options:
    return [*fuzz_serving.engines_command(chance, folder), *_printed(chance)]


def _frontier(chance: random.Random, folder: Path) -> Options:
    quality = ["--quality", str(files.table(chance, folder, "quality.csv", files.QUALITY))]
    more = _some(
        chance,
        ("--max-loss", lambda: _either(chance, ("5",))),
        ("--recovery", lambda: _either(chance, ("none", "lora"))),
        ("--source", lambda: _either(chance, ("arXiv:2606.09080",))),
        ("--task-type", lambda: _either(chance, ("zero-shot",))),
    )
    where = ["-m", _model(chance, folder), "-g", _gpu(chance, folder)]
    return ["frontier", *where, *quality, *_scenario(chance), *more, *_printed(chance)]


def _advise(chance: random.Random, folder: Path) -> Options:
    asked = ["-t", _either(chance, ("1.5",))] if chance.random() < 0.5 else ["-s", _either(chance, ("0.5",))]
    families = ["-f", _either(chance, FAMILIES[:3])]
    where = ["-m", _model(chance, folder), "-g", _gpu(chance, folder)]
    return ["advise", *where, *asked, *families, *_scenario(chance), *_run(chance), *_printed(chance)]


def _search(chance: random.Random, folder: Path) -> Options:
    where = ["-m", _model(chance, folder), "-g", _gpu(chance, folder)]
    asked = [*_scenario(chance), *_run(chance), *_printed(chance)]
    return [*fuzz_searches.search_command(chance, folder, where), *asked]


def _table(chance: random.Random, folder: Path) -> Options:
    where = ["-m", _model(chance, folder), "-g", _gpu(chance, folder)]
    printed = chance.choice(([], ["--json"], ["--csv"]))
    return [*fuzz_searches.table_command(chance, folder, where), *_scenario(chance), *printed]


def _gemm(chance: random.Random, folder: Path) -> Options:
    sizes = [_either(chance, ("1", "16,4096", "8192")) for _ in range(3)]
    more = _some(
        chance,
        ("-s", lambda: _either(chance, ("2:4", "6:8"))),
        ("--kernels", lambda: _either(chance, ("sglang", "vllm"))),
        ("--weight-copies", lambda: _either(chance, ("1", "6"))),
    )
    return ["gemm", *sizes, "-g", _gpu(chance, folder), *more, *_run(chance), *_printed(chance)]


def _sweep(chance: random.Random, folder: Path) -> Options:
    more = _some(
        chance,
        ("-w", lambda: _either(chance, ("1", "0", "-1"), 0.0)),
        ("--chunk-rows", lambda: _either(chance, ("32", "100"))),
        ("--engine", lambda: _either(chance, ("local",))),
        share=0.15,
    )
    dry = ["--dry-run"] if chance.random() < 0.6 else []
    plan = str(files.sweep_plan(chance, folder))
    return ["sweep", plan, "-o", _output(chance, ".parquet"), *dry, *more, *_printed(chance)]


def _calibrate(chance: random.Random, folder: Path) -> Options:
    out = ["-o", _output(chance, ".fit.json")]
    if chance.random() < 0.05:
        return ["calibrate", "--pool", *(str(files.profile(chance, folder)) for _ in range(2)), *out]
    more = _some(
        chance,
        ("--rows", lambda: _either(chance, ("5", "50"))),
        ("--hold-out", lambda: _either(chance, ("0.3",))),
        ("--seed", lambda: _either(chance, ("1",))),
        share=0.15,
    )
    return ["calibrate", _sampled_gpu(chance, folder), *_given_samples(chance, folder), *more, *out]


def _validate(chance: random.Random, folder: Path) -> Options:
    more = (
        ["--predictions", _output(chance, chance.choice((".csv", ".parquet")))]
        if chance.random() < 0.1
        else []
    )
    return [
        "validate",
        _sampled_gpu(chance, folder),
        *_given_samples(chance, folder),
        *more,
        *_printed(chance),
    ]


def _sampled_gpu(chance: random.Random, folder: Path) -> str:
    """Mostly the GPU of the samples: rows of others are refused before they are looked at."""
    return files.SAMPLE["gpu"] if chance.random() < 0.8 else _gpu(chance, folder)


def _given_samples(chance: random.Random, folder: Path) -> Options:
    more = _some(
        chance,
        (
            "--default",
            lambda: chance.choice(("weight_copies=", "gpu=", "")) + _either(chance, ("6", "h100-sxm")),
        ),
        ("--kind", lambda: _either(chance, ("gemm", "attention,gemm"))),
        ("--fit", lambda: str(files.fit(chance, folder))),
        share=0.15,
    )
    return [str(files.samples(chance, folder)), *more, *(["--skip-bad"] if chance.random() < 0.4 else [])]


def _import(chance: random.Random, folder: Path) -> Options:
    other = (files.samples, files.config, lambda _chance, place: place)
    source, path = fuzz_reports.report(chance, folder)
    if chance.random() < 0.25:
        path = chance.choice(other)(chance, folder)
    source = _either(chance, ("cutlass", "nothing")) if chance.random() < 0.1 else source
    more = _some(chance, ("-g", lambda: _either(chance, GPUS)), share=0.6)
    skip = ["--skip-bad"] if chance.random() < 0.4 else []
    return ["import", source, str(path), *more, "-o", _output(chance, ".csv"), *skip]


def _known(chance: random.Random, folder: Path) -> Options:
    way = chance.randrange(10)
    if way == 8:
        return ["glossary", _either(chance, ("bound", "TTFT"), 0.5), *_printed(chance)]
    if way == 9:
        return ["doctor", *_printed(chance)]
    if way < 3:
        explain = ["--explain"] if chance.random() < 0.5 else []
        return ["gpus", _gpu(chance, folder), *explain, *_printed(chance)]
    if way == 3:
        return ["models", *_printed(chance)]
    if way == 4:
        return ["reproduce", _either(chance, ("published",), 0.6), *_printed(chance)]
    return [word(chance), word(chance)]


def _measure(chance: random.Random, folder: Path) -> Options:
    device = ["--device", _either(chance, ("cuda:0", "cuda:99"), 0.6)]
    out = ["-o", _output(chance, ".jsonl")]
    if chance.random() < 0.5:
        plan = ["--plan", str(files.measurement_plan(chance, folder))]
        return [
            "measure",
            "kernels",
            *device,
            *out,
            *plan,
            *_some(chance, ("--passes", lambda: word(chance))),
        ]
    return [
        "measure",
        "model",
        *device,
        *out,
        "-m",
        _model(chance, folder),
        *_plans(chance, folder),
        "-c",
        "128",
    ]


COMMANDS: tuple[Callable[[random.Random, Path], Options], ...] = (
    *(_predict,) * 6,
    *(_compare,) * 5,
    *(_gemm,) * 5,
    *(_sweep,) * 4,
    *(_validate,) * 6,
    *(_import,) * 4,
    *(_frontier,) * 2,
    *(_serve,) * 4,
    *(_measure,) * 2,
    *(_search, _table),
    *(_known, _advise, _calibrate, _calibrate, _engines),
)
