"""Targets of a search, and how far a plan's full prediction is from each.

`sure` is the probability with which each target is to be met: 0.5 by the prediction itself, 0.9 also where
errors are as the 80 % interval says (its ends lie 1.28 standard deviations from the middle).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import exp
from statistics import NormalDist
from typing import Any

from infersim.domain.arguments import optional
from infersim.domain.errors import InvalidValueError
from infersim.domain.numbers import number

EIGHTY = NormalDist().inv_cdf(0.9)
"""Standard deviations from the middle of an 80 % interval to its ends."""

PROBABILITY = "a probability from 0.5 up to, but not including, 1"

HALF = 0.5
"""The probability that a prediction itself keeps."""

_above = optional(number("a number above 0", above=0.0))
_probability = number(PROBABILITY, above=0.0, high=0.9999)


def a_probability(key: str, value: Any) -> float:
    """A rule of arguments: a probability of at least one half and below 1."""
    found: float = _probability(key, value)
    if found < HALF:
        raise InvalidValueError(key, value, PROBABILITY)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What a plan is to reach; None: nothing. Of several each is met with probability `sure`."""

    speedup: float | None = None
    latency_ms: float | None = None
    tpot_ms: float | None = None
    ttft_ms: float | None = None
    memory_gib: float | None = None
    price_per_million: float | None = None
    sure: float = HALF

    @classmethod
    def of(cls, **given: Any) -> Targets:
        """The targets, checked: InvalidValueError for what is not above 0, or where there is none."""
        sure = a_probability("sure", given.pop("sure", HALF))
        found = {name: _above(f"target_{name}", value) for name, value in given.items()}
        targets = cls(**found, sure=sure)
        if not targets.named:
            names = ", ".join(f"target_{name}" for name in TARGETS)
            raise InvalidValueError("targets", None, f"at least one of {names}, such as --target-speedup 1.5")
        return targets

    @property
    def named(self) -> Mapping[str, float]:
        """Those that are set, by name."""
        values = {name: getattr(self, name) for name in TARGETS}
        return {name: value for name, value in values.items() if value is not None}

    def margin(self, half_width: float) -> float:
        """The factor between a prediction and what is surely kept, of an 80 % half-width of its log."""
        return exp(NormalDist().inv_cdf(self.sure) * half_width / EIGHTY)


TARGETS = tuple(field.name for field in fields(Targets) if field.name != "sure")
"""Names of targets, as `target_NAME` is typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One target on one measure. `measure` names the additive quantity, `target` the target's name.

    `value` and `half_width` are those of a plan's full prediction of it, `limit` what it is to be: at least
    of a speedup (`higher`), else at most. `where` tells scenarios apart.
    """

    measure: str
    target: str
    limit: float
    value: float
    half_width: float
    higher: bool = False
    where: str = ""

    def excess(self, targets: Targets) -> float:
        """By which factor the plan misses it: at most 1 where it is met as surely as wanted."""
        wanted = targets.margin(self.half_width)
        return (self.limit / self.value if self.higher else self.value / self.limit) * wanted

    def kept(self, targets: Targets) -> float:
        """The value that holds as surely as wanted."""
        margin = targets.margin(self.half_width)
        return self.value / margin if self.higher else self.value * margin

    @property
    def text(self) -> str:
        """For messages: `speedup 1.50x`, `tpot 12 ms`."""
        name, _, unit = self.target.partition("_")
        where = f" ({self.where})" if self.where else ""
        return f"{name} {_with_unit(self.limit, unit, higher=self.higher)}{where}"

    @property
    def reached(self) -> str:
        """The value with its unit."""
        return _with_unit(self.value, self.target.partition("_")[2], higher=self.higher)


def _with_unit(value: float, unit: str, *, higher: bool) -> str:
    if higher:
        return f"{value:.3g}x"
    units = {"ms": " ms", "gib": " GiB", "per_million": " per million tokens"}
    return f"{value:.4g}{units.get(unit, '')}"
