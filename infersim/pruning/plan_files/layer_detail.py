"""The effect of a plan file's `[layer.N]` table on one block.

A value that this layer cannot have raises InvalidValueError with the key inside the table.
"""

from __future__ import annotations

from dataclasses import replace

from infersim.cost.gemm.group_skip import GroupKernels
from infersim.cost.gemm.unstructured import SparseKernel
from infersim.domain.errors import InvalidValueError
from infersim.pruning.families.dynamic_mnk import with_channel_groups, with_head_groups
from infersim.pruning.families.static_k_2_4 import semi_structured
from infersim.pruning.families.static_k_lowrank import break_even_rank
from infersim.pruning.families.static_nk import with_heads, with_width
from infersim.pruning.families.unstructured import with_zeros
from infersim.pruning.linears import changed_block
from infersim.pruning.plan_files.expert_detail import with_expert_detail
from infersim.pruning.plan_files.layer_choices import with_choices
from infersim.pruning.plan_files.tables import MATRICES, GroupsTable, LayerTable, SkipTable, check_used
from infersim.workload.transformer import (
    Attention,
    Block,
    BlockSparsity,
    FeedForward,
    GroupSkip,
    KvScore,
    Linear,
    MaskEstimate,
    MaskSharing,
    SkipExecution,
    TokenSkip,
)


def detailed(block: Block, table: LayerTable) -> Block:
    """The block as the table wants it: widths, then ranks and 2:4, then what is decided at run time."""
    check_used(table)
    attention, ffn = block.attention, block.ffn
    if table.num_heads is not None or table.num_kv_heads is not None:
        key = "num_heads" if table.num_heads is not None else "num_kv_heads"
        attention = _fewer_heads(_attention(block, key, getattr(table, key)), table)
    if table.ffn_width is not None:
        ffn = _ffn(block, "ffn_width", table.ffn_width)
        _check_at_most("ffn_width", table.ffn_width, ffn.width)
        ffn = with_width(ffn, table.ffn_width)
    block = with_expert_detail(replace(block, attention=attention, ffn=ffn), table)
    block = _with_matrices(block, table)
    linear = {str(name): rank for name, rank in table.linear.items()}
    block = with_choices(block, linear, {str(name): stored for name, stored in table.format.items()})
    if table.skip is not None:
        block = _with_skip(block, table.skip)
    if table.groups is not None:
        block = _with_groups(block, table.groups)
    return _with_attention_detail(block, table)


def _attention(block: Block, key: str, value: object) -> Attention:
    if not isinstance(block.attention, Attention):
        raise InvalidValueError(key, value, "no such key: the layer has no attention")
    return block.attention


def _ffn(block: Block, key: str, value: object) -> FeedForward:
    if not isinstance(block.ffn, FeedForward):
        raise InvalidValueError(key, value, "no such key: the layer has no FFN")
    return block.ffn


def _check_at_most(key: str, value: int, limit: int) -> None:
    if value > limit:
        raise InvalidValueError(key, value, f"at most {limit}, what the layer has")


def _fewer_heads(attention: Attention, table: LayerTable) -> Attention:
    heads = attention.num_heads if table.num_heads is None else table.num_heads
    kv_heads = attention.num_kv_heads if table.num_kv_heads is None else table.num_kv_heads
    _check_at_most("num_heads", heads, attention.num_heads)
    _check_at_most("num_kv_heads", kv_heads, attention.num_kv_heads)
    if heads % kv_heads:
        raise InvalidValueError("num_heads", heads, f"a multiple of num_kv_heads = {kv_heads}")
    return with_heads(attention, heads, kv_heads)


