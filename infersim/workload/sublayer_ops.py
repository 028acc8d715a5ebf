"""What every sublayer begins and ends with: router and norm, residual add or scatter.

Where the residual adds are counted: FUSED runs each add inside the norm that follows it. We count it with the
norm of the sublayer whose result it adds, and the final norm as a plain one: over a model the bytes are the
same (its very first norm is plain, its final one adds), and a sublayer's removal takes its own add away.
"""

from __future__ import annotations

from collections.abc import Iterator

from infersim.domain.ops import Op, Part
from infersim.workload import elementwise
from infersim.workload.flow import Flow
from infersim.workload.linear_ops import linear_ops
from infersim.workload.scenario import Layout, Scenario
from infersim.workload.token_skip_ops import routing_ops, scatter, skips_in_place
from infersim.workload.transformer import ReplacedSublayer, TokenSkip


def entry_ops(
    prefix: str, skip: TokenSkip | None, hidden: int, scenario: Scenario, *, normed: Flow
) -> Iterator[Op]:
    """Router and gather if tokens may skip, and the norm of the tokens in `normed`."""
    execution = scenario.execution
    if skip is not None:
        yield from routing_ops(prefix, skip, hidden, Flow(tokens=scenario.tokens), execution)
    # Behind a gather the scatter does the residual add.
    adds_residual = not _is_scattered(skip) and execution.layout is Layout.FUSED
    yield elementwise.norm(f"{prefix}_norm", normed, hidden, execution, adds_residual=adds_residual)


def exit_ops(prefix: str, skip: TokenSkip | None, hidden: int, scenario: Scenario) -> Iterator[Op]:
    """Scatter if kept tokens were gathered; else a residual add of its own in the SEPARATE layout."""
    everyone, execution = Flow(tokens=scenario.tokens), scenario.execution
    if skip is not None and _is_scattered(skip):
        yield scatter(prefix, hidden, everyone.kept_by(skip), execution)
    elif execution.layout is Layout.SEPARATE:
        yield elementwise.residual_add(f"{prefix}_residual", everyone, hidden, execution)


def _is_scattered(skip: TokenSkip | None) -> bool:
    return skip is not None and not skips_in_place(skip)


def replaced_ops(
    prefix: str, name: str, part: Part, sublayer: ReplacedSublayer, hidden: int, scenario: Scenario
) -> Iterator[Op]:
    """A sublayer of one linear layer: norm, GEMM `name`, residual add."""
    everyone = Flow(tokens=scenario.tokens)
    yield from entry_ops(prefix, None, hidden, scenario, normed=everyone)
    yield from linear_ops(name, part, sublayer.linear, everyone, scenario.execution.precision)
    yield from exit_ops(prefix, None, hidden, scenario)
