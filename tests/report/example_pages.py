"""One page of each kind, from small or invented numbers; and one that is hard to lay out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from infersim.domain.profile import HardwareProfile
from infersim.fitting.calibration import calibrate
from infersim.fitting.validation.validation import Validation, validate, validate_held_out
from infersim.profile_files.profiles import load_profile
from infersim.pruning.composition import prune
from infersim.report.accuracy.calibration_page import calibration_page
from infersim.report.accuracy.validation_page import validation_page
from infersim.report.advice.page import advice_page
from infersim.report.frontier.page import frontier_page
from infersim.report.hardware.page import hardware_page
from infersim.report.html.page import Page
from infersim.report.paper.reproduction_page import reproduction_page
from infersim.report.search.page import search_page
from infersim.report.serving.page import serving_page
from infersim.report.speedups.comparison_page import compare_page
from infersim.report.speedups.gathering import gather_comparison
from infersim.report.speedups.prediction_page import gather_prediction, predict_page
from infersim.report.sweep.page import sweep_page
from infersim.simulation.advice.break_even import break_even
from infersim.simulation.advice.target import sparsity_for
from infersim.simulation.frontier.search import frontier
from infersim.simulation.paper.reproduction import reproduce_beyond_flops
from infersim.simulation.search.searching import search
from infersim.simulation.serving.service import Service
from infersim.simulation.serving.under_load import Targets, under_load
from infersim.simulation.speedups.hardware_sweep import compare_along
from infersim.simulation.sweeping.result import sweep_summary
from infersim.simulation.sweeping.running import sweep
from infersim.workload.presets import load_model
from tests.fitting.example_samples import LAUNCH, MEMORY, table
from tests.fitting.synthetic_samples import (
    GPU,
    attention_shapes,
    gemm_shapes,
    known_kind,
    known_profile,
    measured,
)

QUALITY = """\
family,sparsity,quality_loss_percent,recovery,task_type,method,measured_speedup,measured_phase,metric
static-m,0.125,2,none,zero-shot,<b>one</b>,1.1,prefill,
static-m,0.5,20,none,zero-shot,<b>one</b>,,,
static-nk,0.25,9,none,zero-shot,two,,,
static-nk,0.25,12,none,zero-shot,three,,,
dynamic-m,0.5,15,lora,zero-shot,four,,,
dynamic-nk,0.5,1,none,long-context,five,,,RULER at 8k
"""
"""Losses of quality that nobody measured."""


@cache
def validated() -> tuple[HardwareProfile, Validation]:
    """A profile whose errors are known, and samples of four kinds beside it."""
    profile = known_profile(known_kind("gemm.bf16"), known_kind("attention.decode"), known_kind("launch"))
    shapes = pd.concat([gemm_shapes(1200, 1), attention_shapes(100, 1, "decode")], ignore_index=True)
    moving = [MEMORY | {"read_bytes": 2**size, "latency_us": 5.0 + 2**size / 2e6} for size in range(12, 28)]
    kernels = measured(shapes, profile, noise=0.05)
    samples = pd.concat([kernels, table(LAUNCH, *moving)], ignore_index=True)
    return profile, validate(profile, samples)


def hard() -> Page:
    """Long names, plans of several steps and with options, several GPUs, a request, no room in memory."""
    model = load_model("qwen3-32b")
    deep = prune(prune(model, "static-m", 0.25), "static-nk-cross", 0.125)
    plans = [deep, prune(model, "dynamic-m", 0.5, target="ffn"), prune(model, "static-k-2:4")]
    return compare_page(
        gather_comparison(model, plans, ["rtx-pro-6000-server", "l4"], request="generation", batch=64)
    )


def predicted() -> Page:
    """Both phases of a dense model."""
    return predict_page(gather_prediction("llama-3.1-8b", "h200-sxm", phase="both", context=8192))


def advised() -> Page:
    """A target, and where plans pay."""
    model, gpus = load_model("llama-3.2-1b"), ["h100-sxm", "l4"]
    plans = [prune(model, family, 0.5) for family in ("static-m", "dynamic-m", "kv-pruning")]
    needed = sparsity_for(model, gpus, 1.3, phase="decode", batch=8, context=4096)
    pays = break_even(model, plans, gpus, batch=8, context=4096, phase="decode")
    return advice_page(needed, pays, None, "bf16")


def calibrated() -> Page:
    """A fit to samples, some of them held out."""
    truth = known_profile(known_kind("attention.decode", launch_us=11.0))
    fitted = calibrate(GPU, measured(attention_shapes(120, 1, "decode"), truth, noise=0.05))
    held_out = validate_held_out(fitted, measured(attention_shapes(60, 2, "decode"), truth, noise=0.05))
    return calibration_page(fitted, ["attention.decode"], 1.5, held_out, held_out=True)


def frontiers(folder: Path) -> Page:
    """Two workloads, several frontiers; `folder` takes the losses."""
    quality = folder / "mine.csv"
    quality.write_text(QUALITY, encoding="utf-8")
    requests = ["classification", "reasoning"]
    return frontier_page(frontier("llama-3.2-1b", "a100-sxm-80gb", request=requests, quality=quality))


def validation() -> Page:
    """Four kinds of kernels."""
    profile, found = validated()
    return validation_page(found, profile)


def reproduction() -> Page:
    """The source paper's tables."""
    return reproduction_page(reproduce_beyond_flops())


