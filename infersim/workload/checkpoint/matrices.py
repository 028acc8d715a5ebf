"""A module's tensors as a `Linear`: plain, quantised, 2:4, or two low-rank factors, by shape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from infersim.domain.errors import UnsupportedError
from infersim.workload.checkpoint.header import Tensor
from infersim.workload.checkpoint.names import Module
from infersim.workload.checkpoint.storage import stored_format
from infersim.workload.checkpoint.stored import LEAVES, Hint, Stored
from infersim.workload.transformer import Linear

_BASE = "base_layer"
"""What an adapter library calls the matrix that an adapter stands beside."""

_ADAPTER = re.compile(r"lora|adapter|dora|vera|ia3|magnitude", re.IGNORECASE)
_MAIN = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """A matrix, how it is stored (two entries for two factors), and a tensor of it to name in errors."""

    linear: Linear
    stored: tuple[Stored, ...]
    tensor: Tensor


def matrix_of(module: Module, hint: Hint) -> Matrix:
    """The matrix that a module's tensors are.

    Two factors are known by their shapes: one's K is the other's N, and their product has the size that the
    matrix must have. Raises FileContentError, and UnsupportedError for an adapter that is not merged.
    """
    parts, biases = _parts(module)
    if not parts:
        raise biases[0].fail("a weight beside the bias")
    tensor = next(iter(parts.get(_MAIN, next(iter(parts.values()))).values()))
    if len(parts) == 1 and _MAIN in parts:
        stored = stored_format(parts[_MAIN], hint)
        linear = Linear(
            out_features=stored.n, in_features=stored.k, bias=_has_bias(biases, stored.n), form=stored.form
        )
        return Matrix(linear=linear, stored=(stored,), tensor=tensor)
    masks = [name for name in parts if "mask" in name.lower()]
    if masks:
        raise UnsupportedError(
            f"{tensor.file}: {tensor.name} has a mask beside it ({masks[0]}): multiply it into the weight "
            "(torch.nn.utils.prune.remove), and save the model again"
        )
    if _MAIN in parts:
        others = sorted(filter(None, parts))
        if not any(_ADAPTER.search(name) for name in others):
            raise UnsupportedError(
                f"{tensor.file}: {tensor.name} has {', '.join(others)} beside it, which is no tensor of a "
                "format that is read"
            )
        raise UnsupportedError(
            f"{tensor.file}: {tensor.name} has an adapter of its own beside it "
            f"({', '.join(others)}): merge it into the weight, and save the model again"
        )
    return _product(parts, biases, hint, tensor)


def _parts(module: Module) -> tuple[dict[str, dict[str, Tensor]], list[Tensor]]:
    """The tensors of each factor by leaf (a whole matrix is the one factor without a name), and biases."""
    parts: dict[str, dict[str, Tensor]] = {}
    biases = []
    for suffix, tensor in module.items():
        factor, leaf = _split(suffix)
        if factor.split(".")[0] == _BASE:
            factor = factor.removeprefix(_BASE).lstrip(".")
        if leaf == "bias":
            biases.append(tensor)
        else:
            parts.setdefault(factor, {})[leaf] = tensor
    return parts, biases


def _split(suffix: str) -> tuple[str, str]:
    """`BLinear.weight` as factor and leaf; what has no known leaf is the bare weight of a factor."""
    for leaf in ("bias", *_LONGEST_FIRST):
        if suffix == leaf:
            return _MAIN, leaf
        if suffix.endswith(f".{leaf}"):
            return suffix.removesuffix(f".{leaf}"), leaf
    return suffix, "weight"


_LONGEST_FIRST = sorted(LEAVES, key=len, reverse=True)


def _product(parts: dict[str, dict[str, Tensor]], biases: list[Tensor], hint: Hint, tensor: Tensor) -> Matrix:
    if len(parts) != 2:
        raise tensor.fail(f"a matrix, or two factors of one; not {', '.join(sorted(parts))}")
    factors = [stored_format(part, Hint(transposed=hint.transposed)) for part in parts.values()]
    fitting = [
        (outer, inner)
        for outer, inner in _orders(factors)
        if outer.k == inner.n and hint.n in (None, outer.n) and hint.k in (None, inner.k)
    ]
    if not fitting:
        sizes = " and ".join(f"{factor.n} x {factor.k}" for factor in factors)
        wanted = f"{hint.n or 'any'} x {hint.k or 'any'}"
        raise tensor.fail(f"two factors whose product is {wanted}; these are {sizes}")
    outer, inner = min(fitting, key=lambda pair: pair[0].k)
    if outer.form is not inner.form:
        raise tensor.fail("factors both dense, or both 2:4")
    linear = Linear(
        out_features=outer.n,
        in_features=inner.k,
        rank=outer.k,
        bias=_has_bias(biases, outer.n),
        form=outer.form,
    )
    return Matrix(linear=linear, stored=(outer, inner), tensor=tensor)


def _orders(factors: list[Stored]) -> Iterator[tuple[Stored, Stored]]:
    first, second = factors
    yield first, second
    yield second, first


def _has_bias(biases: list[Tensor], n: int) -> bool:
    """Whether the matrix has a bias of N values; a bias between two factors is an error."""
    for bias in biases:
        if bias.shape != (n,):
            raise bias.fail(f"[{n}], one value for each of N")
    return bool(biases)
