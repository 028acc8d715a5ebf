"""Number formats: of one value (`DType`) and of a whole linear layer (`Precision`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from infersim.domain.errors import InvalidValueError, UnknownNameError


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
    `static`: the scale of activations is known beforehand, so that quantising them takes one pass.
    `own_kernels`: they are other ones than those that are measured under this name.
    `widens`: a GPU without units for `math` runs it weight-only, in bf16. `kernel` is the kind that fits know
    its GEMMs by (None: its name).
    """

    name: str
    math: DType
    weight_bytes: float
    activation_bytes: float
    output_bytes: float
    dequantises: bool = False
    static: bool = False
    own_kernels: bool = False
    widens: bool = False
    kernel: str | None = None

    @property
    def fitted_as(self) -> str:
        """The kind that fits know its GEMMs by: `gemm.<this>`."""
        return self.name if self.kernel is None else self.kernel

    @property
    def quantises_activations(self) -> bool:
        """Whether activations, 16-bit between layers, must be made narrower first (W8A8)."""
        return self.activation_bytes < self.output_bytes

    def widened(self) -> Precision:
        """The weights as they are stored, widened to bf16 on the way in, with activations of 16 bit."""
        kernel = f"{self.fitted_as}a16" if self.math is DType.FP4 else "w8a16"
        return replace(
            self,
            math=DType.BF16,
            activation_bytes=DType.BF16.bytes,
            dequantises=True,
            static=False,
            widens=False,
            kernel=kernel,
        )


def _plain(dtype: DType, *, static: bool = False) -> Precision:
    return Precision(
        name=f"{dtype.value}{STATIC if static else ''}",
        math=dtype,
        weight_bytes=dtype.bytes,
        activation_bytes=dtype.bytes,
        output_bytes=max(dtype.bytes, 2.0),
        static=static,
    )


STATIC = "_static"
"""Ends the names of formats whose activations have one scale that is known beforehand."""

SCALE_BYTES = 4.0
"""Of a block of fp8 weights, or of a group of a token's fp8 activations: 32 bit."""

BLOCK = 128
"""Edge of a block of weights that share a scale, and values of a token that do (DeepSeek-V3)."""

NVFP4_GROUP, MXFP4_GROUP = 16, 32
"""4-bit floats that share a scale of 8 bit."""


def _weight_only(name: str, value_bytes: float, shared_bytes: float) -> Precision:
    """Weights of `value_bytes` with their part of the group's scale, widened to bf16."""
    return Precision(
        name=name,
        math=DType.BF16,
        weight_bytes=value_bytes + shared_bytes,
        activation_bytes=2.0,
        output_bytes=2.0,
        dequantises=True,
    )


def _four_bit_float(name: str, group: int) -> Precision:
    """Weights and activations of 4 bit, each group of values with a scale of 8."""
    value_bytes = DType.FP4.bytes + 1.0 / group
    return Precision(
        name=name,
        math=DType.FP4,
        weight_bytes=value_bytes,
        activation_bytes=value_bytes,
        output_bytes=2.0,
        widens=True,
    )


GROUP_SCALE_BYTES = 2.0 / 128
"""Weight-only quantisation keeps one 16-bit scale per group of 128 weights (GPTQ and AWQ's default)."""

PRECISIONS: dict[str, Precision] = {
    dtype.value: _plain(dtype) for dtype in DType if dtype is not DType.FP4
} | {
    precision.name: precision
    for precision in (
        _plain(DType.FP8, static=True),
        _plain(DType.INT8, static=True),
        Precision(
            name="fp8_block",
            math=DType.FP8,
            weight_bytes=1.0 + SCALE_BYTES / BLOCK**2,
            activation_bytes=1.0 + SCALE_BYTES / BLOCK,
            output_bytes=2.0,
        ),
        _weight_only("w8a16", 1.0, GROUP_SCALE_BYTES),
        _weight_only("w4a16", 0.5, GROUP_SCALE_BYTES),
        _four_bit_float("nvfp4", NVFP4_GROUP),
        _four_bit_float("mxfp4", MXFP4_GROUP),
        _weight_only("nvfp4a16", DType.FP4.bytes, 1.0 / NVFP4_GROUP),
        _weight_only("mxfp4a16", DType.FP4.bytes, 1.0 / MXFP4_GROUP),
    )
}
"""Precisions by name. `fp8` and `int8` are W8A8 with a 16-bit output, activations scaled token by token or,
in `fp8_static` and `int8_static`, by a scale that is known beforehand; `fp8_block` has a scale for each block
of weights and each group of a token's activations. `w8a16`, `w4a16`, `nvfp4a16` and `mxfp4a16` are
weight-only.
"""


MXFP4_BY_8_BIT = Precision(
    name="mxfp4a8",
    math=DType.FP4,
    weight_bytes=DType.FP4.bytes + 1.0 / MXFP4_GROUP,
    activation_bytes=1.0 + 1.0 / MXFP4_GROUP,
    output_bytes=2.0,
)
"""What engines make of experts stored in mxfp4 on GPUs with units for it: weights of 4 bit, activations of 8.
No kernel of it was measured; that of nvfp4 stands in, at the rate of 4 bit that it was fitted at. Nobody asks
for it by name: it is how `mxfp4a16` runs (`Execution.narrow_activations`)."""


def precision_named(name: str) -> Precision:
    """Look up a precision; raises UnknownNameError that lists the known ones."""
    try:
        return PRECISIONS[name]
    except KeyError:
        raise UnknownNameError("dtype", name, PRECISIONS) from None


SCALES = DYNAMIC_SCALES, STATIC_SCALES = "dynamic", "static"
"""Scales of activations that are found token by token, and that are known beforehand."""


def precision_with_scales(dtype: str, act_quant: bool | str) -> Precision:
    """The format, with the scales of activations that `act_quant` says; InvalidValueError for none such."""
    if act_quant == STATIC_SCALES:
        static = dtype if dtype.endswith(STATIC) else f"{dtype}{STATIC}"
        if static not in PRECISIONS:
            some = ", ".join(name.removesuffix(STATIC) for name in PRECISIONS if name.endswith(STATIC))
            raise InvalidValueError(
                "act_quant", act_quant, f"True or False for {dtype}; of static scales: {some}"
            )
        return PRECISIONS[static]
    return precision_named(dtype)