def swept() -> Page:
    """Two models, of which the larger does not fit everywhere, in two phases and a request."""
    result = sweep(
        {
            "model": ["llama-3.2-1b", "llama-3.1-8b"],
            "gpu": "l4",
            "family": ["static-nk", "static-k-2:4", "dynamic-m"],
            "sparsity": [0.25, 0.5],
            "batch": [1, 64],
            "context": [512, 131072],
            "request": "classification",
        }
    )
    return sweep_page(result, sweep_summary(result))


def served() -> Page:
    """A dense model and three plans under load, within a target."""
    model = load_model("qwen3-8b")
    plans = [prune(model, family, 0.5) for family in ("static-nk", "static-m", "static-k-2:4")]
    service = Service.of(prompt=1000, output=200, concurrency=64)
    found = under_load(model, plans, load_profile("h100-sxm"), service, Targets.of(tpot_ms=20.0))
    return serving_page([found])


def along_a_number() -> Page:
    """Plans along the bandwidth of a GPU, in two scenarios."""
    model = load_model("llama-3.1-8b")
    plans = [prune(model, family, 0.5) for family in ("static-m", "static-nk", "static-k-lowrank")]
    values = [1675.0, 3350.0, 6700.0]
    frame = compare_along(
        model, plans, "h100-sxm", "memory.bandwidth_gb_s", values, phase="decode", batch=[1, 64], context=4096
    )
    return hardware_page(frame, "bf16")


def searched() -> Page:
    """A plan layer by layer, with its trade-off and uniform plans."""
    options: dict[str, Any] = {"phase": "decode", "batch": 8, "context": 2048}
    return search_page(
        search("llama-3.2-1b", "l40s", "depth", target_speedup=1.3, group=4, points=4, **options)
    )


def shared() -> Page:
    """Plans of a model that several GPUs share."""
    model = load_model("llama-3.1-8b")
    plans = [prune(model, "static-m", 0.5), prune(model, "static-nk", 0.5)]
    report = gather_comparison(model, plans, "h100-sxm", phase="decode", context=1024, gpus=[1, 2, 8])
    return compare_page(report)


PAGES: Mapping[str, Callable[[], Page]] = MappingProxyType(
    {
        "hard": hard,
        "predict": predicted,
        "advise": advised,
        "calibrate": calibrated,
        "validate": validation,
        "reproduce": reproduction,
        "sweep": swept,
        "along": along_a_number,
        "serve": served,
        "search": searched,
        "shared": shared,
    }
)
"""Pages that need nothing, by the command that writes them."""
