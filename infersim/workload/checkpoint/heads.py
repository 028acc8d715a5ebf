"""Heads of one attention from the shapes of its matrices and the config's head size."""

from __future__ import annotations

from dataclasses import dataclass

from infersim.workload.checkpoint.matrices import Matrix
from infersim.workload.checkpoint.names import Module
from infersim.workload.transformer import Attention


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSizes:
    """Query heads, KV heads, and the values of each."""

    heads: int
    kv_heads: int
    head_dim: int


def head_sizes(
    q: Matrix, k: Matrix, v: Matrix, o: Matrix, stated: Attention, q_norm: Module | None
) -> HeadSizes:
    """Heads of matrices as wide as these; FileContentError where no number of heads fits.

    The head size is that of the norm of q where there is one, else the config's; only where that does not
    divide the widths, the widths over the config's number of heads.
    """
    query, key = q.linear.out_features, k.linear.out_features
    if stated.value_dim is None:
        _check_one_size(q, k, v, o)
    size = _normed_size(q_norm, stated) or stated.head_dim
    if query % size or key % size:
        size = _size_by_count(query, key, stated) or size
    if query % size or key % size:
        matrix = q if query % size else k
        raise matrix.tensor.fail(
            f"N in heads of {size}, or {stated.num_heads} heads, {stated.num_kv_heads} KV heads of one size"
        )
    heads, kv_heads = query // size, key // size
    if heads % kv_heads:
        raise q.tensor.fail(f"heads in equal groups: {heads} heads of {size} on {kv_heads} KV heads are not")
    if stated.value_dim is not None:
        _check_values(v, o, heads, kv_heads, stated.value_dim)
    return HeadSizes(heads=heads, kv_heads=kv_heads, head_dim=size)


def _check_one_size(q: Matrix, k: Matrix, v: Matrix, o: Matrix) -> None:
    query, key = q.linear.out_features, k.linear.out_features
    if v.linear.out_features != key:
        raise v.tensor.fail(f"N = {key}, as {k.tensor.name}: K and V of one size")
    if o.linear.in_features != query:
        raise o.tensor.fail(f"K = {query}, as {q.tensor.name} gives")


def _check_values(v: Matrix, o: Matrix, heads: int, kv_heads: int, value_dim: int) -> None:
    """Heads of V of the config's size, as many as K's, and their results in `o`."""
    if v.linear.out_features != kv_heads * value_dim:
        raise v.tensor.fail(f"N = {kv_heads * value_dim}: {kv_heads} KV heads of {value_dim}")
    if o.linear.in_features != heads * value_dim:
        raise o.tensor.fail(f"K = {heads * value_dim}: {heads} heads of {value_dim}")


def _normed_size(q_norm: Module | None, stated: Attention) -> int | None:
    """The head size by a norm of q that all heads share."""
    if q_norm is None or stated.qk_norm is None or stated.qk_norm.every_feature:
        return None
    weight = q_norm.get("weight")
    return weight.shape[0] if weight is not None and len(weight.shape) == 1 and weight.values else None


def _size_by_count(query: int, key: int, stated: Attention) -> int | None:
    if query % stated.num_heads or key % stated.num_kv_heads:
        return None
    size = query // stated.num_heads
    return size if size == key // stated.num_kv_heads else None
