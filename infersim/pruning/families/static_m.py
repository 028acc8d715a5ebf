"""static-m: whole layers, or whole attention or FFN sublayers, are gone; each GEMM's M is zero there.

- Loses: every GEMM of a removed sublayer (all of its M), and the attention kernel and KV cache of a removed
  attention sublayer. Nothing propagates: N and K of all other GEMMs stay.
- Sparsity: the fraction of the targeted blocks (layers, or sublayers of one kind) that is removed, rounded
  to whole ones, halves upwards. At least one stays.
- Adds: nothing.
- Options: `target`: `layer` (default: what depth pruning removes most often), `attention` or `ffn`.

Which ones go does not matter for time where blocks are equal. The rule is a run of the deepest ones that
leaves the very last in place, as depth pruning without retraining finds best (ShortGPT, arXiv 2403.03853;
"The Unreasonable Ineffectiveness of the Deeper Layers", arXiv 2403.17887). Explicit lists: see plan files.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.pruning.families.engine_support import runs
from infersim.pruning.families.family import Family, Pruned, check_choice, round_half_up
from infersim.pruning.linears import ATTENTION_SUBLAYER, FFN_SUBLAYER
from infersim.pruning.sublayer_pairs import Comparison, Finding, parts_of, values_of
from infersim.workload.transformer import Block, Transformer

TARGETS = {
    "layer": ATTENTION_SUBLAYER | FFN_SUBLAYER,
    "attention": ATTENTION_SUBLAYER,
    "ffn": FFN_SUBLAYER,
}


def static_m(model: Transformer, sparsity: float, *, target: str = "layer") -> Pruned:
    """Remove the deepest `sparsity` of the targeted blocks, but never the last one."""
    check_choice("target", target, tuple(TARGETS))
    candidates = [index for index, block in enumerate(model.blocks) if _has(block, target)]
    if not candidates:
        raise UnsupportedError(f"{model.name} has no {target} sublayer left to remove")
    count = round_half_up(sparsity * len(candidates))
    if count == len(candidates):
        expected = f"a fraction that leaves at least one of {count} {target}s"
        raise InvalidValueError("sparsity", sparsity, expected)
    removed = candidates[len(candidates) - 1 - count : -1]
    transformer = without_sublayers(
        model,
        attention=removed if target != "ffn" else (),
        ffn=removed if target != "attention" else (),
    )
    return Pruned(
        transformer=transformer,
        sparsity_realised=count / len(candidates),
        targets=TARGETS[target],
    )


def without_sublayers(model: Transformer, *, attention: Collection[int], ffn: Collection[int]) -> Transformer:
    """The model without the sublayers of the given layers; a layer that loses both disappears."""
    kept = (
        without(block, attention=index in attention, ffn=index in ffn)
        for index, block in enumerate(model.blocks)
    )
    return model.with_blocks(tuple(block for block in kept if not is_empty(block)))


def without(block: Block, *, attention: bool, ffn: bool) -> Block:
    """The block without the named sublayers; a residual map merges into its neighbour with its sublayer.

    A norm that both sublayers of a parallel block read stays with the one that stays.
    """
    if not (attention or ffn):
        return block
    kept_ffn = None if ffn else block.ffn
    if attention and kept_ffn is not None and block.shares_norm and block.attention is not None:
        kept_ffn = replace(kept_ffn, norm=block.attention.norm)
    left = replace(block, attention=None if attention else block.attention, ffn=kept_ffn, parallel=False)
    sublayers = (left.attention is not None) + (left.ffn is not None)
    return replace(left, residual_maps=min(left.residual_maps, sublayers))


def is_empty(block: Block) -> bool:
    """Whether nothing is left of a block: its input is its output."""
    return block.attention is None and block.ffn is None


def _has(block: Block, target: str) -> bool:
    if target == "layer":
        return not is_empty(block)
    return (block.attention if target == "attention" else block.ffn) is not None


def _recognised(found: Comparison) -> Finding | None:
    """Sublayers that are gone, counted by their stored values."""
    gone = [pair for pair in found.pairs if not pair.survives]
    if not gone:
        return None
    total = sum(values_of(pair.dense_linears) for pair in found.pairs)
    lost = sum(values_of(pair.dense_linears) - values_of(pair.pruned_linears) for pair in gone)
    return Finding(realised=lost / total, parts=parts_of(gone))


STATIC_M = Family(
    name="static-m",
    summary="whole layers, attention or FFN sublayers removed",
    function=static_m,
    recognised=_recognised,
    colour="blue",
    marker="circle",
    same_kernels=True,
    engines=(
        runs("vllm", "docs.vllm.ai, supported models: num_hidden_layers of the config", since="0.1"),
        runs("tensorrt-llm", "nvidia.github.io/TensorRT-LLM, supported models: num_hidden_layers"),
        runs("sglang", "sglang/srt/models/llama.py: num_hidden_layers of the config"),
        runs("transformers", "transformers/models/llama/configuration_llama.py: num_hidden_layers"),
        runs("pruninginfersim", "arXiv:2606.09080", per_layer=True),
    ),
)
