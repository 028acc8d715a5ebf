"""Text models of multimodal ones, as the `transformers` library builds them inside."""

from __future__ import annotations

from typing import Any

import pytest

from infersim.workload.counts import parameters
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.hf.wrappers import WRAPPERS
from tests.workload.hf.library import library_model, spelt
from tests.workload.hf.sizes import small

ABSENT_FROM_THE_LIBRARY = {"kimi_k25"}

TOWERS = ("vision", "audio", "projector", "connector", "image", "visual")
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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("above", "inside"), TIES)
@pytest.mark.parametrize("model_type", sorted(WRAPPERS.keys() - ABSENT_FROM_THE_LIBRARY))
def test_the_text_model_is_the_library_s(
    model_type: str, above: dict[str, Any], inside: dict[str, Any]
) -> None:
    text_type = WRAPPERS[model_type].text_type
    text = spelt(text_type, **small(text_type)) | inside
    config = {"model_type": model_type, "text_config": text, "vision_config": {}, **above}
    if model_type.startswith("llava"):
        config["vision_config"] = {"model_type": "clip_vision_model"}
    part = WRAPPERS[model_type].inside
    model = transformer_from_config(
        config if part is None else {"model_type": model_type, part: config, "talker_config": {}}
    )
    if part is not None:
        # The part is a wrapper of its own in the library too.
        config["model_type"] = "qwen3_omni_moe_thinker"
    if model_type == "mistral3" and not above and not inside:
        # The class ties them; the files, which say nothing, hold an LM head, and the library then keeps it.
        config["tie_word_embeddings"] = False
    assert parameters(model) == text_parameters(config)
    left_out = "vision_config" if part is None else "vision_config, talker_config"
    assert model.notes[0] == f"only the text model counts; left out: {left_out}"


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
