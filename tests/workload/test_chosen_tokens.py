"""Latent attention to tokens that an indexer chooses: kernels, cache, parameters, GPUs, pruning by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import infersim as sim
from infersim.domain.arrays import as_array
from infersim.domain.dtypes import DType
from infersim.domain.errors import UnsupportedError
from infersim.domain.ops import Op
from infersim.domain.shapes import Attention, Gemm, MemoryBound, Phase
from infersim.pruning.composition import prune
from infersim.workload.counts import parameters
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.memory import kv_cache_bytes, peak_activation_bytes
from infersim.workload.ops.indexer import NOT_MEASURED
from infersim.workload.ops.model import model_ops
from infersim.workload.parallel.shares import gpu_share
from infersim.workload.presets import load_model
from infersim.workload.scenario import Execution, Scenario
from infersim.workload.transformer import LatentAttention, Transformer
from tests.workload.examples import decode, prefill
from tests.workload.hf.library import spelt
from tests.workload.hf.sizes import small

V32 = load_model("deepseek-v3.2")
INDEX_PARAMETERS = 1536 * 64 * 128 + 7168 * 128 + 7168 * 64 + 2 * 128
"""Of a layer: queries, the key, weights of heads, and a norm with a bias."""


def shared_after_first() -> Transformer:
    options = {"indexer_types": ["full", "shared"], "index_topk": 16}
    return transformer_from_config(spelt("glm_moe_dsa", **(small("glm_moe_dsa") | options)))


def ops_of(model: Transformer, scenario: Scenario, group: int = 0) -> dict[str, Op]:
    return {op.name: op for op in model_ops(model, scenario) if op.group == group}


def attention_of(model: Transformer, layer: int = 0) -> LatentAttention:
    found = model.blocks[layer].attention
    assert isinstance(found, LatentAttention)
    return found


def test_parameters() -> None:
    assert parameters(V32) - parameters(load_model("deepseek-v3")) == 61 * INDEX_PARAMETERS
    # As published: 671 B and 744 B.
    assert parameters(V32) / 1e9 == pytest.approx(671.9, abs=0.05)
    assert parameters(load_model("glm-5")) / 1e9 == pytest.approx(744, abs=0.5)


def test_decode_scores_all_tokens_and_attends_to_the_best() -> None:
    ops = ops_of(V32, decode(4, 65536))
    scores, chosen = ops["index_scores"].shape, ops["chosen_attention"].shape
    assert isinstance(scores, Attention)
    assert isinstance(chosen, Attention)
    assert (scores.num_heads, scores.head_dim, scores.context_len) == (64, 128, 65536)
    assert (chosen.num_heads, chosen.window, chosen.chosen) == (128, 2048, True)
    for name, n, k in (("index_q", 8192, 1536), ("index_k", 128, 7168), ("index_weights", 64, 7168)):
        gemm = ops[name].shape
        assert isinstance(gemm, Gemm)
        assert (gemm.m, gemm.n, gemm.k) == (4, n, k)
    written, places = ops["index_write"].shape, ops["index_top_k"].shape
    assert isinstance(written, MemoryBound)
    assert isinstance(places, MemoryBound)
    assert written.compulsory_bytes == 4 * 132
    # Two passes over 32-bit scores, then 2,048 places of 4 bytes, written twice and read once.
    assert places.read_bytes == 4 * (2 * 65536 * 4 + 2048 * 4)
    assert places.write_bytes == 4 * 2 * 2048 * 4


def test_prompts_as_short_as_the_choice_attend_as_without_an_indexer() -> None:
    ops, dense = (ops_of(model, prefill(2, 2048)) for model in (V32, load_model("deepseek-v3")))
    assert set(ops) - set(dense) == {"index_k", "index_norm", "index_k_rotary", "index_write"}
    assert ops["attention"].shape == dense["attention"].shape


def test_longer_prompts_attend_in_latent_space() -> None:
    ops = ops_of(V32, prefill(2, 2049))
    assert not {"kv_b", "attention"} & set(ops)
    shape = ops["q_absorbed"].shape
    assert isinstance(shape, Gemm)
    assert (shape.m, shape.n, shape.k) == (2 * 2049, 128 * 512, 128)


def test_scenarios_together_are_what_they_are_alone() -> None:
    lengths = np.array([512, 2048, 4096])
    scenario = Scenario(phase=Phase.PREFILL, batch=1, context=lengths)
    together = ops_of(V32, scenario)
    for place, length in enumerate(lengths):
        alone = ops_of(V32, replace(scenario, context=length))
        run = {
            name
            for name, op in together.items()
            if np.broadcast_to(as_array(op.count), lengths.shape)[place]
            and np.broadcast_to(as_array(1.0 if op.captured is None else op.captured), lengths.shape)[place]
        }
        assert run == set(alone)


def test_layers_without_an_indexer_take_the_choice_of_the_one_before() -> None:
    model = shared_after_first()
    # The small model's layers differ in their FFNs too: two groups.
    full, shared = (ops_of(model, decode(1, 64), group) for group in (0, 1))
    assert {name for name in full if name.startswith("index_")}
    assert "chosen_attention" in shared
    assert not {name for name in shared if name.startswith("index_")}
    assert attention_of(model, 1).top_k == 16


def test_the_cache_holds_a_key_of_8_bit_beside_the_latent_vector() -> None:
    bytes_of = [
        float(kv_cache_bytes(load_model(name), decode(8, 4096))) for name in ("deepseek-v3", "deepseek-v3.2")
    ]
    assert bytes_of[1] - bytes_of[0] == 8 * 4096 * 61 * 132
    shared = shared_after_first()
    # Of the two layers one keeps a key of 20 values and its scale.
    assert float(kv_cache_bytes(shared, decode(1, 10))) == 10 * (2 * (48 + 16) * 2 + 20 + 4)


def test_in_8_bit_the_rotary_key_stays_in_16_and_scales_come_on_top() -> None:
    execution = Execution(kv_dtype=DType.FP8)
    scenario = replace(decode(2, 1000), execution=execution)
    assert float(kv_cache_bytes(V32, scenario)) == 2 * 1000 * 61 * (512 + 4 * 4 + 64 * 2 + 132)
    assert float(kv_cache_bytes(load_model("deepseek-v3"), scenario)) == 2 * 1000 * 61 * 576
    written = ops_of(V32, scenario)["kv_write"].shape
    assert isinstance(written, MemoryBound)
    assert written.compulsory_bytes == 2 * 656


def test_scores_count_in_memory_up_to_what_engines_do_at_once() -> None:
    dense = load_model("deepseek-v3")
    for context, most in ((4096, 4096 * 4096 * 4), (65536, 512 * 2**20)):
        scenario = prefill(1, context)
        beside = context * (8192 + 128 + 64) * 2
        more = peak_activation_bytes(V32, scenario) - peak_activation_bytes(dense, scenario)
        assert float(more) == most + beside


def test_each_gpu_has_the_whole_indexer_and_its_share_of_the_heads() -> None:
    share = attention_of(gpu_share(V32, Execution(gpus=8)))
    assert share.indexer == attention_of(V32).indexer
    assert (share.num_heads, share.top_k) == (16, 2048)


def test_families() -> None:
    heads = prune(V32, "static-nk", sparsity=0.5, target="heads").transformer
    assert attention_of(heads).num_heads == 64
    assert attention_of(heads).indexer == attention_of(V32).indexer
    narrow = prune(V32, "static-nk-cross", sparsity=0.5).transformer
    index = attention_of(narrow).indexer
    assert index is not None
    assert (index.k.in_features, index.weights.in_features, index.q.in_features) == (3584, 3584, 1536)
    assert len(prune(V32, "static-m", sparsity=0.5).transformer.blocks) == 30
    for family in ("kv-pruning", "dynamic-nk", "dynamic-m", "static-k-2:4", "static-k-lowrank"):
        with pytest.raises(UnsupportedError, match="latent attention"):
            prune(V32, family, sparsity=0.5)


def test_layers_that_take_a_choice_need_one_before_them() -> None:
    model = shared_after_first()
    with pytest.raises(UnsupportedError, match="keep the first layer that has an indexer"):
        model_ops(model.with_blocks(model.blocks[1:]), decode(1, 64))


def test_people_are_told_that_nothing_of_it_was_measured() -> None:
    asked: dict[str, Any] = {"phase": "decode", "batch": 1, "context": 4096, "gpus": 8}
    notes = {
        name: sim.predict(name, "h200-sxm", **asked)["notes"].iloc[0]
        for name in ("deepseek-v3", "deepseek-v3.2")
    }
    assert NOT_MEASURED in notes["deepseek-v3.2"]
    assert NOT_MEASURED not in notes["deepseek-v3"]


@pytest.mark.slow
def test_services_are_told_too() -> None:
    asked: dict[str, Any] = {"prompt": 512, "output": 32, "concurrency": 2, "engine": "vllm", "gpus": 8}
    served = sim.serve("deepseek-v3.2", "h200-sxm", dtype="fp8_block", **asked)
    assert NOT_MEASURED in served["notes"].iloc[0]


def test_long_caches_decode_faster_and_short_ones_slower_than_without_an_indexer() -> None:
    asked: dict[str, Any] = {"phase": "decode", "batch": 32, "gpus": 8, "dtype": "fp8_block"}
    times = [
        sim.predict(name, "h200-sxm", context=[1024, 65536], **asked)["latency_ms"].to_numpy()
        for name in ("deepseek-v3", "deepseek-v3.2")
    ]
    assert times[1][0] > times[0][0]
    assert times[1][1] < 0.7 * times[0][1]
