"""Tensors of one matrix as quantisers and sparse formats store it: by suffix, from its N and K.

By hand from the formats' public descriptions: GPTQ packs along K, AWQ along N, compressed-tensors along K.
"""

from __future__ import annotations

from collections.abc import Mapping

from infersim.workload.transformer import Linear

Tensors = Mapping[str, tuple[str, tuple[int, ...]]]


def gptq(linear: Linear, bits: int = 4, group: int = 32) -> Tensors:
    n, k = linear.out_features, linear.in_features
    return {
        "qweight": ("I32", (k * bits // 32, n)),
        "qzeros": ("I32", (k // group, n * bits // 32)),
        "scales": ("F16", (k // group, n)),
        "g_idx": ("I32", (k,)),
    }


def awq(linear: Linear, group: int = 32) -> Tensors:
    n, k = linear.out_features, linear.in_features
    return {
        "qweight": ("I32", (k, n // 8)),
        "qzeros": ("I32", (k // group, n // 8)),
        "scales": ("F16", (k // group, n)),
    }


def fp8(linear: Linear) -> Tensors:
    shape = linear.out_features, linear.in_features
    return {"weight": ("F8_E4M3", shape), "weight_scale": ("F32", ()), "input_scale": ("F32", ())}


def fp8_block(linear: Linear, block: int = 32) -> Tensors:
    n, k = linear.out_features, linear.in_features
    return {"weight": ("F8_E4M3", (n, k)), "weight_scale_inv": ("F32", (-(-n // block), -(-k // block)))}


def int8(linear: Linear) -> Tensors:
    n, k = linear.out_features, linear.in_features
    return {"weight": ("I8", (n, k)), "weight_scale": ("BF16", (n, 1))}


def bnb_int8(linear: Linear) -> Tensors:
    n, k = linear.out_features, linear.in_features
    return {"weight": ("I8", (n, k)), "SCB": ("F32", (n,)), "weight_format": ("U8", ())}


def bnb_nf4(linear: Linear, group: int = 64) -> Tensors:
    values = linear.out_features * linear.in_features
    return {
        "weight": ("U8", (values // 2, 1)),
        "weight.absmax": ("U8", (values // group,)),
        "weight.quant_map": ("F32", (16,)),
        "weight.nested_absmax": ("F32", (-(-values // group // 256),)),
        "weight.nested_quant_map": ("F32", (256,)),
        "weight.quant_state.bitsandbytes__nf4": ("U8", (93,)),
    }


def packed_integers(linear: Linear, bits: int = 4, group: int = 32) -> Tensors:
    n, k = linear.out_features, linear.in_features
    return {
        "weight_packed": ("I32", (n, k * bits // 32)),
        "weight_scale": ("BF16", (n, k // group)),
        "weight_shape": ("I64", (2,)),
    }


def nvfp4(linear: Linear) -> Tensors:
    n, k = linear.out_features, linear.in_features
    return {
        "weight_packed": ("U8", (n, k // 2)),
        "weight_scale": ("F8_E4M3", (n, k // 16)),
        "weight_global_scale": ("F32", (1,)),
        "input_global_scale": ("F32", (1,)),
    }


def modelopt_nvfp4(linear: Linear) -> Tensors:
    n, k = linear.out_features, linear.in_features
    return {
        "weight": ("U8", (n, k // 2)),
        "weight_scale": ("F8_E4M3", (n, k // 16)),
        "weight_scale_2": ("F32", ()),
        "input_scale": ("F32", ()),
    }


def bitmask_2_4(linear: Linear, dtype: str = "BF16") -> Tensors:
    n, k = linear.out_features, linear.in_features
    return {
        "compressed": (dtype, (n, k // 2)),
        "bitmask": ("U8", (n, k // 8)),
        "shape": ("I64", (2,)),
    }


def bitmask_2_4_fp8(linear: Linear) -> Tensors:
    return {**bitmask_2_4(linear, "F8_E4M3"), "weight_scale": ("BF16", (linear.out_features, 1))}


def meta_2_4(linear: Linear) -> Tensors:
    n, k = linear.out_features, linear.in_features
    return {"weight": ("BF16", (n, k // 2)), "meta": ("I16", (n, k // 16))}


def marlin_2_4(linear: Linear, bits: int = 4, group: int = 32) -> Tensors:
    n, k = linear.out_features, linear.in_features
    return {
        "weight_packed": ("I32", (k // 32, n * bits // 2)),
        "meta": ("I16", (k // 32, 2 * n)),
        "scale_packed": ("F16", (k // group, n)),
    }
