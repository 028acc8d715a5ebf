"""What configs of real files have: marks, nulls, missing keys, whole floats, spellings, heads, odd sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.workload.counts import parameters, parameters_by_part, weight_bytes
from infersim.workload.ends import Head
from infersim.workload.hf.reading import transformer_from_config, transformer_from_file
from infersim.workload.memory import memory_use
from infersim.workload.ops.model import model_ops
from infersim.workload.scenario import Execution, Layout
from infersim.workload.sublayers.activations import Activation
from infersim.workload.transformer import Attention, FeedForward, Transformer
from tests.workload.examples import decode, gemm, ops_by_name, prefill, sublayers
from tests.workload.hf.test_reading import LLAMA, MISTRAL, QWEN3, without

GPT2: dict[str, Any] = {"model_type": "gpt2", "n_embd": 128, "n_layer": 2, "n_head": 4, "vocab_size": 500}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("config", [LLAMA, QWEN3, GPT2])
def test_a_byte_order_mark_is_no_part_of_the_text(
    tmp_path: Path, config: dict[str, Any], encoding: str
) -> None:
    file = tmp_path / "some.json"
    file.write_text(json.dumps(config), encoding=encoding)
    assert transformer_from_file(file) == transformer_from_config(config, name="some")


@pytest.mark.parametrize("key", ["hidden_size", "intermediate_size", "vocab_size", "num_key_value_heads"])
def test_a_float_that_is_whole_is_an_integer(key: str) -> None:
    assert transformer_from_config(LLAMA | {key: float(LLAMA[key])}) == transformer_from_config(LLAMA)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["tie_word_embeddings", "attention_bias", "mlp_bias"])
def test_a_flag_that_is_null_is_false(key: str) -> None:
    assert transformer_from_config(LLAMA | {key: None}) == transformer_from_config(LLAMA | {key: False})


def test_mistral_has_eight_kv_heads_unless_the_file_says_otherwise() -> None:
    assert sublayers(transformer_from_config(without(MISTRAL, "num_key_value_heads")))[0].num_kv_heads == 8
    null = transformer_from_config(MISTRAL | {"num_key_value_heads": None, "num_attention_heads": 4})
    assert sublayers(null)[0].num_kv_heads == 4
    missing = transformer_from_config(without(MISTRAL, "sliding_window"))
    assert sublayers(missing)[0].window == 4096
    assert missing.notes == ("left to the model's class by the file: sliding_window 4096",)


def test_qwen3_has_heads_of_128_unless_the_file_says_otherwise() -> None:
    assert sublayers(transformer_from_config(without(QWEN3, "head_dim")))[0].head_dim == 128
    gemma = {"model_type": "gemma", "num_hidden_layers": 1, "hidden_size": 512}
    assert sublayers(transformer_from_config(gemma))[0].head_dim == 256


def test_spellings_of_one_key() -> None:
    assert transformer_from_config(GPT2).hidden == 128
    other = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    assert transformer_from_config(
        {"model_type": "gpt2", "vocab_size": 500, **other}
    ) == transformer_from_config(GPT2)
    with pytest.raises(FileContentError, match="hidden_size = 256; expected the same as n_embd = 128"):
        transformer_from_config(GPT2 | {"hidden_size": 256})
    with pytest.raises(UnsupportedError, match="num_key_value_heads = 2 is no key of model_type 'gpt2'"):
        transformer_from_config(GPT2 | {"num_key_value_heads": 2})


def classifier(name: str, **more: Any) -> Transformer:
    return transformer_from_config(LLAMA | {"architectures": [name], **more})


def test_a_sequence_classifier_has_a_score_head_and_no_lm_head() -> None:
    dense = transformer_from_config(LLAMA)
    reward = classifier("LlamaForSequenceClassification", id2label={"0": "LABEL_0"})
    assert reward.head == Head(labels=1)
    assert parameters(dense) - parameters(reward) == 1000 * 256 - 256
    op = ops_by_name(reward, prefill(4, 100))["score_head"]
    assert (gemm(op).m, gemm(op).n, gemm(op).k) == (4, 1, 256)
    assert "lm_head" not in {each.name for each in model_ops(reward, prefill(4, 100))}
    saved = weight_bytes(dense, Execution()) - weight_bytes(reward, Execution())
    assert saved == 2 * (1000 * 256 - 256)


def test_other_heads() -> None:
    # Two labels unless the file names them; a token classifier scores all tokens, with a bias.
    assert classifier("LlamaForSequenceClassification").head == Head(labels=2)
    tokens = classifier("LlamaForTokenClassification", num_labels=7)
    assert parameters_by_part(tokens)["head"] == 7 * 257
    assert gemm(ops_by_name(tokens, prefill(4, 100))["score_head"]).m == 400
    bare = classifier("LlamaModel")
    assert bare.head is None
    assert parameters_by_part(bare)["head"] == 0
    names = {op.name for op in model_ops(bare, decode(4, 100))}
    assert "final_norm" in names
    assert not names & {"lm_head", "score_head"}
    assert (
        memory_use(bare, decode(1, 1)).total_bytes
        < memory_use(transformer_from_config(LLAMA), decode(1, 1)).total_bytes
    )


def test_a_tied_classifier_still_has_its_table() -> None:
    tied = {"tie_word_embeddings": True}
    assert parameters(classifier("LlamaForSequenceClassification", **tied)) == parameters(
        classifier("LlamaForSequenceClassification")
    )


def test_phi_4_and_gemma_3_by_their_cards() -> None:
    """Phi-4: 14.66 B; Gemma-3-4B's text model: 3.88 B (embedding 262208 x 2560 = 0.671 B)."""
    phi = {"model_type": "phi3", "architectures": ["Phi3ForCausalLM"], "hidden_size": 5120,
           "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config",
                        "AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"},
           "intermediate_size": 17920, "num_hidden_layers": 40, "num_attention_heads": 40,
           "num_key_value_heads": 10, "vocab_size": 100352, "max_position_embeddings": 16384,
           "original_max_position_embeddings": 16384, "rope_scaling": None}  # fmt: skip
    assert parameters(transformer_from_config(phi)) == 14_659_507_200
    gemma = {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240,
             "num_hidden_layers": 34, "sliding_window": 1024}  # fmt: skip
    model = transformer_from_config(gemma)
    assert parameters(model) == 3_880_263_168
    windows = [block.attention.window for block in model.blocks if isinstance(block.attention, Attention)]
    assert windows == [None if layer % 6 == 5 else 1024 for layer in range(34)]


