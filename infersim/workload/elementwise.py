"""Ops that move activations: embedding, norms, rotary, cache writes, activation, residual adds.

FUSED is a serving engine's kernels; SEPARATE is eager PyTorch, each line of which is a kernel. Bytes are
those that the kernels read and write; only embedding rows and new K and V are compulsory, the rest are
intermediates that could stay on chip.
"""

from __future__ import annotations

from infersim.domain.arrays import Numeric
from infersim.domain.ops import Op, Part
from infersim.domain.shapes import MemoryBound
from infersim.workload.flow import Flow
from infersim.workload.scenario import Execution, Layout
from infersim.workload.transformer import Attention, FeedForward


def embedding(tokens: Numeric, hidden: int, execution: Execution) -> Op:
    """Copy one row of the table for each token."""
    row_bytes = tokens * hidden * execution.activation_bytes
    shape = MemoryBound(
        read_bytes=row_bytes, write_bytes=row_bytes, compulsory_bytes=row_bytes, gathered=True
    )
    return Op(name="embedding", part=Part.ELEMENTWISE, shape=shape)


def learned_positions(tokens: Numeric, hidden: int, execution: Execution) -> Op:
    """Add one row of a learned table of positions to each token's embedding."""
    row_bytes = tokens * hidden * execution.activation_bytes
    shape = MemoryBound(
        read_bytes=2 * row_bytes, write_bytes=row_bytes, compulsory_bytes=row_bytes, gathered=True
    )
    return Op(name="positions", part=Part.ELEMENTWISE, shape=shape)


def scaled(name: str, tokens: Numeric, width: int, execution: Execution, *, kernels: int = 1) -> Op:
    """Kernels one after the other on values of `width` a token, such as a scale or a soft cap."""
    moved = kernels * width
    return _op(name, Flow(tokens=tokens), execution, reads=moved, writes=moved, kernels=kernels)


def norm(name: str, flow: Flow, hidden: int, execution: Execution, *, adds: int = 0) -> Op:
    """A norm of any kind: read x, write y. `adds`: results that it reads and adds to a residual it writes."""
    return _op(name, flow, execution, reads=(1 + adds) * hidden, writes=(2 if adds else 1) * hidden)


def residual_add(name: str, flow: Flow, hidden: int, execution: Execution, *, scaled: bool = False) -> Op:
    """A residual add on its own: two reads, one write; a scale of the result before is one kernel more."""
    scale, kernels = (hidden, 2) if scaled else (0, 1)
    return _op(name, flow, execution, reads=2 * hidden + scale, writes=hidden + scale, kernels=kernels)


def qk_norm(attention: Attention, queries: Numeric, keys: Flow, execution: Execution) -> Op:
    """A norm of q and one of k, one kernel on q (of `queries` tokens a run) and one on k."""
    values = queries * attention.q.out_features + keys.tokens * attention.k.out_features
    return _moved("qk_norm", keys, execution, reads=values, writes=values, kernels=2)


def rotary(attention: Attention, queries: Numeric, keys: Flow, execution: Execution) -> Op:
    """Rotary position embedding of q (of `queries` tokens a run) and k.

    FUSED: one kernel turns q and k in place, reading head_dim values of cos and sin a token. SEPARATE, for
    each of q and k: `x * cos`, negate half of x, concatenate with the other half, `* sin`, add. In units of
    x these five read 1 + 1/2 + 1 + 1 + 2 and write 1 + 1/2 + 1 + 1 + 1; cos and sin have head_dim values a
    token each. Where only a share of each head is turned, SEPARATE also puts both shares together again.
    """
    whole = queries * attention.q.out_features + keys.tokens * attention.k.out_features
    values, table = attention.rotary * whole, attention.rotary * attention.head_dim * keys.tokens
    if execution.layout is Layout.FUSED:
        return _moved("rotary", keys, execution, reads=values + table, writes=values)
    tables = 2 * table + 2 * attention.rotary * attention.head_dim * queries
    joined, kernels = (whole, 12) if attention.rotary < 1 else (0.0, 10)
    reads, writes = 5.5 * values + tables + joined, 4.5 * values + joined
    return _moved("rotary", keys, execution, reads=reads, writes=writes, kernels=kernels)


def kv_write(attention: Attention, keys: Flow, execution: Execution) -> Op:
    """Copy new K and V into the cache, in the cache's own type: one kernel, or one for each (SEPARATE)."""
    values = keys.tokens * (attention.k.out_features + attention.v.out_features)
    cached_bytes = values * execution.cache_dtype.bytes
    shape = MemoryBound(
        read_bytes=values * execution.activation_bytes,
        write_bytes=cached_bytes,
        compulsory_bytes=cached_bytes,
        kernels=1 if execution.layout is Layout.FUSED else 2,
    )
    return Op(name="kv_write", part=Part.ELEMENTWISE, shape=shape, count=keys.runs)


def activation(ffn: FeedForward, flow: Flow, execution: Execution) -> Op:
    """Gated: one kernel (2 reads, 1 write), or SEPARATE the function (1, 1) and the product (2, 1).

    Without a gate the function alone, which SEPARATE may run as several kernels.
    """
    width, fused = ffn.width, execution.layout is Layout.FUSED
    function = 1 if fused else ffn.activation.eager_kernels
    if ffn.gate is None:
        moved = function * width
        return _op("activation", flow, execution, reads=moved, writes=moved, kernels=function)
    if fused:
        return _op("activation", flow, execution, reads=2 * width, writes=width)
    reads, writes = (2 + function) * width, (1 + function) * width
    return _op("activation", flow, execution, reads=reads, writes=writes, kernels=1 + function)


def _op(name: str, flow: Flow, execution: Execution, *, reads: int, writes: int, kernels: int = 1) -> Op:
    """`reads` and `writes` are values a token."""
    return _moved(
        name, flow, execution, reads=reads * flow.tokens, writes=writes * flow.tokens, kernels=kernels
    )


def _moved(
    name: str, flow: Flow, execution: Execution, *, reads: Numeric, writes: Numeric, kernels: int = 1
) -> Op:
    """`reads` and `writes` are values a run."""
    shape = MemoryBound(
        read_bytes=reads * execution.activation_bytes,
        write_bytes=writes * execution.activation_bytes,
        kernels=kernels,
    )
    return Op(name=name, part=Part.ELEMENTWISE, shape=shape, count=flow.runs)