def _with_matrices(block: Block, table: LayerTable) -> Block:
    """Ranks, 2:4 forms and zeros; a matrix that the layer lacks is an error."""
    ranks = {str(name): rank for name, rank in table.rank.items()}
    zeros = {str(name): share for name, share in table.zeros.items()}
    unseen = {
        **dict.fromkeys(ranks, "rank"),
        **dict.fromkeys(map(str, table.sparse_2_4), "sparse_2_4"),
        **dict.fromkeys(zeros, "zeros"),
    }

    def changed(name: str, linear: Linear) -> Linear:
        unseen.pop(name, None)
        if name in ranks:
            linear = _factorised(linear, f"rank.{name}", ranks[name])
        linear = semi_structured(linear) if name in table.sparse_2_4 else linear
        return with_zeros(linear, zeros[name], SparseKernel(table.zeros_kernel)) if name in zeros else linear

    if not unseen:
        return block
    # The other sublayer may be one that has no such matrices.
    target = next((target for target, names in MATRICES.items() if unseen.keys() <= set(names)), "both")
    block = changed_block(block, target, changed)
    for name, key in unseen.items():
        raise InvalidValueError(key, name, "the name of a matrix that the layer has")
    return block


def _factorised(linear: Linear, key: str, rank: int) -> Linear:
    limit = break_even_rank(linear)
    if rank >= limit:
        raise InvalidValueError(key, rank, f"a rank below {limit:g}, where two factors are no smaller")
    return replace(linear, rank=rank)


def _with_skip(block: Block, table: SkipTable) -> Block:
    attention, ffn = block.attention, block.ffn
    if table.attention is not None:
        routed = _attention(block, "skip.attention", table.attention)
        attention = replace(routed, skip=_token_skip(table.attention, table))
    if table.ffn is not None:
        skip = replace(_token_skip(table.ffn, table), decides=not table.one_router)
        if table.one_router and table.attention != table.ffn:
            expected = f"skip.attention, {table.attention}: one router decides for both"
            raise InvalidValueError("skip.ffn", table.ffn, expected)
        ffn = replace(_ffn(block, "skip.ffn", table.ffn), skip=skip)
    return replace(block, attention=attention, ffn=ffn)


def _token_skip(rate: float, table: SkipTable) -> TokenSkip:
    return TokenSkip(
        rate=rate,
        router_width=table.router_width or None,
        dense_kv=table.dense_kv,
        execution=SkipExecution(table.execution),
        forecaster=table.forecaster or None,
    )


def _with_groups(block: Block, table: GroupsTable) -> Block:
    def skip(rate: float, group: int) -> GroupSkip:
        kernels = GroupKernels(table.kernels)
        return GroupSkip(rate=rate, group=group, router_width=table.router_width, kernels=kernels)

    attention, ffn = block.attention, block.ffn
    if table.attention is not None:
        routed = _attention(block, "groups.attention", table.attention)
        routed = replace(routed, groups=None)
        try:
            attention = with_head_groups(routed, skip(table.attention, table.heads))
        except InvalidValueError as error:
            raise InvalidValueError(f"groups.{error.key}", error.value, error.expected) from None
    if table.ffn is not None:
        grouped = _ffn(block, "groups.ffn", table.ffn)
        ffn = with_channel_groups(replace(grouped, groups=None), skip(table.ffn, table.channels))
    return replace(block, attention=attention, ffn=ffn)


def _with_attention_detail(block: Block, table: LayerTable) -> Block:
    if table.block_sparsity is not None:
        attention = _attention(block, "block_sparsity", table.block_sparsity.kept)
        sparsity = BlockSparsity(
            kept=table.block_sparsity.kept,
            block=table.block_sparsity.block,
            gate_dim=table.block_sparsity.gate_dim,
            estimate=MaskEstimate(table.block_sparsity.estimate),
            sharing=MaskSharing(table.block_sparsity.masks),
        )
        block = replace(block, attention=replace(attention, block_sparsity=sparsity))
    if table.kv_kept is not None:
        attention = _attention(block, "kv_kept", table.kv_kept)
        score = KvScore(table.kv_score)
        block = replace(block, attention=replace(attention, kv_kept=table.kv_kept, kv_score=score))
    return block
