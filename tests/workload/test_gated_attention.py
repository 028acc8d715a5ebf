"""Attention whose result is multiplied by a gate of the input: kernels, shares, pruning and files by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.domain.ops import Op, Part
from infersim.domain.shapes import Gemm, MemoryBound, Phase
from infersim.measuring.model.measurable import check_measurable
from infersim.pruning.composition import prune
from infersim.pruning.linears import executed_values
from infersim.pruning.plan_files.reading import plan_from_file
from infersim.workload.counts import parameters
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.ops.model import model_ops
from infersim.workload.parallel.shares import gpu_share
from infersim.workload.scenario import Execution, Layout, Scenario
from infersim.workload.transformer import Attention, Linear, Transformer
from tests.workload.examples import HEAD_DIM, HEADS, HIDDEN, KV_HEADS, LAYERS, decode, prefill, small

PLAIN = small()
GATE = Linear(out_features=HEADS * HEAD_DIM, in_features=HIDDEN)


def gated() -> Transformer:
    block = PLAIN.blocks[0]
    assert isinstance(block.attention, Attention)
    return PLAIN.with_blocks((replace(block, attention=replace(block.attention, gate=GATE)),) * LAYERS)


def attention_of(model: Transformer) -> Attention:
    found = model.blocks[0].attention
    assert isinstance(found, Attention)
    return found


def ops_of(model: Transformer, scenario: Scenario) -> dict[str, Op]:
    return {op.name: op for op in model_ops(model, scenario) if op.group == 0}


def test_one_matrix_more_a_layer() -> None:
    assert parameters(gated()) - parameters(PLAIN) == LAYERS * HEADS * HEAD_DIM * HIDDEN
    assert list(attention_of(gated()).matrices) == ["q", "k", "v", "o_gate", "o"]


def test_the_gate_reads_the_input_with_q_k_and_v_and_one_kernel_multiplies() -> None:
    ops, plain = ops_of(gated(), decode(3, 100)), ops_of(PLAIN, decode(3, 100))
    assert set(ops) - set(plain) == {"attn_gated"}
    stacked, product = ops["qkv"].shape, ops["attn_gated"].shape
    assert isinstance(stacked, Gemm)
    assert stacked.n == (2 * HEADS + 2 * KV_HEADS) * HEAD_DIM
    assert isinstance(product, MemoryBound)
    assert ops["attn_gated"].part is Part.ELEMENTWISE
    assert product.read_bytes == 3 * 2 * HEADS * HEAD_DIM * 2
    assert product.write_bytes == 3 * HEADS * HEAD_DIM * 2


def test_eager_code_runs_the_sigmoid_alone() -> None:
    ops = ops_of(gated(), replace(prefill(1, 8), execution=Execution(layout=Layout.SEPARATE)))
    assert {"q", "k", "v", "o_gate"} <= set(ops)
    product = ops["attn_gated"].shape
    assert isinstance(product, MemoryBound)
    assert (product.kernels, product.read_bytes) == (2, 8 * 3 * HEADS * HEAD_DIM * 2)


def test_gpus_and_fewer_heads_share_the_gate_as_q() -> None:
    share = attention_of(gpu_share(gated(), Execution(gpus=2)))
    fewer = attention_of(prune(gated(), "static-nk", sparsity=0.5, target="heads").transformer)
    for attention in (share, fewer):
        assert attention.gate is not None
        assert attention.gate.out_features == attention.q.out_features == HEADS * HEAD_DIM // 2


def test_other_families() -> None:
    narrow = attention_of(prune(gated(), "static-nk-cross", sparsity=0.5).transformer)
    assert narrow.gate is not None
    assert (narrow.gate.in_features, narrow.gate.out_features) == (HIDDEN // 2, HEADS * HEAD_DIM)
    low = attention_of(prune(gated(), "static-k-lowrank", sparsity=0.5).transformer)
    assert low.gate is not None
    assert low.gate.rank is not None
    # Tokens that skip attention leave out all but K and V.
    skipped = prune(gated(), "dynamic-m", sparsity=0.5, target="attention").transformer
    kept = executed_values(gated()) - executed_values(skipped)
    assert kept == LAYERS * 0.5 * 3 * HEADS * HEAD_DIM * HIDDEN
    with pytest.raises(UnsupportedError, match="whose result is gated"):
        prune(gated(), "dynamic-mnk", sparsity=0.5)


def test_plan_files_name_the_gate(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text("[layer.0]\nrank = { o_gate = 2 }\n")
    gate = attention_of(plan_from_file(file, gated()).transformer).gate
    assert gate is not None
    assert gate.rank == 2
    with pytest.raises(FileContentError, match="rank = 'o_gate'; expected the name of a matrix"):
        plan_from_file(file, PLAIN)
    file.write_text("[layer.0]\nlinear = { attention = 0 }\nrank = { o_gate = 2 }\n")
    with pytest.raises(FileContentError, match=r"rank\.o_gate = 2; .* beside linear\.attention"):
        plan_from_file(file, gated())


def test_a_gate_is_predicted_only() -> None:
    with pytest.raises(UnsupportedError, match="a gate of attention's result"):
        check_measurable(gated(), Phase.DECODE)


def test_the_published_sizes_of_trinity_mini() -> None:
    """26 B parameters, with keys of the published file that say how tokens choose."""
    config = {
        "model_type": "afmoe", "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128, "vocab_size": 200192,
        "max_position_embeddings": 131072, "num_experts": 128, "num_experts_per_tok": 8,
        "num_shared_experts": 1, "num_dense_layers": 2, "moe_intermediate_size": 1024,
        "global_attn_every_n_layers": 4, "sliding_window": 2048, "mup_enabled": True, "route_norm": True,
        "route_scale": 2.826, "score_func": "sigmoid", "n_group": 1, "topk_group": 1,
        "load_balance_coeff": 0.001, "use_grouped_mm": True,
    }  # fmt: skip
    model = transformer_from_config(config)
    assert parameters(model) / 1e9 == pytest.approx(26, abs=0.5)
    assert model.embedding.scaled
    rotary = [block.attention.rotary for block in model.blocks if isinstance(block.attention, Attention)]
    assert rotary == [1.0, 1.0, 1.0, 0.0] * 8
