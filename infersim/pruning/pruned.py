"""What a family's function returns: the pruned transformer, how much was really removed, and where."""

from __future__ import annotations

from dataclasses import dataclass

from infersim.domain.ops import Part
from infersim.workload.transformer import Transformer

BLOCK_LINEARS = frozenset({Part.QKVO, Part.FFN})
"""Parts of the weight matrices inside blocks."""

ATTENTION_SUBLAYER = frozenset({Part.QKVO, Part.ATTENTION})
"""Parts of a whole attention sublayer: its weight matrices and the attention kernel between them."""

SUBLAYER_LINEARS = {
    "both": BLOCK_LINEARS,
    "attention": frozenset({Part.QKVO}),
    "ffn": frozenset({Part.FFN}),
}
"""Parts by the option `target` of families that change weight matrices only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """The result of one family.

    `sparsity_realised` is the fraction really removed of what the family's sparsity is a fraction of, after
    rounding to layers, heads and alignment. `targets` are the parts that the family means to cut.
    """

    transformer: Transformer
    sparsity_realised: float
    targets: frozenset[Part]
