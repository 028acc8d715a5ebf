"""Latent attention as configs describe it, and which layers choose the tokens that they attend to."""

from __future__ import annotations

from infersim.domain.errors import UnsupportedError
from infersim.workload.hf.config_keys import MAX_LAYERS, Keys
from infersim.workload.sizes import indexer, latent_attention
from infersim.workload.sublayers.latent_attention import Indexer
from infersim.workload.sublayers.norms import Norm
from infersim.workload.transformer import LatentAttention

INDEXED = "indexed_attention"
FULL, SHARED = "full", "shared"
_LETTERS = {"F": FULL, "S": SHARED}


def in_every_layer(keys: Keys) -> list[bool]:
    """DeepSeek-V3.2: each layer has an indexer of its own."""
    _check_kinds(keys)
    return [True] * keys.whole("num_hidden_layers")


def full_or_shared(keys: Keys) -> list[bool]:
    """GLM-5: layers with an indexer, and layers that take the tokens of the last one that has one.

    `indexer_types` names them, else `index_topk_pattern` does, else every `index_topk_freq`-th from
    `index_skip_topk_offset` - 1 on has one, and all before.
    """
    _check_kinds(keys)
    layers = keys.whole("num_hidden_layers")
    kinds = keys.layer_list("indexer_types") or _by_pattern(keys)
    if kinds is None:
        step, first = keys.count("index_topk_freq") or 1, keys.count("index_skip_topk_offset") - 1
        return [max(layer - first, 0) % step == 0 for layer in range(layers)]
    if len(kinds) != layers or not {FULL, SHARED}.issuperset(map(str, kinds)) or kinds[0] != FULL:
        key = "indexer_types" if keys.stated("indexer_types") else "index_topk_pattern"
        expected = f"{FULL} or {SHARED} for each of {layers} layers, the first {FULL}"
        keys.fail(key, keys.value(key), expected)
    return [kind == FULL for kind in kinds]


def _by_pattern(keys: Keys) -> list[object] | None:
    """A text of a letter for each layer, or a list of words."""
    value = keys.value("index_topk_pattern")
    if isinstance(value, str) and len(value) <= MAX_LAYERS:
        return [_LETTERS.get(letter, letter) for letter in value]
    if value is None or isinstance(value, list):
        return value
    return keys.fail("index_topk_pattern", value, "a letter, F or S, for each layer")


def _check_kinds(keys: Keys) -> None:
    kinds = keys.layer_list("layer_types") or ()
    others = {str(kind) for kind in kinds} - {INDEXED}
    if others:
        raise UnsupportedError(
            f"{keys.file}: layer_types has {', '.join(sorted(others))}; supported is {INDEXED} in every layer"
        )


def indexer_of(keys: Keys) -> Indexer:
    """The indexer that a config describes."""
    return indexer(
        hidden=keys.whole("hidden_size"),
        q_lora_rank=keys.whole("q_lora_rank"),
        num_heads=keys.whole("index_n_heads"),
        head_dim=keys.whole("index_head_dim"),
    )


def latent_sublayer(keys: Keys, *, bias: bool, norm: Norm | None, post_norm: Norm | None) -> LatentAttention:
    """The latent attention that a config describes."""
    hidden, heads = keys.whole("hidden_size"), keys.whole("num_attention_heads")
    return latent_attention(
        hidden=hidden,
        num_heads=heads,
        q_lora_rank=keys.optional_whole("q_lora_rank"),
        kv_lora_rank=keys.whole("kv_lora_rank"),
        qk_nope_head_dim=keys.whole("qk_nope_head_dim"),
        qk_rope_head_dim=keys.whole("qk_rope_head_dim"),
        v_head_dim=keys.optional_whole("v_head_dim") or hidden // heads,
        bias=bias,
        norm=norm,
        post_norm=post_norm,
    )
