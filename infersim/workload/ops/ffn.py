"""Ops of one feed-forward sublayer, skipping of tokens and of channels included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from infersim.cost.gemm.group_skip import GroupAxis
from infersim.domain.ops import Op, Part
from infersim.workload.ops import elementwise
from infersim.workload.ops.flow import Flow
from infersim.workload.ops.group_skip import group_linear_ops, group_routing_ops
from infersim.workload.ops.linear import linear_ops, stacked_ops
from infersim.workload.ops.sublayer import Surroundings, entry_ops, exit_ops
from infersim.workload.ops.token_skip import skips_in_place, zero_fill
from infersim.workload.scenario import Execution, Layout
from infersim.workload.transformer import FeedForward, GroupSkip


def ffn_ops(ffn: FeedForward, around: Surroundings) -> Iterator[Op]:
    """Kernels from the norm to the residual add; behind a router the GEMMs see kept tokens only.

    The norm and the activation do too where kept rows were gathered, and see all tokens where they were not.
    """
    if ffn.groups is not None:
        yield from _grouped_ops(ffn, ffn.groups, around)
        return
    execution, everyone = around.scenario.execution, Flow(tokens=around.scenario.tokens)
    kept = everyone.kept_by(ffn.skip)
    passing = everyone if skips_in_place(ffn.skip) else kept
    yield from entry_ops("ffn", ffn, around, normed=passing)
    if skips_in_place(ffn.skip):
        yield zero_fill("ffn", _result_widths(ffn, execution), everyone, execution)
    yield from inward_ops(ffn, kept, execution)
    yield elementwise.activation(ffn, passing, execution)
    yield from linear_ops("down", Part.FFN, ffn.down, kept, execution.precision)
    yield from exit_ops("ffn", ffn, around, kept=passing)


def inward_ops(ffn: FeedForward, flow: Flow, execution: Execution, prefix: str = "") -> Iterator[Op]:
    """The GEMMs from the input to the width: gate and up, one in the FUSED layout, or up alone."""
    up = f"{prefix}up"
    if ffn.gate is None:
        yield from linear_ops(up, Part.FFN, ffn.up, flow, execution.precision)
    elif execution.layout is Layout.FUSED:
        members = {f"{prefix}gate": ffn.gate, up: ffn.up}
        yield from stacked_ops(f"{prefix}gate_up", Part.FFN, members, flow, execution.precision)
    else:
        yield from linear_ops(f"{prefix}gate", Part.FFN, ffn.gate, flow, execution.precision)
        yield from linear_ops(up, Part.FFN, ffn.up, flow, execution.precision)


def _grouped_ops(ffn: FeedForward, groups: GroupSkip, around: Surroundings) -> Iterator[Op]:
    """The same where each token runs some groups of channels, and all else sees zeros in the others."""
    execution, everyone = around.scenario.execution, Flow(tokens=around.scenario.tokens)
    yield from group_routing_ops("ffn", groups, ffn.width, around.hidden, everyone, execution)
    yield from entry_ops("ffn", ffn, around, normed=everyone)
    yield zero_fill("ffn", _result_widths(ffn, execution), everyone, execution)
    inner = {"up": ffn.up} if ffn.gate is None else {"gate": ffn.gate, "up": ffn.up}
    if (
        ffn.gate is not None
        and execution.layout is Layout.FUSED
        and ffn.gate == ffn.up
        and ffn.up.rank is None
    ):
        wide = replace(ffn.up, out_features=ffn.gate.out_features + ffn.up.out_features)
        inner = {"gate_up": wide}
    for name, linear in inner.items():
        yield from group_linear_ops(
            name, Part.FFN, linear, GroupAxis.OUTPUT, groups, groups.group, everyone, execution.precision
        )
    yield elementwise.activation(ffn, everyone, execution)
    yield from group_linear_ops(
        "down", Part.FFN, ffn.down, GroupAxis.INPUT, groups, groups.group, everyone, execution.precision
    )
    yield from exit_ops("ffn", ffn, around, kept=everyone)


def _result_widths(ffn: FeedForward, execution: Execution) -> list[int]:
    """Values a token of each GEMM's result; in the FUSED layout gate and up have one between them."""
    widths = [linear.out_features for linear in ffn.linears]
    if ffn.gate is not None and execution.layout is Layout.FUSED:
        widths = [widths[0] + widths[1], widths[2]]
    # A forecast fills the last one.
    return widths[:-1] if ffn.skip is not None and ffn.skip.forecaster is not None else widths
