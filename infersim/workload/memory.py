"""Device memory that a scenario needs: weights, KV cache and the activations alive at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infersim.cost.attention.chosen import SCORE_BYTES
from infersim.domain.arrays import Array, Numeric, as_array
from infersim.workload.counts import weight_bytes
from infersim.workload.formats import scenario_as_stored
from infersim.workload.scenario import Layout, Scenario
from infersim.workload.transformer import (
    Attention,
    AttentionSublayer,
    Block,
    ExpertLayer,
    FeedForward,
    FfnSublayer,
    LatentAttention,
    MaskEstimate,
    Transformer,
)

USABLE_SHARE = 0.9
"""Share of the device's memory for weights, cache and activations: vLLM's `gpu_memory_utilization`."""

LOGIT_BYTES = 4
"""Logits are widened to 32 bit before sampling."""


MOST_SCORE_BYTES = 512 * 2**20
"""More scores at once are cut into parts (vLLM, `VLLM_SPARSE_INDEXER_MAX_LOGITS_MB`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """Bytes alive at once; arrays over the scenario axis. `activations_bytes` is the peak over a pass."""

    weights_bytes: float
    kv_cache_bytes: Array
    activations_bytes: Array

    @property
    def total_bytes(self) -> Array:
        """All three together: they are alive at the same time."""
        return self.weights_bytes + self.kv_cache_bytes + self.activations_bytes


def memory_use(transformer: Transformer, scenario: Scenario) -> MemoryUse:
    """What `scenario` needs when the whole batch is run in one pass (prefill is not chunked).

    Where GPUs share the model, the transformer is the share of one of them, and so is what is needed.
    """
    scenario = scenario_as_stored(scenario, transformer)
    return MemoryUse(
        weights_bytes=weight_bytes(transformer, scenario.execution),
        kv_cache_bytes=kv_cache_bytes(transformer, scenario),
        activations_bytes=peak_activation_bytes(transformer, scenario),
    )


def fits(memory_bytes: Numeric, total_bytes: float) -> npt.NDArray[np.bool_]:
    """True where `memory_bytes` is at most 90 % of what the device has.

    The rest is for what no model of shapes knows: the CUDA context, library workspaces, graph buffers and
    the allocator's fragments. Serving engines keep back the same tenth by default.
    """
    return as_array(memory_bytes) <= USABLE_SHARE * total_bytes


def kv_cache_bytes(transformer: Transformer, scenario: Scenario) -> Array:
    """Bytes of K and V of all blocks that have attention, at the end of the pass.

    Grouped heads are stored once, a sliding window or a chunk keeps no more than its own tokens, and tokens
    that were evicted or left none (`Attention.cached_share`) are not counted. Block sparsity adds its pooled
    keys. Latent attention keeps its latent vector and rotary key, once for all heads, and the key of its
    indexer in 8 bit.
    """
    scenario = scenario_as_stored(scenario, transformer)
    batch, context = as_array(scenario.batch), as_array(scenario.context)
    total = np.zeros(np.broadcast_shapes(batch.shape, context.shape))
    for block, times in transformer.grouped_blocks():
        if isinstance(block.attention, Attention):
            total = total + times * batch * _cache_of_sequence(block.attention, context, scenario)
        elif isinstance(block.attention, LatentAttention):
            width = block.attention.latent_bytes(scenario.execution.cache_dtype)
            if block.attention.indexer is not None:
                width += block.attention.indexer.cache_bytes
            total = total + times * batch * context * width
    return total


def peak_activation_bytes(transformer: Transformer, scenario: Scenario) -> Array:
    """Bytes of intermediates at the widest point: the hungriest sublayer, or the logits.

    Beside the sublayer's own values there are always the residual stream and the normed input; in a parallel
    block attention's result waits until the FFN has read that input.
    """
    hidden = transformer.hidden
    layout = scenario.execution.layout
    widest = max((_widest_values(block, layout) for block, _ in transformer.grouped_blocks()), default=0)
    value_bytes = scenario.execution.activation_bytes
    kept = 3 if any(block.parallel for block, _ in transformer.grouped_blocks()) else 2
    stream = as_array(scenario.tokens) * kept * hidden * value_bytes
    scored = (
        scenario.tokens if transformer.head is not None and transformer.head.every_token else scenario.batch
    )
    head = transformer.head
    gathered = scenario.gpus if head is not None and head.labels is None else 1
    logits = as_array(scored) * transformer.head_outputs * gathered * (value_bytes + LOGIT_BYTES)
    inside = as_array(scenario.tokens) * widest * value_bytes
    if any(_chooses(block) for block, _ in transformer.grouped_blocks()):
        scores = as_array(scenario.tokens) * as_array(scenario.context) * SCORE_BYTES
        inside = inside + np.minimum(scores, MOST_SCORE_BYTES)
    return stream + np.maximum(inside, logits)


def _chooses(block: Block) -> bool:
    return isinstance(block.attention, LatentAttention) and block.attention.indexer is not None


def _cache_of_sequence(attention: Attention, context: Array, scenario: Scenario) -> Array:
    seen = min((each for each in (attention.window, attention.chunk) if each is not None), default=None)
    tokens = context if seen is None else np.minimum(context, seen)
    tokens = tokens * attention.cached_share(scenario.phase)
    width = attention.k.out_features + attention.v.out_features
    cache = tokens * width * scenario.execution.cache_dtype.bytes
    sparsity = attention.block_sparsity
    if sparsity is None or sparsity.estimate is not MaskEstimate.POOLED:
        return cache
    pooled = np.ceil(tokens / sparsity.block) * attention.num_kv_heads * sparsity.gate_dim
    return cache + pooled * scenario.execution.activation_bytes


def _widest_values(block: Block, layout: Layout) -> int:
    """Values a token of the block's hungriest sublayer, without stream and normed input."""
    return max(_attention_values(block.attention, layout), _ffn_values(block.ffn))


def _attention_values(attention: AttentionSublayer | None, layout: Layout) -> int:
    """q, k, v and the attention's result; in eager rotary q, q cos, the rotated q and that times sin.

    Without rotary there is no such moment.
    """
    if isinstance(attention, LatentAttention):
        return _latent_values(attention)
    if not isinstance(attention, Attention):
        return 0 if attention is None else attention.linear.out_features
    q, k, v = (linear.out_features for linear in (attention.q, attention.k, attention.v))
    gate = 0 if attention.gate is None else attention.gate.out_features
    fused = q + k + v + attention.o.in_features + gate
    eager = layout is Layout.SEPARATE and attention.rotary > 0
    return max(fused, 4 * q + k + v) if eager else fused


def _latent_values(attention: LatentAttention) -> int:
    """Queries, the expanded K and V of all heads with the rotary key in each, and the attention's result."""
    expanded = attention.num_heads * (2 * attention.head_dim + attention.v_head_dim)
    index = {} if attention.indexer is None else attention.indexer.matrices
    scored = sum(linear.out_features for linear in index.values())
    return expanded + attention.cache_width + attention.o.in_features + scored


def _ffn_values(ffn: FfnSublayer | None) -> int:
    """Gate, up and their product (eager code frees the gate once silu has read it: three as well)."""
    if isinstance(ffn, ExpertLayer):
        return _expert_values(ffn)
    if not isinstance(ffn, FeedForward):
        return 0 if ffn is None else ffn.linear.out_features
    return (2 if ffn.gate is None else 3) * ffn.width


def _expert_values(layer: ExpertLayer) -> int:
    """For each expert of a token its widths, or its product and result; then the shared one beside them."""
    expert = layer.expert
    routed = layer.top_k * max(_ffn_values(expert), expert.width + expert.down.out_features)
    if layer.shared is None:
        return routed
    return max(routed, _ffn_values(layer.shared)) + expert.down.out_features
