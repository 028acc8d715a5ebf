"""What of a transformer cannot be run with PyTorch's kernels, and is predicted only."""

from __future__ import annotations

from collections.abc import Iterator

from infersim.domain.errors import UnsupportedError
from infersim.domain.shapes import Phase, WeightForm
from infersim.pruning.families.registry import family_named
from infersim.pruning.plan import Plan
from infersim.workload.ends import LM_HEAD, PLAIN_EMBEDDING
from infersim.workload.formats import block_formats
from infersim.workload.sublayers.activations import Activation
from infersim.workload.sublayers.norms import RMS_NORM, QkNorm
from infersim.workload.transformer import (
    Attention,
    Block,
    ExpertLayer,
    FeedForward,
    GroupSkip,
    KvScore,
    LatentAttention,
    Linear,
    MaskEstimate,
    MaskSharing,
    SkipExecution,
    TokenSkip,
    Transformer,
)


def check_families_measurable(plan: Plan) -> None:
    """Raise UnsupportedError where a family of the plan states that it is not measured, with its reason."""
    for step in plan.steps:
        family = family_named(step.family)
        if family.not_measured:
            raise UnsupportedError(f"{plan.title} cannot be measured: {family.not_measured}")


def check_measurable(transformer: Transformer, phase: Phase) -> None:
    """Raise UnsupportedError for the first thing in the model that is not built to be run in `phase`."""
    for reason in _of_ends(transformer):
        raise UnsupportedError(f"predicted only: {reason}")
    for block, _ in transformer.grouped_blocks():
        if isinstance(block.ffn, ExpertLayer) or isinstance(block.attention, LatentAttention):
            raise UnsupportedError("predicted only: measured are dense models on one GPU")
        if block.added:
            raise UnsupportedError(f"predicted only: {block.added[0].name}, which a family adds")
        reasons = [reason for linear in block.linears for reason in _of_linear(linear)]
        reasons += _of_block(block)
        if isinstance(block.attention, Attention):
            reasons += _of_attention(block.attention, phase)
        if isinstance(block.ffn, FeedForward):
            reasons += [*_of_skip(block.ffn.skip), *_of_groups(block.ffn.groups)]
        if reasons:
            raise UnsupportedError(f"predicted only: {reasons[0]}")


def _of_ends(transformer: Transformer) -> Iterator[str]:
    if transformer.embedding != PLAIN_EMBEDDING:
        yield "an embedding with positions, a norm, a scale or a width of its own"
    if transformer.head != LM_HEAD:
        yield "a head that is no plain LM head"
    if transformer.final_norm != RMS_NORM:
        yield "a final norm other than an RMSNorm"
    if block_formats(transformer) or transformer.kv_dtype is not None:
        yield f"weights {transformer.stated}"
    if transformer.scaled_residuals:
        yield "scaled residuals"


def _of_block(block: Block) -> Iterator[str]:
    if block.parallel:
        yield "attention and FFN in parallel"
    for sublayer in (block.attention, block.ffn):
        if sublayer is not None and (sublayer.norm != RMS_NORM or sublayer.post_norm is not None):
            yield "norms other than one RMSNorm before each sublayer"
    if isinstance(block.ffn, FeedForward) and block.ffn.activation is not Activation.SILU:
        yield f"the activation {block.ffn.activation.value}"
    attention = block.attention
    if isinstance(attention, Attention) and attention.rotary != 1:
        yield "positions other than rotary ones of whole heads"
    if isinstance(attention, Attention) and attention.sinks:
        yield "a score of each head that attends to nothing"
    if isinstance(attention, Attention) and attention.gate is not None:
        yield "a gate of attention's result"
    if isinstance(attention, Attention) and attention.value_dim is not None:
        yield "heads of V of another size than K's"
    if isinstance(attention, Attention) and attention.qk_norm not in (None, QkNorm()):
        yield "norms of q and k other than one RMSNorm for all heads"


def _of_linear(linear: Linear) -> Iterator[str]:
    if linear.fused_pair:
        yield "a low-rank pair in one kernel"
    if linear.transposed_result:
        yield "results that are copied into rows"
    if linear.zeros is not None:
        yield "weights that are zero in no pattern"
    if linear.form not in (WeightForm.DENSE, WeightForm.SPARSE_2_4):
        yield f"weights in {linear.form.value} form"


def _of_groups(groups: GroupSkip | None) -> Iterator[str]:
    if groups is not None:
        yield "groups of heads or channels that tokens skip"


def _of_skip(skip: TokenSkip | None) -> Iterator[str]:
    if skip is not None and skip.execution is not SkipExecution.GATHER:
        yield "skipping tokens in place (measured is dynamic-m with the option execution=gather)"
    if skip is not None and skip.forecaster is not None:
        yield "a forecast in the place of what tokens skip"
    if skip is not None and not skip.decides:
        yield "tokens that leave before the last layer"


def _of_attention(attention: Attention, phase: Phase) -> Iterator[str]:
    skip, sparsity = attention.skip, attention.block_sparsity
    yield from _of_skip(skip)
    yield from _of_groups(attention.groups)
    if skip is not None and not skip.dense_kv and attention.window is not None:
        yield "skipping K and V of tokens in a window"
    if sparsity is not None:
        if skip is not None or attention.window is not None:
            yield "block-sparse attention behind a router or in a window"
        if sparsity.estimate is not MaskEstimate.POOLED:
            yield "dropping blocks inside the attention kernel"
        grouped = attention.num_heads > attention.num_kv_heads
        if sparsity.sharing is MaskSharing.HEAD and grouped and phase is Phase.DECODE:
            yield "decode with a block mask for each query head"
    if attention.kv_kept < 1 and (
        attention.kv_score is KvScore.ACCUMULATED
        or (attention.kv_score is KvScore.WINDOW and phase is Phase.PREFILL)
    ):
        yield "choosing which cached tokens stay"
