"""A number format that few GPUs were measured in, by what sets it apart from 16 bit on those.

Fits of one format on two GPUs say too little of how GPUs differ; what all GPUs have in common is how the
format's kernels differ from the plain ones. A relation is one offset for each parameter, the same on all of
them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infersim.domain.dtypes import PRECISIONS
from infersim.domain.fit import IntervalFit, KindFit
from infersim.domain.profile import HardwareProfile

RELATION_DEVIATION = 0.3
"""Standard deviation of a related parameter's logarithm on a new GPU: a stated guess, which only matters
where the GPU's own samples of the format are few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedParameter:
    """A parameter of the format: the base's value (`typical` where the base has none) moved by `offset`.

    In its logarithm where `log`; `low`, `high` and `typical` are in the parameter's own unit.
    """

    offset: float
    log: bool
    low: float
    high: float
    typical: float

    def value(self, base: float | None) -> float:
        """On a GPU whose base kind has this value."""
        start = self.typical if base is None else base
        moved = start * math.exp(self.offset) if self.log else start + self.offset
        return min(max(moved, self.low), self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatRelation:
    """A format's kind and the base that it is related to, as `found_on` some GPUs.

    `interval` are 80 % half-widths from predicting each of them from the others; `ranges` were sampled
    on any of them.
    """

    kind: str
    base: str
    parameters: Mapping[str, RelatedParameter]
    interval: IntervalFit
    ranges: Mapping[str, tuple[float, float]]
    found_on: tuple[str, ...]
    weight_copies: int | None = None
    left_out: Mapping[str, Any] = field(default_factory=dict)


def multiplies(profile: HardwareProfile, relation: FormatRelation) -> bool:
    """Whether the GPU has units for what the format's kernels multiply in."""
    precision = PRECISIONS.get(relation.kind.partition(".")[2])
    return precision is not None and precision.math in profile.matrix


def moved_values(parameters: Mapping[str, RelatedParameter], base: Mapping[str, float]) -> dict[str, float]:
    """The format's parameters on a GPU whose base kind has these."""
    return {name: each.value(base.get(name)) for name, each in parameters.items()}


def related_kind(relation: FormatRelation, base: Mapping[str, float], widening: float) -> KindFit:
    """The format on a GPU, intervals `widening` times those of the relation."""
    values = moved_values(relation.parameters, base)
    interval = relation.interval
    return KindFit(
        kind=relation.kind,
        parameters=values,
        uncertainties={
            name: RELATION_DEVIATION * (abs(values[name]) if each.log else 1 / 3)
            for name, each in relation.parameters.items()
        },
        at_bound=(),
        residuals=(),
        interval=IntervalFit(
            by_regime={name: width * widening for name, width in interval.by_regime.items()},
            pair=interval.pair * widening,
            outside=interval.outside * widening,
        ),
        ranges=relation.ranges,
        rows=0,
        weight_copies=relation.weight_copies,
        held_out=relation.left_out,
        transferred=True,
    )
