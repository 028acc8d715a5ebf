"""Number formats: of one value (`DType`) and of a whole linear layer (`Precision`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from infersim.domain.errors import UnknownNameError


class DType(StrEnum):
    """A number format that tensor cores multiply."""

    FP32 = "fp32"
    TF32 = "tf32"
    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"
    INT8 = "int8"
    FP4 = "fp4"

    @property
    def bytes(self) -> float:
        """Bytes that one value takes in memory (TF32 is stored as FP32)."""
        return _BYTES[self]


_BYTES = {
    DType.FP32: 4.0,
    DType.TF32: 4.0,
    DType.BF16: 2.0,
    DType.FP16: 2.0,
    DType.FP8: 1.0,
    DType.INT8: 1.0,
    DType.FP4: 0.5,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """How a linear layer stores and multiplies its operands.

    `math` is what the tensor cores multiply; the bytes are per value of the weights, of the activations
    as the kernel reads them, and of the output; weights and activations include the scales of their groups.
    `dequantises` marks weight-only quantisation: weights are widened to `math` on the way in.
    `own_kernels`: they are other ones than those that are measured of `math` (block scales).
    `widens`: a GPU without units for `math` runs it weight-only, in bf16.
    """

    name: str
    math: DType
    weight_bytes: float
    activation_bytes: float
    output_bytes: float
    dequantises: bool = False
    own_kernels: bool = False
    widens: bool = False

    @property
    def quantises_activations(self) -> bool:
        """Whether activations, 16-bit between layers, must be made narrower first (W8A8)."""
        return self.activation_bytes < self.output_bytes

    def widened(self) -> Precision:
        """The weights as they are stored, widened to bf16 on the way in, with activations of 16 bit."""
        return replace(
            self, math=DType.BF16, activation_bytes=DType.BF16.bytes, dequantises=True, widens=False
        )


def _plain(dtype: DType) -> Precision:
    return Precision(
        name=dtype.value,
        math=dtype,
        weight_bytes=dtype.bytes,
        activation_bytes=dtype.bytes,
        output_bytes=max(dtype.bytes, 2.0),
    )


GROUP_SCALE_BYTES = 2.0 / 128
"""Weight-only quantisation keeps one 16-bit scale per group of 128 weights (GPTQ and AWQ's default)."""

PRECISIONS: dict[str, Precision] = {
    dtype.value: _plain(dtype) for dtype in DType if dtype is not DType.FP4
} | {
    "w8a16": Precision(
        name="w8a16",
        math=DType.BF16,
        weight_bytes=1.0 + GROUP_SCALE_BYTES,
        activation_bytes=2.0,
        output_bytes=2.0,
        dequantises=True,
    ),
    "w4a16": Precision(
        name="w4a16",
        math=DType.BF16,
        weight_bytes=0.5 + GROUP_SCALE_BYTES,
        activation_bytes=2.0,
        output_bytes=2.0,
        dequantises=True,
    ),
}
"""Precisions by name. `fp8` and `int8` are W8A8 with a 16-bit output; `w8a16`, `w4a16` are weight-only."""


def precision_named(name: str) -> Precision:
    """Look up a precision; raises UnknownNameError that lists the known ones."""
    try:
        return PRECISIONS[name]
    except KeyError:
        raise UnknownNameError("dtype", name, PRECISIONS) from None
