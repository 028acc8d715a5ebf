"""Mistakes found in other tools' models of inference, each as a test of ours."""

from __future__ import annotations

import pytest

from infersim.domain.shapes import Experts, Gemm
from infersim.workload.counts import linear_bytes, weight_bytes
from infersim.workload.memory import kv_cache_bytes
from infersim.workload.ops.model import model_ops
from infersim.workload.presets import list_models, load_model
from infersim.workload.scenario import Execution, Layout
from infersim.workload.transformer import ExpertLayer, Transformer
from tests.workload.examples import attention, decode, gemm, ops_by_name


def test_grouped_queries_share_the_kv_cache() -> None:
    """GQA ignored: reading 32 heads of K and V where Llama-3.1-8B caches 8."""
    model, scenario = load_model("llama-3.1-8b"), decode(1, 1000)
    assert kv_cache_bytes(model, scenario) == 2 * 32 * 8 * 128 * 1000 * 2
    assert attention(ops_by_name(model, scenario)["attention"]).num_kv_heads == 8


def idle_bytes(model: Transformer) -> float:
    """Weights of experts that one token does not run, biases included."""
    layers = [block.ffn for block in model.blocks if isinstance(block.ffn, ExpertLayer)]
    return sum(
        (layer.num_experts - layer.top_k)
        * (linear_bytes(linear, Execution()) + 2 * linear.bias * linear.out_features)
        for layer in layers
        for linear in layer.expert.linears
    )


@pytest.mark.parametrize("name", list_models())
@pytest.mark.parametrize("layout", list(Layout))
def test_a_decode_step_reads_every_weight_once(name: str, layout: Layout) -> None:
    """Projections without weights to read, and a step without LM head: bytes far below the model's size.

    Elements taken for bytes would show here as a factor of two. Of experts a token reads those that it runs.
    """
    model, scenario = load_model(name), decode(1, 1000, layout)
    ops = model_ops(model, scenario)
    read = 0.0
    for op in ops:
        if isinstance(op.shape, Gemm):
            read += float(op.count * op.shape.n * op.shape.k) * op.shape.precision.weight_bytes
        elif isinstance(op.shape, Experts):
            an_expert = 3 * op.shape.hidden * op.shape.width * op.shape.precision.weight_bytes
            read += float(op.count * op.shape.top_k * an_expert)
    head_and_embedding = 2 * model.vocab * model.hidden
    assert any(op.name == "lm_head" for op in ops)
    stored = weight_bytes(model, scenario.execution) - idle_bytes(model)
    matrices = stored if model.tied_embeddings else stored - head_and_embedding
    # Norms and biases are no GEMM's; gpt-oss has biases everywhere.
    assert read == pytest.approx(matrices, rel=1e-3 if name.startswith("gpt-oss") else 2e-4)
    assert read <= matrices


@pytest.mark.parametrize("layout", list(Layout))
def test_the_smallest_step_has_every_op(layout: Layout) -> None:
    """A crash, or ops lost, at batch 1 and one token."""
    model = load_model("llama-3.1-8b")
    smallest, usual = ops_by_name(model, decode(1, 1, layout)), ops_by_name(model, decode(8, 512, layout))
    assert set(smallest) == set(usual)
    assert all(gemm(op).m == 1 for op in smallest.values() if isinstance(op.shape, Gemm))
