"""Models of more than text: their text model alone, with the wrapper's head."""

from __future__ import annotations

import pytest

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.workload.counts import parameters_by_part
from infersim.workload.hf.entries import ARCHITECTURES
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.hf.wrappers import WRAPPERS
from tests.workload.hf.test_reading import LLAMA, MISTRAL, without


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
