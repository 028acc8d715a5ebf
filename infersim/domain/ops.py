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
    COMMUNICATION = "communication"


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """`count` executions of a kernel shape in one forward pass.

    `count` may be fractional and an array: the expected number over random token masks. `captured` is how
    often a CUDA graph launches the op, as it replays what it captured, tokens or not (None: `count`). Ops of
    part EXTRA are those that a pruning family adds (router, gather, scatter, mask estimation, residual maps),
    ops of part COMMUNICATION what the GPUs of a node exchange.
    `launched` False: the kernel is part of the launch of the op before it.
    `group` is the place of the op's block among the transformer's distinct blocks, in the order of
    `Transformer.grouped_blocks`; None for what is outside the blocks (embedding, final norm, LM head).
    """

    name: str
    part: Part
    shape: Shape
    count: Numeric = 1.0
    captured: Numeric | None = None
    launched: bool = True
    group: int | None = None
