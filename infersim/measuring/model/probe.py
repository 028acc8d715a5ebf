"""Probes: what an executor tells after each op, so that a pass can be taken apart without slowing it down."""

from __future__ import annotations

from typing import Protocol

from infersim.domain.ops import Part


class Probe(Protocol):
    """Told after each op of a pass was issued, with its name and part as `workload.ops` has them."""

    def __call__(self, name: str, part: Part) -> None: ...


def silent(name: str, part: Part) -> None:
    """The probe of a pass that is timed as a whole."""
