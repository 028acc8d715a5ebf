"""Model types that the `transformers` library lacks: parameters derived by hand from their own code."""

from __future__ import annotations

import pytest

from infersim.workload.counts import parameters, parameters_by_part
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.transformer import Attention

COMMON = {
    "hidden_size": 128,
    "intermediate_size": 320,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "vocab_size": 1000,
    "max_position_embeddings": 256,
}


@pytest.mark.parametrize("model_type", ["deci", "decilm"])
def test_deci_has_kv_heads_layer_by_layer(model_type: str) -> None:
    """q and o 128 x 128; k and v 4, 2 and 1 heads of 16."""
    config = {**COMMON, "model_type": model_type, "num_key_value_heads_per_layer": [4, 2, 1],
              "architectures": ["DeciLMForCausalLM"]}  # fmt: skip
    model = transformer_from_config(config)
    heads = [block.attention.num_kv_heads for block in model.blocks if isinstance(block.attention, Attention)]
    assert heads == [4, 2, 1]
    assert parameters_by_part(model) == {
        "embedding": 1000 * 128,
        "attention": 3 * 2 * 128 * 128 + 2 * 128 * 16 * (4 + 2 + 1),
        "ffn": 3 * 3 * 128 * 320,
        "norms": 3 * 2 * 128 + 128,
        "head": 1000 * 128,
        "extra": 0,
    }


def test_decilm_7b() -> None:
    """Deci/DeciLM-7B: 32 layers of 32 heads with 1, 2 or 4 KV heads of 128."""
    groups = [1] * 4 + [2] * 8 + [4] * 20
    model = transformer_from_config(
        {"model_type": "deci", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
         "num_attention_heads": 32, "num_key_value_heads_per_layer": groups, "vocab_size": 32000,
         "max_position_embeddings": 8192}
    )  # fmt: skip
    attention = 32 * 2 * 4096**2 + 2 * 4096 * 128 * (4 + 16 + 80)
    ffn, rest = 32 * 3 * 4096 * 14336, 2 * 32000 * 4096 + (2 * 32 + 1) * 4096
    assert parameters(model) == attention + ffn + rest


def test_baichuan_is_a_llama_without_grouped_heads() -> None:
    """Baichuan2-7B: 7.506 B; 13B 13.897 B. One packed q, k, v of 3 x hidden x hidden, no bias anywhere."""
    small = {"model_type": "baichuan", "architectures": ["BaichuanForCausalLM"], "hidden_size": 4096,
             "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
             "vocab_size": 125696, "max_position_embeddings": 4096, "model_max_length": 4096,
             "z_loss_weight": 0}  # fmt: skip
    large = small | {
        "hidden_size": 5120,
        "intermediate_size": 13696,
        "num_hidden_layers": 40,
        "num_attention_heads": 40,
    }
    del large["max_position_embeddings"]
    rotary, alibi = transformer_from_config(small), transformer_from_config(large)
    block = 4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096
    assert parameters(rotary) == 32 * block + 2 * 125696 * 4096 + 4096 == 7_505_973_248
    block = 4 * 5120**2 + 3 * 5120 * 13696 + 2 * 5120
    assert parameters(alibi) == 40 * block + 2 * 125696 * 5120 + 5120 == 13_896_668_160
    first, second = rotary.blocks[0].attention, alibi.blocks[0].attention
    assert isinstance(first, Attention)
    assert isinstance(second, Attention)
    assert (first.rotary, second.rotary, alibi.max_position) == (1.0, 0.0, 4096)


@pytest.mark.parametrize("bias", [False, True])
def test_internlm2_has_one_switch_for_attention_biases(bias: bool) -> None:
    """InternLM2-7B: 7.738 B without biases; with them q, k, v (4096 + 2 x 1024) and o (4096) a layer."""
    config = {"model_type": "internlm2", "architectures": ["InternLM2ForCausalLM"], "hidden_size": 4096,
              "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
              "num_key_value_heads": 8, "vocab_size": 92544, "max_position_embeddings": 32768,
              "bias": bias}  # fmt: skip
    expected = 7_737_708_544 + (32 * (4096 + 2 * 1024 + 4096) if bias else 0)
    assert parameters(transformer_from_config(config)) == expected


def test_internlm2_has_biases_unless_it_says_no() -> None:
    config = {**COMMON, "model_type": "internlm2", "num_key_value_heads": 2}
    without = parameters(transformer_from_config(config | {"bias": False}))
    assert parameters(transformer_from_config(config)) == without + 3 * (128 + 2 * 32 + 128)


def test_kimi_k2_is_the_code_of_deepseek_v3() -> None:
    sizes = {
        "hidden_size": 7168, "intermediate_size": 18432, "moe_intermediate_size": 2048,
        "num_hidden_layers": 61, "num_attention_heads": 64, "num_key_value_heads": 64,
        "first_k_dense_replace": 1, "n_routed_experts": 384, "num_experts_per_tok": 8,
        "n_shared_experts": 1, "vocab_size": 163840, "max_position_embeddings": 131072,
    }  # fmt: skip
    theirs = {"architectures": ["DeepseekV3ForCausalLM"], "model_type": "kimi_k2", **sizes}
    kimi = transformer_from_config(theirs)
    assert kimi == transformer_from_config(theirs | {"model_type": "deepseek_v3"})
    attention = 7168 * 1536 + 1536 * 64 * 192 + 7168 * 576 + 512 * 64 * 256 + 64 * 128 * 7168
    expert = 3 * 7168 * 2048
    assert parameters(kimi) == (
        61 * (attention + 1536 + 512 + 2 * 7168)
        + 3 * 7168 * 18432
        + 60 * (384 * 7168 + 385 * expert)
        + 2 * 163840 * 7168
        + 7168
    )


def test_kimi_k2_5_holds_kimi_k2() -> None:
    text = {
        "model_type": "kimi_k2", "hidden_size": 256, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 4, "n_routed_experts": 8, "moe_intermediate_size": 64,
    }  # fmt: skip
    config = {
        "architectures": ["KimiK25ForConditionalGeneration"],
        "model_type": "kimi_k25",
        "text_config": text,
        "vision_config": {"hidden_size": 64},
    }
    assert parameters(transformer_from_config(config)) == parameters(transformer_from_config(text))
