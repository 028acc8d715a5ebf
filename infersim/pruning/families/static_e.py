"""static-e: whole routed experts are gone (REAP, arXiv 2510.13999; NAEE, arXiv 2402.14800).

- Loses: the matrices of the removed experts, and their rows of the router. A token still runs as many experts
  as before, so M in all of them together stays, and FLOPs do but for the router's. What is left has more
  tokens each, and a step reads fewer weights wherever it hits more experts than are left.
- Sparsity: the fraction of the routed experts, layer by layer alike; those left are rounded to whole ones,
  halves upwards. Shared experts and dense layers stay. Counts of each layer's own: see plan files.
- Adds: nothing.
- Options:
  - `top_k`: `keep` (default: a token runs as many experts as before; a sparsity that leaves fewer than those
    is refused) or `cap` (it then runs all that are left).
  - `align`: 1 (default); the experts that are left are a multiple of it, such as of the GPUs that share them.
"""

from __future__ import annotations

from dataclasses import replace

from infersim.domain.errors import InvalidValueError
from infersim.pruning.families.engine_support import runs
from infersim.pruning.families.family import (
    Family,
    Pruned,
    check_choice,
    check_integer,
    expert_layers,
    nearest_multiple,
    with_expert_layers,
)
from infersim.pruning.linears import FFN_SUBLAYER
from infersim.pruning.sublayer_pairs import Comparison, Finding, expert_pairs
from infersim.workload.transformer import ExpertLayer, Transformer

TOP_K = ("keep", "cap")


def static_e(model: Transformer, sparsity: float, *, top_k: str = "keep", align: int = 1) -> Pruned:
    """Leave (1 - s) of the routed experts of each layer."""
    check_choice("top_k", top_k, TOP_K)
    check_integer("align", align, low=1)
    before = expert_layers(model)

    def fewer(layer: ExpertLayer) -> ExpertLayer:
        kept = min(nearest_multiple((1 - sparsity) * layer.num_experts, align), layer.num_experts)
        if kept < layer.top_k and top_k == "keep":
            expected = (
                f"a fraction that leaves at least {layer.top_k} of {layer.num_experts} experts, as many as a "
                "token runs, or the option top_k=cap"
            )
            raise InvalidValueError("sparsity", sparsity, expected)
        return with_experts(layer, kept)

    transformer = with_expert_layers(model, fewer)
    left = sum(layer.num_experts for layer in expert_layers(transformer))
    return Pruned(
        transformer=transformer,
        sparsity_realised=1 - left / sum(layer.num_experts for layer in before),
        targets=FFN_SUBLAYER,
    )


def with_experts(layer: ExpertLayer, experts: int) -> ExpertLayer:
    """The layer with so many routed experts; a token runs no more than there are."""
    return replace(
        layer,
        router=replace(layer.router, out_features=experts),
        num_experts=experts,
        top_k=min(layer.top_k, experts),
    )


def _recognised(found: Comparison) -> Finding | None:
    """Layers with fewer experts, out of the experts of all layers that are left."""
    pairs = expert_pairs(found)
    before = sum(dense.num_experts for dense, _ in pairs)
    after = sum(pruned.num_experts for _, pruned in pairs)
    return Finding(realised=1 - after / before, parts=FFN_SUBLAYER) if after < before else None


STATIC_E = Family(
    name="static-e",
    summary="whole routed experts removed",
    function=static_e,
    recognised=_recognised,
    colour="vermilion",
    marker="hourglass",
    not_measured="models that are measured are dense: there is no executor of experts",
    of_experts=True,
    engines=(
        runs(
            "vllm",
            "huggingface.co/cerebras/Qwen3-Coder-REAP-246B-A35B-FP8: vLLM as it is (num_experts)",
            per_layer_needs="a patch of the model's code, as huggingface.co/ISTA-DASLab/Qwen3-Coder-Next-RCO-"
            "pruned ships one (vllm_pruned_patch): one count of experts is read for all layers",
        ),
        runs(
            "sglang",
            "sglang/srt/models/qwen3_moe.py: num_experts of the config",
            per_layer_needs="a patch of the model's code: one count of experts is read for all layers",
        ),
        runs(
            "tensorrt-llm",
            "tensorrt_llm/_torch/models/modeling_qwen3_moe.py: num_experts of the config",
            per_layer_needs="a model of your own: one count of experts is read for all layers",
        ),
        runs(
            "transformers",
            "transformers/models/qwen3_moe/configuration_qwen3_moe.py: num_experts",
            per_layer_needs="a modeling file beside the weights: one count of experts is read for all layers",
        ),
    ),
)
