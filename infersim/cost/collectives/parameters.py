"""Parameters of exchanges: their names in fits, and middle values of the GPUs whose exchanges were measured.

A fit is of one exchange over one class of links: `all_reduce.nvlink` is what engines run,
`nccl_all_reduce.pcie` NCCL's own. Rates are shares of the datasheet's bandwidth.
"""

from __future__ import annotations

from collections.abc import Mapping

from infersim.cost.parameters import OwnParameters
from infersim.domain.fit import IntervalFit
from infersim.domain.interconnect import Link, LinkKind
from infersim.domain.shapes import Collective, Exchange

NCCL = "nccl"
"""The library that exchanges whatever an engine has no kernels of its own for."""

LINK_CLASSES: Mapping[LinkKind, str] = {
    LinkKind.NVLINK: "nvlink",
    LinkKind.INFINITY_FABRIC: "nvlink",
    LinkKind.PCIE: "pcie",
}
"""Links that libraries treat alike: the GPUs read each other's memory, or go through the host."""

RING: Mapping[str, Mapping[str, float]] = {
    "nvlink": {
        "launch_us": 6.5,
        "hop_us": 1.0,
        "efficiency": 0.55,
        "doubling": 1.25,
        "flagged_share": 0.45,
        "filled_steps": 6.0,
    },
    "pcie": {
        "launch_us": 4.0,
        "hop_us": 1.3,
        "efficiency": 0.6,
        "doubling": 0.5,
        "flagged_share": 0.55,
        "filled_steps": 5.0,
    },
}
"""`launch_us` before the first byte moves, `hop_us` a step, `efficiency` of the links between two GPUs, and
by what it changes with each doubling of the GPUs; `flagged_share` of it where flags are sent along, and how
many times as long a step takes where buffers are filled (`algorithms.ring_us`)."""

OWN: Mapping[str, float] = {
    "own_us": 4.8,
    "barrier_us": 0.3,
    "second_us": 3.5,
    "one_shot": 0.55,
    "two_shot": 0.5,
    "switch_efficiency": 0.55,
}
"""Of an engine's own kernels: `own_us` until they run, `barrier_us` for each doubling of the GPUs that wait
for each other, `second_us` between the two halves of a two-shot one, shares of the links' bandwidth
by algorithm."""

_UNCALIBRATED = IntervalFit(by_regime={}, pair=0.3, outside=0.6)
_OF_NCCL = ("nccl_all_reduce", *(each.value for each in Exchange if each is not Exchange.ALL_REDUCE))


def _stated() -> dict[str, OwnParameters]:
    defaults: dict[str, Mapping[str, float]] = {}
    for links, ring in RING.items():
        defaults |= {f"{name}.{links}": ring for name in _OF_NCCL}
        defaults[f"all_reduce.{links}"] = {**ring, **OWN}
    return {
        name: OwnParameters(name=name, defaults=values, uncalibrated=_UNCALIBRATED)
        for name, values in defaults.items()
    }


COLLECTIVE_PARAMETERS: Mapping[str, OwnParameters] = _stated()
"""What the cost of an exchange reads, by the name of its fit."""


def fit_name(shape: Collective, link: Link) -> str:
    """The name of the fit of an exchange over a link."""
    name = shape.exchange.value
    if shape.exchange is Exchange.ALL_REDUCE and shape.library == NCCL:
        name = "nccl_all_reduce"
    return f"{name}.{LINK_CLASSES[link.kind]}"
