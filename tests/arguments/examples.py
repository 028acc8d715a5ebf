"""One good call of every public function, as small as it can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import infersim as sim
from infersim.fitting.validation.validation import Validation
from infersim.report.speedups.gathering import ComparisonReport
from infersim.simulation.frontier.search import Frontier
from tests.fitting.example_samples import ATTENTION, GEMM, LAUNCH, MEMORY, table

Arguments = Mapping[str, Any]

GPU, MODEL = "h100-sxm", "llama-3.2-1b"
ATTENTION_DIMENSIONS = {
    "batch": 1,
    "context_len": 128,
    "num_heads": 8,
    "num_kv_heads": 8,
    "head_dim": 64,
    "query_len": None,
}
OPTIONS: Arguments = {
    "phase": "decode",
    "batch": 1,
    "context": 128,
    "dtype": "bf16",
    "kv_dtype": None,
    "execution": "fused",
    "cuda_graph": True,
    "gpus": 1,
    "expert_parallel": False,
    "routing": "balanced",
}
"""Scenario options; a request in place of the context is a case of its own."""


SERVICE: Arguments = {
    "prompt": 16,
    "output": 4,
    "trace": None,
    "concurrency": 2,
    "engine": "vllm",
    "gpus": 1,
    "expert_parallel": False,
    "routing": "balanced",
    "dtype": "bf16",
    "kv_dtype": None,
    "price_per_hour": None,
}
"""Options of a service."""


@cache
def gpu() -> Any:
    """A profile."""
    return sim.load_profile(GPU)


@cache
def model() -> Any:
    """A model."""
    return sim.load_model(MODEL)


@cache
def plan() -> Any:
    """A plan."""
    return sim.prune(model(), "static-nk", 0.5)


@cache
def samples() -> Any:
    """Samples, of kinds whose predictions have points."""
    return sim.read_samples(table(GEMM, GEMM | {"m": 32}, ATTENTION, MEMORY, LAUNCH)).frame


@cache
def validation() -> Validation:
    """Predictions beside samples."""
    return sim.validate(gpu(), samples())


@cache
def comparison() -> ComparisonReport:
    """All that figures of a comparison show."""
    return sim.gather_comparison(model(), plan(), gpu(), phase="decode", context=128)


@cache
def losses() -> Frontier:
    """Losses of quality beside speedups."""
    llama = sim.load_model("llama-2-7b")
    return sim.frontier(llama, gpu(), phase="decode", context=128)


@cache
def points() -> Any:
    """Points of a validation's figures."""
    predictions = validation().predictions
    return sim.validation_points(predictions[predictions["kind"] == "gemm"])


EXCHANGED: dict[str, Any] = {
    "message_bytes": 65_536,
    "gpus": 4,
    "library": "nccl",
    "cuda_graph": True,
    "kernels": "vllm",
}


def _asked() -> dict[str, Any]:
    return {"gpu": gpu(), "scenarios": None, **OPTIONS}


def _compared() -> dict[str, Any]:
    return {"model": model(), "plans": plan(), "measured": None, **_asked()}


def _asked_of_one() -> dict[str, Any]:
    """A model on one GPU in one scenario."""
    return {"model": model(), "gpu": GPU, "phase": "decode", "batch": 1, "context": 128}


@cache
def search_found() -> Any:
    """What a small search found."""
    return sim.search(**{**_searched(), **_asked_of_one(), "points": 3, "uniform": True})


def _searched() -> dict[str, Any]:
    """A small search, with all that it may be asked."""
    nothing = dict.fromkeys(
        (
            "target_latency_ms",
            "target_tpot_ms",
            "target_ttft_ms",
            "target_memory_gib",
            "target_price_per_million",
            "shapes",
            "runs_on",
            "metric",
            "kernels",
        )
    )
    return {
        **nothing,
        "importance": "uniform",
        "choices": {"ffn": ["width=50%", "none"]},
        "target_speedup": 1.1,
        "sure": 0.5,
        "multiple": 1,
        "tensor_parallel": 1,
        "group": 0,
        "keep": [],
        "gap": 0.01,
        "time_limit": 5.0,
        "points": 0,
        "uniform": False,
    }