def test_windows_limit_what_is_attended_and_kept() -> None:
    """Of 32 layers half keep 1024 tokens of 8192."""
    gemma = {"model_type": "gemma2", "num_hidden_layers": 32, "sliding_window": 1024}
    model = transformer_from_config(gemma)
    token = 2 * 4 * 256 * 2
    assert memory_use(model, decode(1, 8192)).kv_cache_bytes == 16 * token * (8192 + 1024)


def test_plain_ffn_without_gate() -> None:
    model = transformer_from_config(
        {"model_type": "nemotron", "num_hidden_layers": 2, "num_key_value_heads": 8}
    )
    ffn = model.blocks[0].ffn
    assert isinstance(ffn, FeedForward)
    assert ffn.gate is None
    names = set(ops_by_name(model, prefill(1, 10, Layout.FUSED)))
    assert {"up", "down", "activation"} <= names
    assert not names & {"gate", "gate_up"}


def test_no_op_blocks_are_padding() -> None:
    nothing = {"attention": {"no_op": True}, "ffn": {"no_op": True}}
    whole = {"attention": {"n_heads_in_group": 4}, "ffn": {"ffn_mult": 2.5}}
    narrow = {"attention": {"no_op": True}, "ffn": {"ffn_mult": 1.25}}
    config = {"model_type": "nemotron-nas", "architectures": ["DeciLMForCausalLM"], "hidden_size": 1024,
              "num_attention_heads": 8, "vocab_size": 1000, "max_position_embeddings": 2048}  # fmt: skip

    def model(*blocks: dict[str, Any]) -> Transformer:
        return transformer_from_config(
            config | {"block_configs": list(blocks), "num_hidden_layers": len(blocks)}
        )

    assert model(whole, nothing, narrow, nothing) == model(whole, narrow)
    assert model(nothing, whole) == model(whole)
    assert len(model(whole, narrow, whole, nothing).blocks) == 3


@pytest.mark.parametrize("vocab", [1001, 1003, 1111])
def test_an_odd_vocabulary_gives_an_odd_lm_head(vocab: int) -> None:
    model = transformer_from_config(LLAMA | {"vocab_size": vocab})
    assert gemm(ops_by_name(model, decode(4, 100))["lm_head"]).n == vocab


@pytest.mark.parametrize("model_type", ["llama", "mistral", "gemma3_text"])
def test_a_file_without_any_size_is_no_model(model_type: str) -> None:
    """As it lies beside converted weights: the class's own sizes would be those of some other model."""
    with pytest.raises(FileContentError, match="hidden_size = None; expected sizes of the model"):
        transformer_from_config({"model_type": model_type, "torch_dtype": "bfloat16"})


def test_gemma_has_two_names_of_an_activation() -> None:
    sizes = {"model_type": "gemma", "num_hidden_layers": 1, "hidden_size": 512}

    def of(**names: object) -> Activation:
        return sublayers(transformer_from_config(sizes | names))[1].activation

    assert of(hidden_act="gelu") is of(hidden_act="gelu", hidden_activation=None) is Activation.GELU
    assert of(hidden_act="gelu", hidden_activation="gelu_pytorch_tanh") is Activation.GELU_TANH
    with pytest.raises(FileContentError, match="hidden_activation = 3; expected a text"):
        of(hidden_activation=3)


def test_sizes_that_are_said_twice() -> None:
    gemma = {"model_type": "gemma2", "num_hidden_layers": 2, "hidden_size": 512, "sliding_window": 128}
    assert transformer_from_config(gemma | {"sliding_window_size": 128}) == transformer_from_config(gemma)
    with pytest.raises(
        FileContentError, match="sliding_window_size = 64; expected the same as sliding_window"
    ):
        transformer_from_config(gemma | {"sliding_window_size": 64})
    falcon = {"model_type": "falcon", "hidden_size": 256, "num_attention_heads": 4, "num_hidden_layers": 2}
    assert transformer_from_config(falcon | {"ff_factor": 4}) == transformer_from_config(falcon)
    with pytest.raises(FileContentError, match="ff_factor = 3; expected 4"):
        transformer_from_config(falcon | {"ff_factor": 3})


def test_options_of_cohere2_at_their_only_values() -> None:
    cohere = {"model_type": "cohere2", "hidden_size": 256, "num_attention_heads": 4, "num_hidden_layers": 4}
    said = {"use_gated_activation": True, "use_parallel_block": True, "use_qk_norm": False}
    assert transformer_from_config(cohere | said) == transformer_from_config(cohere)
    with pytest.raises(UnsupportedError, match="use_parallel_block = False is not supported"):
        transformer_from_config(cohere | {"use_parallel_block": False})
