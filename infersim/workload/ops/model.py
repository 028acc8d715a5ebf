"""The ops of one forward pass: every kernel that a transformer runs in a scenario, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from infersim.cost.experts.routing_names import BALANCED, routing_name
from infersim.domain.arrays import Numeric
from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.domain.ops import Op, Part
from infersim.domain.shapes import Gemm
from infersim.workload.ends import final_width
from infersim.workload.formats import scenario_as_stored
from infersim.workload.ops import elementwise
from infersim.workload.ops.attention import attention_ops
from infersim.workload.ops.exchanges import added_up, gathered
from infersim.workload.ops.experts import expert_ops
from infersim.workload.ops.ffn import ffn_ops
from infersim.workload.ops.flow import Flow
from infersim.workload.ops.latent_attention import latent_attention_ops
from infersim.workload.ops.linear import linear_ops
from infersim.workload.ops.sublayer import Surroundings, replaced_ops
from infersim.workload.scenario import Layout, Scenario
from infersim.workload.transformer import (
    Block,
    ExpertLayer,
    LatentAttention,
    Linear,
    ReplacedSublayer,
    Transformer,
    is_dense,
)


def model_ops(transformer: Transformer, scenario: Scenario) -> tuple[Op, ...]:
    """All ops in order of execution; dimensions and counts broadcast over the scenario's arrays.

    Equal blocks appear once, with `count` times how many there are and `group` their place among the
    distinct blocks. Within a group, as outside the blocks, names are unique. Where GPUs share the model, the
    transformer is the share of one of them (`parallel.shares`). The scenario is taken as it is:
    `scenario_checks.check_scenario` tells users what is wrong with theirs. Raises InvalidValueError where
    tokens are to choose experts unevenly, of a model of dense FFNs; UnsupportedError for attention to chosen
    tokens where no layer before it chooses any.
    """
    skew, popularity = scenario.execution.skew, scenario.execution.popularity
    if (skew or popularity) and is_dense(transformer):
        named = routing_name(skew, popularity)
        raise InvalidValueError("routing", named, f"{BALANCED}: {transformer.name} has no experts")
    _check_choices(transformer)
    scenario = scenario_as_stored(scenario, transformer)
    ops = list(embedding_ops(transformer, scenario))
    for group, (block, times) in enumerate(transformer.grouped_blocks()):
        ops.extend(
            replace(op, count=op.count * times, captured=_captured(op, times), group=group)
            for op in block_ops(block, transformer, scenario)
        )
    ops.extend(head_ops(transformer, scenario))
    return tuple(ops)


def block_ops(block: Block, transformer: Transformer, scenario: Scenario) -> Iterator[Op]:
    """Ops of one block, added work last; a removed sublayer has none, not even its norm and residual add."""
    hidden = transformer.hidden
    around = Surroundings(
        hidden=hidden,
        scenario=scenario,
        shared_norm=block.shares_norm,
        scaled=transformer.scaled_residuals,
    )
    first = replace(around, adds_up=not block.adds_up_once)
    if isinstance(block.attention, ReplacedSublayer):
        yield from replaced_ops("attn", "attention_linear", Part.QKVO, block.attention, first)
    elif isinstance(block.attention, LatentAttention):
        yield from latent_attention_ops(block.attention, first)
    elif block.attention is not None:
        yield from attention_ops(block.attention, first)
    yield from _residual_map("attn", block.residual_maps >= 1, hidden, scenario)
    if isinstance(block.ffn, ReplacedSublayer):
        yield from replaced_ops("ffn", "ffn_linear", Part.FFN, block.ffn, around)
    elif isinstance(block.ffn, ExpertLayer):
        yield from expert_ops(block.ffn, around)
    elif block.ffn is not None:
        yield from ffn_ops(block.ffn, around)
    yield from _residual_map("ffn", block.residual_maps >= 2, hidden, scenario)
    for work in block.added:
        yield from work.ops(hidden, scenario)


def embedding_ops(transformer: Transformer, scenario: Scenario) -> Iterator[Op]:
    """From tokens to the residual stream: tables, and what the model does to their rows."""
    embedding, tokens, hidden = transformer.embedding, scenario.tokens, transformer.hidden
    execution = scenario.execution
    width = embedding.width or hidden
    yield elementwise.embedding(tokens, width, execution)
    yield from added_up("embedding", _all(scenario), width, execution)
    if embedding.scaled and execution.layout is Layout.SEPARATE:
        yield elementwise.scaled("embedding_scale", tokens, width, execution)
    if width != hidden:
        inwards = Linear(out_features=hidden, in_features=width)
        yield from linear_ops("project_in", Part.LM_HEAD, inwards, _all(scenario), execution.head_precision)
    if embedding.positions:
        yield elementwise.learned_positions(tokens, hidden, execution)
    if embedding.norm is not None:
        yield elementwise.norm("embedding_norm", _all(scenario), hidden, execution)


def head_ops(transformer: Transformer, scenario: Scenario) -> Iterator[Op]:
    """Final norm and head: logits of one token a sequence (in prefill the last), or a classifier's scores.

    The head is never pruned in place, and quantised where a checkpoint states it. GPUs that share the
    vocabulary gather all logits.
    """
    execution, hidden, head = scenario.execution, transformer.hidden, transformer.head
    width = transformer.embedding.width or hidden
    if transformer.final_norm is not None:
        yield elementwise.norm("final_norm", _all(scenario), final_width(head, hidden), execution)
    if width != hidden:
        outwards = Linear(out_features=width, in_features=hidden)
        yield from linear_ops("project_out", Part.LM_HEAD, outwards, _all(scenario), execution.head_precision)
    if head is None:
        return
    tokens, outputs = scenario.tokens if head.every_token else scenario.batch, transformer.head_outputs
    stored = head.format
    shape = Gemm(
        m=tokens,
        n=outputs,
        k=head.in_features or width,
        precision=execution.head_precision if stored is None else stored.precision,
        act_quant=stored is None or not stored.static,
    )
    yield Op(name="lm_head" if head.labels is None else "score_head", part=Part.LM_HEAD, shape=shape)
    if head.labels is None:
        outputs *= execution.gpus
        yield from gathered("logits", Flow(tokens=tokens), outputs, execution)
    if head.kernels and execution.layout is Layout.SEPARATE:
        yield elementwise.scaled("logits", tokens, outputs, execution, kernels=head.kernels)


def _check_choices(transformer: Transformer) -> None:
    """Groups are in order of first occurrence, so that it is known what comes first."""
    for block, _ in transformer.grouped_blocks():
        if isinstance(block.attention, LatentAttention):
            if block.attention.takes_choice:
                raise UnsupportedError(
                    f"{transformer.name}: the first attention takes the tokens that a layer before it has "
                    "chosen, and there is none: keep the first layer that has an indexer"
                )
            return


def _captured(op: Op, times: int) -> Numeric:
    """How often a CUDA graph launches an op of `times` equal blocks."""
    return times if op.captured is None else op.captured * times


def _all(scenario: Scenario) -> Flow:
    return Flow(tokens=scenario.tokens)


def _residual_map(prefix: str, present: bool, hidden: int, scenario: Scenario) -> Iterator[Op]:
    """A hidden x hidden matrix on the residual stream, in 16 bit like the stream itself."""
    if present:
        linear, everyone = Linear(out_features=hidden, in_features=hidden), Flow(tokens=scenario.tokens)
        precision = scenario.execution.head_precision
        yield from linear_ops(f"{prefix}_residual_map", Part.EXTRA, linear, everyone, precision)
