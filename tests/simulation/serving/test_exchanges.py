"""Engines that share a model between GPUs: what they add up by, and norms that run in the same kernel."""

from __future__ import annotations

import pytest

import infersim as sim
from infersim.engines.reading import load_engine
from infersim.simulation.serving.steps import execution_on
from infersim.workload.scenario import Execution
from tests.simulation.serving.examples import changed

MODEL = "llama-3.1-8b"
SERVICE = {"prompt": 512, "output": 128, "concurrency": 8, "gpus": 8}


def test_norms_run_in_the_sums_of_several_gpus_of_some_kinds() -> None:
    engine = load_engine("vllm")
    b200, h100 = sim.load_profile("b200-sxm"), sim.load_profile("h100-sxm")
    shared = Execution(gpus=8)
    assert execution_on(b200, shared, engine).norms_with_sums
    for plain in (
        execution_on(h100, shared, engine),
        execution_on(b200, Execution(), engine),
        execution_on(b200, Execution(gpus=8, exchanges="nccl"), engine),
    ):
        assert not plain.norms_with_sums


def test_a_norm_in_the_sum_spares_its_launch_and_never_costs() -> None:
    apart = changed("vllm", kernels={"sums_and_norms": []})
    together, separate = (
        sim.serve(MODEL, "b200-sxm", engine=engine, **SERVICE).iloc[0]  # type: ignore[arg-type]
        for engine in ("vllm", apart)
    )
    memory = sim.load_profile("b200-sxm").fit.kinds["memory"].parameters["launch_us"]  # type: ignore[union-attr]
    # 64 norms of 32 layers are no longer launched, and sums are not slower than the engine's own.
    assert separate["step_ms"] - together["step_ms"] > 64 * memory / 1e3
    assert together["step_ms"] > 0.6 * separate["step_ms"]


def test_the_library_alone_adds_up_more_slowly() -> None:
    own, nccl = (
        sim.serve(MODEL, "h100-sxm", engine=engine, **SERVICE).iloc[0]  # type: ignore[arg-type]
        for engine in ("vllm", changed("vllm", kernels={"all_reduce": "nccl"}))
    )
    # 65 sums of 64 KiB: some 6 us by vLLM's kernels and 19 by NCCL.
    assert nccl["step_ms"] - own["step_ms"] == pytest.approx(65 * 0.0135, rel=0.3)
