"""What checks of a profile file find."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """A number that the rest of its file speaks against."""

    key: str
    value: float | str
    expected: str
