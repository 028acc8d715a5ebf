"""From an entry and a config's keys to the blocks of a transformer and what stands around them."""

from __future__ import annotations

from dataclasses import replace

from infersim.workload.ends import Embedding, Head
from infersim.workload.hf.activation_names import activation
from infersim.workload.hf.architecture import Architecture, holds
from infersim.workload.hf.config_keys import Keys
from infersim.workload.hf.layers.experts import expert_sublayer
from infersim.workload.hf.layers.latent import indexer_of, latent_sublayer
from infersim.workload.sizes import feed_forward, grouped_query_attention
from infersim.workload.sublayers.norms import Norm
from infersim.workload.transformer import (
    Attention,
    Block,
    ExpertLayer,
    FeedForward,
    LatentAttention,
    Linear,
    Transformer,
)


def build(entry: Architecture, keys: Keys, *, name: str, head: Head | None, tied: bool) -> Transformer:
    """The model that a checked config describes; FileContentError, and UnsupportedError for odd layers."""
    if entry.check is not None:
        entry.check(keys)
    norm = entry_norm(entry, keys)
    return Transformer(
        name=name,
        hidden=keys.whole("hidden_size"),
        vocab=keys.whole("vocab_size"),
        tied_embeddings=tied,
        max_position=keys.whole("max_position_embeddings"),
        blocks=blocks(entry, keys),
        embedding=embedding(entry, keys),
        final_norm=norm if holds(entry.final_norm, keys) else None,
        head=head,
        scaled_residuals=holds(entry.scaled_residuals, keys),
    )


def entry_norm(entry: Architecture, keys: Keys) -> Norm:
    """The norm of all places of the model."""
    return entry.norm if isinstance(entry.norm, Norm) else entry.norm(keys)


def embedding(entry: Architecture, keys: Keys) -> Embedding:
    """What stands before the blocks."""
    hidden = keys.whole("hidden_size")
    width = (keys.optional_whole("embedding_size") if keys.knows("embedding_size") else None) or hidden
    return Embedding(
        width=None if width == hidden else width,
        positions=0 if entry.learned_positions is None else entry.learned_positions(keys),
        norm=entry_norm(entry, keys) if entry.embedding_norm else None,
        scaled=holds(entry.scaled_embedding, keys),
    )


def blocks(entry: Architecture, keys: Keys) -> tuple[Block, ...]:
    """One block a layer; what differs are windows, chunks, rotary positions, KV heads and experts."""
    layers = keys.whole("num_hidden_layers")
    windows = [None] * layers if entry.windows is None else entry.windows(keys)
    turned = [True] * layers if entry.rotary_layers is None else entry.rotary_layers(keys)
    kv_heads = [kv_heads_of(keys)] * layers if entry.kv_heads is None else entry.kv_heads(keys)
    chunks = [None] * layers if entry.chunks is None else entry.chunks(keys)
    experts = entry.experts
    listed = None if experts is None else experts.layers
    sparse = [experts is not None] * layers if listed is None else listed(keys)
    choosing = [None] * layers if entry.indexers is None else entry.indexers(keys)
    parallel = holds(entry.parallel, keys)
    shared = parallel and holds(entry.shared_norm, keys)
    made: dict[tuple[object, ...], Block] = {}
    choices = list(zip(windows, chunks, turned, kv_heads, choosing, sparse, strict=True))
    for choice in choices:
        if choice not in made:
            window, chunk, turns, groups, chooses, has_experts = choice
            attention = (
                _latent(entry, keys, chooses=chooses)
                if entry.latent
                else _attention(entry, keys, window=window, chunk=chunk, turns=turns, kv_heads=groups)
            )
            ffn = _ffn(entry, keys, has_norm=not shared, has_experts=has_experts)
            made[choice] = Block(attention=attention, ffn=ffn, parallel=parallel)
    return tuple(made[choice] for choice in choices)


def kv_heads_of(keys: Keys) -> int:
    """KV heads by `num_key_value_heads`; without, one for each head."""
    grouped = keys.knows("num_key_value_heads")
    groups = keys.optional_whole("num_key_value_heads") if grouped else None
    return (
        keys.whole("num_attention_heads")
        if groups is None
        else checked_groups(keys, "num_key_value_heads", groups)
    )


