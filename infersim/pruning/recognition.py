"""Which families turned a dense model into a pruned one: each family is asked what it finds of itself.

For pruned checkpoints and plan files with per-layer detail, where nobody asked for a sparsity. Realised
sparsities follow each family's own definition; those of weight matrices are counted one after the other
(sublayers, then widths, then ranks, then 2:4), each a fraction of what the one before left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from infersim.domain.ops import Part
from infersim.pruning.plan import PlanStep
from infersim.pruning.registry import families
from infersim.pruning.sublayer_pairs import Comparison
from infersim.workload.transformer import Block, Transformer


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """The families found, in the order of the taxonomy, and the parts that they cut together."""

    steps: tuple[PlanStep, ...]
    targets: frozenset[Part]


def recognise(dense: Transformer, pruned: Transformer, blocks: Sequence[tuple[Block, Block]]) -> Recognised:
    """Compare two models by their (dense, pruned) blocks, a removed layer being a block without sublayers."""
    compared = Comparison.of(dense, pruned, blocks)
    found = [(family.name, finding) for family in families() if (finding := family.recognised(compared))]
    return Recognised(
        steps=tuple(
            PlanStep(family=name, sparsity=None, sparsity_realised=finding.realised)
            for name, finding in found
        ),
        targets=frozenset().union(*(finding.parts for _, finding in found)),
    )
