"""Models as the `transformers` library builds them, on the meta device: nothing is stored or computed."""

from __future__ import annotations

from typing import Any

import pytest

from infersim.workload.hf.entries import ARCHITECTURES

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers", reason="the library whose models are compared with ours")

NoNullError = pytest.importorskip("huggingface_hub.errors").StrictDataclassFieldValidationError
"""What a configuration class raises for a value of another type than its field's."""

_PARTS = {
    "head": ("lm_head", "score"),
    "norms": ("norm", "ln_"),
    "ffn": ("mlp", "ffn", "fc1", "fc2", "moe", "feed_forward"),
    "attention": ("attn", "attention"),
}
"""Parts by what the names of their parameters have in them; the first that fits counts."""


def known(model_type: str) -> bool:
    """Whether the library has the model type."""
    return model_type in transformers.CONFIG_MAPPING


def library_config(config: dict[str, Any]) -> Any:
    """The configuration class that reads `config`."""
    found = transformers.CONFIG_MAPPING[config["model_type"]]
    # Small vocabularies do not hold the padding tokens of the classes' defaults.
    keys = {"pad_token_id": 0, **config}
    return found.from_dict({key: value for key, value in keys.items() if key != "model_type"})


BY_CLASS = {
    "mistral4": "Mistral4ForCausalLM",
    "qwen3_omni_moe_thinker": "Qwen3OmniMoeThinkerForConditionalGeneration",
}
"""Classes of model types that the library builds inside others only."""


def library_model(config: dict[str, Any], task: str = "AutoModelForCausalLM", **how: str) -> Any:
    """The library's model of `config`, without memory; tied matrices are one."""
    own = BY_CLASS.get(config["model_type"])
    build = (
        getattr(transformers, task).from_config if own is None else getattr(transformers, own)._from_config
    )
    with torch.device("meta"):
        model = build(library_config(config), attn_implementation="eager", **how)
    model.tie_weights()
    return model


def library_parts(model: Any) -> dict[str, int]:
    """Parameters by the parts that `counts.parameters_by_part` has."""
    counted = dict.fromkeys(("embedding", "attention", "ffn", "norms", "head"), 0)
    for name, parameter in model.named_parameters():
        counted[_part(name)] += parameter.numel()
    return counted


def spelt(model_type: str, **sizes: Any) -> dict[str, Any]:
    """A config with our names of keys spelt as the model type's class spells them."""
    spellings = ARCHITECTURES[model_type].spellings
    return {
        "model_type": model_type,
        **{spellings.get(key, (key,))[0]: value for key, value in sizes.items()},
    }


def _part(name: str) -> str:
    lowered = name.lower().replace("e_score_correction_bias", "correction")
    return next(
        (part for part, words in _PARTS.items() if any(map(lowered.__contains__, words))), "embedding"
    )
