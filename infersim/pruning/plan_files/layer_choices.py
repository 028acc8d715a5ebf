"""What a layer's table may say beside widths: one linear layer in a sublayer's place, and formats of weights.

Formats are those that `--dtype` names, stored as the kernels that are predicted expect them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from infersim.domain.dtypes import DType
from infersim.domain.errors import InvalidValueError, UnknownNameError
from infersim.workload.sublayers.norms import Norm
from infersim.workload.transformer import (
    AttentionSublayer,
    Block,
    ExpertLayer,
    FfnSublayer,
    Linear,
    ReplacedSublayer,
)
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


def in_format(sublayer: AttentionSublayer | FfnSublayer, name: str) -> AttentionSublayer | FfnSublayer:
    """The sublayer in a format, but for matrices that stay in 16 bit; raises UnknownNameError."""
    stored = format_named(name)
    return sublayer.with_matrices(
        {
            matrix: linear if linear.sixteen_bit else replace(linear, format=stored)
            for matrix, linear in sublayer.matrices.items()
        }
    )


def one_linear(hidden: int, norm: Norm | None, post_norm: Norm | None, rank: int) -> ReplacedSublayer:
    """A linear layer hidden -> hidden in a sublayer's place, in two factors of `rank` (0: in one matrix).

    Raises InvalidValueError for a rank that stores no less than the matrix.
    """
    if not 0 <= rank < hidden / 2:
        expected = f"a rank below {hidden / 2:g}, where two factors are no smaller, or 0 for one matrix"
        raise InvalidValueError("linear", rank, expected)
    linear = Linear(out_features=hidden, in_features=hidden, rank=rank or None)
    return ReplacedSublayer(linear=linear, norm=norm, post_norm=post_norm)


def hidden_of(sublayer: AttentionSublayer | FfnSublayer) -> int:
    """The hidden size: what the sublayer's last matrix leads back to, or its router reads."""
    if isinstance(sublayer, ExpertLayer):
        return sublayer.router.in_features
    return sublayer.linears[-1].out_features


def with_choices(block: Block, linear: Mapping[str, int], formats: Mapping[str, str]) -> Block:
    """The block with linear layers in the place of sublayers, and its sublayers' matrices in formats.

    Keys are `attention` and `ffn`. Raises InvalidValueError for a sublayer that the block lacks.
    """
    for name, rank in linear.items():
        found = _sublayer(block, name, f"linear.{name}", rank)
        width = hidden_of(found)
        block = _with(block, name, one_linear(width, found.norm, found.post_norm, rank))
    for name, stored in formats.items():
        found = _sublayer(block, name, f"format.{name}", stored)
        if stored not in FORMATS:
            raise InvalidValueError(f"format.{name}", stored, f"one of {', '.join(FORMATS)}")
        block = _with(block, name, in_format(found, stored))
    return block


def _with(block: Block, name: str, sublayer: AttentionSublayer | FfnSublayer) -> Block:
    return replace(block, **{name: sublayer})  # type: ignore[arg-type]


def _sublayer(block: Block, name: str, key: str, value: object) -> AttentionSublayer | FfnSublayer:
    found: AttentionSublayer | FfnSublayer | None = block.attention if name == "attention" else block.ffn
    if found is None:
        raise InvalidValueError(key, value, f"no such key: the layer has no {name}")
    return found
