"""How routing is named: `balanced`, `random`, or `power_law_1.2` with any exponent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from infersim.domain.arguments import refused

BALANCED, RANDOM, POWER_LAW = "balanced", "random", "power_law_"

STEEPEST = 4.0
"""Beyond this exponent a few experts get nearly all tokens: no router is trained to that."""

ROUTINGS = f"{BALANCED}, {RANDOM}, or {POWER_LAW}1.2 with an exponent up to {STEEPEST:g}"
"""What routing may be called, for error messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRouting:
    """`skew` and `dealt` of `domain.shapes.Experts`."""

    skew: float
    dealt: bool


def a_routing(key: str, value: object) -> str:
    """A rule of arguments: the name of a routing."""
    if not isinstance(value, str) or routing_named(value) is None:
        raise refused(key, value, ROUTINGS)
    return value


def skew_of(name: str) -> float:
    """The skew of a routing that `a_routing` has let pass."""
    named = routing_named(name)
    assert named is not None
    return named.skew


def routing_name(skew: float) -> str:
    """The name of a skew."""
    return f"{POWER_LAW}{skew:g}" if skew else BALANCED


def routing_named(name: str) -> NamedRouting | None:
    """The routing of a name; None for one that is not known."""
    if name in (BALANCED, RANDOM):
        return NamedRouting(skew=0.0, dealt=name == BALANCED)
    if not name.startswith(POWER_LAW):
        return None
    try:
        skew = float(name.removeprefix(POWER_LAW))
    except ValueError:
        return None
    return NamedRouting(skew=skew, dealt=False) if math.isfinite(skew) and 0 < skew <= STEEPEST else None
