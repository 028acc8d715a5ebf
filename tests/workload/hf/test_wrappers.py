"""Models of more than text: their text model alone, with the wrapper's head."""

from __future__ import annotations

import pytest

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.workload.counts import parameters_by_part
from infersim.workload.hf.entries import ARCHITECTURES
from infersim.workload.hf.reading import stated_by_config, transformer_from_config
from infersim.workload.hf.wrappers import WRAPPERS
from tests.workload.hf.test_reading import LLAMA, MISTRAL, without


def test_the_wrapper_s_head_counts_where_it_speaks_of_it() -> None:
    text = without(MISTRAL, "model_type")
    wrapper = {
        "model_type": "mistral3",
        "architectures": ["Mistral3ForConditionalGeneration"],
        "text_config": text,
    }
    assert not transformer_from_config(wrapper).tied_embeddings
    assert transformer_from_config(wrapper | {"tie_word_embeddings": True}).tied_embeddings
    assert transformer_from_config(
        wrapper | {"text_config": text | {"tie_word_embeddings": True}}
    ).tied_embeddings
    made = transformer_from_config(wrapper)
    assert parameters_by_part(made)["head"] == made.vocab * made.hidden
    told = "the LM head is not the embedding's table: left to the model's class by the file"
    assert told in transformer_from_config(wrapper).notes
    assert told not in transformer_from_config(wrapper | {"tie_word_embeddings": True}).notes


def test_any_known_text_model_inside() -> None:
    wrapper = {"model_type": "llava", "text_config": MISTRAL, "vision_config": {"hidden_size": 64}}
    assert transformer_from_config(wrapper).blocks == transformer_from_config(MISTRAL).blocks
    assert {each.text_type for each in WRAPPERS.values()} <= set(ARCHITECTURES)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (LLAMA | {"num_local_experts": 8}, "text_config: model_type 'llama' has mixture of experts"),
        (LLAMA | {"model_type": "qwen3_next"}, "linear attention"),
        (LLAMA | {"inter_sizes": [1, 2]}, "inter_sizes = "),
        (
            LLAMA | {"quantization_config": {"quant_method": "aqlm"}},
            "quantization_config.quant_method = 'aqlm'",
        ),
    ],
)
def test_what_is_refused_alone_is_refused_inside(text: dict[str, object], told: str) -> None:
    with pytest.raises(UnsupportedError, match=told):
        transformer_from_config({"model_type": "llava", "text_config": text}, file="some.json")


def test_damage_inside_is_named_with_its_place() -> None:
    wrapper = {"model_type": "llava", "text_config": LLAMA | {"hidden_size": -1}}
    with pytest.raises(
        FileContentError, match=r"some\.json: text_config\.hidden_size = -1; expected more than 0"
    ):
        transformer_from_config(wrapper, file="some.json")
    with pytest.raises(FileContentError, match="text_config = None; expected an object"):
        transformer_from_config({"model_type": "llava"})
    custom = {
        "model_type": "llava",
        "text_config": LLAMA,
        "architectures": ["MyLlavaForConditionalGeneration"],
    }
    with pytest.raises(UnsupportedError, match="architectures has MyLlavaForConditionalGeneration"):
        transformer_from_config(custom)


@pytest.mark.parametrize("key", ["pruned_layers", "svd_ranks", "kv_cache_dtype", "num_experts"])
def test_keys_beside_the_text_model_that_may_change_it(key: str) -> None:
    wrapper = {
        "model_type": "llava",
        "text_config": LLAMA,
        "image_seq_length": 576,
        "vision_feature_layer": -2,
    }
    assert transformer_from_config(wrapper).blocks == transformer_from_config(LLAMA).blocks
    with pytest.raises(UnsupportedError, match=f"some.json: {key} = .* beside text_config"):
        transformer_from_config(wrapper | {key: [3, 4]}, file="some.json")


def test_such_keys_are_noted_where_weight_files_tell_the_shapes() -> None:
    wrapper = {"model_type": "llava", "text_config": LLAMA, "pruned_layers": [3]}
    told = stated_by_config(wrapper, shapes_known=True).model.notes
    assert "no key that is read beside text_config: pruned_layers" in told


def test_sizes_beside_the_text_model_s_are_told() -> None:
    wrapper = {"model_type": "llava", "text_config": LLAMA, "num_hidden_layers": 3, "hidden_size": 256}
    told = "num_hidden_layers 4 of text_config counts; beside it the file says 3"
    assert told in transformer_from_config(wrapper).notes
    assert told not in transformer_from_config(wrapper | {"num_hidden_layers": 4}).notes


def test_towers_of_a_flat_file_stand_anywhere_in_it() -> None:
    towers = {"vision_config": {"depth": 32, "hidden_size": 64}}
    flat = without(LLAMA, "model_type")
    assert transformer_from_config({"model_type": "qwen2_vl", **towers, **flat}) == transformer_from_config(
        {"model_type": "qwen2_vl", **flat, **towers}
    )


def test_a_text_model_in_a_part_of_its_own() -> None:
    text = {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2,
            "vocab_size": 512, "num_experts": 4, "num_experts_per_tok": 2,
            "moe_intermediate_size": 32}  # fmt: skip
    alone = {"model_type": "qwen3_omni_moe_thinker", "text_config": text}
    whole = {"model_type": "qwen3_omni_moe", "thinker_config": {"text_config": text}, "talker_config": {}}
    assert transformer_from_config(whole) == transformer_from_config(alone)
    with pytest.raises(FileContentError, match=r"thinker_config = None; expected an object"):
        transformer_from_config({"model_type": "qwen3_omni_moe", "text_config": text})
    sized = {**whole, "thinker_config": {"text_config": text | {"hidden_size": 0}}}
    with pytest.raises(FileContentError, match=r"text_config\.hidden_size = 0; expected more than 0"):
        transformer_from_config(sized)


def test_heads_of_glm_s_text_model_are_by_division() -> None:
    text = {"model_type": "glm4v_text", "hidden_size": 64, "num_attention_heads": 4, "vocab_size": 512}
    wrapper = {"model_type": "glm4v", "text_config": text | {"head_dim": 16}, "vision_config": {}}
    assert (
        transformer_from_config(wrapper).blocks
        == transformer_from_config(wrapper | {"text_config": text}).blocks
    )
    with pytest.raises(FileContentError, match="head_dim = 32; expected 16"):
        transformer_from_config(wrapper | {"text_config": text | {"head_dim": 32}})
    with pytest.raises(UnsupportedError, match="attention_bias"):
        transformer_from_config(wrapper | {"text_config": text | {"attention_bias": False}})
