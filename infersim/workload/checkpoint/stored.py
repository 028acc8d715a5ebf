"""The record of one stored matrix, the tensors that it may consist of, and checks that all formats share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from infersim.domain.errors import FileContentError
from infersim.domain.shapes import WeightForm
from infersim.workload.checkpoint.header import BITS, Tensor


class Storage(StrEnum):
    """How the values of a matrix are stored."""

    FLOAT = "float"
    FP8 = "fp8"
    FP8_BLOCK = "fp8_block"
    INT8 = "int8"
    GPTQ = "gptq"
    AWQ = "awq"
    PACKED = "packed integers"
    NVFP4 = "nvfp4"
    MXFP4 = "mxfp4"
    BNB_4BIT = "bitsandbytes 4 bit"
    BNB_8BIT = "bitsandbytes 8 bit"
    EXL2 = "exl2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Sizes that the matrix must have by its neighbours, where they are known."""

    n: int | None = None
    k: int | None = None
    transposed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One matrix `W[n, k]` as it is stored.

    `dtype` is the header's type of the main tensor, `bits` those of one value, `group` the values of K that
    share a scale (0: a whole row or more), `rows` the rows that do. A scale takes `scale_bits` and a zero
    `zero_bits`; `ordered`: the group of each column is stored, `scaled_inputs`: a scale of activations.
    `stored_bytes` are all its tensors together, without the bias.
    """

    n: int
    k: int
    storage: Storage
    dtype: str
    bits: float
    group: int = 0
    rows: int = 1
    form: WeightForm = WeightForm.DENSE
    scale_bits: float = 0.0
    zero_bits: float = 0.0
    ordered: bool = False
    scaled_inputs: bool = False
    stored_bytes: int


StoredMatrices = Mapping[tuple[int, str], tuple[Stored, ...]]
"""How each matrix is stored, by layer and role; two entries are two low-rank factors."""

_SCALES = ("weight_scale_inv", "weight_scale", "scales", "scale_packed", "SCB", "weight.absmax")
_NESTED = 256
"""Scales that share a 32-bit one where they are quantised themselves."""

HEAD = (-1, "head")
"""The key of the head."""

LEAVES = (
    "weight", "qweight", "qzeros", "scales", "g_idx", "weight_scale", "weight_scale_inv", "weight_scale_2",
    "input_scale", "input_scale_ub", "pre_quant_scale", "input_zero_point", "output_scale", "weight_packed",
    "weight_shape", "weight_zero_point", "weight_g_idx", "weight_global_scale", "input_global_scale",
    "compressed", "weight_compressed", "weight.compressed", "bitmask", "weight_bitmask", "weight.bitmask",
    "shape", "weight.shape", "meta", "weight_meta", "scale_packed", "SCB", "weight_format", "weight.absmax",
    "weight.quant_map", "weight.nested_absmax", "q_weight", "q_invperm", "q_perm", "q_scale", "q_scale_max",
    "q_groups", "q_group_map", "weight.nested_quant_map", "weight.quant_state.bitsandbytes__nf4",
    "weight.quant_state.bitsandbytes__fp4",
)  # fmt: skip
"""Names of the tensors of one stored matrix that are known; `bias` is apart."""


def matrix_shape(tensor: Tensor, *, transposed: bool = False) -> tuple[int, int]:
    """N and K of a tensor of two dimensions."""
    if len(tensor.shape) != 2 or not all(tensor.shape):
        raise tensor.fail("a matrix: two dimensions, neither of them 0")
    n, k = tensor.shape
    return (k, n) if transposed else (n, k)


def made(
    tensors: Mapping[str, Tensor],
    main: Tensor,
    *,
    n: int,
    k: int,
    storage: Storage,
    bits: float,
    group: int,
    form: WeightForm = WeightForm.DENSE,
) -> Stored:
    """The record of a matrix of these tensors, of which `main` holds the values."""
    total = sum(tensor.stored_bytes for tensor in tensors.values())
    scale = next((tensors[leaf] for leaf in _SCALES if leaf in tensors), None)
    nested = 32.0 / _NESTED if "weight.nested_absmax" in tensors else 0.0
    order = tensors.get("g_idx") or tensors.get("weight_g_idx")
    rows = -(-n // scale.shape[0]) if storage is Storage.FP8_BLOCK and scale is not None else 1
    return Stored(
        n=n,
        k=k,
        storage=storage,
        dtype=main.dtype,
        bits=bits,
        group=group,
        rows=rows,
        form=form,
        scale_bits=0.0 if scale is None else BITS[scale.dtype] + nested,
        zero_bits=bits if {"qzeros", "weight_zero_point"} & set(tensors) else 0.0,
        ordered=order is not None and order.values > 0,
        scaled_inputs=bool({"input_scale", "input_global_scale"} & set(tensors)),
        stored_bytes=total,
    )


def needed(tensors: Mapping[str, Tensor], name: str) -> Tensor:
    """The tensor of that leaf; FileContentError where it is missing."""
    if name not in tensors:
        some = next(iter(tensors.values()))
        raise FileContentError(some.file, some.name, ", ".join(sorted(tensors)), f"{name} beside it")
    return tensors[name]


def exact(product: int, divisor: int, tensor: Tensor) -> int:
    """The quotient, which must be a whole number above 0."""
    if divisor < 1 or product % divisor or not product:
        raise tensor.fail(f"a whole number of values: {product} / {divisor} is none")
    return product // divisor


def whole(k: int, groups: int) -> int:
    """Values of K that share one of `groups` scales; 0 without any."""
    return -(-k // groups) if groups else 0
