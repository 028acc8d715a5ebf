"""Kernels that move bytes: copies, norms, residual adds, activations, as the plan's ops name them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from torch.nn import functional

from infersim.domain.errors import UnknownNameError, UnsupportedError
from infersim.domain.small_kernels import small_op
from infersim.fitting.plans.shapes import ROW_BYTES
from infersim.measuring.kernels.bench import Bench, Prepared, Row, stored_as
from infersim.measuring.kernels.eight_bit import FP8, FP8_LARGEST, quantise_fp8
from infersim.measuring.kernels.fusing import fused, why_not_fused

Tensors = Sequence[torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOp:
    """An op of the plans: how many arrays it reads and writes, and what runs (one kernel on a GPU).

    `needs_fusing`: PyTorch has no kernel of its own for it, so that it has to be compiled.
    """

    reads: int
    writes: int
    run: Callable[..., object]
    needs_fusing: bool = False


def _norm(x: torch.Tensor) -> torch.Tensor:
    return functional.rms_norm(x, x.shape[-1:])


def _residual_and_norm(x: torch.Tensor, residual: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    total = x + residual
    return total, functional.rms_norm(total, total.shape[-1:])


def _swiglu(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    return functional.silu(gate) * up


def _quantised(x: torch.Tensor) -> torch.Tensor:
    """With a static scale of 1."""
    return x.clamp(-FP8_LARGEST, FP8_LARGEST).to(FP8)


@lru_cache(maxsize=4)
def _order(rows: int, device: torch.device) -> torch.Tensor:
    return torch.randperm(rows, device=device)


def _gathered(x: torch.Tensor) -> torch.Tensor:
    """All rows in another order, as token numbers pick them from a table."""
    return x.index_select(0, _order(x.shape[0], x.device))


OPS: Mapping[str, MemoryOp] = {
    "copy": MemoryOp(reads=1, writes=1, run=torch.clone),
    "final_norm": MemoryOp(reads=1, writes=1, run=_norm),
    "attn_residual": MemoryOp(reads=2, writes=1, run=torch.add),
    "product": MemoryOp(reads=2, writes=1, run=torch.mul),
    "silu": MemoryOp(reads=1, writes=1, run=functional.silu),
    "embedding": MemoryOp(reads=1, writes=1, run=_gathered),
    "quantise": MemoryOp(reads=1, writes=1, run=_quantised, needs_fusing=True),
    "quantise_dynamic": MemoryOp(reads=1, writes=1, run=quantise_fp8, needs_fusing=True),
    "activation": MemoryOp(reads=2, writes=1, run=_swiglu, needs_fusing=True),
    "attn_norm": MemoryOp(reads=2, writes=2, run=_residual_and_norm, needs_fusing=True),
}
"""Ops by the names that plans give them: those of `infersim.workload.ops.elementwise`, and parts of them."""


def prepare_memory_bound(row: Row, bench: Bench) -> Prepared:
    """The op on arrays of `read_bytes / reads` bytes each, always the same ones: a layer has just made them.

    Raises UnknownNameError for an op that is none, UnsupportedError for other numbers of arrays than the op
    has, and where it cannot be had as one kernel.
    """
    name = str(row["op"])
    op = OPS.get(name)
    if op is None:
        raise UnknownNameError("op of a memory-bound kernel", name, OPS)
    array_bytes, rest = divmod(int(row["read_bytes"]), op.reads)
    written = op.writes * small_op(name).narrowing * array_bytes
    if rest or int(row["write_bytes"]) != written or array_bytes % ROW_BYTES:
        raise UnsupportedError(
            f"{name} on other than {op.reads} arrays read and {op.writes} written, of {ROW_BYTES}-byte rows"
        )
    stored = stored_as(str(row["dtype"]))
    shape = (array_bytes // ROW_BYTES, ROW_BYTES // stored.itemsize)
    arrays = [bench.data.tensor(*shape, dtype=stored) for _ in range(op.reads)]
    run = fused(op.run, *arrays) if op.needs_fusing else op.run
    if run is None:
        raise UnsupportedError(f"{name} as one kernel, which has to be compiled: {why_not_fused(op.run)}")
    return Prepared(calls=(partial(run, *arrays),), implementation=name, weight_copies=1)
