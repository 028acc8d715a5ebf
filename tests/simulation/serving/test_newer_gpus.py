"""What an engine does beside newer GPUs: activations of 8 bit for experts in mxfp4, and a shorter step."""

from __future__ import annotations

from dataclasses import replace

import pytest

import infersim as sim
from infersim.domain.shapes import Experts
from infersim.engines.reading import load_engine
from infersim.simulation.serving.steps import execution_on
from infersim.workload.ops.experts import routed
from infersim.workload.ops.flow import Flow
from infersim.workload.scenario import Execution
from infersim.workload.transformer import ExpertLayer
from tests.simulation.serving.examples import changed

SERVICE = {"prompt": 512, "output": 64, "concurrency": 8}


def experts_of(name: str, execution: Execution) -> Experts:
    layer = sim.load_model(name).blocks[-1].ffn
    assert isinstance(layer, ExpertLayer)
    shape = routed(layer, Flow(tokens=8.0), execution).shape
    assert isinstance(shape, Experts)
    return shape


def test_experts_in_mxfp4_multiply_8_bit_where_the_engine_says_so() -> None:
    engine = load_engine("vllm")
    b200, h100 = (
        execution_on(sim.load_profile(gpu), Execution(), engine) for gpu in ("b200-sxm", "h100-sxm")
    )
    assert experts_of("gpt-oss-20b", b200).precision.activation_bytes == pytest.approx(1 + 1 / 32)
    assert experts_of("gpt-oss-20b", h100).precision.name == "mxfp4a16"
    assert experts_of("qwen3-30b-a3b", b200).precision.name == "bf16"


def test_the_stand_in_is_said_and_its_interval_is_no_narrower() -> None:
    own, wide = (
        sim.serve("gpt-oss-20b", "b200-sxm", engine=engine, **SERVICE).iloc[0]  # type: ignore[arg-type]
        for engine in ("vllm", changed("vllm", kernels={"narrow_activations": []}))
    )
    assert "timed as nvfp4" in own["notes"]
    assert wide["notes"] == ""
    assert own["tpot_upper_ms"] / own["tpot_ms"] >= 0.99 * wide["tpot_upper_ms"] / wide["tpot_ms"]
    assert own["prefill_ms"] < wide["prefill_ms"]


def test_predictions_without_an_engine_keep_activations_of_16_bit() -> None:
    execution = Execution()
    assert experts_of("gpt-oss-20b", execution).precision.name == "mxfp4a16"
    assert experts_of("gpt-oss-20b", replace(execution, narrow_activations=True)).precision.name == "mxfp4a8"


@pytest.mark.parametrize(("gpu", "saved_ms"), [("a100-sxm-80gb", 0.0), ("h100-sxm", 0.7)])
def test_a_step_beside_a_newer_gpu_is_shorter(gpu: str, saved_ms: float) -> None:
    old = changed("vllm", host={"step_ms": 1.1}, newer_gpus={"capabilities": []})
    new = changed("vllm", host={"step_ms": 1.1}, newer_gpus={"capabilities": ["9.0"], "step_ms": 0.4})
    slow, quick = (
        sim.serve("llama-3.1-8b", gpu, engine=engine, **SERVICE).iloc[0]  # type: ignore[arg-type]
        for engine in (old, new)
    )
    assert slow["step_ms"] - quick["step_ms"] == pytest.approx(saved_ms)
