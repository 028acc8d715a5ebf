"""What takes a plan's speedup: the factors of the chain below 1, named and weighed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infersim.domain.ops import Part
from infersim.simulation.speedups.chain import FACTORS

if TYPE_CHECKING:
    import pandas as pd

FACTOR_TITLES = {name: name.replace("_", " ") for name in FACTORS}
"""The factors in the words of the design."""

_IN_SENTENCES = FACTOR_TITLES | {
    "memory_floor": "the memory floor",
    "unexplained": "what the prediction leaves unexplained",
}

PART_TITLES = {
    "qkvo": "QKVO",
    "ffn": "FFN",
    "attention": "attention",
    "lm_head": "LM head",
    "elementwise": "elementwise",
    "extra": "extra",
    "communication": "communication",
    "launch": "launch",
}
"""Parts of a model's time as people write them."""

NEGLIGIBLE = 0.02
"""A loss of less than 2 % of the promised speedup is not worth a name."""

_WITH_FLOPS = (Part.QKVO, Part.FFN, Part.ATTENTION, Part.LM_HEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """The largest loss of a row, with its part of all losses (0 to 1, in logarithms: factors multiply)."""

    title: str
    part: float

    @property
    def phrase(self) -> str:
        """`most of the loss is launch`, or the largest of several."""
        return f"{'most of the loss' if self.part > 0.5 else 'the largest loss'} is {self.title}"


def largest_loss(row: pd.Series) -> Loss | None:
    """What takes most of a comparison row's speedup; None where all losses together are negligible.

    Factors that are not known (no measurement; FLOPs undefined) are left out.
    """
    factors = {name: float(row[f"loss_{name}"]) for name in FACTORS}
    sizes = {name: -math.log(value) for name, value in factors.items() if value < 1}
    total = sum(sizes.values())
    if total < NEGLIGIBLE:
        return None
    largest = max(sizes, key=lambda name: sizes[name])
    return Loss(title=_title(largest, row), part=sizes[largest] / total)


def _title(name: str, row: pd.Series) -> str:
    """The factor as it stands in a sentence; unpruned work is called by its most expensive part."""
    if name != "unpruned_work":
        return _IN_SENTENCES[name]
    targets = str(row["targets"]).split()
    untouched = [part.value for part in _WITH_FLOPS if part.value not in targets]
    if not untouched:
        return _IN_SENTENCES[name]
    largest = max(untouched, key=lambda part: float(row[f"ms_{part}"]))
    return f"unpruned {PART_TITLES[largest]}"
