"""dynamic-e: a token runs fewer of its layer's experts (a smaller top-k; LExI, arXiv 2509.02753).

- Loses: M of the routed experts: of k experts that a token ran, (1 - s) k remain, so their FLOPs and the
  traffic of their activations shrink with k. All experts stay in memory, and a batch of many tokens still
  hits nearly all of them: then the same weights are read.
- Sparsity: the fraction of the experts that a token runs, realised after rounding to whole ones, halves
  upwards; at least one stays. Shared experts run for every token.
- Adds: nothing.
- Options: `layers`: `alike` (default: each layer rounds alike, as a config's one number has it) or `mixed`
  (the last layers run one expert fewer than the others, so that the sum over layers is as near as it can be).
  Numbers of each layer's own: see plan files.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from infersim.pruning.families.engine_support import runs
from infersim.pruning.families.family import (
    Family,
    Pruned,
    check_choice,
    expert_layers,
    round_half_up,
    with_expert_layers,
)
from infersim.pruning.linears import FFN_SUBLAYER
from infersim.pruning.sublayer_pairs import Comparison, Finding, expert_pairs
from infersim.workload.transformer import ExpertLayer, Transformer

LAYERS = ("alike", "mixed")


def dynamic_e(model: Transformer, sparsity: float, *, layers: str = "alike") -> Pruned:
    """Let each token run (1 - s) of the experts that it ran."""
    check_choice("layers", layers, LAYERS)
    before = [layer.top_k for layer in expert_layers(model)]
    kept = [max(1, top_k - round_half_up(sparsity * top_k)) for top_k in before]
    if layers == "mixed":
        kept = _mixed(before, sparsity)
    numbers = count()
    transformer = with_expert_layers(model, lambda layer: with_top_k(layer, kept[next(numbers)]))
    return Pruned(
        transformer=transformer,
        sparsity_realised=1 - sum(kept) / sum(before),
        targets=FFN_SUBLAYER,
    )


def with_top_k(layer: ExpertLayer, top_k: int) -> ExpertLayer:
    """The layer whose tokens run `top_k` experts each."""
    return replace(layer, top_k=top_k)


def _mixed(before: list[int], sparsity: float) -> list[int]:
    """Whole experts of each layer whose sum is that of the exact ones; later layers round down first."""
    exact = [(1 - sparsity) * top_k for top_k in before]
    kept = [max(1, int(value)) for value in exact]
    missing = round_half_up(sum(exact)) - sum(kept)
    for layer, (least, value) in enumerate(zip(kept, exact, strict=True)):
        if missing > 0 and least < value:
            kept[layer] += 1
            missing -= 1
    return kept


def _recognised(found: Comparison) -> Finding | None:
    """Layers of which a token runs fewer experts, out of what it runs in all layers that are left."""
    pairs = expert_pairs(found)
    before = sum(dense.top_k for dense, _ in pairs)
    after = sum(pruned.top_k for _, pruned in pairs)
    return Finding(realised=1 - after / before, parts=FFN_SUBLAYER) if after < before else None


_BY_LAYER = "code of your own: one number of experts a token is read for all layers"

DYNAMIC_E = Family(
    name="dynamic-e",
    summary="fewer experts a token",
    function=dynamic_e,
    recognised=_recognised,
    colour="sky",
    marker="bowtie",
    not_measured="models that are measured are dense: there is no executor of experts",
    of_experts=True,
    engines=(
        runs(
            "vllm",
            "vllm/model_executor/models/mixtral.py: num_experts_per_tok of the config (--hf-overrides)",
            per_layer_needs=_BY_LAYER,
        ),
        runs(
            "sglang",
            "sglang/srt/models/qwen3_moe.py: num_experts_per_tok of the config",
            per_layer_needs=_BY_LAYER,
        ),
        runs(
            "tensorrt-llm",
            "tensorrt_llm/_torch/models/modeling_qwen3_moe.py: num_experts_per_tok of the config",
            per_layer_needs=_BY_LAYER,
        ),
        runs(
            "transformers",
            "transformers/models/qwen3_moe/configuration_qwen3_moe.py: num_experts_per_tok",
            per_layer_needs=_BY_LAYER,
        ),
    ),
)
