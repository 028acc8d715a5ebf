"""Kinds of small kernels, the ones between GEMMs, and what of their operands lies where.

What a norm reads was written by the kernel before, but the residual that it adds is older than a layer's
weights; rotary turns queries and keys in place. Samples name the op, which says the same of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class SmallKernel(IntEnum):
    """How a small kernel works: its speed, and what a row of it costs, differ from kind to kind.

    COPY is what is none of the others: copies, fills, sums. ADD, too, is spread flat over the chip; the
    others give each row (a token, or a head of one) to a block of threads.
    """

    COPY = 0
    ADD = 1
    NORM = 2
    ROTARY = 3
    ACTIVATION = 4
    GATHER = 5
    QUANTISE = 6
    QUANTISE_DYNAMIC = 7

    @property
    def word(self) -> str:
        """The name in fits: `norm_us`, `quantise_dynamic_speed`."""
        return self.name.lower()


FLAT = (SmallKernel.COPY, SmallKernel.ADD)
"""Kinds that are spread flat over the chip, whatever the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallOp:
    """What the name of an op in samples says: its kind, and the shares of its bytes that lie elsewhere.

    `cold_reads` of what it reads was written long before and comes from memory; `rewrites` of what it writes
    takes the place of what it has read. `narrowing` is the size of a written value over that of a read one.
    """

    kernel: SmallKernel
    cold_reads: float = 0.0
    rewrites: float = 0.0
    narrowing: float = 1.0


_FUSED_NORM = SmallOp(kernel=SmallKernel.NORM, cold_reads=1 / 2, rewrites=1.0)
"""x and the residual read, their sum and its norm written over both."""

_NORM = SmallOp(kernel=SmallKernel.NORM)

SMALL_OPS: Mapping[str, SmallOp] = {
    "norm": _NORM,
    "final_norm": _NORM,
    "qk_norm": _NORM,
    "add_norm": _FUSED_NORM,
    "attn_norm": _FUSED_NORM,
    "ffn_norm": _FUSED_NORM,
    # A layer's two as one sample, the mean of the first layer's: one plain, one with the residual.
    "layer_norms": SmallOp(kernel=SmallKernel.NORM, cold_reads=1 / 3, rewrites=2 / 3),
    "rotary": SmallOp(kernel=SmallKernel.ROTARY, rewrites=1.0),
    "activation": SmallOp(kernel=SmallKernel.ACTIVATION),
    "silu": SmallOp(kernel=SmallKernel.ACTIVATION),
    "gelu": SmallOp(kernel=SmallKernel.ACTIVATION),
    "relu": SmallOp(kernel=SmallKernel.ACTIVATION),
    "add": SmallOp(kernel=SmallKernel.ADD),
    "product": SmallOp(kernel=SmallKernel.ADD),
    "attn_residual": SmallOp(kernel=SmallKernel.ADD),
    "ffn_residual": SmallOp(kernel=SmallKernel.ADD),
    "embedding": SmallOp(kernel=SmallKernel.GATHER),
    "quantise": SmallOp(kernel=SmallKernel.QUANTISE, narrowing=1 / 2),
    "quantise_dynamic": SmallOp(kernel=SmallKernel.QUANTISE_DYNAMIC, narrowing=1 / 2),
}
"""Ops by the names that samples and plans give them; any other is a COPY."""


def small_op(name: str) -> SmallOp:
    """What is known of the op `name`; a plain copy where nothing is."""
    return SMALL_OPS.get(name, SmallOp(kernel=SmallKernel.COPY))
