"""How routing is named: `balanced`, `random`, or `power_law_1.2` or `zipf_0.9` with any exponent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from infersim.domain.arguments import refused

BALANCED, RANDOM, POWER_LAW, ZIPF = "balanced", "random", "power_law_", "zipf_"

STEEPEST = 4.0
"""Beyond this exponent a few experts get nearly all tokens: no router is trained to that."""

ROUTINGS = f"{BALANCED}, {RANDOM}, {POWER_LAW}1.2 or {ZIPF}0.9, with an exponent up to {STEEPEST:g}"
"""What routing may be called, for error messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRouting:
    """`skew`, `dealt` and `popularity` of `domain.shapes.Experts`."""

    skew: float = 0.0
    dealt: bool = False
    popularity: float = 0.0


def a_routing(key: str, value: object) -> str:
    """A rule of arguments: the name of a routing."""
    if not isinstance(value, str) or routing_named(value) is None:
        raise refused(key, value, ROUTINGS)
    return value


def routing_name(skew: float, popularity: float | None) -> str | None:
    """The name of exponents that a model is run with; None where its own routers say."""
    if skew:
        return f"{POWER_LAW}{skew:g}"
    if popularity is None:
        return None
    return f"{ZIPF}{popularity:g}" if popularity else BALANCED


def routing_named(name: str) -> NamedRouting | None:
    """The routing of a name; None for one that is not known."""
    if name in (BALANCED, RANDOM):
        return NamedRouting(dealt=name == BALANCED)
    if name.startswith(POWER_LAW):
        skew = _exponent(name.removeprefix(POWER_LAW))
        return None if skew is None else NamedRouting(skew=skew)
    if name.startswith(ZIPF):
        popularity = _exponent(name.removeprefix(ZIPF))
        return None if popularity is None else NamedRouting(popularity=popularity)
    return None


def _exponent(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 < value <= STEEPEST else None
