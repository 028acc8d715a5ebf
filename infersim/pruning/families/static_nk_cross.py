"""static-nk-cross: the hidden size itself shrinks, across all blocks (SliceGPT, arXiv 2401.15024).

- Loses: K of q, k, v, gate, up and the LM head; N of o, down and the embedding; norms and residuals narrow
  with them. Heads, head size and FFN width stay, so the attention kernel and the KV cache stay.
- Sparsity: the fraction of the hidden size that is removed, rounded to a multiple of `align`.
- Adds: where the method rotates each block into its own basis, a hidden x hidden matrix on every residual
  connection, because the residual stream must change basis with it.
- Options: `align`: 64 (default: one 64-deep K step of 16-bit tensor-core kernels; the hidden size is K or N
  of every GEMM); `residual_maps`: matrices a block: 2 (default: SliceGPT keeps one on each of the two
  residual connections), 0 for methods that prune one shared basis (Sheared LLaMA, Minitron).
"""

from __future__ import annotations

from dataclasses import replace

from infersim.domain.ops import Part
from infersim.pruning.families.engine_support import runs
from infersim.pruning.families.family import Family, Pruned, check_integer, nearest_multiple
from infersim.pruning.linears import BLOCK_LINEARS, resized
from infersim.pruning.residual_stream import on_stream
from infersim.pruning.sublayer_pairs import Comparison, Finding
from infersim.workload.transformer import Block, Transformer

TARGETS = BLOCK_LINEARS | {Part.LM_HEAD}


def static_nk_cross(
    model: Transformer, sparsity: float, *, align: int = 64, residual_maps: int = 2
) -> Pruned:
    """Cut the hidden size of the whole model; nothing changes where rounding leaves it as it was."""
    check_integer("align", align, low=1)
    check_integer("residual_maps", residual_maps, low=0, high=2)
    hidden = min(nearest_multiple((1 - sparsity) * model.hidden, align), model.hidden)
    transformer = model
    if hidden < model.hidden:
        blocks = tuple(_sliced(block, hidden, residual_maps) for block in model.blocks)
        transformer = replace(model, hidden=hidden, blocks=blocks)
    return Pruned(
        transformer=transformer,
        sparsity_realised=1 - hidden / model.hidden,
        targets=TARGETS,
    )


def _sliced(block: Block, hidden: int, residual_maps: int) -> Block:
    # Both results of a parallel block are added at once: it has one residual connection.
    sublayers = 1 if block.parallel else (block.attention is not None) + (block.ffn is not None)
    sliced = on_stream(
        block,
        inwards=lambda linear: resized(linear, in_features=hidden),
        outwards=lambda linear: resized(linear, out_features=hidden),
    )
    return replace(sliced, residual_maps=min(residual_maps, sublayers))


def _recognised(found: Comparison) -> Finding | None:
    hidden = found.dense.hidden
    if found.pruned.hidden == hidden:
        return None
    return Finding(realised=1 - found.pruned.hidden / hidden, parts=TARGETS)


STATIC_NK_CROSS = Family(
    name="static-nk-cross",
    summary="hidden size cut across all blocks, embedding and LM head",
    function=static_nk_cross,
    recognised=_recognised,
    colour="orange",
    marker="triangle-down",
    engines=(
        runs("vllm", "github.com/vllm-project/vllm/pull/6611 (Minitron: any hidden_size)", since="0.5.4"),
        runs("tensorrt-llm", "nvidia.github.io/TensorRT-LLM, supported models: hidden_size of the config"),
        runs("sglang", "sglang/srt/models/llama.py: hidden_size of the config"),
        runs("transformers", "transformers/models/llama/configuration_llama.py: hidden_size"),
        runs("pruninginfersim", "arXiv:2606.09080", per_layer=True),
    ),
)
