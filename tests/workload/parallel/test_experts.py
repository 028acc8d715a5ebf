"""Shares of expert layers and of latent attention, and what GPUs with whole experts exchange, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infersim.domain.shapes import Attention as AttentionShape
from infersim.domain.shapes import Experts, Gemm, Phase
from infersim.workload.counts import parameters, parameters_by_part
from infersim.workload.ops.model import model_ops
from infersim.workload.parallel.shares import gpu_share
from infersim.workload.scenario import Scenario
from infersim.workload.sizes import expert_layer, grouped_query_attention
from infersim.workload.transformer import ExpertLayer, LatentAttention, Transformer
from infersim.workload.weight_format import four_bit_float
from tests.pruning.expert_models import mixtral
from tests.workload.parallel.examples import (
    deepseek_layer,
    exchanged,
    of_blocks,
    on,
    ops_on,
    qwen3_30b,
)


def experts_of(model: Transformer, gpus: int, *, expert_parallel: bool = False) -> Experts:
    (shape,) = (
        op.shape
        for op in ops_on(model, gpus, batch=64, expert_parallel=expert_parallel)
        if isinstance(op.shape, Experts)
    )
    return shape


def test_an_eighth_of_mixtral_by_hand() -> None:
    share = gpu_share(mixtral(), on(8))
    # 4 of 32 query heads, one of 8 KV heads, an eighth of the width of each of 8 experts; routers are whole.
    attention = (2 * 4 * 128 + 2 * 128) * 4096
    layer = attention + 8 * 3 * 14336 // 8 * 4096 + 8 * 4096 + 2 * 4096
    assert parameters(share) == 32 * layer + 2 * 32000 // 8 * 4096 + 4096
    shape = experts_of(mixtral(), 8)
    assert (shape.width, shape.num_experts, shape.local_experts, shape.top_k) == (1792, 8, 8, 2)
    stream = 64 * 4096 * 2
    assert exchanged(ops_on(mixtral(), 8, batch=64)) == {
        "embedding_all_reduce": (stream, 1),
        "attn_all_reduce": (stream, 32),
        "ffn_all_reduce": (stream, 32),
        "logits_all_gather": (64 * 32000 * 2, 1),
    }


def test_whole_experts_of_qwen_by_hand() -> None:
    shape = experts_of(qwen3_30b(), 8, expert_parallel=True)
    assert (shape.width, shape.num_experts, shape.local_experts, shape.tokens) == (768, 128, 16, 64)
    found = exchanged(ops_on(qwen3_30b(), 8, batch=64, expert_parallel=True))
    # Eight experts of a token stand on 8 (1 - (7/8)^8) GPUs; each GPU sends for its eighth of the tokens.
    sent = 64 / 8 * 8 * (1 - (7 / 8) ** 8) * 2048 * 2
    assert found["dispatch"] == found["combine"]
    assert found["dispatch"][0] == pytest.approx(sent)
    assert found["dispatch"][1] == 48
    assert found["ffn_all_gather"] == (64 * 2048 * 2, 48)
    assert "ffn_all_reduce" not in found
    share = gpu_share(qwen3_30b(), on(8, expert_parallel=True))
    layer = share.blocks[0].ffn
    assert isinstance(layer, ExpertLayer)
    assert sum(copies for _, copies in layer.weights()) == 1 + 3 * 16


def test_either_way_all_experts_are_there_once() -> None:
    whole = parameters_by_part(qwen3_30b())["ffn"]
    router = 48 * 128 * 2048
    for expert_parallel in (False, True):
        share = gpu_share(qwen3_30b(), on(8, expert_parallel=expert_parallel))
        assert 8 * parameters_by_part(share)["ffn"] == whole + 7 * router


def test_experts_that_do_not_divide_stand_where_most_are() -> None:
    layer = expert_layer(hidden=256, width=64, num_experts=90, top_k=4)
    attention = grouped_query_attention(hidden=256, num_heads=8, num_kv_heads=8, head_dim=32)
    assert (
        experts_of(of_blocks("some", 256, 640, 1, attention, layer), 8, expert_parallel=True).local_experts
        == 12
    )


def test_a_width_of_mxfp4_experts_is_padded_in_shares() -> None:
    stored = four_bit_float("mxfp4", "mxfp4", activations=False)
    layer = expert_layer(hidden=2880, width=2880, num_experts=128, top_k=4)
    matrices = {name: replace(linear, format=stored) for name, linear in layer.expert.matrices.items()}
    layer = replace(layer, expert=layer.expert.with_matrices(matrices))
    attention = grouped_query_attention(hidden=2880, num_heads=64, num_kv_heads=8, head_dim=64)
    model = of_blocks("gpt-oss", 2880, 201088, 2, attention, layer)
    # An eighth is 360 channels, which no group of 32 divides; kernels take steps of 128.
    assert experts_of(model, 8).width == 384
    assert experts_of(model, 8, expert_parallel=True).width == 2880


def test_latent_attention_splits_heads_and_keeps_the_cache_whole() -> None:
    share = gpu_share(deepseek_layer(), on(8))
    attention = share.blocks[0].attention
    assert isinstance(attention, LatentAttention)
    assert attention.num_heads == 16
    values = 1536 * 7168 + 16 * 192 * 1536 + 576 * 7168 + 16 * 256 * 512 + 7168 * 16 * 128
    assert parameters_by_part(share)["attention"] == values
    found = {op.name: op.shape for op in ops_on(deepseek_layer(), 8, batch=4)}
    kernel, first = found["attention"], found["qkv_a"]
    assert isinstance(kernel, AttentionShape)
    assert isinstance(first, Gemm)
    assert (kernel.num_heads, kernel.num_kv_heads, kernel.head_dim) == (16, 1, 576)
    assert first.n == 1536 + 576


def test_shared_experts_are_split_by_width_or_see_a_part_of_the_tokens() -> None:
    def up(*, expert_parallel: bool) -> Gemm:
        ops = ops_on(deepseek_layer(), 8, Phase.PREFILL, 1, 4096, expert_parallel=expert_parallel)
        (shape,) = (op.shape for op in ops if op.name == "shared_gate_up")
        assert isinstance(shape, Gemm)
        return shape

    split, whole = up(expert_parallel=False), up(expert_parallel=True)
    assert (float(split.m), split.n) == (4096, 2 * 256)
    assert (float(whole.m), whole.n) == (512, 2 * 2048)


def test_experts_whose_tokens_stay_add_up_their_results() -> None:
    execution = replace(on(8, expert_parallel=True), stays=True)
    scenario = Scenario(phase=Phase.DECODE, batch=64, context=1024, execution=execution)
    ops = model_ops(gpu_share(deepseek_layer(), execution), scenario)
    assert exchanged(ops)["ffn_all_reduce"] == (64 * 7168 * 2, 1)
    assert not {"dispatch", "combine"} & exchanged(ops).keys()
    shapes = {op.name: op.shape for op in ops}
    routed, shared = shapes["experts"], shapes["shared_gate_up"]
    assert isinstance(routed, Experts)
    assert isinstance(shared, Gemm)
    assert (routed.width, routed.local_experts) == (2048, 32)
    assert (float(shared.m), shared.n) == (64, 2 * 256)
