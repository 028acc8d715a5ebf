"""The residual stream `[tokens, hidden]` on its way through a model, and where adds to it happen.

Probes hear of each op as it ends, so that a pass can be taken apart without slowing it down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from infersim.domain.ops import Part
from infersim.measuring.model.execution.elementwise import Elementwise


class Probe(Protocol):
    """Told after each op of a pass was issued, with its name and part as `workload.ops` has them."""

    def __call__(self, name: str, part: Part) -> None: ...


def silent(name: str, part: Part) -> None:
    """The probe of a pass that is timed as a whole."""


@dataclass(slots=True, kw_only=True, eq=False)
class Stream:
    """`value` is the stream; `pending` a sublayer's result that the next norm adds to it (fused)."""

    value: torch.Tensor
    pending: torch.Tensor | None = None

    def normed(self, name: str, weight: torch.Tensor, functions: Elementwise, probe: Probe) -> torch.Tensor:
        """The op `name`: the norm of the stream, with what is pending added."""
        if self.pending is None:
            result = functions.norm(self.value, weight)
        else:
            self.value, result = functions.add_norm(self.value, self.pending, weight)
            self.pending = None
        probe(name, Part.ELEMENTWISE)
        return result

    def settle(self, name: str, probe: Probe) -> None:
        """Add what is pending by an op of its own, where something else than a norm reads the stream next."""
        if self.pending is not None:
            self.add(name, self.pending, probe)
            self.pending = None

    def add(self, name: str, delta: torch.Tensor, probe: Probe) -> None:
        """Add a sublayer's result now."""
        self.value = self.value + delta
        probe(name, Part.ELEMENTWISE)

    def scatter(self, name: str, rows: torch.Tensor, delta: torch.Tensor, probe: Probe) -> None:
        """Add results of some tokens into their rows, in place."""
        self.value.index_add_(0, rows, delta)
        probe(name, Part.EXTRA)
