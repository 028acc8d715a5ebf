"""Blocks of a `nemotron-nas` (DeciLM) config: searched architectures whose blocks differ one by one.

The rules are those of the model's own `configuration_decilm.py` and `modeling_decilm.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.workload.hf.architecture import Architecture
from infersim.workload.hf.building import head_dim_of
from infersim.workload.hf.config_keys import Keys
from infersim.workload.hf.entries.defaults import defaults
from infersim.workload.sizes import grouped_query_attention, swiglu
from infersim.workload.transformer import Attention, Block, FeedForward, Linear, ReplacedSublayer

if TYPE_CHECKING:
    from infersim.workload.hf.block_schema import DeciAttention, DeciFeedForward

WIDTH_MULTIPLE = 256
"""DeciLM rounds every intermediate size up to a multiple of this."""

NEMOTRON_NAS = Architecture(
    model_type="nemotron-nas",
    classes=("DeciLM",),
    defaults=defaults(
        vocab=32000, hidden=4096, width=None, layers=32, heads=32, positions=2048,
        attention_bias=False, mlp_bias=False, block_configs=None,
    ),
    remark="every block its own; blocks that do nothing are left out",
)  # fmt: skip


def layers(config: Mapping[str, object], keys: Keys) -> tuple[Block, ...]:
    """The blocks of `block_configs`, in order; a `no_op` sublayer is None and loses its norm too.

    A block of which both sublayers are `no_op` is padding and no block. Raises FileContentError, and
    UnsupportedError for attention sinks and sparsified sublayers.
    """
    # pydantic takes longer to import than all that other model types need.
    from infersim.workload.hf.block_schema import DeciBlocks, checked_keys

    choices = checked_keys(DeciBlocks, config, keys.file).block_configs
    layers = keys.whole("num_hidden_layers")
    if len(choices) != layers:
        keys.fail("num_hidden_layers", layers, f"the number of block_configs, {len(choices)}")
    return tuple(
        Block(
            attention=_attention(keys, choice.attention, f"block_configs[{index}].attention"),
            ffn=_feed_forward(keys, choice.ffn, f"block_configs[{index}].ffn"),
        )
        for index, choice in enumerate(choices)
    )


def intermediate_size(ffn_mult: float, hidden: int) -> int:
    """DeciLM's width: int(2 * ffn_mult * hidden / 3), rounded up to a multiple of 256."""
    width = int(2 * ffn_mult * hidden / 3)
    return -(-width // WIDTH_MULTIPLE) * WIDTH_MULTIPLE


def _attention(keys: Keys, choice: DeciAttention, key: str) -> Attention | ReplacedSublayer | None:
    if choice.no_op:
        return None
    bias = keys.flag("attention_bias")
    if choice.replace_with_linear:
        return _replaced(keys.whole("hidden_size"), bias)
    _refuse(keys.file, f"{key}.sparsify", choice.sparsify)
    _refuse(keys.file, f"{key}.num_sink_tokens", choice.num_sink_tokens)
    group, heads = choice.n_heads_in_group, keys.whole("num_attention_heads")
    if group is None or heads % group:
        expected = f"a divisor of num_attention_heads = {heads}"
        raise FileContentError(keys.file, f"{key}.n_heads_in_group", group, expected)
    return grouped_query_attention(
        hidden=keys.whole("hidden_size"),
        num_heads=heads,
        num_kv_heads=heads // group,
        head_dim=head_dim_of(keys),
        qkv_bias=bias,
        o_bias=bias,
        window=choice.window_length,
    )


def _feed_forward(keys: Keys, choice: DeciFeedForward, key: str) -> FeedForward | ReplacedSublayer | None:
    if choice.no_op:
        return None
    hidden, bias = keys.whole("hidden_size"), keys.flag("mlp_bias")
    if choice.replace_with_linear:
        return _replaced(hidden, bias)
    _refuse(keys.file, f"{key}.sparsify", choice.sparsify)
    width = 0 if choice.ffn_mult is None else intermediate_size(choice.ffn_mult, hidden)
    if not width:
        expected = "a number that gives a width, as the sublayer is neither no_op nor linear"
        raise FileContentError(keys.file, f"{key}.ffn_mult", choice.ffn_mult, expected)
    return swiglu(hidden=hidden, width=width, bias=bias)


def _replaced(hidden: int, bias: bool) -> ReplacedSublayer:
    return ReplacedSublayer(linear=Linear(out_features=hidden, in_features=hidden, bias=bias))


def _refuse(file: object, key: str, value: object) -> None:
    if value is not None:
        raise UnsupportedError(f"{file}: {key} = {value!r} is not supported; supported: null")