def calls(folder: Path) -> dict[str, Callable[[], Arguments]]:
    """Arguments by the function's name, those by position first; files are written to `folder`."""
    frontier_points = losses().points
    one_frontier = frontier_points[frontier_points["axis"] == frontier_points["axis"].iloc[0]]
    return {
        "Request": lambda: {"prompt_len": 128, "output_len": 2, "name": "own"},
        "Scenarios": lambda: _fields(sim.Scenarios.of(phase="decode", context=128)),
        "Scenarios.of": lambda: {**OPTIONS, "request": None},
        "all_reduce_latency": lambda: {"gpu": gpu(), **EXCHANGED},
        "attention_latency": lambda: {
            "gpu": gpu(),
            "phase": "decode",
            "dtype": "bf16",
            "kv_dtype": "fp8",
            "window": 1024,
            "kv_copies": 1,
            "kernels": "vllm",
            **ATTENTION_DIMENSIONS,
        },
        "break_even": lambda: {"model": model(), "plans": plan(), **_asked()},
        "calibrate": lambda: {
            "gpu": gpu(),
            "samples": table(LAUNCH),
            "kernels": "sglang",
            "driver": "1",
        },
        "compare": lambda: {"kernels": None, **_compared()},
        "compare_along": lambda: {"key": "memory.bandwidth_gb_s", "values": [3000.0], **_compared()},
        "compare_served": lambda: {
            "model": model(),
            "several": plan(),
            "gpu": gpu(),
            "tpot_target_ms": None,
            "ttft_target_ms": None,
            **SERVICE,
        },
        "moe_latency": lambda: {
            "gpu": gpu(),
            "tokens": 16,
            "hidden_size": 2048,
            "ffn_width": 768,
            "num_experts": 128,
            "top_k": 8,
            "dtype": "bf16",
            "routing": "power_law_1.2",
            "tensor_parallel": 1,
            "expert_parallel": 2,
            "gated": True,
            "weight_copies": 1,
            "kernels": "vllm",
        },
        "exchange_latency": lambda: {"gpu": gpu(), "exchange": "all_gather", **EXCHANGED},
        "family_curves": lambda: {"frame": comparison().curves},
        "free_widths": lambda: {"model": model(), "sparsity": 0.3, **_asked()},
        "frontier": lambda: {
            "model": model(),
            "quality": None,
            "quality_model": "llama-2-7b",
            "recovery": None,
            "task_type": None,
            "source": None,
            "measured": None,
            "request": None,
            **_asked(),
        },
        "frontier_figure": lambda: {"points": one_frontier},
        "layer_bars": lambda: {"layers": search_found().layers},
        "trade_off": lambda: {"curve": search_found().curve, "uniform": search_found().uniform},
        "latency_table": lambda: {"choices": {"ffn": ["width=50%"]}, "kernels": None, **_asked_of_one()},
        "search": lambda: {**_searched(), **_asked_of_one()},
        "write_latency_table": lambda: {
            "path": folder / "table.csv",
            "form": None,
            "choices": {"ffn": ["none"]},
            "kernels": None,
            **_asked_of_one(),
        },
        "gather_comparison": lambda: {"left_out": [], **_compared()},
        "gemm_latency": lambda: {
            "gpu": gpu(),
            "m": 8,
            "n": 128,
            "k": 128,
            "dtype": "bf16",
            "sparsity": None,
            "weight_copies": None,
            "act_quant": "dynamic",
            "kernels": None,
            "sparse_kernel": "macko",
        },
        "held_out_rows": lambda: {"frame": samples(), "fraction": 0.5, "seed": 0},
        "import_source": lambda: {"source": "vidur", "path": folder, "gpu": None, "skip_bad": False},
        "load_model": lambda: {"name_or_path": MODEL},
        "load_profile": lambda: {"name_or_path": GPU, "kernels": "tensorrt-llm"},
        "loss_waterfall": lambda: {"row": comparison().comparison.iloc[0]},
        "padded_widths": lambda: {"model_or_plan": model(), **_asked()},
        "predict": lambda: {"model_or_plan": model(), "kernels": None, **_asked()},
        "predicted_measured": lambda: {"frame": points()},
        "prune": lambda: {"": model(), "family": "static-nk", "sparsity": 0.5, "align": 64, "target": "ffn"},
        "read_samples": lambda: {
            "source": samples(),
            "gpu": None,
            "kind": None,
            "skip_bad": False,
            "defaults": None,
        },
        "residual_by_shape": lambda: {"frame": points(), "dimension": "m"},
        "roofline": lambda: {"frame": comparison().ops, "profile": gpu(), "visible": ("dense",)},
        "serve": lambda: {"model_or_plan": model(), "gpu": gpu(), **SERVICE},
        "simulate_serving": lambda: {
            "model_or_plan": model(),
            "gpu": gpu(),
            "rate": None,
            "requests": 10,
            "seed": 0,
            **SERVICE,
        },
        "sparsity_for": lambda: {
            "model": model(),
            "target_speedup": 1.2,
            "chosen": ["static-m"],
            **_asked(),
        },
        "speedup_curve": lambda: {"frame": comparison().curves, "top": None},
        "summary": lambda: {"found": comparison().comparison, "max_loss_percent": None},
        "sweep": lambda: {
            "plan": {
                "model": [MODEL],
                "gpu": [GPU],
                "phase": ["decode"],
                "context": [128],
                "sparsity": [0.5],
                "family": ["static-m"],
            },
            "out": None,
            "workers": 1,
            "scheduler": None,
            "chunk_rows": 100,
        },
        "time_by_op": lambda: {"frame": comparison().ops},
        "validate": lambda: {"profile": gpu(), "samples": samples(), "kinds": None},
        "validation_points": lambda: {"rows": validation().predictions[lambda rows: rows["kind"] == "gemm"]},
        "with_overrides": lambda: {"gpu": gpu(), "overrides": {"memory.bandwidth_gb_s": 3000.0}},
        "write_fit": lambda: {"fit": gpu().fit, "path": folder / "own.fit.json"},
    }


def called(name: str, arguments: Arguments) -> Any:
    """The public function's answer; what is named "" goes by position."""
    function: Any = sim
    for part in name.split("."):
        function = getattr(function, part)
    given = dict(arguments)
    first = [given.pop("")] if "" in given else []
    return function(*first, **given)


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}
