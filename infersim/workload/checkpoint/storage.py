"""What one matrix is stored as: its logical shape, and its format, by the tensors of its module alone.

Formats are told apart by which tensors there are and by their types. Where packed values leave K or N open,
the size that the matrix must have on that side (`Hint`) closes it.
"""

from __future__ import annotations

from collections.abc import Mapping

from infersim.domain.shapes import WeightForm
from infersim.workload.checkpoint.header import BITS, Tensor
from infersim.workload.checkpoint.stored import (
    Hint,
    Storage,
    Stored,
    exact,
    made,
    matrix_shape,
    needed,
    whole,
)

FLOATS = frozenset({"F16", "BF16", "F32", "F64"})
_FP8 = frozenset({"F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"})


def stored_format(tensors: Mapping[str, Tensor], hint: Hint) -> Stored:
    """Shape and format of the matrix whose tensors are these, by leaf (`weight`, `qweight`, `scales`...).

    Raises FileContentError with the tensor at fault: an unknown combination is no guess.
    """
    if "qweight" in tensors:
        return _integers_of_a_group(tensors)
    if "q_weight" in tensors:
        return _exl2(tensors)
    if "weight_packed" in tensors:
        return _packed(tensors, hint)
    for name in ("compressed", "weight_compressed", "weight.compressed"):
        if name in tensors:
            return _bitmask_2_4(tensors, name)
    weight = tensors.get("weight")
    if weight is None:
        raise next(iter(tensors.values())).fail(f"a weight beside it, not only {', '.join(tensors)}")
    if {"meta", "weight_meta"} & set(tensors):
        return _meta_2_4(tensors, weight)
    if weight.dtype == "U8":
        return _four_bits(tensors, weight, hint)
    n, k = matrix_shape(weight, transposed=hint.transposed)
    storage, group = _storage_of_plain(tensors, weight, k)
    return made(tensors, weight, n=n, k=k, storage=storage, bits=BITS[weight.dtype], group=group)


def _storage_of_plain(tensors: Mapping[str, Tensor], weight: Tensor, k: int) -> tuple[Storage, int]:
    """Of a weight with a value of its own for each entry: the format, and the K of a scale's group."""
    if weight.dtype in FLOATS:
        others = set(tensors) - {"weight", "input_scale", "output_scale"}
        if others:
            raise tensors[sorted(others)[0]].fail(f"no such tensor beside a weight in {weight.dtype}")
        return Storage.FLOAT, 0
    scale = tensors.get("weight_scale_inv") or tensors.get("weight_scale") or tensors.get("SCB")
    if weight.dtype not in {*_FP8, "I8"} or scale is None:
        raise weight.fail("a float type, or 8 bit with weight_scale, weight_scale_inv or SCB beside it")
    blocks = len(scale.shape) == 2 and scale.shape[1] > 1
    group = whole(k, scale.shape[1]) if blocks else 0
    if weight.dtype == "I8":
        return (Storage.BNB_8BIT if "SCB" in tensors else Storage.INT8), group
    return (Storage.FP8_BLOCK if blocks else Storage.FP8), group


def _integers_of_a_group(tensors: Mapping[str, Tensor]) -> Stored:
    """GPTQ packs integers along K, `qweight[K bits / 32, N]`; AWQ along N, `qweight[K, N bits / 32]`."""
    qweight, scales, zeros = (needed(tensors, name) for name in ("qweight", "scales", "qzeros"))
    groups, n = matrix_shape(scales)
    bits = exact(32 * matrix_shape(zeros)[1], n, zeros)
    rows, columns = matrix_shape(qweight)
    if columns == n:
        storage, k = Storage.GPTQ, exact(32 * rows, bits, qweight)
    else:
        storage, k = Storage.AWQ, rows
        if 32 * columns != n * bits:
            raise qweight.fail(f"{n * bits // 32} or {n} columns, as scales have N = {n}, qzeros {bits} bits")
    index = tensors.get("g_idx")
    if index is not None and index.shape not in ((k,), (0,)):
        raise index.fail(f"one value for each of K = {k}")
    return made(tensors, qweight, n=n, k=k, storage=storage, bits=bits, group=whole(k, groups))


def _exl2(tensors: Mapping[str, Tensor]) -> Stored:
    """exl2 packs along K with bits of their own for each group; K is the order's length."""
    weight, order = tensors["q_weight"], needed(tensors, "q_invperm")
    rows, n = matrix_shape(weight)
    k = order.values
    if not k:
        raise order.fail("one value for each of K")
    return made(tensors, weight, n=n, k=k, storage=Storage.EXL2, bits=32 * rows / k, group=0)


