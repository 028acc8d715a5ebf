"""Matrices as they are executed: one GEMM, a low-rank pair, a 2:4 kernel, or several stacked into one GEMM.

Which of them are stacked follows `workload.linear_ops`, whose op names the probe is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from infersim.domain.errors import UnsupportedError
from infersim.domain.ops import Part
from infersim.domain.shapes import WeightForm
from infersim.measuring.model.execution.stream import Probe
from infersim.measuring.model.execution.weights import MatrixWeights

Compress = Callable[[torch.Tensor], torch.Tensor]
"""From a matrix with the zeros of a 2:4 form to what the sparse kernel multiplies by."""


def gemm(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """`O[M, N] = A[M, K] @ W[N, K]^T + bias`: the one call behind every weight matrix."""
    return functional.linear(x, weight, bias)


def cannot_compress(_: torch.Tensor) -> torch.Tensor:
    """Where there is no 2:4 kernel."""
    raise UnsupportedError("2:4 matrices need an NVIDIA GPU: PyTorch has no such kernel for a CPU")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gemm:
    """One GEMM of the op `name`; its columns are split by `widths`, one for each matrix in it."""

    name: str
    part: Part
    weight: torch.Tensor
    bias: torch.Tensor | None
    widths: tuple[int, ...]

    def __call__(self, x: torch.Tensor, probe: Probe) -> tuple[torch.Tensor, ...]:
        """`x[M, K]` to one result `[M, width]` for each matrix."""
        result = gemm(x, self.weight, self.bias)
        probe(self.name, self.part)
        return (result,) if len(self.widths) == 1 else result.split(self.widths, dim=-1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Low-rank pairs: the first factors in one GEMM, each second factor in one of its own."""

    first: Gemm
    seconds: tuple[Gemm, ...]

    def __call__(self, x: torch.Tensor, probe: Probe) -> tuple[torch.Tensor, ...]:
        """`x[M, K]` to one result `[M, N]` for each pair."""
        narrow = self.first(x, probe)
        return tuple(second(part, probe)[0] for second, part in zip(self.seconds, narrow, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Apart:
    """Matrices of one input that run one after the other."""

    members: tuple[Gemm | Pairs, ...]

    def __call__(self, x: torch.Tensor, probe: Probe) -> tuple[torch.Tensor, ...]:
        """`x[M, K]` to one result `[M, N]` for each member."""
        return tuple(member(x, probe)[0] for member in self.members)


Projection = Gemm | Pairs | Apart
"""Something that takes one input to the results of one or several matrices."""


def single(name: str, part: Part, weights: MatrixWeights, compress: Compress) -> Gemm | Pairs:
    """One matrix as the op `name`, or as `name.a` and `name.b`."""
    first, *second = weights.factors
    if not second:
        return _gemm(name, part, [weights], compress)
    return Pairs(
        first=_gemm(f"{name}.a", part, [MatrixWeights(factors=(first,), form=weights.form)], compress),
        seconds=(_second(name, part, weights, compress),),
    )


def apart(part: Part, members: Mapping[str, MatrixWeights], compress: Compress) -> Projection:
    """Matrices of one input, none of them stacked."""
    return Apart(members=tuple(single(name, part, weights, compress) for name, weights in members.items()))


def stacked(name: str, part: Part, members: Mapping[str, MatrixWeights], compress: Compress) -> Projection:
    """Matrices of one input in one GEMM `name`, as far as they can be (see `linear_ops.stacked_ops`)."""
    weights = list(members.values())
    kinds = {(each.factors[0].shape[1], each.form, len(each.factors)) for each in weights}
    if len(kinds) > 1:
        return apart(part, members, compress)
    if len(weights[0].factors) == 1:
        return _gemm(name, part, weights, compress)
    firsts = [MatrixWeights(factors=each.factors[:1], form=each.form) for each in weights]
    return Pairs(
        first=_gemm(f"{name}.a", part, firsts, compress),
        seconds=tuple(_second(member, part, each, compress) for member, each in members.items()),
    )


def _second(name: str, part: Part, weights: MatrixWeights, compress: Compress) -> Gemm:
    factor = MatrixWeights(factors=weights.factors[1:], bias=weights.bias, form=weights.form)
    return _gemm(f"{name}.b", part, [factor], compress)


def _gemm(name: str, part: Part, members: Sequence[MatrixWeights], compress: Compress) -> Gemm:
    matrices = [member.factors[0] for member in members]
    weight = matrices[0] if len(matrices) == 1 else torch.cat(matrices)
    if members[0].form is WeightForm.SPARSE_2_4:
        weight = compress(weight)
    return Gemm(
        name=name,
        part=part,
        weight=weight,
        bias=_bias(members),
        widths=tuple(matrix.shape[0] for matrix in matrices),
    )


def _bias(members: Sequence[MatrixWeights]) -> torch.Tensor | None:
    """The biases of all members in a row, zero for a member without one; None if none has any."""
    if all(member.bias is None for member in members):
        return None
    return torch.cat(
        [
            member.factors[0].new_zeros(member.factors[0].shape[0]) if member.bias is None else member.bias
            for member in members
        ]
    )
