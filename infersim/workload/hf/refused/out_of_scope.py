"""Model types and keys that are out of scope, with the reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from infersim.domain.errors import FileContentError, UnsupportedError

REFUSED_TYPES = {
    "experts of a kind of their own": "bailing_moe cohere2_moe jetmoe longcat_flash qwen3_5_moe",
    "sizes in nested keys, and all experts of a layer in one matrix": "dbrx",
    "experts for images beside those for text": "ernie4_5_vl_moe ernie4_5_vl_moe_text",
    "state-space (Mamba) layers": (
        "bamba falcon_h1 falcon_mamba granitemoehybrid jamba mamba mamba2 nemotron_h plamo2 xlstm "
        "zamba zamba2"
    ),
    "linear attention or recurrence": (
        "bailing_hybrid kimi_linear lfm2 lfm2_moe minimax olmo_hybrid qwen3_5 qwen3_next recurrent_gemma rwkv"
    ),
    "cross-attention between towers": "mllama mllama_text_model",
    "embeddings in every layer and other layers of its own kind": "gemma3n gemma3n_text gemma4 gemma4_text",
    "an encoder": (
        "bart bert deberta deberta-v2 electra encoder-decoder m2m_100 mbart modernbert mt5 pegasus "
        "roberta switch_transformers t5 t5gemma t5gemma2 umt5 whisper xlm-roberta"
    ),
    "two attentions whose difference is taken": "diffllama",
}
"""What is not modelled -> the model types that have it."""

_TELLTALE_KEYS = {
    "mixture of experts": (
        "num_local_experts",
        "n_routed_experts",
        "num_experts",
        "moe_intermediate_size",
        "num_experts_per_tok",
        "num_experts_per_token",
        "moe_num_experts",
        "num_shared_experts",
    ),
    "multi-head latent attention": ("kv_lora_rank",),
    "sparse attention chosen by an indexer": ("index_topk", "index_n_heads"),
    "state-space (Mamba) layers": ("mamba_num_heads", "ssm_state_size", "mamba_d_state", "mamba_d_ssm"),
    "linear attention": ("linear_num_value_heads", "linear_attn_config"),
    "an encoder": ("is_encoder_decoder",),
    "cross-attention": ("add_cross_attention",),
}
"""What is not modelled -> the keys that give it away when they are set."""


def checked_type(
    config: Mapping[str, object], known: Collection[str], file: object, keys_read: Collection[str] = ()
) -> str:
    """Return the config's `model_type` if it is one of `known` and nothing in it is out of scope.

    Raises FileContentError where there is no `model_type`, and UnsupportedError that names every reason and
    what is supported. Telltale keys count under any `model_type` whose entry does not read them
    (`keys_read`): a fine-tune of unknown name with experts must not pass as dense.
    """
    listed = ", ".join(sorted(known))
    model_type = config.get("model_type")
    if not isinstance(model_type, str):
        raise FileContentError(file, "model_type", model_type, f"one of {listed}")
    reasons = {feature: "" for feature, types in REFUSED_TYPES.items() if model_type in types.split()}
    for feature, keys in _TELLTALE_KEYS.items():
        for key in [key for key in keys if config.get(key) and key not in keys_read][:1]:
            reasons[feature] = f" ({key} = {_brief(config[key])})"
    if reasons:
        told = " and ".join(f"{feature}{evidence}" for feature, evidence in reasons.items())
        raise UnsupportedError(
            f"{file}: model_type {model_type!r} has {told}, which is not modelled for this type; "
            f"supported are decoder-only models of type {listed}"
        )
    if model_type not in known:
        raise UnsupportedError(f"{file}: model_type {model_type!r} is not supported; supported: {listed}")
    return model_type


def _brief(value: object) -> str:
    return "{...}" if isinstance(value, Mapping) else repr(value)
