"""Blocks of a `nemotron-nas` (DeciLM) config: searched architectures whose blocks differ one by one.

The rules are those of the model's own `configuration_decilm.py` and `modeling_decilm.py`.
"""

from __future__ import annotations

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.workload.hf_schema import DeciAttention, DeciFeedForward, NemotronNasKeys
from infersim.workload.hf_shapes import checked_head_dim
from infersim.workload.sizes import grouped_query_attention, swiglu
from infersim.workload.transformer import Attention, Block, FeedForward, Linear, ReplacedSublayer

WIDTH_MULTIPLE = 256
"""DeciLM rounds every intermediate size up to a multiple of this."""


def blocks(keys: NemotronNasKeys, file: object) -> tuple[Block, ...]:
    """The blocks of `keys.block_configs`, in order; a `no_op` sublayer is None and loses its norm too.

    Raises FileContentError, and UnsupportedError for attention sinks and sparsified sublayers.
    """
    if len(keys.block_configs) != keys.num_hidden_layers:
        raise FileContentError(
            file,
            "num_hidden_layers",
            keys.num_hidden_layers,
            f"the number of block_configs, {len(keys.block_configs)}",
        )
    return tuple(
        Block(
            attention=_attention(keys, choice.attention, file, f"block_configs[{index}].attention"),
            ffn=_feed_forward(keys, choice.ffn, file, f"block_configs[{index}].ffn"),
        )
        for index, choice in enumerate(keys.block_configs)
    )


def intermediate_size(ffn_mult: float, hidden: int) -> int:
    """DeciLM's width: int(2 * ffn_mult * hidden / 3), rounded up to a multiple of 256."""
    width = int(2 * ffn_mult * hidden / 3)
    return -(-width // WIDTH_MULTIPLE) * WIDTH_MULTIPLE


def _attention(
    keys: NemotronNasKeys, choice: DeciAttention, file: object, key: str
) -> Attention | ReplacedSublayer | None:
    if choice.no_op:
        return None
    if choice.replace_with_linear:
        return _replaced(keys.hidden_size, keys.attention_bias)
    _refuse(file, f"{key}.sparsify", choice.sparsify)
    _refuse(file, f"{key}.num_sink_tokens", choice.num_sink_tokens)
    group, heads = choice.n_heads_in_group, keys.num_attention_heads
    if group is None or heads % group:
        raise FileContentError(
            file, f"{key}.n_heads_in_group", group, f"a divisor of num_attention_heads = {heads}"
        )
    return grouped_query_attention(
        hidden=keys.hidden_size,
        num_heads=heads,
        num_kv_heads=heads // group,
        head_dim=checked_head_dim(keys, file),
        qkv_bias=keys.attention_bias,
        o_bias=keys.attention_bias,
        window=choice.window_length,
    )


def _feed_forward(
    keys: NemotronNasKeys, choice: DeciFeedForward, file: object, key: str
) -> FeedForward | ReplacedSublayer | None:
    if choice.no_op:
        return None
    if choice.replace_with_linear:
        return _replaced(keys.hidden_size, keys.mlp_bias)
    _refuse(file, f"{key}.sparsify", choice.sparsify)
    width = 0 if choice.ffn_mult is None else intermediate_size(choice.ffn_mult, keys.hidden_size)
    if not width:
        expected = "a number that gives a width, as the sublayer is neither no_op nor linear"
        raise FileContentError(file, f"{key}.ffn_mult", choice.ffn_mult, expected)
    return swiglu(hidden=keys.hidden_size, width=width, bias=keys.mlp_bias)


def _replaced(hidden: int, bias: bool) -> ReplacedSublayer:
    return ReplacedSublayer(linear=Linear(out_features=hidden, in_features=hidden, bias=bias))


def _refuse(file: object, key: str, value: object) -> None:
    if value is not None:
        raise UnsupportedError(f"{file}: {key} = {value!r} is not supported; supported: null")
