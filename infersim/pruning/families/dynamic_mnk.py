"""dynamic-mnk: routers choose for each token which query heads and FFN channels it runs (WIDE, 2607.28418).

- Loses: for each token, groups of N of q, gate and up, and the same groups of K of o and down; in attention
  the query heads of the group. k and v stay dense, so that later tokens can attend to all. A group's weights
  are read if any token of the batch takes it: 1 - s^M of them with M tokens.
- Sparsity: the fraction of token x group executions that is skipped.
- Adds: a router for each sublayer (hidden -> 32 -> 2 x groups), masks and their sort, and zeros where results
  are skipped.
- Options:
  - `target`: `both` (default: attention and FFN are routed apart), `attention` or `ffn`.
  - `heads`: query heads of a group; 0 (default): those of a KV head, as the source runs it (4 in
    Llama-3.1-8B), so that K and V of a skipped group are not read in decode.
  - `channels`: FFN channels of a group, 128 (default: one tile; the source has 32 to 512).
  - `router_width`: bottleneck of the router, 32 (default: the source's).
  - `kernels`: `cute` (default: the source's, for compute capability 8 and 12) or `triton` (its fallback,
    which other GPUs run in any case).
"""

from __future__ import annotations

from dataclasses import replace

from infersim.cost.gemm.group_skip import GroupKernels
from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.pruning.families.engine_support import custom_code, needs
from infersim.pruning.families.family import Family, Pruned, check_choice, check_integer
from infersim.pruning.linears import SUBLAYER_PARTS, SUBLAYER_TARGETS, refuse_second_router
from infersim.pruning.sublayer_pairs import Comparison, Finding, SublayerPair, skipped
from infersim.workload.transformer import Attention, Block, FeedForward, GroupSkip, Transformer

CHANNELS, ROUTER_WIDTH = 128, 32
"""What a group and a router are where nobody says, also in plan files."""


def dynamic_mnk(
    model: Transformer,
    sparsity: float,
    *,
    target: str = "both",
    heads: int = 0,
    channels: int = CHANNELS,
    router_width: int = ROUTER_WIDTH,
    kernels: str = GroupKernels.CUTE.value,
) -> Pruned:
    """Route tokens around groups of heads and channels of every block; at rate 0 the routers still run.

    Layers of experts and latent attention stay as they are.
    """
    check_choice("target", target, SUBLAYER_TARGETS)
    check_integer("heads", heads, low=0)
    check_integer("channels", channels, low=1)
    check_integer("router_width", router_width, low=1)
    check_choice("kernels", kernels, tuple(GroupKernels))
    routed = GroupSkip(
        rate=sparsity, group=channels, router_width=router_width, kernels=GroupKernels(kernels)
    )
    transformer = model.with_blocks(tuple(_routed(block, routed, heads, target) for block in model.blocks))
    if transformer.blocks == model.blocks:
        raise UnsupportedError(f"{model.name} has no {target} sublayer whose groups tokens could skip")
    return Pruned(transformer=transformer, sparsity_realised=sparsity, targets=SUBLAYER_PARTS[target])


def _routed(block: Block, skip: GroupSkip, heads: int, target: str) -> Block:
    attention, ffn = block.attention, block.ffn
    if target != "ffn" and isinstance(attention, Attention):
        attention = with_head_groups(attention, replace(skip, group=heads))
    if target != "attention" and isinstance(ffn, FeedForward):
        ffn = with_channel_groups(ffn, skip)
    return replace(block, attention=attention, ffn=ffn)


def with_head_groups(attention: Attention, skip: GroupSkip) -> Attention:
    """The attention with groups of so many query heads (0: those of a KV head)."""
    refuse_second_router(attention)
    if attention.gate is not None:
        raise UnsupportedError("dynamic-mnk is not supported for attention whose result is gated")
    of_kv_head = attention.num_heads // attention.num_kv_heads
    group = skip.group or of_kv_head
    if attention.num_heads % group or (group % of_kv_head and of_kv_head % group):
        expected = (
            f"a divisor of {attention.num_heads} heads, and a divisor or a multiple of {of_kv_head}, "
            "the heads of one KV head"
        )
        raise InvalidValueError("heads", group, expected)
    return replace(attention, groups=replace(skip, group=group))


def with_channel_groups(ffn: FeedForward, skip: GroupSkip) -> FeedForward:
    """The FFN with groups of so many channels."""
    refuse_second_router(ffn)
    return replace(ffn, groups=replace(skip, group=min(skip.group, ffn.width)))


def _recognised(found: Comparison) -> Finding | None:
    """Token x group executions skipped, out of those of the kinds of sublayer that are routed anywhere."""
    return skipped(found, _rate)


def _rate(pair: SublayerPair) -> float | None:
    if isinstance(pair.pruned, Attention | FeedForward) and pair.pruned.groups is not None:
        return pair.pruned.groups.rate
    return None


DYNAMIC_MNK = Family(
    name="dynamic-mnk",
    summary="each token runs some groups of heads and FFN channels",
    function=dynamic_mnk,
    recognised=_recognised,
    colour="sky",
    marker="x",
    not_measured="no kernel of PyTorch leaves out groups of heads or channels token by token",
    engines=(
        *custom_code(
            "a model of your own on the kernels of github.com/EIT-NLP/LLM-Pruning (DynamicPruningKernels)",
            "docs.vllm.ai, registering a model; nvidia.github.io/TensorRT-LLM, adding a new model; "
            "docs.sglang.io, supporting new models",
            "vllm",
            "tensorrt-llm",
            "sglang",
        ),
        needs(
            "transformers",
            "a modeling file beside the weights on the kernels of github.com/EIT-NLP/LLM-Pruning",
            "github.com/EIT-NLP/LLM-Pruning, WIDE and DynamicPruningKernels",
        ),
    ),
)
