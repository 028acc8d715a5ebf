"""Where two sets of answers of `behaviour.py` differ: in numbers and names, or in sentences only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

RELATIVE = 1e-9
NEAR_ZERO = 1e-12
"""What is left where two like numbers are subtracted."""

NAME_COLUMNS = frozenset({"plan", "gpu", "model", "family", "title", "kind", "paper", "key"})
"""Cells that name a thing although they may hold spaces."""

TEXTS = ("aside", "text")
"""Parts of an answer that are lines for people."""


@dataclass(slots=True)
class Differences:
    """`failures` are differences that matter, `words` those of sentences; the counts are of what agreed."""

    answers: int = 0
    agreeing: int = 0
    numbers: int = 0
    names: int = 0
    failures: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)


def compare_answers(before: Mapping[str, Any], after: Mapping[str, Any]) -> Differences:
    """Compare answer by answer; a command that only one side has is a failure."""
    found = Differences(answers=len(before.keys() | after.keys()))
    for command in [*before, *(new for new in after if new not in before)]:
        failures = len(found.failures)
        if command in before and command in after:
            _compare(before[command], after[command], command, "", found)
        else:
            found.failures.append(f"{command}: only {'before' if command in before else 'now'}")
        found.agreeing += len(found.failures) == failures
    return found


def _compare(before: Any, after: Any, place: str, key: str, found: Differences) -> None:
    if key in TEXTS:
        _compare_lines(before or [], after or [], f"{place}, {key}", found)
    elif isinstance(before, dict) and isinstance(after, dict):
        if list(before) != list(after):
            gone, new = [k for k in before if k not in after], [k for k in after if k not in before]
            found.failures.append(f"{place}: keys are gone {gone}, new {new}, or in another order")
        for name in before.keys() & after.keys():
            _compare(before[name], after[name], f"{place}, {name}", name, found)
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) != len(after):
            found.failures.append(f"{place}: {len(before)} entries, now {len(after)}")
        for index, pair in enumerate(zip(before, after, strict=False)):
            _compare(*pair, f"{place}[{index}]", key, found)
    else:
        _compare_values(before, after, place, key, found)


def _compare_values(before: Any, after: Any, place: str, key: str, found: Differences) -> None:
    if _is_number(before) and _is_number(after):
        same = math.isclose(before, after, rel_tol=RELATIVE, abs_tol=NEAR_ZERO)
        found.numbers += same
    else:
        same = before == after and type(before) is type(after)
        found.names += same
    if not same:
        sentences = isinstance(before, str) and isinstance(after, str) and key not in NAME_COLUMNS
        kept = found.words if sentences and " " in before + after else found.failures
        kept.append(f"{place}: {before!r}, now {after!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _compare_lines(before: list[str], after: list[str], place: str, found: Differences) -> None:
    for index, (old, new) in enumerate(zip_longest(before, after)):
        if old != new:
            found.words.append(f"{place}[{index}]: {old!r}, now {new!r}")
