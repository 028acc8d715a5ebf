"""Every family on models with plain FFNs, parallel blocks, windows, learned positions and other norms."""

from __future__ import annotations

import numpy as np
import pytest

from infersim.domain.shapes import Gemm
from infersim.pruning.composition import prune
from infersim.pruning.families.registry import families
from infersim.pruning.plan_files.checkpoint import plan_from_config
from infersim.workload.counts import parameters, parameters_by_part
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.ops.model import model_ops
from infersim.workload.transformer import Attention, FeedForward, Transformer
from tests.workload.examples import prefill

SIZES = {"num_hidden_layers": 8, "vocab_size": 4000}
MODELS: dict[str, dict[str, object]] = {
    "nemotron": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
    },
    "gptj": {"n_embd": 1024, "n_head": 16, "n_layer": 8, "vocab_size": 4000},
    "falcon": {
        "hidden_size": 1024,
        "num_attention_heads": 16,
        "num_kv_heads": 4,
        "new_decoder_architecture": True,
    },
    "opt": {"hidden_size": 1024, "ffn_dim": 4096, "num_attention_heads": 16, "word_embed_proj_dim": 512},
    "gpt2": {"n_embd": 1024, "n_head": 16, "n_layer": 8, "vocab_size": 4000},
    "gemma3_text": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_attention_heads": 8,
        "head_dim": 128,
    },
    "olmo2": {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16},
    "cohere2": {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16},
    "bloom": {"hidden_size": 1024, "n_head": 16, "n_layer": 8, "vocab_size": 4000},
    "granite": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_attention_heads": 16,
        "residual_multiplier": 0.2,
    },
}
STATIC = ("static-m", "static-k-2:4", "static-k-lowrank", "static-nk", "static-nk-cross")


def model(model_type: str) -> Transformer:
    own = MODELS[model_type]
    return transformer_from_config({**({} if "n_layer" in own else SIZES), "model_type": model_type, **own})


def multiplied(transformer: Transformer) -> float:
    return sum(
        float(np.sum(2.0 * op.shape.m * op.shape.n * op.shape.k * op.count))
        for op in model_ops(transformer, prefill(1, 1024))
        if isinstance(op.shape, Gemm) and op.group is not None
    )


@pytest.mark.parametrize("family", [family.name for family in families() if not family.of_experts])
@pytest.mark.parametrize("model_type", MODELS)
def test_every_family_prunes_every_kind(model_type: str, family: str) -> None:
    dense = model(model_type)
    plan = prune(dense, family, 0.5)
    assert plan.sparsity_realised == pytest.approx(0.5, abs=0.13)
    if family in STATIC:
        assert parameters(plan.transformer) < parameters(dense)
    if family in ("static-m", "static-nk"):
        assert multiplied(plan.transformer) == pytest.approx(multiplied(dense) / 2, rel=0.02)
    names = [(op.group, op.name) for op in model_ops(plan.transformer, prefill(1, 64))]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("model_type", ["nemotron", "gpt2", "falcon", "bloom"])
def test_static_nk_narrows_up_and_down_of_a_plain_ffn(model_type: str) -> None:
    block = prune(model(model_type), "static-nk", 0.5, target="ffn").transformer.blocks[0]
    assert isinstance(block.ffn, FeedForward)
    assert block.ffn.gate is None
    assert block.ffn.up.out_features == block.ffn.down.in_features == 2048


def test_norms_over_all_features_follow_the_heads() -> None:
    dense = model("olmo2")
    halved = prune(dense, "static-nk", 0.5, target="heads").transformer
    # Norms of the results stay; those of q and k lose half of 2 x 1024 in each of 8 layers.
    lost = parameters_by_part(dense)["norms"] - parameters_by_part(halved)["norms"]
    assert lost == 8 * 1024


@pytest.mark.parametrize("target", ["attention", "ffn"])
def test_a_shared_norm_stays_with_the_sublayer_that_stays(target: str) -> None:
    dense = model("gptj")
    plan = prune(dense, "static-m", 0.5, target=target)
    removed = [block for block in plan.transformer.blocks if block.attention is None or block.ffn is None]
    assert len(removed) == 4
    assert not any(block.parallel for block in removed)
    # One LayerNorm with bias in each of 8 blocks as before, and the final one.
    assert parameters_by_part(plan.transformer)["norms"] == 9 * 2 * 1024


def test_a_parallel_block_has_one_residual_to_map() -> None:
    sliced = prune(model("gptj"), "static-nk-cross", 0.25).transformer
    assert {block.residual_maps for block in sliced.blocks} == {1}
    assert {
        block.residual_maps for block in prune(model("olmo2"), "static-nk-cross", 0.25).transformer.blocks
    } == {2}


@pytest.mark.parametrize("model_type", ["nemotron", "gptj", "opt", "olmo2"])
@pytest.mark.parametrize("family", ["static-m", "static-nk", "static-nk-cross"])
def test_plans_are_recognised(model_type: str, family: str) -> None:
    dense = model(model_type)
    plan = prune(dense, family, 0.5)
    found = plan_from_config(dense, plan.transformer)
    assert found.family == family
    assert found.sparsity_realised == pytest.approx(plan.sparsity_realised, abs=1e-9)


def test_kv_pruning_works_inside_windows() -> None:
    plan = prune(model("gemma3_text"), "kv-pruning", 0.5)
    kept = {
        block.attention.kv_kept for block in plan.transformer.blocks if isinstance(block.attention, Attention)
    }
    assert kept == {0.5}
