"""Ops of one feed-forward sublayer, token skipping included."""

from __future__ import annotations

from collections.abc import Iterator

from infersim.domain.ops import Op, Part
from infersim.workload import elementwise
from infersim.workload.flow import Flow
from infersim.workload.linear_ops import linear_ops, stacked_ops
from infersim.workload.scenario import Execution, Layout
from infersim.workload.sublayer_ops import Surroundings, entry_ops, exit_ops
from infersim.workload.token_skip_ops import skips_in_place, zero_fill
from infersim.workload.transformer import FeedForward


def ffn_ops(ffn: FeedForward, around: Surroundings) -> Iterator[Op]:
    """Kernels from the norm to the residual add; behind a router the GEMMs see kept tokens only.

    The norm and the activation do too where kept rows were gathered, and see all tokens where they were not.
    """
    execution, everyone = around.scenario.execution, Flow(tokens=around.scenario.tokens)
    kept = everyone.kept_by(ffn.skip)
    passing = everyone if skips_in_place(ffn.skip) else kept
    yield from entry_ops("ffn", ffn, around, normed=passing)
    if skips_in_place(ffn.skip):
        yield zero_fill("ffn", _result_widths(ffn, execution), everyone, execution)
    if ffn.gate is None:
        yield from linear_ops("up", Part.FFN, ffn.up, kept, execution.precision)
    elif execution.layout is Layout.FUSED:
        members = {"gate": ffn.gate, "up": ffn.up}
        yield from stacked_ops("gate_up", Part.FFN, members, kept, execution.precision)
    else:
        yield from linear_ops("gate", Part.FFN, ffn.gate, kept, execution.precision)
        yield from linear_ops("up", Part.FFN, ffn.up, kept, execution.precision)
    yield elementwise.activation(ffn, passing, execution)
    yield from linear_ops("down", Part.FFN, ffn.down, kept, execution.precision)
    yield from exit_ops("ffn", ffn, around, kept=passing)


def _result_widths(ffn: FeedForward, execution: Execution) -> list[int]:
    """Values a token of each GEMM's result; in the FUSED layout gate and up have one between them."""
    widths = [linear.out_features for linear in ffn.linears]
    if ffn.gate is not None and execution.layout is Layout.FUSED:
        return [widths[0] + widths[1], widths[2]]
    return widths
