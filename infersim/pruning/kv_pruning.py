"""kv-pruning: decode attends to some of the cached tokens only.

- Loses: the context length of decode attention: N of the scores and K of their product with V, and the
  bytes of the KV cache that are read. Prefill and all weight matrices stay as they are.
- Sparsity: the fraction of the context that is not attended to.
- Adds: nothing: which tokens stay is decided when they are cached, not in each step.
- Options: none.
"""

from __future__ import annotations

from dataclasses import replace

from infersim.domain.errors import UnsupportedError
from infersim.domain.ops import Part
from infersim.pruning.attention_layers import with_attention
from infersim.pruning.pruned import Pruned
from infersim.workload.transformer import Attention, Transformer


def kv_pruning(model: Transformer, sparsity: float) -> Pruned:
    """Keep (1 - s) of the cached tokens in every attention."""

    def shortened(attention: Attention) -> Attention:
        if attention.kv_kept < 1:
            raise UnsupportedError("kv-pruning is there already: name the final sparsity once")
        return replace(attention, kv_kept=1 - sparsity)

    return Pruned(
        transformer=with_attention(model, shortened),
        sparsity_realised=sparsity,
        targets=frozenset({Part.ATTENTION}),
    )
