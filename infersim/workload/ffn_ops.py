"""Ops of one feed-forward sublayer, token skipping included."""

from __future__ import annotations

from collections.abc import Iterator

from infersim.domain.ops import Op, Part
from infersim.workload import elementwise
from infersim.workload.flow import Flow
from infersim.workload.linear_ops import linear_ops, stacked_ops
from infersim.workload.scenario import Layout, Scenario
from infersim.workload.sublayer_ops import entry_ops, exit_ops
from infersim.workload.transformer import FeedForward


def ffn_ops(ffn: FeedForward, hidden: int, scenario: Scenario) -> Iterator[Op]:
    """Kernels from the norm to the residual add; behind a router all of them see kept tokens only."""
    execution = scenario.execution
    kept = Flow(tokens=scenario.tokens).kept_by(ffn.skip)
    yield from entry_ops("ffn", ffn.skip, hidden, scenario, normed=kept)
    if ffn.gate is None:
        yield from linear_ops("up", Part.FFN, ffn.up, kept, execution.precision)
    elif execution.layout is Layout.FUSED:
        members = {"gate": ffn.gate, "up": ffn.up}
        yield from stacked_ops("gate_up", Part.FFN, members, kept, execution.precision)
    else:
        yield from linear_ops("gate", Part.FFN, ffn.gate, kept, execution.precision)
        yield from linear_ops("up", Part.FFN, ffn.up, kept, execution.precision)
    yield elementwise.activation(ffn, kept, execution)
    yield from linear_ops("down", Part.FFN, ffn.down, kept, execution.precision)
    yield from exit_ops("ffn", ffn.skip, hidden, scenario)
