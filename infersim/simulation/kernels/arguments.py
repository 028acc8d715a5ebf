"""Rules of the arguments of `gemm_latency`, `attention_latency` and `moe_latency`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from infersim.cost.experts.routing_names import ROUTINGS, routing_named
from infersim.domain.arguments import refused
from infersim.domain.arrays import Array
from infersim.domain.dtypes import SCALES
from infersim.domain.errors import InvalidValueError
from infersim.domain.shapes import Phase, WeightForm

MAX_FEATURES = 2**24
MAX_HEADS = 2**16
MAX_HEAD_DIM = 2**12
MAX_EXPERTS = 2**16
MAX_SHARES = 2**12
MAX_WEIGHT_COPIES = 2**16
"""Far beyond any matrix, attention, layer or timing loop there is: a larger number is a slip."""


def sparse_form(key: str, value: object) -> str | float:
    """A rule of arguments: how sparse weights are stored, or the share of them that is zero anywhere."""
    forms = [form.value for form in WeightForm if form is not WeightForm.DENSE]
    if isinstance(value, str) and value in forms:
        return value
    if isinstance(value, float | np.floating) and 0 < value < 1:
        return float(value)
    raise refused(key, value, f"None, {' or '.join(map(repr, forms))}, or a fraction between 0 and 1")


def act_quant_form(key: str, value: object) -> bool | str:
    """A rule of arguments: whether activations are quantised before, and by which scales."""
    if isinstance(value, str) and value in SCALES:
        return value
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise refused(key, value, f"True or False, {' or '.join(map(repr, SCALES))}")


def a_routing(key: str, value: object) -> str:
    """A rule of arguments: how tokens choose their experts."""
    if isinstance(value, str) and routing_named(value) is not None:
        return value
    raise refused(key, value, ROUTINGS)


def check_shares(sizes: dict[str, Array]) -> None:
    """Raise InvalidValueError for more experts a token than there are, and for shares that do not divide."""
    experts, top_k = sizes["num_experts"], sizes["top_k"]
    if (top_k > experts).any():
        raise InvalidValueError("top_k", top_k.tolist(), f"at most num_experts = {experts.tolist()}")
    for degree, whole_name in (("tensor_parallel", "ffn_width"), ("expert_parallel", "num_experts")):
        if (sizes[whole_name] % sizes[degree]).any():
            expected = f"a divisor of {whole_name} = {sizes[whole_name].tolist()}"
            raise InvalidValueError(degree, sizes[degree].tolist(), expected)


def together(**dimensions: ArrayLike) -> dict[str, Array]:
    """The dimensions, arrays by now; they must broadcast together."""
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in dimensions.items()}
    extents = {name: array.shape for name, array in arrays.items()}
    try:
        np.broadcast_shapes(*extents.values())
    except ValueError:
        raise InvalidValueError("dimensions", extents, "array shapes that broadcast together") from None
    return arrays


def check_consistent(phase: str, dimensions: dict[str, Array]) -> None:
    """Raise InvalidValueError for heads that do not group, or queries that are not among the context."""
    heads, kv_heads = dimensions["num_heads"], dimensions["num_kv_heads"]
    query_len, context_len = dimensions["query_len"], dimensions["context_len"]
    if (heads % kv_heads).any():
        raise InvalidValueError(
            "num_kv_heads", kv_heads.tolist(), f"a divisor of num_heads = {heads.tolist()}"
        )
    if (query_len > context_len).any():
        raise InvalidValueError(
            "query_len", query_len.tolist(), f"at most context_len = {context_len.tolist()}"
        )
    if phase == Phase.DECODE and (query_len != 1).any():
        raise InvalidValueError("query_len", query_len.tolist(), "1 in decode")
