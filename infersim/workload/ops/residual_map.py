"""A map of the residual stream that leads to another width: where slicing ends before the head does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from infersim.domain.ops import Op, Part
from infersim.workload.ops.flow import Flow
from infersim.workload.ops.linear import linear_ops
from infersim.workload.scenario import Scenario
from infersim.workload.transformer import Linear


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualMap:
    """A matrix on the residual stream; square ones are `Block.residual_maps`."""

    linear: Linear

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return "a residual map to another width"

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The one matrix, kept in 16 bit like the stream itself."""
        return (self.linear,)

    def ops(self, hidden: int, scenario: Scenario) -> Iterator[Op]:
        """One GEMM of all tokens; `hidden` is its K."""
        assert hidden == self.linear.in_features
        flow, precision = Flow(tokens=scenario.tokens), scenario.execution.head_precision
        yield from linear_ops("residual_map_out", Part.EXTRA, self.linear, flow, precision)
