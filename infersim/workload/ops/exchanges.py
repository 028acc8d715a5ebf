"""Ops of several GPUs that share a model: what they exchange, and where in a pass.

Each GPU holds the residual stream whole. A sublayer's last matrix leaves every GPU with a part of each sum,
which an all-reduce adds up; what is computed in slices (logits, ranks of factors) is gathered. On one GPU
there is nothing to exchange, and no op.
"""

from __future__ import annotations

from collections.abc import Iterator

from infersim.domain.arrays import Numeric
from infersim.domain.ops import Op, Part
from infersim.domain.shapes import Collective, Exchange
from infersim.workload.ops.flow import Flow
from infersim.workload.scenario import Execution


def added_up(name: str, flow: Flow, width: int, execution: Execution) -> Iterator[Op]:
    """The all-reduce `<name>_all_reduce` of `width` values a token, in the type of the stream."""
    if execution.gpus > 1:
        yield exchange_op(
            f"{name}_all_reduce",
            Exchange.ALL_REDUCE,
            flow.tokens * width * execution.activation_bytes,
            execution.gpus,
            runs=flow.runs,
        )


def gathered(name: str, tokens: Numeric, width: int, execution: Execution) -> Iterator[Op]:
    """The all-gather `<name>_all_gather` of `width` values a token, of which each GPU has its share."""
    if execution.gpus > 1:
        yield exchange_op(
            f"{name}_all_gather",
            Exchange.ALL_GATHER,
            tokens * width * execution.activation_bytes,
            execution.gpus,
        )


def exchange_op(
    name: str, exchange: Exchange, message_bytes: Numeric, gpus: int, *, runs: Numeric = 1.0
) -> Op:
    """One exchange; `message_bytes` is the whole buffer, the gathered one or the one that is scattered."""
    shape = Collective(message_bytes=message_bytes, gpus=gpus, exchange=exchange)
    return Op(name=name, part=Part.COMMUNICATION, shape=shape, count=runs)
