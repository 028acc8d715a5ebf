"""The tables of the pages in docs/families; `_generate.pages` finds their places and writes them.

Speedups are predicted ones, as `infersim compare` gives them, the bound in brackets.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import infersim
from _generate.markdown import markdown_table
from infersim.cost.gemm.group_skip import GroupAxis, GroupGemm
from infersim.cost.gemm.unstructured import SparseKernel, UnstructuredGemm
from infersim.cost.kernels import kernel_cost
from infersim.domain.arrays import Array
from infersim.domain.dtypes import precision_named
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Gemm, Shape
from infersim.report.core import rounding
from infersim.report.speedups.tables import factors_of

PAGES = Path(__file__).parents[2] / "docs" / "families"

_PHASES = {"prefill": "{} tokens", "decode": "context {}"}


def _compared(question: dict[str, Any]) -> Any:
    """The frame of a question: `plans` are [family, sparsity, options]; the rest are arguments of compare."""
    model = infersim.load_model(question.pop("model", "llama-3.1-8b"))
    plans = [
        infersim.prune(model, family, sparsity, **options)
        for family, sparsity, options in question.pop("plans")
    ]
    return infersim.compare(model, plans, question.pop("gpu"), **question)


def _speedups(question: dict[str, Any]) -> str:
    """A row a plan, a column a scenario: `predicted (bound)`."""
    frame = _compared(question)
    scenarios = frame[["gpus", "phase", "batch", "context"]].drop_duplicates().to_dict("records")
    rows = []
    for plan, of_plan in frame.groupby("plan", sort=False):
        cells = [
            f"{rounding.speedup(row['predicted'])} ({rounding.speedup(row['bound'])})"
            for _, row in of_plan.iterrows()
        ]
        rows.append([str(plan), *cells])
    return markdown_table(["predicted (bound)", *map(_scenario, scenarios)], rows)


def _losses(question: dict[str, Any]) -> str:
    """A row a plan of one scenario: the promise, what eats it, and what is left."""
    frame = _compared(question)
    factors = factors_of(frame)
    rows = [
        [
            str(row["plan"]),
            str(row["phase"]),
            rounding.speedup(row["flops"]),
            *(f"{row[f'loss_{name}']:.2f}" for name in factors),
            rounding.speedup(row["predicted"]),
        ]
        for _, row in frame.iterrows()
    ]
    return markdown_table(
        ["plan", "phase", "FLOPs", *(name.replace("_", " ") for name in factors), "predicted"], rows
    )


def _kernels(question: dict[str, Any]) -> str:
    """A row a GEMM [m, n, k]: microseconds, and the time over that of the first row for each FLOP."""
    gpu = infersim.load_profile(question["gpu"])
    rows, first = [], None
    for m, n, k in question["gemms"]:
        found = infersim.gemm_latency(gpu, m, n, k, dtype="bf16")
        each = float(found.latency_s) / (m * n * k)
        first = first or each
        limiter = str(found.limiter)
        rows.append(
            [f"{m} x {n} x {k}", f"{float(found.latency_s) * 1e6:.1f}", f"{each / first:.2f}", limiter]
        )
    return markdown_table(["M x N x K", "us", "time a FLOP, first row = 1", "limited by"], rows)


def _attention_alone(question: dict[str, Any]) -> str:
    """A row a context, a column a sparsity: published, then predicted, of attention and its masks alone."""
    model = infersim.load_model("llama-3.1-8b")
    sparsities = question["sparsity"]
    plans = [infersim.prune(model, "dynamic-nk", sparsity) for sparsity in sparsities]
    rows = []
    for context, published in question["published"].items():
        rows.append([f"{int(context):,}, published", *map(rounding.speedup, published)])
        for gpu in question["gpus"]:
            dense = infersim.predict(model, gpu, context=int(context))["ms_attention"].iloc[0]
            frame = infersim.compare(model, plans, gpu, context=int(context))
            gains = dense / (frame["ms_attention"] + frame["ms_extra"])
            rows.append([f"{int(context):,}, {gpu}", *map(rounding.speedup, gains)])
    return markdown_table(["tokens", *map(rounding.fraction, sparsities)], rows)


def _group_kernels(question: dict[str, Any]) -> str:
    """A row an operator and group size, a column a number of tokens: speed over the dense GEMM, cold."""
    gpu, precision = infersim.load_profile(question["gpu"]), precision_named("bf16")
    tokens = np.array(question["tokens"], dtype=float)
    rows = []
    for name, n, k in question["operators"]:
        dense = _seconds(Gemm(m=tokens, n=n, k=k, precision=precision), gpu)
        axis = GroupAxis.OUTPUT if name == "gemm_mn" else GroupAxis.INPUT
        for group in question["groups"]:
            shape = GroupGemm(
                m=tokens, n=n, k=k, kept=question["kept"], group=group, axis=axis, precision=precision
            )
            gains = dense / _seconds(shape, gpu)
            rows.append([f"{name} {n} x {k}, groups of {group}", *map(rounding.speedup, gains)])
    return markdown_table(["tokens", *(f"{each:,}" for each in question["tokens"])], rows)


def _sparse_kernels(question: dict[str, Any]) -> str:
    """A row a kernel and number of tokens, a column a sparsity: speed over the dense GEMM."""
    gpu, precision = infersim.load_profile(question["gpu"]), precision_named("fp16")
    sparsities = np.array(question["sparsity"])
    n, k = question["matrix"]
    rows = []
    for kernel in question["kernels"]:
        for tokens in question["tokens"]:
            dense = _seconds(Gemm(m=tokens, n=n, k=k, precision=precision), gpu)
            shape = UnstructuredGemm(
                m=tokens, n=n, k=k, density=1 - sparsities, precision=precision, kernel=SparseKernel(kernel)
            )
            gains = dense / _seconds(shape, gpu)
            counted = f"{tokens:,} token{'s' if tokens > 1 else ''}"
            rows.append([f"{kernel}, {counted}", *map(rounding.speedup, gains)])
    return markdown_table([f"zero, {n} x {k}", *map(rounding.fraction, question["sparsity"])], rows)


def _seconds(shape: Shape, gpu: HardwareProfile) -> Array:
    cost = kernel_cost(shape, gpu)
    return cost.kernel_s + cost.launch_s


def _scenario(row: dict[str, Any]) -> str:
    place = _PHASES[row["phase"]].format(f"{row['context']:,}")
    shared = f", {row['gpus']} GPUs" if row["gpus"] > 1 else ""
    return f"{row['phase']}, batch {row['batch']}, {place}{shared}"


KINDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "speedups": _speedups,
    "losses": _losses,
    "kernels": _kernels,
    "attention": _attention_alone,
    "group_kernels": _group_kernels,
    "sparse_kernels": _sparse_kernels,
}
