"""kv-pruning: decode attends to some of the cached tokens only.

- Loses: the context length of decode attention: N of the scores and K of their product with V, and the
  bytes of the KV cache that are read. Prefill and all weight matrices stay as they are.
- Sparsity: the fraction of the context that is not attended to.
- Adds: by default nothing; a score costs what it takes to compute and keep.
- Options:
  - `score`: what decides who stays: `position` (default: the first and the latest tokens, StreamingLLM),
    `window` (votes of the prompt's last queries, once: SnapKV) or `accumulated` (sums of attention weights:
    H2O).
  - `schedule`: `uniform` (default: each layer keeps the same share) or `pyramid` (shares fall linearly from
    the first layer to the last, down to a twentieth of the mean: PyramidKV, arXiv 2406.02069).
"""

from __future__ import annotations

from dataclasses import replace

from infersim.domain.errors import UnsupportedError
from infersim.domain.ops import Part
from infersim.pruning.families.engine_support import custom_code, needs, runs
from infersim.pruning.families.family import SPARSE_ATTENTION, Family, Pruned, check_choice, with_attention
from infersim.pruning.sublayer_pairs import Comparison, Finding, inside_attention
from infersim.workload.transformer import Attention, KvScore, Transformer

SCHEDULES = ("uniform", "pyramid")
LEAST_OVER_MEAN = 1 / 20
"""What the last layer of a pyramid keeps, over the mean (PyramidKV's beta is 20)."""


def kv_pruning(
    model: Transformer,
    sparsity: float,
    *,
    score: str = KvScore.POSITION.value,
    schedule: str = "uniform",
) -> Pruned:
    """Keep (1 - s) of the cached tokens, on average over the layers that have attention."""
    check_choice("score", score, tuple(KvScore))
    check_choice("schedule", schedule, SCHEDULES)
    layers = sum(isinstance(block.attention, Attention) for block in model.blocks)
    shares = iter(_shares(1 - sparsity, layers, schedule))

    def shortened(attention: Attention) -> Attention:
        if attention.kv_kept < 1:
            raise UnsupportedError("kv-pruning is there already: name the final sparsity once")
        return replace(attention, kv_kept=next(shares), kv_score=KvScore(score))

    return Pruned(
        transformer=with_attention(model, shortened),
        sparsity_realised=sparsity,
        targets=frozenset({Part.ATTENTION}),
    )


def _shares(mean: float, layers: int, schedule: str) -> list[float]:
    """Shares that the layers keep, first to last; none above 1, and their mean is `mean`."""
    if schedule == "uniform" or layers < 2:
        return [mean] * layers
    slope = min(1 - LEAST_OVER_MEAN, 1 / mean - 1)
    return [mean * (1 + slope * (1 - 2 * layer / (layers - 1))) for layer in range(layers)]


def _recognised(found: Comparison) -> Finding | None:
    return inside_attention(found, _tokens_left_out)


def _tokens_left_out(attention: Attention) -> float:
    return 1 - attention.kv_kept


KV_PRUNING = Family(
    name="kv-pruning",
    summary="decode attends to some of the cached tokens only",
    function=kv_pruning,
    recognised=_recognised,
    colour="grey",
    marker="hexagon",
    quality_axis=SPARSE_ATTENTION,
    engines=(
        runs(
            "tensorrt-llm",
            "nvidia.github.io/TensorRT-LLM/1.2.0/features/sparse-attention.html (RocketKV)",
            since="1.2",
        ),
        *custom_code(
            "a cache manager of your own that drops tokens",
            "docs.vllm.ai, KV cache manager; docs.sglang.io, radix cache",
            "vllm",
            "sglang",
        ),
        needs("transformers", "NVIDIA's kvpress", "github.com/NVIDIA/kvpress"),
    ),
)
