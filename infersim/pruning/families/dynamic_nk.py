"""dynamic-nk: attention computes only some of the causal (query, key) blocks, chosen for each input.

- Loses: both GEMMs inside the attention kernel: N of the scores and K of their product with V, block by
  block; in decode the same share of the KV cache is not read. All weight matrices stay as they are.
- Sparsity: the fraction of the causal blocks that is left out.
- Adds: mask estimation: pooled queries and keys, their scores, and the choice of blocks.
- Options:
  - `block`: edge of a block in tokens, 64, and `gate_dim`: width of the pooled vectors, 128 (defaults: those
    of SeerAttention, arXiv 2410.13276, which the source paper names).
  - `estimate`: `pooled` (default, as above); `scores`: the kernel itself drops weak blocks after their
    scores (BLASST, arXiv 2512.12087): nothing is added, K is read and multiplied in full, and only V's half
    is saved.
  - `masks`: `group` (default: one for the query heads of a KV head, as SeerAttention has them) or `head`: one
    for each query head, whose decode must read what any head of the group wants.
"""

from __future__ import annotations

from dataclasses import replace

from infersim.domain.errors import UnsupportedError
from infersim.domain.ops import Part
from infersim.pruning.families.engine_support import custom_code, needs, runs
from infersim.pruning.families.family import (
    SPARSE_ATTENTION,
    Family,
    Pruned,
    check_choice,
    check_integer,
    with_attention,
)
from infersim.pruning.sublayer_pairs import Comparison, Finding, inside_attention
from infersim.workload.transformer import (
    Attention,
    BlockSparsity,
    MaskEstimate,
    MaskSharing,
    Transformer,
)


def dynamic_nk(
    model: Transformer,
    sparsity: float,
    *,
    block: int = 64,
    gate_dim: int = 128,
    estimate: str = MaskEstimate.POOLED.value,
    masks: str = MaskSharing.GROUP.value,
) -> Pruned:
    """Make every attention block-sparse; at sparsity 0 the mask is still estimated."""
    check_integer("block", block, low=1)
    check_integer("gate_dim", gate_dim, low=1)
    check_choice("estimate", estimate, tuple(MaskEstimate))
    check_choice("masks", masks, tuple(MaskSharing))
    pattern = BlockSparsity(
        kept=1 - sparsity,
        block=block,
        gate_dim=gate_dim,
        estimate=MaskEstimate(estimate),
        sharing=MaskSharing(masks),
    )

    def masked(attention: Attention) -> Attention:
        if attention.block_sparsity is not None:
            raise UnsupportedError("dynamic-nk is there already: an attention has one block mask")
        return replace(attention, block_sparsity=pattern)

    return Pruned(
        transformer=with_attention(model, masked),
        sparsity_realised=sparsity,
        targets=frozenset({Part.ATTENTION}),
    )


def _recognised(found: Comparison) -> Finding | None:
    return inside_attention(found, _blocks_left_out)


def _blocks_left_out(attention: Attention) -> float:
    return 0.0 if attention.block_sparsity is None else 1 - attention.block_sparsity.kept


DYNAMIC_NK = Family(
    name="dynamic-nk",
    summary="causal attention blocks left out, chosen for each input",
    function=dynamic_nk,
    recognised=_recognised,
    colour="yellow",
    marker="star",
    quality_axis=SPARSE_ATTENTION,
    engines=(
        *custom_code(
            "an attention backend of your own that takes a mask of blocks",
            "docs.vllm.ai, attention backends; nvidia.github.io/TensorRT-LLM, sparse attention; "
            "docs.sglang.io, attention backends",
            "vllm",
            "tensorrt-llm",
            "sglang",
        ),
        needs(
            "transformers",
            "an attention function of your own (AttentionInterface)",
            "huggingface.co/docs/transformers, attention interface",
        ),
        runs("pruninginfersim", "arXiv:2606.09080", per_layer=True),
    ),
)
