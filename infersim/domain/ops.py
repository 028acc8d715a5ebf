"""An op: one kernel shape at its place in a model, and how often it runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from infersim.domain.arrays import Numeric
from infersim.domain.shapes import Shape


class Part(StrEnum):
    """The parts of a model that times are summed over."""

    QKVO = "qkvo"
    FFN = "ffn"
    ATTENTION = "attention"
    LM_HEAD = "lm_head"
    ELEMENTWISE = "elementwise"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """`count` executions of a kernel shape in one forward pass.

    `count` may be fractional and an array: the expected number over random token masks. Ops of part
    EXTRA are those that a pruning family adds (router, gather, scatter, mask estimation, residual maps).
    """

    name: str
    part: Part
    shape: Shape
    count: Numeric = 1.0
