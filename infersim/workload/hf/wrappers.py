"""Models of more than text: the text model inside, by `text_config`; towers are left out, and named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from infersim.domain.errors import FileContentError


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapper:
    """A model type around a text model.

    `classes`: as of an Architecture. `text_type`: the text model's type where `text_config` has none.
    `tied`: what is taken for `tie_word_embeddings` where no key says it: what the wrapper's class has, but
    for Mistral 3, whose files leave the key out and hold an LM head of their own (Mistral Small 3.1: 23.57 B
    parameters of text, 24 B in all). `flat`: older files have the text model's keys among the wrapper's own.
    `ties_inside`: `text_config` alone says whether embeddings are tied. `inside`: the key of the part that
    holds `text_config` (None: the file itself does).
    """

    model_type: str
    classes: tuple[str, ...]
    text_type: str
    tied: bool
    flat: bool = False
    ties_inside: bool = False
    inside: str | None = None


WRAPPERS: Mapping[str, Wrapper] = {
    wrapper.model_type: wrapper
    for wrapper in (
        Wrapper(model_type="mistral3", classes=("Mistral3",), text_type="mistral", tied=False),
        Wrapper(model_type="gemma3", classes=("Gemma3",), text_type="gemma3_text", tied=True),
        Wrapper(model_type="paligemma", classes=("PaliGemma",), text_type="gemma", tied=True),
        Wrapper(model_type="llava", classes=("Llava",), text_type="llama", tied=False),
        Wrapper(model_type="llava_next", classes=("LlavaNext",), text_type="llama", tied=False),
        Wrapper(model_type="llava_onevision", classes=("LlavaOnevision",), text_type="qwen2", tied=False),
        Wrapper(
            model_type="qwen2_vl", classes=("Qwen2VL",), text_type="qwen2_vl_text", tied=False, flat=True
        ),
        Wrapper(
            model_type="qwen2_5_vl",
            classes=("Qwen2_5_VL",),
            text_type="qwen2_5_vl_text",
            tied=False,
            flat=True,
        ),
        Wrapper(model_type="qwen3_vl", classes=("Qwen3VL",), text_type="qwen3_vl_text", tied=False),
        Wrapper(
            model_type="qwen3_vl_moe", classes=("Qwen3VLMoe",), text_type="qwen3_vl_moe_text", tied=False
        ),
        Wrapper(
            model_type="qwen3_omni_moe",
            classes=("Qwen3OmniMoe",),
            text_type="qwen3_omni_moe_text",
            tied=False,
            inside="thinker_config",
        ),
        Wrapper(
            model_type="qwen3_omni_moe_thinker",
            classes=("Qwen3OmniMoeThinker",),
            text_type="qwen3_omni_moe_text",
            tied=False,
        ),
        Wrapper(model_type="glm4v", classes=("Glm4v",), text_type="glm4v_text", tied=False, flat=True),
        Wrapper(model_type="glm46v", classes=("Glm46V",), text_type="glm4v_text", tied=False),
        Wrapper(model_type="glm4v_moe", classes=("Glm4vMoe",), text_type="glm4v_moe_text", tied=False),
        Wrapper(model_type="kimi_k25", classes=("KimiK25",), text_type="kimi_k2", tied=False),
        Wrapper(
            model_type="llama4", classes=("Llama4",), text_type="llama4_text", tied=False, ties_inside=True
        ),
        Wrapper(model_type="idefics3", classes=("Idefics3",), text_type="llama", tied=False),
        Wrapper(model_type="smolvlm", classes=("SmolVLM",), text_type="llama", tied=False),
        Wrapper(model_type="internvl", classes=("InternVL",), text_type="qwen2", tied=True),
        Wrapper(model_type="aya_vision", classes=("AyaVision",), text_type="cohere2", tied=True),
        Wrapper(model_type="cohere2_vision", classes=("Cohere2Vision",), text_type="cohere2", tied=True),
    )
}
"""By `model_type`."""


def opened(config: Mapping[str, object], wrapper: Wrapper, file: object) -> Mapping[str, object]:
    """The config with the keys of its part that holds the text model among its own, which count."""
    if wrapper.inside is None:
        return config
    part = config.get(wrapper.inside)
    if not isinstance(part, Mapping):
        raise FileContentError(
            file, wrapper.inside, part, "an object of keys and values: it has the text model"
        )
    return {**part, **{key: value for key, value in config.items() if key != wrapper.inside}}


def text_config(config: Mapping[str, object], wrapper: Wrapper, file: object) -> dict[str, object]:
    """The text model's config, with its type and, where the wrapper says so, its tied embeddings."""
    inside = config.get("text_config")
    if inside is None and wrapper.flat:
        towers = [f"{tower}_config" for tower in ("vision", "audio")]
        inside = {key: value for key, value in config.items() if key not in ("model_type", *towers)}
    if not isinstance(inside, Mapping):
        raise FileContentError(file, "text_config", inside, "an object of keys and values: the text model")
    text = dict(inside)
    text.setdefault("model_type", wrapper.text_type)
    places = (text,) if wrapper.ties_inside else (config, text)
    stated = [place["tie_word_embeddings"] for place in places if "tie_word_embeddings" in place]
    text["tie_word_embeddings"] = stated[0] if stated else wrapper.tied
    # The text model's own classes are not those that are built.
    return {key: value for key, value in text.items() if key not in ("architectures", "auto_map")}


def notes(config: Mapping[str, object], wrapper: Wrapper) -> tuple[str, ...]:
    """What people must know: the towers that are left out, and a head that the file does not speak of."""
    inside = config.get("text_config")
    places = (config, inside if isinstance(inside, Mapping) else {})
    told = (_left_out(config), *_differing(*places))
    if any("tie_word_embeddings" in place for place in places):
        return told
    tied = "is" if wrapper.tied else "is not"
    return (
        *told,
        f"the LM head {tied} the embedding's table: left to the model's class by the file",
    )


_SIZES = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"
)  # fmt: skip


def _differing(config: Mapping[str, object], text: Mapping[str, object]) -> Iterator[str]:
    """Sizes that the wrapper has too, where they are others."""
    for key in _SIZES:
        if key in config and key in text and config[key] != text[key]:
            yield f"{key} {text[key]} of text_config counts; beside it the file says {config[key]}"


def _left_out(config: Mapping[str, object]) -> str:
    towers = [key for key, value in config.items() if key.endswith("_config") and isinstance(value, Mapping)]
    names = ", ".join(key for key in towers if key not in ("text_config", "quantization_config"))
    return f"only the text model counts; left out: {names}" if names else "only the text model counts"