def checked_groups(keys: Keys, name: str, groups: int) -> int:
    """`groups`; FileContentError where the heads do not divide into as many."""
    heads = keys.whole("num_attention_heads")
    if heads % groups:
        key = keys.spelling(name)
        keys.fail(key, groups, f"a divisor of {keys.spelling('num_attention_heads')} = {heads}")
    return groups


def head_dim_of(keys: Keys) -> int:
    """The explicit head dimension, else hidden / heads; FileContentError if that is no integer."""
    explicit = keys.optional_whole("head_dim") if keys.knows("head_dim") else None
    if explicit is not None:
        return explicit
    hidden, heads = keys.whole("hidden_size"), keys.whole("num_attention_heads")
    if hidden % heads:
        expected = f"a multiple of {keys.spelling('num_attention_heads')} = {heads}, or a head_dim"
        keys.fail(keys.spelling("hidden_size"), hidden, expected)
    return hidden // heads


def rotary_share(entry: Architecture, keys: Keys) -> float:
    """The share of each head that is turned; 0 with learned positions."""
    if entry.learned_positions is not None:
        return 0.0
    return 1.0 if entry.rotary is None else entry.rotary(keys)


def _norms_of_attention(entry: Architecture, keys: Keys) -> tuple[Norm | None, Norm | None]:
    norm = entry_norm(entry, keys)
    return norm if entry.pre_norms else None, norm if entry.post_norms else None


def _latent(entry: Architecture, keys: Keys, *, chooses: bool | None) -> LatentAttention:
    """`chooses`: tokens by an indexer of its own, or as the layer before; None: all tokens."""
    pre_norm, post_norm = _norms_of_attention(entry, keys)
    bias = holds(entry.qkv_bias, keys)
    made = latent_sublayer(keys, bias=bias, norm=pre_norm, post_norm=post_norm)
    if chooses is None:
        return made
    return replace(made, indexer=indexer_of(keys) if chooses else None, top_k=keys.whole("index_topk"))


def _attention(
    entry: Architecture, keys: Keys, *, window: int | None, chunk: int | None, turns: bool, kv_heads: int
) -> Attention:
    pre_norm, post_norm = _norms_of_attention(entry, keys)
    normed = holds(entry.has_qk_norm, keys) and (turns or not entry.qk_norm_with_rotary)
    made = grouped_query_attention(
        hidden=keys.whole("hidden_size"),
        num_heads=keys.whole("num_attention_heads"),
        num_kv_heads=kv_heads,
        head_dim=head_dim_of(keys),
        value_dim=keys.optional_whole("v_head_dim") if keys.knows("v_head_dim") else None,
        qkv_bias=holds(entry.qkv_bias, keys),
        o_bias=holds(entry.o_bias, keys),
        qk_norm=entry.qk_norm if normed else None,
        window=window,
        rotary=rotary_share(entry, keys) if turns else 0.0,
        norm=pre_norm,
        post_norm=post_norm,
    )
    if entry.gated_attention:
        width = made.o.in_features
        made = replace(made, gate=Linear(out_features=width, in_features=keys.whole("hidden_size")))
    sinks = entry.sinks and (window is not None or not entry.sinks_in_windows_only)
    return replace(made, sinks=sinks, chunk=chunk) if sinks or chunk else made


def _ffn(entry: Architecture, keys: Keys, *, has_norm: bool, has_experts: bool) -> FeedForward | ExpertLayer:
    norm = entry_norm(entry, keys)
    hidden, experts = keys.whole("hidden_size"), entry.experts
    pre_norm = norm if entry.pre_norms and has_norm else None
    post_norm = norm if entry.post_norms else None
    if experts is not None and has_experts:
        return expert_sublayer(
            experts,
            keys,
            bias=holds(experts.bias, keys),
            shared_bias=holds(entry.ffn_bias, keys),
            gate=entry.gate,
            activation=activation(keys),
            norm=pre_norm,
            post_norm=post_norm,
        )
    key = "intermediate_size" if experts is None else experts.dense_width
    return feed_forward(
        hidden=hidden,
        width=keys.optional_whole(key) or 4 * hidden,
        gate=entry.gate,
        bias=holds(entry.ffn_bias, keys),
        activation=activation(keys),
        norm=pre_norm,
        post_norm=post_norm,
    )
