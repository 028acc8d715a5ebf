"""Maps of the residual stream: those that lead to another width, and those that GPUs share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from infersim.domain.ops import Op, Part
from infersim.workload.ops.exchanges import gathered
from infersim.workload.ops.flow import Flow
from infersim.workload.ops.linear import linear_ops
from infersim.workload.scenario import Scenario
from infersim.workload.transformer import Linear


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualMap:
    """A matrix on the residual stream; square ones are `Block.residual_maps`, where no GPUs share them.

    `op` is what its kernel is called. `shared`: each GPU computes its slice of the outputs, and gathers all.
    """

    linear: Linear
    op: str = "residual_map_out"
    shared: bool = False

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
        flow, execution = Flow(tokens=scenario.tokens), scenario.execution
        yield from linear_ops(self.op, Part.EXTRA, self.linear, flow, execution.head_precision)
        if self.shared:
            width = self.linear.out_features * execution.gpus
            yield from gathered(self.op, flow, width, execution)
