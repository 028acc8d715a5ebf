"""Hostile calls: every public function, with arguments that are good but for one or two."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import fuzz_files as files
import fuzz_reports
import fuzz_searches
import fuzz_serving
import infersim as sim
from fuzz_options import keywords as known_keywords
from fuzz_words import FAMILIES, GPUS, argument, word


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A public function by name, with its arguments."""

    name: str
    positional: tuple[Any, ...]
    keywords: dict[str, Any]


@cache
def _model() -> Any:
    return sim.load_model("llama-3.2-1b")


@cache
def _plan() -> Any:
    return sim.prune(_model(), "static-nk", sparsity=0.5)


@cache
def _gpu() -> Any:
    return sim.load_profile("h100-sxm")


@cache
def _comparison() -> Any:
    return sim.compare(_model(), [_plan()], "h100-sxm", context=[128, 1024])


@cache
def _one_scenario(name: str) -> Any:
    """A frame of a report on one scenario."""
    return getattr(sim.gather_comparison(_model(), [_plan()], "h100-sxm", phase="decode", context=1024), name)


@cache
def _frontier() -> Any:
    return sim.frontier("llama-3.1-8b", "h100-sxm", phase="prefill", context=1024)


@cache
def _samples() -> Any:
    import pandas as pd

    return sim.read_samples(pd.DataFrame.from_records([files.SAMPLE, files.SAMPLE | {"m": 64}])).frame


DEAR = ("sweep", "frontier", "search", "frontier_figure", "calibrate", "sparsity_for")
CHEAP = 3
"""How much likelier calls are that take no second."""


def call(chance: random.Random, folder: Path) -> Call:
    """One call; files that it names lie in `folder`."""
    name = chance.choice([name for name in GOOD for _ in range(1 if name in DEAR else CHEAP)])
    positional, keywords = GOOD[name](chance, folder)
    known = known_keywords(name)[len(positional) :]
    if known and chance.random() < 0.2:
        keywords = keywords | {chance.choice(known): _hostile(chance)}
    spoilt = list(positional)
    for _ in range(chance.choice((0, 1, 1, 1, 2))):
        at = chance.randrange(len(spoilt) + len(keywords))
        if at < len(spoilt):
            spoilt[at] = _hostile(chance)
        else:
            keywords[list(keywords)[at - len(spoilt)]] = _hostile(chance)
    return Call(name=name, positional=tuple(spoilt), keywords=keywords)


