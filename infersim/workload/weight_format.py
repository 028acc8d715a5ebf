"""Weight formats: how a checkpoint stores the weights of a matrix, and what its kernel multiplies in.

A matrix of a model without one is stored in the execution's precision (`--dtype`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil

from infersim.domain.dtypes import MXFP4_GROUP, NVFP4_GROUP, PRECISIONS, STATIC, DType, Precision
from infersim.domain.shapes import WeightForm

BITS = 8.0
"""Of a byte."""

_POSITION_BITS = 1.0
"""2:4 keeps half of the values and two bits of position for each: one for each dense value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFormat:
    """One format. `name` is what `--dtype` calls it, or its own; `label` what the file says of it.

    A value takes `bits`. Each `group` values along K (None: all) of `rows` rows (None: all) share a scale of
    `scale_bits` and a zero of `zero_bits`; `matrix_bytes` are further scales of the whole matrix, and
    `column_bytes` is stored for each column of K (an order of columns).

    Kernels multiply in `math`. An activation takes `activation_bits`, its part of a group's scale included;
    `static`: the scale of activations is known beforehand, so that what writes them quantises them.
    `own_kernels` and `widens` are those of `Precision`.
    """

    name: str
    label: str
    bits: float
    group: int | None = None
    rows: int | None = 1
    scale_bits: float = 16.0
    zero_bits: float = 0.0
    matrix_bytes: float = 0.0
    column_bytes: float = 0.0
    math: DType = DType.BF16
    activation_bits: float = 16.0
    static: bool = False
    own_kernels: bool = False
    widens: bool = False

    @property
    def precision(self) -> Precision:
        """As GEMMs take it: bytes of a value with its part of the group's scale and zero.

        What is stored once for a row, a column or the matrix (below 0.1 % of the bytes) is left out.
        """
        return _precision(self)

    def stored_bytes(self, n: int, k: int, form: WeightForm = WeightForm.DENSE) -> float:
        """Bytes of a matrix of N x K: values, scales, zeros and, in 2:4 form, positions."""
        value_bits = self.bits if form is WeightForm.DENSE else self.bits / 2 + _POSITION_BITS
        groups = 1 if self.group is None else ceil(k / self.group)
        groups *= 1 if self.rows is None else ceil(n / self.rows)
        beside = self.matrix_bytes + self.column_bytes * k
        return (n * k * value_bits + groups * (self.scale_bits + self.zero_bits)) / BITS + beside


@cache
def _precision(stored: WeightFormat) -> Precision:
    shared = 0.0
    if stored.group is not None and stored.rows is not None:
        shared = (stored.scale_bits + stored.zero_bits) / (stored.group * stored.rows)
    return Precision(
        name=stored.name,
        math=stored.math,
        weight_bytes=(stored.bits + shared) / BITS,
        activation_bytes=stored.activation_bits / BITS,
        output_bytes=PRECISIONS["bf16"].output_bytes,
        dequantises=stored.bits < stored.math.bytes * BITS,
        static=stored.static,
        own_kernels=stored.own_kernels,
        widens=stored.widens,
        kernel=f"{stored.name}{STATIC}" if stored.static else None,
    )


def weight_only(
    label: str, bits: float, *, group: int | None = None, scale_bits: float = 16.0, zero_bits: float = 0.0
) -> WeightFormat:
    """Integers, or floats of 8 bit, widened to bf16 as they are multiplied: `w4a16`, `w8a16`."""
    return WeightFormat(
        name=f"w{bits:g}a16", label=label, bits=bits, group=group, scale_bits=scale_bits, zero_bits=zero_bits
    )


def eight_bit(label: str, math: DType, *, static: bool, per_row: bool = True) -> WeightFormat:
    """W8A8 with 32-bit scales of the weights, one a row or one a matrix: `fp8`, `int8`."""
    return WeightFormat(
        name=math.value,
        label=label,
        bits=8.0,
        rows=1 if per_row else None,
        scale_bits=32.0,
        math=math,
        activation_bits=8.0,
        static=static,
        widens=math is DType.FP8,
    )


def block_scaled_fp8(label: str, rows: int, group: int) -> WeightFormat:
    """fp8 with a 32-bit scale for each block of weights; activations are scaled by token and group."""
    return WeightFormat(
        name="fp8_block",
        label=label,
        bits=8.0,
        rows=rows,
        group=group,
        scale_bits=32.0,
        math=DType.FP8,
        activation_bits=8.0 + 32.0 / group,
        widens=True,
    )


def four_bit_float(label: str, kind: str, *, activations: bool) -> WeightFormat:
    """`nvfp4` or `mxfp4`, multiplied in 4 bit; `nvfp4a16`, `mxfp4a16`: the weights alone."""
    group = NVFP4_GROUP if kind == "nvfp4" else MXFP4_GROUP
    scales_of_the_matrix = 8.0 if kind == "nvfp4" else 0.0
    return WeightFormat(
        name=kind if activations else f"{kind}a16",
        label=label,
        bits=4.0,
        group=group,
        scale_bits=8.0,
        matrix_bytes=scales_of_the_matrix,
        math=DType.FP4 if activations else DType.BF16,
        activation_bits=4.0 + 8.0 / group if activations else 16.0,
        widens=activations,
    )
