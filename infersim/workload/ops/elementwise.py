"""Ops that move activations: embedding, norms, rotary, cache writes, activation, residual adds.

What a serving engine fuses is one kernel; what it does not (`Fusion`) is eager PyTorch, each line of which is
a kernel. Bytes are those that the kernels read and write; only embedding rows and new K and V are compulsory,
the rest are intermediates that could stay on chip.
"""

from __future__ import annotations

from dataclasses import replace

from infersim.domain.arrays import Numeric, as_array
from infersim.domain.ops import Op, Part
from infersim.domain.shapes import MemoryBound
from infersim.domain.small_kernels import FLAT, SmallKernel
from infersim.workload.ops.flow import Flow
from infersim.workload.scenario import Execution
from infersim.workload.transformer import Attention, FeedForward


def embedding(tokens: Numeric, hidden: int, execution: Execution) -> Op:
    """Copy one row of the table for each token; the rows come from memory, each from one of the GPUs."""
    row_bytes = tokens * hidden * execution.activation_bytes
    read_bytes = row_bytes if execution.gpus == 1 else row_bytes / execution.gpus
    shape = MemoryBound(
        read_bytes=read_bytes,
        write_bytes=row_bytes,
        compulsory_bytes=read_bytes,
        cold_bytes=read_bytes,
        rows=tokens,
        kernel=SmallKernel.GATHER,
    )
    return Op(name="embedding", part=Part.ELEMENTWISE, shape=shape)


def learned_positions(tokens: Numeric, hidden: int, execution: Execution) -> Op:
    """Add one row of a learned table of positions to each token's embedding; each GPU has the whole table."""
    embedded = embedding(tokens, hidden, replace(execution, gpus=1)).shape
    assert isinstance(embedded, MemoryBound)
    return Op(
        name="positions",
        part=Part.ELEMENTWISE,
        shape=replace(embedded, read_bytes=2 * as_array(embedded.read_bytes)),
    )


def scaled(name: str, tokens: Numeric, width: int, execution: Execution, *, kernels: int = 1) -> Op:
    """Kernels one after the other on values of `width` a token, such as a scale or a soft cap."""
    moved = kernels * width
    return _op(name, Flow(tokens=tokens), execution, reads=moved, writes=moved, kernels=kernels)


def norm(name: str, flow: Flow, hidden: int, execution: Execution, *, adds: int = 0) -> Op:
    """A norm of any kind: read x, write y. `adds`: results that it reads and adds to a residual it writes.

    With a residual it writes over what it reads, and the residual is older than the weights in between.
    """
    return _op(
        name,
        flow,
        execution,
        reads=(1 + adds) * hidden,
        writes=(2 if adds else 1) * hidden,
        cold=hidden if adds else 0,
        rewritten=2 * hidden if adds else 0,
        kernel=SmallKernel.NORM,
    )


def residual_add(name: str, flow: Flow, hidden: int, execution: Execution, *, scaled: bool = False) -> Op:
    """A residual add on its own: two reads, one write; a scale of the result before is one kernel more."""
    scale, kernels = (hidden, 2) if scaled else (0, 1)
    return _op(
        name,
        flow,
        execution,
        reads=2 * hidden + scale,
        writes=hidden + scale,
        cold=hidden,
        kernel=SmallKernel.ADD,
        kernels=kernels,
    )


def qk_norm(attention: Attention, queries: Numeric, keys: Flow, execution: Execution) -> Op:
    """A norm of q and one of k, one kernel on q (of `queries` tokens a run) and one on k; a row is a head."""
    values = queries * attention.q.out_features + keys.tokens * attention.k.out_features
    return _moved(
        "qk_norm",
        keys,
        execution,
        reads=values,
        writes=values,
        rows=values / attention.head_dim,
        kernel=SmallKernel.NORM,
        kernels=2,
    )


