"""Keys of configs that change neither shapes nor speed, and what to do with a key that nobody knows."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from infersim.domain.errors import UnsupportedError
from infersim.workload.hf.refused.custom_code import WAY_OUT

_NAMES = """
    architectures attention_multiplier attention_softmax_in_fp32 attn_implementation
    attn_logit_softcapping attn_temperature_floor auto_map bad_words_ids base_model
    begin_suppress_tokens bias_dropout_fusion cache_implementation chunk_size_feed_forward clip_qkv
    context_length cross_attention_hidden_size decoder_start_token_id do_sample dtype early_stopping
    embedding_fraction exponential_decay_length_penalty feed_forward_proj finetuning_task
    fp32_logits gradient_checkpointing id2label init_device is_decoder is_encoder_decoder
    keys_to_ignore_at_inference label2id language layer_norm_eps layer_norm_epsilon
    layernorm_epsilon license masked_softmax_fusion max_length max_new_tokens max_sequence_length min_length
    model_max_length model_type n_ctx no_repeat_ngram_size norm_eps norm_epsilon norm_type
    num_beam_groups num_beams num_image_tokens num_labels num_logits_to_keep num_return_sequences offset_alibi
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

_FORMAT_WORDS = re.compile(
    r"quant|compress|kv_cache|cache_dtype|weights?_dtype|load_in_|bit_?width|(^|_)n?_?bits(_|$)|[248]_?bit"
    r"|(int|fp|float)[248](?!\d)"
)
"""In names that speak of how weights or the KV cache are stored."""

_PLAIN = ("auto", "bfloat16", "float16", "torch.bfloat16", "torch.float16")

_SHAPE_WORDS = re.compile(
    r"prun|slic|spars|lora|low_?rank|svd|expert|moe|mamba|ssm|conv|skip|mask|gate|bias|norm|head|hidden|layer"
    r"|intermediate|inter_|ffn|mlp|width|rank|proj|adapter|linear|cross|parallel|share|loop|recurr|window"
    r"|att(entio)?n_(type|mode|kind|variant|class|method)|variant|depth|exit|mixture|rout|sink"
)

_CUT_WORDS = re.compile(r"prun|slic|spars|lora|low_?rank|svd|expert|moe")


def check_keys(config: Mapping[str, object], known: Collection[str], file: object) -> None:
    """Raise UnsupportedError for the first key that nobody knows and that could change shapes.

    `known` are the keys that the model type's entry reads. A key that is not set (null, false, 0, empty)
    changes nothing. Else numbers, lists and objects could be sizes; true and texts only under a name that
    speaks of layers or of pruning, and does not begin with an underscore (private marks of libraries). A name
    that speaks of formats may hold nothing but a type of 16 bit.
    """
    for key in unknown_keys(config, known):
        if _FORMAT_WORDS.search(key) or key == "cache_implementation":
            raise UnsupportedError(
                f"{file}: {key} = {_brief(config[key])} speaks of a format, and is no key that is read; "
                "leave it out, and give formats by --dtype and --kv-dtype"
            )
        raise UnsupportedError(
            f"{file}: {key} = {_brief(config[key])} is no key of model_type {config.get('model_type')!r}, "
            f"and may change the model's shapes; {WAY_OUT}"
        )


def unknown_keys(config: Mapping[str, object], known: Collection[str]) -> Iterator[str]:
    """The keys that `check_keys` refuses."""
    for key, value in config.items():
        if key == "cache_implementation" and "quant" in str(value):
            yield key
        if key in known or key in HARMLESS or not value:
            continue
        if _FORMAT_WORDS.search(key):
            if value not in _PLAIN:
                yield key
            continue
        if _HARMLESS_PATTERN.search(key):
            continue
        if isinstance(value, bool | str) and (key.startswith("_") or not _SHAPE_WORDS.search(key.lower())):
            continue
        yield key


def check_keys_around(
    config: Mapping[str, object], known: Collection[str], file: object, *, shapes_known: bool
) -> tuple[str, ...]:
    """Raise UnsupportedError for a key beside a text model's config that speaks of pruning or of formats.

    What else stands there is of images or sound. Where weight files tell the shapes, it is noted.
    """
    found = [
        key
        for key in unknown_keys(config, known)
        if _FORMAT_WORDS.search(key) or _CUT_WORDS.search(key.lower())
    ]
    if not found or shapes_known:
        return (f"no key that is read beside text_config: {', '.join(found)}",) if found else ()
    raise UnsupportedError(
        f"{file}: {found[0]} = {_brief(config[found[0]])} is no key that is read beside text_config, and may "
        f"change the text model; {WAY_OUT}"
    )


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
