"""Models of more than text: their text model alone, with the wrapper's head."""

from __future__ import annotations

from typing import Any

import pytest

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.workload.counts import parameters, parameters_by_part
from infersim.workload.hf.entries import ARCHITECTURES
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.hf.wrappers import WRAPPERS
from tests.workload.hf.library import library_model, spelt
from tests.workload.hf.sizes import small
from tests.workload.hf.test_reading import LLAMA, MISTRAL, without

TOWERS = ("vision", "projector", "connector", "image", "visual")
TIES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"tie_word_embeddings": False}, {}),
    ({"tie_word_embeddings": True}, {"tie_word_embeddings": False}),
]


def text_parameters(config: dict[str, Any]) -> int:
    """Those of the library's model that are in no tower."""
    model = library_model(config, "AutoModelForImageTextToText")
    named = model.named_parameters()
    return sum(each.numel() for name, each in named if not any(map(name.__contains__, TOWERS)))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("above", "inside"), TIES)
@pytest.mark.parametrize("model_type", sorted(WRAPPERS))
def test_the_text_model_is_the_library_s(
    model_type: str, above: dict[str, Any], inside: dict[str, Any]
) -> None:
    text_type = WRAPPERS[model_type].text_type
    text = spelt(text_type, **small(text_type)) | inside
    config = {"model_type": model_type, "text_config": text, "vision_config": {}, **above}
    if model_type.startswith("llava"):
        config["vision_config"] = {"model_type": "clip_vision_model"}
    model = transformer_from_config(config)
    assert parameters(model) == text_parameters(config)
    assert model.notes[0] == "only the text model counts; left out: vision_config"


@pytest.mark.filterwarnings("ignore")
def test_text_models_among_the_wrapper_s_keys() -> None:
    """Qwen2.5-VL-7B's file is flat; Qwen3-VL-4B's has a text model inside. The text models' real sizes."""
    flat = {"model_type": "qwen2_5_vl", "architectures": ["Qwen2_5_VLForConditionalGeneration"],
            "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
            "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064,
            "max_position_embeddings": 128000, "max_window_layers": 28, "use_sliding_window": False,
            "sliding_window": 32768, "tie_word_embeddings": False, "image_token_id": 151655,
            "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
            "vision_config": {}}  # fmt: skip
    assert parameters(transformer_from_config(flat)) == text_parameters(flat) == 7_615_616_512
    text = {"model_type": "qwen3_vl_text", "hidden_size": 2560, "intermediate_size": 9728,
            "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
            "vocab_size": 151936, "tie_word_embeddings": True}  # fmt: skip
    inside = {"model_type": "qwen3_vl", "text_config": text, "vision_config": {}, "tie_word_embeddings": True}
    assert parameters(transformer_from_config(inside)) == text_parameters(inside)


def test_the_wrapper_s_head_counts_where_it_speaks_of_it() -> None:
    text = without(MISTRAL, "model_type")
    wrapper = {
        "model_type": "mistral3",
        "architectures": ["Mistral3ForConditionalGeneration"],
        "text_config": text,
    }
    assert transformer_from_config(wrapper).tied_embeddings
    assert not transformer_from_config(wrapper | {"tie_word_embeddings": False}).tied_embeddings
    assert not transformer_from_config(
        wrapper | {"text_config": text | {"tie_word_embeddings": False}}
    ).tied_embeddings
    assert parameters_by_part(transformer_from_config(wrapper))["head"] == 0
    told = "the LM head is the embedding's table: left to the model's class by the file"
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
            LLAMA | {"quantization_config": {"quant_method": "awq"}},
            "quantization_config.quant_method = 'awq'",
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
