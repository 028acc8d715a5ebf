"""What a layer's table may say beside widths: one linear layer in a sublayer's place, and formats of weights.

Formats are those that `--dtype` names, stored as the kernels that are predicted expect them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from infersim.domain.dtypes import DType
from infersim.domain.errors import InvalidValueError, UnknownNameError
from infersim.pruning.linears import changed_block
from infersim.workload.norms import Norm
from infersim.workload.transformer import Block, Linear, ReplacedSublayer
from infersim.workload.weight_format import (
    WeightFormat,
    block_scaled_fp8,
    eight_bit,
    four_bit_float,
    weight_only,
)

FORMATS: Mapping[str, WeightFormat] = {
    "fp8": eight_bit("scales by row", DType.FP8, static=False),
    "fp8_static": eight_bit("one scale", DType.FP8, static=True, per_row=False),
    "fp8_block": block_scaled_fp8("blocks of 128", 128, 128),
    "int8": eight_bit("scales by row", DType.INT8, static=False),
    "nvfp4": four_bit_float("groups of 16", "nvfp4", activations=True),
    "mxfp4": four_bit_float("groups of 32", "mxfp4", activations=True),
    "w8a16": weight_only("scales by row", 8),
    "w4a16": weight_only("groups of 128", 4, group=128),
}
"""The formats that a choice can name."""

MOST_RANK = 2**16


def format_named(name: str) -> WeightFormat:
    """The format; raises UnknownNameError that lists the known ones."""
    try:
        return FORMATS[name]
    except KeyError:
        raise UnknownNameError("format", name, FORMATS) from None


def stored_as(linear: Linear, name: str) -> Linear:
    """The matrix in a format; raises UnknownNameError."""
    return replace(linear, format=format_named(name))


def one_linear(hidden: int, norm: Norm | None, post_norm: Norm | None, rank: int) -> ReplacedSublayer:
    """A linear layer hidden -> hidden in a sublayer's place, in two factors of `rank` (0: in one matrix).

    Raises InvalidValueError for a rank that stores no less than the matrix.
    """
    if not 0 <= rank < hidden / 2:
        expected = f"a rank below {hidden / 2:g}, where two factors are no smaller, or 0 for one matrix"
        raise InvalidValueError("linear", rank, expected)
    linear = Linear(out_features=hidden, in_features=hidden, rank=rank or None)
    return ReplacedSublayer(linear=linear, norm=norm, post_norm=post_norm)


def with_choices(block: Block, linear: Mapping[str, int], formats: Mapping[str, str]) -> Block:
    """The block with linear layers in the place of sublayers, and its sublayers' matrices in formats.

    Keys are `attention` and `ffn`. Raises InvalidValueError for a sublayer that the block lacks.
    """
    for name, rank in linear.items():
        found = _sublayer(block, name, f"linear.{name}", rank)
        width = found.linears[-1].out_features
        made = one_linear(width, found.norm, found.post_norm, rank)
        block = replace(block, attention=made) if name == "attention" else replace(block, ffn=made)
    for name, stored in formats.items():
        _sublayer(block, name, f"format.{name}", stored)
        block = changed_block(block, name, _in(stored))
    return block


def _sublayer(block: Block, name: str, key: str, value: object) -> ReplacedSublayer:
    found = getattr(block, name)
    if found is None:
        raise InvalidValueError(key, value, f"no such key: the layer has no {name}")
    return found  # type: ignore[no-any-return]


def _in(stored: str) -> Callable[[str, Linear], Linear]:
    return lambda _, linear: stored_as(linear, stored)
