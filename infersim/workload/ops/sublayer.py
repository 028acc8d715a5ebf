"""What every sublayer begins and ends with: router and norm, residual add or scatter.

Where the residual adds are counted: fused, each add runs inside the norm that follows it. We count it with
the norm of the sublayer whose result it adds, and the final norm as a plain one: over a model the bytes are
the same (its very first norm is plain, its final one adds), and a sublayer's removal takes its own add away.
In a parallel block with one norm, that norm adds the results of both sublayers. Where results are normed and
inputs are not, no norm follows the add, and it is a kernel of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from infersim.domain.ops import Op, Part
from infersim.workload.ops import elementwise
from infersim.workload.ops.exchanges import added_up
from infersim.workload.ops.flow import Flow
from infersim.workload.ops.linear import linear_ops
from infersim.workload.ops.token_skip import forecast_ops, routing_ops, scatter, skips_in_place
from infersim.workload.scenario import Scenario
from infersim.workload.transformer import (
    AttentionSublayer,
    FfnSublayer,
    LatentAttention,
    ReplacedSublayer,
    TokenSkip,
)

Sublayer = AttentionSublayer | FfnSublayer


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a sublayer's first and last ops must know of its block.

    `shared_norm`: one norm writes the input of both sublayers of a parallel block; the FFN has none of its
    own. `scaled`: results are multiplied by a number before they are added. `adds_up`: GPUs that share the
    sublayer add up its result before it goes on; else another sublayer's, with which it is added first.
    """

    hidden: int
    scenario: Scenario
    shared_norm: bool = False
    scaled: bool = False
    adds_up: bool = True


def entry_ops(prefix: str, sublayer: Sublayer, around: Surroundings, *, normed: Flow) -> Iterator[Op]:
    """Router and gather if tokens may skip, the norm of the tokens in `normed` where there is one, forecasts.

    A forecaster reads the normed input of all tokens.
    """
    execution, hidden, skip = around.scenario.execution, around.hidden, _skip(sublayer)
    everyone = Flow(tokens=around.scenario.tokens)
    if skip is not None:
        yield from routing_ops(prefix, skip, hidden, everyone, execution)
    if sublayer.norm is not None:
        # Behind a gather the scatter does the residual add.
        adds = 0 if _is_scattered(skip) or not execution.fusion.residual else 1
        if around.shared_norm and execution.fusion.residual:
            adds += 1
        seen = normed if skip is None or skip.forecaster is None else everyone
        norm = elementwise.norm(f"{prefix}_norm", seen, hidden, execution, adds=adds)
        yield replace(norm, launched=not execution.norms_with_sums)
    if skip is not None and skip.forecaster is not None:
        yield from forecast_ops(prefix, skip, skip.forecaster, hidden, everyone, execution)


def exit_ops(prefix: str, sublayer: Sublayer, around: Surroundings, *, kept: Flow) -> Iterator[Op]:
    """What GPUs add up; the norm of the result where there is one; then a scatter if kept tokens were
    gathered, or an add.

    The add is an op of its own where it is not fused, and where no norm stands before a sublayer.
    """
    everyone, execution, hidden = (
        Flow(tokens=around.scenario.tokens),
        around.scenario.execution,
        around.hidden,
    )
    skip = _skip(sublayer)
    if around.adds_up:
        yield from added_up(prefix, kept, hidden, execution)
    if sublayer.post_norm is not None:
        yield elementwise.norm(f"{prefix}_post_norm", kept, hidden, execution)
    name = f"{prefix}_residual"
    if skip is not None and _is_scattered(skip):
        yield scatter(prefix, hidden, everyone.kept_by(skip), execution)
    elif not execution.fusion.residual:
        yield elementwise.residual_add(name, everyone, hidden, execution, scaled=around.scaled)
    elif sublayer.norm is None and not around.shared_norm:
        yield elementwise.residual_add(name, everyone, hidden, execution)


def _skip(sublayer: Sublayer) -> TokenSkip | None:
    return None if isinstance(sublayer, ReplacedSublayer | LatentAttention) else sublayer.skip


def _is_scattered(skip: TokenSkip | None) -> bool:
    return skip is not None and not skips_in_place(skip)


def replaced_ops(
    prefix: str, name: str, part: Part, sublayer: ReplacedSublayer, around: Surroundings
) -> Iterator[Op]:
    """A sublayer of one linear layer: norm, GEMM `name`, residual add."""
    everyone = Flow(tokens=around.scenario.tokens)
    yield from entry_ops(prefix, sublayer, around, normed=everyone)
    yield from linear_ops(name, part, sublayer.linear, everyone, around.scenario.execution.precision)
    yield from exit_ops(prefix, sublayer, around, kept=everyone)
