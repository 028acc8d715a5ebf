"""Notes on widths that no calibrated sample has: matrices of a model off the usual multiples."""

from __future__ import annotations

from infersim.cost.alignment import VECTOR_BYTES, misaligned
from infersim.domain.ops import Part
from infersim.domain.shapes import Gemm
from infersim.simulation.program import Program
from infersim.workload.transformer import Transformer

CALIBRATED_MULTIPLE = 32
"""All widths behind the shipped fits are multiples of it."""


def width_notes(program: Program) -> list[str]:
    """What is uncalibrated about the widths of block matrices and LM head; empty where nothing is."""
    odd = sorted(width for width in _widths(program.transformer) if width % CALIBRATED_MULTIPLE)
    if not odd:
        return []
    shown = ", ".join(map(str, odd[:3])) + (", ..." if len(odd) > 3 else "")
    notes = [f"no sample has widths off the multiple of {CALIBRATED_MULTIPLE}: {shown}"]
    shapes = [
        op.shape
        for op in program.ops
        if (op.group is not None or op.part is Part.LM_HEAD) and isinstance(op.shape, Gemm)
    ]
    if any(misaligned(shape).any() for shape in shapes if {shape.n, shape.k} & set(odd)):
        notes.append(
            f"rows off {VECTOR_BYTES}-byte boundaries slow kernels down: by how much is a stated guess"
        )
    return notes


def _widths(transformer: Transformer) -> set[int]:
    """N, K and ranks of the block linears, and the vocabulary that an LM head gives."""
    linears = [linear for block, _ in transformer.grouped_blocks() for linear in block.linears]
    found = {width for linear in linears for width in (linear.out_features, linear.in_features)}
    found |= {linear.rank for linear in linears if linear.rank is not None}
    head = transformer.head
    return found | {transformer.vocab} if head is not None and head.labels is None else found
