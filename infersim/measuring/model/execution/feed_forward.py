"""A feed-forward sublayer as it is executed, and one that was replaced by a linear layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from infersim.domain.ops import Part
from infersim.measuring.model.execution.attention import Result
from infersim.measuring.model.execution.decisions import Decision, kept_rows
from infersim.measuring.model.execution.elementwise import Elementwise
from infersim.measuring.model.execution.matrices import (
    Compress,
    Gemm,
    Pairs,
    Projection,
    apart,
    single,
    stacked,
)
from infersim.measuring.model.execution.stream import Probe, Stream
from infersim.measuring.model.execution.weights import FeedForwardWeights
from infersim.workload.scenario import Layout


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeedForwardSublayer:
    """`inputs` makes gate and up (or up alone) of one input."""

    norm: torch.Tensor
    functions: Elementwise
    inputs: Projection
    down: Gemm | Pairs
    router: Gemm | Pairs | None

    def __call__(self, stream: Stream, decision: Decision | None, probe: Probe) -> Result:
        """Run the sublayer on the stream, which stays as it is."""
        if self.router is None or decision is None:
            return Result(self._passed(stream, probe), None)
        stream.settle("ffn_residual", probe)
        rows = kept_rows(stream.value, self.router, decision, probe)
        kept = stream.value.index_select(0, rows)
        probe("ffn_gather", Part.EXTRA)
        return Result(self._passed(Stream(value=kept), probe) if decision.rows else None, rows)

    def _passed(self, stream: Stream, probe: Probe) -> torch.Tensor:
        normed = stream.normed("ffn_norm", self.norm, self.functions, probe)
        inner = self.inputs(normed, probe)
        activated = self.functions.plain(*inner) if len(inner) == 1 else self.functions.gated(*inner)
        probe("activation", Part.ELEMENTWISE)
        return self.down(activated, probe)[0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReplacedSublayer:
    """Norm and one linear layer; `norm_name` is that of its norm among the ops."""

    norm_name: str
    norm: torch.Tensor
    functions: Elementwise
    linear: Gemm | Pairs

    def __call__(self, stream: Stream, probe: Probe) -> Result:
        """Run the sublayer on the stream, which stays as it is."""
        normed = stream.normed(self.norm_name, self.norm, self.functions, probe)
        return Result(self.linear(normed, probe)[0], None)


def feed_forward_sublayer(
    weights: FeedForwardWeights, *, layout: Layout, functions: Elementwise, compress: Compress
) -> FeedForwardSublayer:
    """Lay the sublayer's matrices out."""
    if weights.gate is None:
        inputs: Projection = single("up", Part.FFN, weights.up, compress)
    else:
        members = {"gate": weights.gate, "up": weights.up}
        fused = layout is Layout.FUSED
        inputs = (
            stacked("gate_up", Part.FFN, members, compress) if fused else apart(Part.FFN, members, compress)
        )
    router = weights.router
    return FeedForwardSublayer(
        norm=weights.norm,
        functions=functions,
        inputs=inputs,
        down=single("down", Part.FFN, weights.down, compress),
        router=None if router is None else single("ffn_router", Part.EXTRA, router, compress),
    )
