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
        shape = Collective(
            message_bytes=flow.tokens * width * execution.activation_bytes,
            gpus=execution.gpus,
            library=execution.exchanges,
        )
        yield Op(name=f"{name}_all_reduce", part=Part.COMMUNICATION, shape=shape, count=flow.runs)


def squares_added_up(flow: Flow, execution: Execution) -> Iterator[Op]:
    """The all-reduce `qk_norm_all_reduce`, of norms over all of q and of k, of which each GPU has some heads.

    Two sums of squares a token are added up, in 32 bit.
    """
    if execution.gpus > 1:
        shape = Collective(
            message_bytes=flow.tokens * 2 * SUM_BYTES, gpus=execution.gpus, library=execution.exchanges
        )
        yield Op(name="qk_norm_all_reduce", part=Part.COMMUNICATION, shape=shape, count=flow.runs)


SUM_BYTES = 4


def gathered(name: str, flow: Flow, width: int, execution: Execution) -> Iterator[Op]:
    """The all-gather `<name>_all_gather` of `width` values a token, of which each GPU has its share."""
    if execution.gpus > 1:
        yield exchange_op(
            f"{name}_all_gather",
            Exchange.ALL_GATHER,
            flow.tokens * width * execution.activation_bytes,
            execution.gpus,
            runs=flow.runs,
        )


def sent_to_experts(name: str, flow: Flow, top_k: int, width: int, execution: Execution) -> Op:
    """The all-to-all `name` between tokens, of which each GPU has its part, and whole experts on all of them.

    A token goes once to each GPU that has an expert of it: of n GPUs, with `top_k` experts anywhere, to
    n (1 - (1 - 1/n)^top_k).
    """
    gpus = execution.gpus
    copies = gpus * (1 - (1 - 1 / gpus) ** top_k)
    message_bytes = flow.tokens / gpus * copies * width * execution.activation_bytes
    return exchange_op(name, Exchange.ALL_TO_ALL, message_bytes, gpus, runs=flow.runs)


def exchange_op(
    name: str, exchange: Exchange, message_bytes: Numeric, gpus: int, *, runs: Numeric = 1.0
) -> Op:
    """One exchange; `message_bytes` is the whole buffer, the gathered one or the one that is scattered."""
    shape = Collective(message_bytes=message_bytes, gpus=gpus, exchange=exchange)
    return Op(name=name, part=Part.COMMUNICATION, shape=shape, count=runs)
