"""Keys of configs that change neither shapes nor speed, and what to do with a key that nobody knows."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from infersim.domain.errors import UnsupportedError
from infersim.workload.hf.custom_code import WAY_OUT

_NAMES = """
    architectures attention_multiplier attention_softmax_in_fp32 attn_implementation
    attn_logit_softcapping attn_temperature_floor auto_map bad_words_ids base_model
    begin_suppress_tokens bias_dropout_fusion cache_implementation chunk_size_feed_forward clip_qkv
    context_length cross_attention_hidden_size decoder_start_token_id do_sample dtype early_stopping
    embedding_fraction exponential_decay_length_penalty feed_forward_proj finetuning_task
    fp32_logits gradient_checkpointing id2label init_device is_decoder is_encoder_decoder
    keys_to_ignore_at_inference label2id language layer_norm_eps layer_norm_epsilon
    layernorm_epsilon license masked_softmax_fusion max_length max_new_tokens min_length
    model_max_length model_type n_ctx no_repeat_ngram_size norm_eps norm_epsilon norm_type
    num_beam_groups num_beams num_labels num_logits_to_keep num_return_sequences offset_alibi
    original_max_position_embeddings partial_rotary_factor prefix problem_type query_pre_attn_scalar
    remove_invalid_values reorder_and_upcast_attn residual_in_fp32 rms_norm_eps rope_pct
    scale_attention_softmax_in_fp32 scale_attn_by_inverse_layer_idx scale_attn_weights sep_token_id
    seq_len seq_length skip_bias_add skip_bias_add_qkv slow_but_exact softmax_scale
    special_tokens_map suppress_tokens task_specific_params temperature tf_legacy_loss
    tie_encoder_decoder tie_last_hidden_states tokenizer_class top_k top_p torch_dtype torchscript
    transformers.js_config transformers_version typical_p unsloth_fixed unsloth_version use_bfloat16
    use_cache use_flash_attn use_logn_attn z_loss_weight
"""

HARMLESS = frozenset(_NAMES.split())
"""Names that configs in use have, of generation, training, bookkeeping, numerics and positions."""

_HARMLESS_PATTERN = re.compile(
    r"^rope_|^rotary_emb|^init_(device|std|method|config)|^initializer_|^output_(hidden_states|attentions|scores)"
    r"|^return_|^summary_|^mscale|^yarn_|^longrope_|^pretraining_|^training_|^tokenizer|_token_ids?$"
    r"|_token_index$|dropout(_prob)?$|_pdrop$|drop_rate$|_range$|_std$|_eps$|_epsilon$|_theta$|_penalty$"
    r"|_coef$|_coeff$|_loss$|_jitter_noise$|_version$|_tp$|_path$|_dtype$|_in_fp32$|_implementation$"
    r"|_softcap(ping)?$"
)
"""Further names, by how they begin or end."""

_SHAPE_WORDS = re.compile(
    r"prun|slic|spars|lora|low_?rank|svd|expert|moe|mamba|ssm|conv|skip|mask|gate|bias|norm|head|hidden|layer"
    r"|intermediate|inter_|ffn|mlp|width|rank|proj|adapter|linear|cross|parallel|share|loop|recurr|window"
)


def check_keys(config: Mapping[str, object], known: Collection[str], file: object) -> None:
    """Raise UnsupportedError for the first key that nobody knows and that could change shapes.

    `known` are the keys that the model type's entry reads. A key that is not set (null, false, 0, empty)
    changes nothing. Else numbers, lists and objects could be sizes; true and texts only under a name that
    speaks of layers or of pruning, and does not begin with an underscore (private marks of libraries).
    """
    for key in unknown_keys(config, known):
        raise UnsupportedError(
            f"{file}: {key} = {_brief(config[key])} is no key of model_type {config.get('model_type')!r}, "
            f"and may change the model's shapes; {WAY_OUT}"
        )


def unknown_keys(config: Mapping[str, object], known: Collection[str]) -> Iterator[str]:
    """The keys that `check_keys` refuses."""
    for key, value in config.items():
        if key in known or key in HARMLESS or _HARMLESS_PATTERN.search(key) or not value:
            continue
        if isinstance(value, bool | str) and (key.startswith("_") or not _SHAPE_WORDS.search(key.lower())):
            continue
        yield key


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
