"""The ops of one forward pass: every kernel that a transformer runs in a scenario, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from infersim.domain.ops import Op, Part
from infersim.domain.shapes import Gemm
from infersim.workload import elementwise
from infersim.workload.attention_ops import attention_ops
from infersim.workload.ffn_ops import ffn_ops
from infersim.workload.flow import Flow
from infersim.workload.linear_ops import linear_ops
from infersim.workload.scenario import Scenario
from infersim.workload.sublayer_ops import replaced_ops
from infersim.workload.transformer import Block, Linear, ReplacedSublayer, Transformer


def model_ops(transformer: Transformer, scenario: Scenario) -> tuple[Op, ...]:
    """All ops in order of execution; dimensions and counts broadcast over the scenario's arrays.

    Equal blocks appear once, with `count` times how many there are and `group` their place among the
    distinct blocks. Within a group, as outside the blocks, names are unique. The scenario is taken as it
    is: `scenario_checks.check_scenario` tells users what is wrong with theirs.
    """
    execution, hidden = scenario.execution, transformer.hidden
    everyone = Flow(tokens=scenario.tokens)
    ops = [elementwise.embedding(scenario.tokens, hidden, execution)]
    for group, (block, times) in enumerate(transformer.grouped_blocks()):
        ops.extend(
            replace(op, count=op.count * times, captured=times, group=group)
            for op in block_ops(block, hidden, scenario)
        )
    ops.append(elementwise.norm("final_norm", everyone, hidden, execution))
    ops.append(lm_head(transformer, scenario))
    return tuple(ops)


def block_ops(block: Block, hidden: int, scenario: Scenario) -> Iterator[Op]:
    """Ops of one block, added work last; a removed sublayer has none, not even its norm and residual add."""
    if isinstance(block.attention, ReplacedSublayer):
        yield from replaced_ops("attn", "attention_linear", Part.QKVO, block.attention, hidden, scenario)
    elif block.attention is not None:
        yield from attention_ops(block.attention, hidden, scenario)
    yield from _residual_map("attn", block.residual_maps >= 1, hidden, scenario)
    if isinstance(block.ffn, ReplacedSublayer):
        yield from replaced_ops("ffn", "ffn_linear", Part.FFN, block.ffn, hidden, scenario)
    elif block.ffn is not None:
        yield from ffn_ops(block.ffn, hidden, scenario)
    yield from _residual_map("ffn", block.residual_maps >= 2, hidden, scenario)
    for work in block.added:
        yield from work.ops(hidden, scenario)


def lm_head(transformer: Transformer, scenario: Scenario) -> Op:
    """Logits of one token a sequence (in prefill the last); never pruned in place nor quantised."""
    shape = Gemm(
        m=scenario.batch,
        n=transformer.vocab,
        k=transformer.hidden,
        precision=scenario.execution.head_precision,
    )
    return Op(name="lm_head", part=Part.LM_HEAD, shape=shape)


def _residual_map(prefix: str, present: bool, hidden: int, scenario: Scenario) -> Iterator[Op]:
    """A hidden x hidden matrix on the residual stream, in 16 bit like the stream itself."""
    if present:
        linear, everyone = Linear(out_features=hidden, in_features=hidden), Flow(tokens=scenario.tokens)
        precision = scenario.execution.head_precision
        yield from linear_ops(f"{prefix}_residual_map", Part.EXTRA, linear, everyone, precision)