def rotary(attention: Attention, queries: Numeric, keys: Flow, execution: Execution) -> Op:
    """Rotary position embedding of q (of `queries` tokens a run) and k.

    Fused: one kernel turns q and k in place, reading head_dim values of cos and sin a token. Else, for
    each of q and k: `x * cos`, negate half of x, concatenate with the other half, `* sin`, add. In units of
    x these five read 1 + 1/2 + 1 + 1 + 2 and write 1 + 1/2 + 1 + 1 + 1; cos and sin have head_dim values a
    token each. Where only a share of each head is turned, they also put both shares together again.
    """
    whole = queries * attention.q.out_features + keys.tokens * attention.k.out_features
    values, table = attention.rotary * whole, attention.rotary * attention.head_dim * keys.tokens
    if execution.fusion.rotary:
        return _moved(
            "rotary",
            keys,
            execution,
            reads=values + table,
            writes=values,
            rewritten=values,
            rows=keys.tokens,
            kernel=SmallKernel.ROTARY,
        )
    tables = 2 * table + 2 * attention.rotary * attention.head_dim * queries
    joined, kernels = (whole, 12) if attention.rotary < 1 else (0.0, 10)
    reads, writes = 5.5 * values + tables + joined, 4.5 * values + joined
    return _moved("rotary", keys, execution, reads=reads, writes=writes, kernels=kernels)


def kv_write(attention: Attention, keys: Flow, execution: Execution) -> Op:
    """Copy new K and V into the cache, in the cache's own type: one kernel, or one for each."""
    values = keys.tokens * (attention.k.out_features + attention.v.out_features)
    cached_bytes = values * execution.cache_dtype.bytes
    kernels = 1 if execution.fusion.kv_write else 2
    shape = MemoryBound(
        read_bytes=values * execution.activation_bytes,
        write_bytes=cached_bytes,
        compulsory_bytes=cached_bytes,
        rows=keys.tokens * kernels,
        kernels=kernels,
    )
    return Op(name="kv_write", part=Part.ELEMENTWISE, shape=shape, count=keys.runs)


def gated_result(width: int, flow: Flow, execution: Execution) -> Op:
    """Attention's result times its gate's sigmoid: one kernel, or the function (1, 1) and the product."""
    fused = execution.fusion.activation
    kernel = SmallKernel.ACTIVATION if fused else SmallKernel.ADD
    reads, writes, kernels = (2, 1, 1) if fused else (3, 2, 2)
    return _op(
        "attn_gated", flow, execution, reads=reads * width, writes=writes * width, kernels=kernels,
        kernel=kernel,
    )  # fmt: skip


def activation(ffn: FeedForward, flow: Flow, execution: Execution) -> Op:
    """Gated: one fused kernel (2 reads, 1 write), or the function (1, 1) and the product (2, 1).

    Without a gate the function alone, which an unfused layout may run as several kernels.
    """
    width, fused = ffn.width, execution.fusion.activation
    function = 1 if fused else ffn.activation.eager_kernels
    kernel = SmallKernel.ACTIVATION
    if ffn.gate is None:
        moved = function * width
        return _op("activation", flow, execution, reads=moved, writes=moved, kernels=function, kernel=kernel)
    if fused:
        return _op("activation", flow, execution, reads=2 * width, writes=width, kernel=kernel)
    reads, writes = (2 + function) * width, (1 + function) * width
    return _op(
        "activation",
        flow,
        execution,
        reads=reads,
        writes=writes,
        kernels=1 + function,
        kernel=SmallKernel.ADD,
    )


def _op(
    name: str,
    flow: Flow,
    execution: Execution,
    *,
    reads: int,
    writes: int,
    cold: int = 0,
    rewritten: int = 0,
    kernel: SmallKernel = SmallKernel.COPY,
    kernels: int = 1,
) -> Op:
    """`reads`, `writes`, `cold` and `rewritten` are values a token; each token is a row of each kernel."""
    return _moved(
        name,
        flow,
        execution,
        reads=reads * flow.tokens,
        writes=writes * flow.tokens,
        cold=cold * flow.tokens,
        rewritten=rewritten * flow.tokens,
        rows=0.0 if kernel in FLAT else kernels * flow.tokens,
        kernel=kernel,
        kernels=kernels,
    )


def _moved(
    name: str,
    flow: Flow,
    execution: Execution,
    *,
    reads: Numeric,
    writes: Numeric,
    cold: Numeric = 0.0,
    rewritten: Numeric = 0.0,
    rows: Numeric = 0.0,
    kernel: SmallKernel = SmallKernel.COPY,
    kernels: int = 1,
) -> Op:
    """`reads`, `writes`, `cold` and `rewritten` are values a run."""
    shape = MemoryBound(
        read_bytes=reads * execution.activation_bytes,
        write_bytes=writes * execution.activation_bytes,
        cold_bytes=cold * execution.activation_bytes,
        rewritten_bytes=rewritten * execution.activation_bytes,
        rows=rows,
        kernel=kernel,
        kernels=kernels,
    )
    return Op(name=name, part=Part.ELEMENTWISE, shape=shape, count=flow.runs)