def _packed(tensors: Mapping[str, Tensor], hint: Hint) -> Stored:
    """Compressed-tensors: integers in I32 along K, nvfp4 and mxfp4 in U8, 2:4 with `meta`."""
    packed = tensors["weight_packed"]
    if "meta" in tensors or "scale_packed" in tensors:
        return _marlin_2_4(tensors, hint)
    n, columns = matrix_shape(packed)
    scale = needed(tensors, "weight_scale")
    if packed.dtype == "U8":
        storage = Storage.NVFP4 if "weight_global_scale" in tensors else Storage.MXFP4
        group = whole(2 * columns, scale.shape[-1])
        return made(tensors, packed, n=n, k=2 * columns, storage=storage, bits=4, group=group)
    index, zeros = tensors.get("weight_g_idx"), tensors.get("weight_zero_point")
    k: int | None = hint.k if index is None else index.values
    if k is None and zeros is not None and zeros.dtype == "I32":
        k = exact(columns * n, matrix_shape(zeros)[0], packed)
    if k is None:
        raise packed.fail("weight_g_idx, weight_zero_point or a known input size: K is not in the header")
    bits = next((bits for bits in range(1, 9) if -(-k * bits // 32) == columns), None)
    if bits is None:
        raise packed.fail(f"1 to 8 bits for each of K = {k}")
    group = whole(k, scale.shape[-1]) if len(scale.shape) == 2 and scale.shape[1] > 1 else 0
    return made(tensors, packed, n=n, k=k, storage=Storage.PACKED, bits=bits, group=group)


def _marlin_2_4(tensors: Mapping[str, Tensor], hint: Hint) -> Stored:
    """Marlin's 2:4: `weight_packed[K / 32, N bits / 2]`, `meta[K / 32, 2 N]` in I16, scales `[.., N]`."""
    packed, meta, scales = (needed(tensors, name) for name in ("weight_packed", "meta", "scale_packed"))
    rows, columns = matrix_shape(packed)
    groups, n = matrix_shape(scales)
    k = 32 * rows
    if hint.k not in (None, k) or meta.values != k * n // 16:
        raise packed.fail(f"16 rows for each K / 32 of a 2:4 matrix of N = {n}, and {meta.name} to fit")
    bits = exact(2 * columns, n, packed)
    return made(
        tensors, packed, n=n, k=k, storage=Storage.PACKED, bits=bits,
        group=whole(k, groups) if groups > 1 else 0, form=WeightForm.SPARSE_2_4,
    )  # fmt: skip


def _bitmask_2_4(tensors: Mapping[str, Tensor], name: str) -> Stored:
    """Compressed-tensors' sparse-24-bitmask: half of the values, and a bit for each place."""
    values = tensors[name]
    mask = needed(tensors, name.replace("compressed", "bitmask"))
    n, half = matrix_shape(values)
    if matrix_shape(mask) != (n, -(-2 * half // 8)):
        raise mask.fail(f"[{n}, {-(-2 * half // 8)}]: a bit for each place of a matrix of {n} x {2 * half}")
    rest = {
        leaf: each
        for leaf, each in tensors.items()
        if leaf.split(".")[-1] not in ("shape",) and each not in (values, mask)
    }
    storage, group = _storage_of_plain({**rest, "weight": values}, values, 2 * half)
    return made(
        tensors, values, n=n, k=2 * half, storage=storage, bits=BITS[values.dtype], group=group,
        form=WeightForm.SPARSE_2_4,
    )  # fmt: skip


def _meta_2_4(tensors: Mapping[str, Tensor], weight: Tensor) -> Stored:
    """Half of the values with 2 bits of positions for each, as the sparse kernels take them."""
    n, half = matrix_shape(weight)
    name = "meta" if "meta" in tensors else "weight_meta"
    meta = tensors[name]
    if 8 * meta.stored_bytes != 2 * n * half:
        raise meta.fail(f"{n * half // 4} bytes: two bits for each of {n} x {half} values")
    rest = {leaf: each for leaf, each in tensors.items() if leaf != name}
    storage, group = _storage_of_plain(rest, weight, 2 * half)
    return made(
        tensors, weight, n=n, k=2 * half, storage=storage, bits=BITS[weight.dtype], group=group,
        form=WeightForm.SPARSE_2_4,
    )  # fmt: skip


def _four_bits(tensors: Mapping[str, Tensor], weight: Tensor, hint: Hint) -> Stored:
    """Two values a byte: nvfp4 and mxfp4 keep rows, bitsandbytes one long column."""
    if "weight.absmax" in tensors:
        known = hint.n or hint.k
        if known is None:
            raise weight.fail("a known N or K: bitsandbytes keeps one column of bytes")
        other = exact(2 * weight.values, known, weight)
        n, k = (known, other) if hint.n else (other, known)
        if hint.n and hint.k and (n, k) != (hint.n, hint.k):
            raise weight.fail(f"{hint.n * hint.k // 2} bytes for {hint.n} x {hint.k} values of 4 bits")
        group = -(-2 * weight.values // tensors["weight.absmax"].values)
        return made(tensors, weight, n=n, k=k, storage=Storage.BNB_4BIT, bits=4, group=group)
    scale = needed(tensors, "weight_scale")
    n, k = matrix_shape(weight)[0], 2 * matrix_shape(weight)[1]
    storage = Storage.NVFP4 if "weight_scale_2" in tensors else Storage.MXFP4
    return made(tensors, weight, n=n, k=k, storage=storage, bits=4, group=whole(k, scale.shape[-1]))
