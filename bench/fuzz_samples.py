"""Hostile measurements: command lines that make samples, read them and fit to them."""

from __future__ import annotations

import random
from pathlib import Path

import fuzz_files as files
import fuzz_reports
from fuzz_parts import Options, either, gpu, model, output, plans, printed, some
from fuzz_words import GPUS, word


def calibrate_command(chance: random.Random, folder: Path) -> Options:
    """A fit, or a pool of fits."""
    out = ["-o", output(chance, ".fit.json")]
    if chance.random() < 0.05:
        return ["calibrate", "--pool", *(str(files.profile(chance, folder)) for _ in range(2)), *out]
    more = some(
        chance,
        ("--rows", lambda: either(chance, ("5", "50"))),
        ("--hold-out", lambda: either(chance, ("0.3",))),
        ("--seed", lambda: either(chance, ("1",))),
        share=0.15,
    )
    return ["calibrate", _sampled_gpu(chance, folder), *_given_samples(chance, folder), *more, *out]


def validate_command(chance: random.Random, folder: Path) -> Options:
    """Samples against a fit."""
    more = (
        ["--predictions", output(chance, chance.choice((".csv", ".parquet")))]
        if chance.random() < 0.1
        else []
    )
    return [
        "validate",
        _sampled_gpu(chance, folder),
        *_given_samples(chance, folder),
        *more,
        *printed(chance),
    ]


def _sampled_gpu(chance: random.Random, folder: Path) -> str:
    """Mostly the GPU of the samples: rows of others are refused before they are looked at."""
    return files.SAMPLE["gpu"] if chance.random() < 0.8 else gpu(chance, folder)


def _given_samples(chance: random.Random, folder: Path) -> Options:
    more = some(
        chance,
        (
            "--default",
            lambda: chance.choice(("weight_copies=", "gpu=", "")) + either(chance, ("6", "h100-sxm")),
        ),
        ("--kind", lambda: either(chance, ("gemm", "attention,gemm"))),
        ("--fit", lambda: str(files.fit(chance, folder))),
        share=0.15,
    )
    return [str(files.samples(chance, folder)), *more, *(["--skip-bad"] if chance.random() < 0.4 else [])]


def import_command(chance: random.Random, folder: Path) -> Options:
    """The report of a profiler, or something else."""
    other = (files.samples, files.config, lambda _chance, place: place)
    source, path = fuzz_reports.report(chance, folder)
    if chance.random() < 0.25:
        path = chance.choice(other)(chance, folder)
    source = either(chance, ("cutlass", "nothing")) if chance.random() < 0.1 else source
    more = some(chance, ("-g", lambda: either(chance, GPUS)), share=0.6)
    skip = ["--skip-bad"] if chance.random() < 0.4 else []
    return ["import", source, str(path), *more, "-o", output(chance, ".csv"), *skip]


def measure_command(chance: random.Random, folder: Path) -> Options:
    """Kernels of a plan, or a model, on a device that may not be there."""
    device = ["--device", either(chance, ("cuda:0", "cuda:99"), 0.6)]
    out = ["-o", output(chance, ".jsonl")]
    if chance.random() < 0.5:
        plan = ["--plan", str(files.measurement_plan(chance, folder))]
        return [
            "measure",
            "kernels",
            *device,
            *out,
            *plan,
            *some(chance, ("--passes", lambda: word(chance))),
        ]
    return [
        "measure",
        "model",
        *device,
        *out,
        "-m",
        model(chance, folder),
        *plans(chance, folder),
        "-c",
        "128",
    ]
