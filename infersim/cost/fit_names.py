"""What a fit may name: for each kind of kernel its parameters and the axes of its residual grids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infersim.cost.attention.attention import ATTENTION_AXES
from infersim.cost.collectives.collectives import COLLECTIVE_AXES
from infersim.cost.collectives.parameters import COLLECTIVE_PARAMETERS
from infersim.cost.energy import POWER
from infersim.cost.experts.experts import EXPERTS_AXES
from infersim.cost.experts.parameters import EXPERTS_PARAMETERS
from infersim.cost.gemm.gemm import GEMM_AXES
from infersim.cost.parameters import DEFAULTS
from infersim.domain.dtypes import PRECISIONS, DType

_AXES: Mapping[str, tuple[str, ...]] = {
    "gemm": GEMM_AXES,
    "sparse_gemm": GEMM_AXES,
    "attention.prefill": ATTENTION_AXES,
    "attention.decode": ATTENTION_AXES,
    "experts": EXPERTS_AXES,
}
"""Kinds whose cost reads residual grids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNames:
    """The names that the cost of one kind reads."""

    parameters: tuple[str, ...]
    axes: tuple[str, ...]


def known_names(kind: str) -> KnownNames | None:
    """Those of `gemm.bf16`, `memory`...; None for a kind that states its parameters beside its cost."""
    if kind in COLLECTIVE_PARAMETERS:
        defaults = COLLECTIVE_PARAMETERS[kind].defaults
        return KnownNames(parameters=tuple(defaults), axes=COLLECTIVE_AXES)
    for known, defaults in (
        *DEFAULTS.items(),
        *((each.name, each.defaults) for each in (POWER, EXPERTS_PARAMETERS)),
    ):
        if kind == known or kind in {f"{known}.{dtype}" for dtype in (*DType, *PRECISIONS)}:
            return KnownNames(parameters=tuple(defaults), axes=_AXES.get(known, ()))
    return None