def _hostile(chance: random.Random) -> Any:
    way = chance.random()
    if way < 0.6:
        return argument(chance)
    if way < 0.8:
        return word(chance)
    return chance.choice((_model, _plan, _gpu, _comparison, _samples))()


Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def _scenario(chance: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {"context": chance.choice((1024, [128, 4096]))}
    more: dict[str, Any] = {
        "phase": "decode",
        "batch": [1, 8],
        "dtype": "fp8",
        "kv_dtype": "bf16",
        "execution": "separate",
    }
    more |= {"cuda_graph": False}
    return made | {name: value for name, value in more.items() if chance.random() < 0.5}


def _attention(chance: random.Random, folder: Path) -> Arguments:
    shape = {"batch": 8, "context_len": [64, 4096], "num_heads": 32, "num_kv_heads": 8, "head_dim": 128}
    return (chance.choice(GPUS[:5]),), {
        "phase": "decode",
        **shape,
        "kv_copies": 1,
        "dtype": "bf16",
        "query_len": 1,
        "kernels": chance.choice((None, "sglang", "vllm")),
    }


def _gemm(chance: random.Random, folder: Path) -> Arguments:
    more = {"dtype": "bf16", "sparsity": None, "weight_copies": 2, "act_quant": chance.choice((True, False))}
    more["kernels"] = chance.choice((None, "sglang", "vllm"))
    return (chance.choice(GPUS[:5]), [1, 64], 4096, 2048), more


def _experts(chance: random.Random, folder: Path) -> Arguments:
    more = {"routing": chance.choice(("balanced", "random", "power_law_1.2")), "expert_parallel": 2}
    sizes = {"tokens": [1, 64], "hidden_size": 2048, "ffn_width": 768, "num_experts": 64, "top_k": 6}
    return (chance.choice(GPUS[:5]),), {**sizes, "dtype": "bf16", "kernels": None, **more}


def _reduced(chance: random.Random, folder: Path) -> Arguments:
    more = {"library": chance.choice((None, "nccl")), "kernels": chance.choice((None, "tensorrt-llm"))}
    return (chance.choice(GPUS[:5]),), {"message_bytes": [8192, 2**26], "gpus": 2, "cuda_graph": True, **more}


def _exchanged(chance: random.Random, folder: Path) -> Arguments:
    (gpu,), more = _reduced(chance, folder)
    return (gpu, chance.choice(("all_gather", "all_to_all", "reduce_scatter"))), more


def _prune(chance: random.Random, folder: Path) -> Arguments:
    more = {"target": "ffn"} if chance.random() < 0.3 else {}
    return (chance.choice((_model(), _plan(), "llama-3.2-1b")), chance.choice(FAMILIES[:8])), {
        "sparsity": 0.25,
        **more,
    }


def _fields(record: Any) -> dict[str, Any]:
    return {each.name: getattr(record, each.name) for each in dataclasses.fields(record)}


def _source(chance: random.Random, folder: Path) -> Any:
    return files.frame(chance) if chance.random() < 0.7 else files.samples(chance, folder)


@cache
def _validated() -> Any:
    return sim.validate("h100-sxm", _samples()).predictions


@cache
def _points() -> Any:
    return sim.validation_points(_validated())


GOOD: dict[str, Callable[[random.Random, Path], Arguments]] = {
    "attention_latency": _attention,
    "gemm_latency": _gemm,
    "moe_latency": _experts,
    "all_reduce_latency": _reduced,
    "exchange_latency": _exchanged,
    "prune": _prune,
    "break_even": lambda c, f: (
        (_model(), [_plan()], "h100-sxm"),
        {"phase": "decode", "batch": 1, "context": 1024},
    ),
    "calibrate": lambda c, f: (("h100-sxm", _source(c, f)), {"kernels": c.choice((None, "vllm"))}),
    "compare": lambda c, f: ((_model(), [_plan()], "h100-sxm"), {"measured": None, **_scenario(c)}),
    "compare_along": lambda c, f: (
        (_model(), [_plan()], "h100-sxm", "memory.bandwidth_gb_s", [1000.0, 2000.0]),
        _scenario(c),
    ),
    "compare_served": lambda c, f: fuzz_serving.compare_call(c, f, _model(), _plan()),
    "family_curves": lambda c, f: ((_one_scenario("curves"),), {}),
    "free_widths": lambda c, f: ((_model(), "h100-sxm", 0.5), _scenario(c)),
    "frontier": lambda c, f: (
        ("llama-3.1-8b", "h100-sxm"),
        {"phase": "prefill", "context": 1024, "quality": None, "recovery": None, "source": None},
    ),
    "frontier_figure": lambda c, f: ((_frontier().points,), {}),
    "gather_comparison": lambda c, f: ((_model(), [_plan()], "h100-sxm"), _scenario(c)),
    "held_out_rows": lambda c, f: ((_samples(), 0.5, 0), {}),
    "import_source": lambda c, f: (
        fuzz_reports.report(c, f),
        {"gpu": "h100-sxm", "skip_bad": c.random() < 0.5},
    ),
    "layer_bars": lambda c, f: ((fuzz_searches.searched(_model()).layers,), {}),
    "trade_off": lambda c, f: (
        (fuzz_searches.searched(_model()).curve, fuzz_searches.searched(_model()).uniform),
        {},
    ),
    "latency_table": lambda c, f: fuzz_searches.table_call(c, f, _model()),
    "load_model": lambda c, f: ((files.config(c, f),), {}),
    "load_profile": lambda c, f: ((files.profile(c, f),), {"kernels": c.choice((None, "vllm"))}),
    "loss_waterfall": lambda c, f: ((_comparison().iloc[0],), {}),
    "padded_widths": lambda c, f: ((c.choice((_model(), _plan())), c.choice(GPUS[:5])), _scenario(c)),
    "predict": lambda c, f: ((c.choice((_model(), _plan())), c.choice(GPUS[:5])), _scenario(c)),
    "predicted_measured": lambda c, f: ((_points(),), {}),
    "read_samples": lambda c, f: (
        (_source(c, f),),
        {"gpu": "h100-sxm", "skip_bad": c.random() < 0.5, "defaults": None},
    ),
    "residual_by_shape": lambda c, f: ((_points(), "m"), {}),
    "roofline": lambda c, f: ((_one_scenario("ops"), _gpu()), {}),
    "Scenarios.of": lambda c, f: ((), _scenario(c)),
    "Request": lambda c, f: ((), {"prompt_len": 100, "output_len": 3}),
    "search": lambda c, f: fuzz_searches.search_call(c, f, _model()),
    "serve": lambda c, f: fuzz_serving.serve_call(c, f, c.choice((_model(), [_model(), _plan()]))),
    "simulate_serving": lambda c, f: fuzz_serving.simulate_call(c, f, c.choice((_model(), _plan()))),
    "Scenarios": lambda c, f: ((), _fields(sim.Scenarios.of(context=128))),
    "sparsity_for": lambda c, f: ((_model(), "h100-sxm", 1.2), {"chosen": ["static-m"], **_scenario(c)}),
    "speedup_curve": lambda c, f: ((_comparison(),), {}),
    "summary": lambda c, f: ((_comparison(),), {}),
    "sweep": lambda c, f: ((files.sweep_plan(c, f),), {"out": f / "sweep.parquet", "chunk_rows": 100}),
    "time_by_op": lambda c, f: ((_one_scenario("ops"),), {}),
    "validate": lambda c, f: (("h100-sxm", _source(c, f)), {"kinds": None}),
    "validation_points": lambda c, f: ((_validated(),), {}),
    "with_overrides": lambda c, f: (("h100-sxm", {"memory.bandwidth_gb_s": 2000.0}), {}),
    "write_fit": lambda c, f: ((_gpu().fit, f / "x.fit.json"), {}),
    "write_latency_table": lambda c, f: fuzz_searches.writing_call(c, f, _model()),
}


def performed(made: Call) -> Any:
    """What the call returns."""
    function: Any = sim
    for part in made.name.split("."):
        function = getattr(function, part)
    return function(*made.positional, **made.keywords)
