"""Which architectures of Hugging Face configs are in scope, and why the others are not."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from infersim.domain.errors import FileContentError, UnsupportedError

_TELLTALE_KEYS = {
    "mixture of experts": (
        "num_local_experts",
        "n_routed_experts",
        "num_experts",
        "moe_intermediate_size",
        "num_experts_per_tok",
    ),
    "multi-head latent attention": ("kv_lora_rank",),
    "Mamba (state-space) layers": ("mamba_num_heads", "ssm_state_size", "mamba_d_state"),
    "linear attention": ("linear_num_value_heads",),
    "more than text": ("text_config", "vision_config", "audio_config"),
    "an encoder": ("is_encoder_decoder",),
}
"""What we do not model -> the keys that give it away when they are set."""


def supported_type(config: Mapping[str, object], supported: Collection[str], file: object) -> str:
    """Return the config's `model_type` if it is one of `supported` and nothing in it is out of scope.

    Raises FileContentError where there is no `model_type`, and UnsupportedError that names every reason and
    what is supported. Telltale keys count under any `model_type`: a fine-tune of unknown name with experts
    must not pass as dense.
    """
    known = ", ".join(sorted(supported))
    model_type = config.get("model_type")
    if not isinstance(model_type, str):
        raise FileContentError(file, "model_type", model_type, f"one of {known}")
    reasons = [
        f"{feature} ({key} = {_brief(config[key])})"
        for feature, keys in _TELLTALE_KEYS.items()
        for key in [key for key in keys if config.get(key)][:1]
    ]
    if reasons:
        raise UnsupportedError(
            f"{file}: model_type {model_type!r} has {' and '.join(reasons)}, which is out of scope; "
            f"supported are dense decoder-only models of type {known}"
        )
    if model_type not in supported:
        raise UnsupportedError(f"{file}: model_type {model_type!r} is not supported; supported: {known}")
    return model_type


def _brief(value: object) -> str:
    return "{...}" if isinstance(value, Mapping) else repr(value)
