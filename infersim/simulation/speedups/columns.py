"""Columns of the prediction frame: one entry for each scenario of a case, batches outermost.

Notes name widths that no calibrated sample has: matrices of a pruned model off the usual multiples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from infersim.cost.experts.experts import experts_parameters
from infersim.cost.gemm.alignment import VECTOR_BYTES, misaligned
from infersim.cost.gemm.gemm import has_fitted_kernel, is_transferred, runs_as
from infersim.cost.kernels import kernel_kind, kernels_of
from infersim.domain.ops import Part
from infersim.domain.profile import Calibration
from infersim.domain.shapes import Gemm
from infersim.simulation.speedups.cases import Case
from infersim.simulation.speedups.padding import padding_notes
from infersim.simulation.timing.program import Program
from infersim.simulation.timing.timeline import Timeline
from infersim.workload.formats import block_formats
from infersim.workload.ops.indexer import NOT_MEASURED
from infersim.workload.transformer import ExpertLayer, Transformer, chooses_tokens

if TYPE_CHECKING:
    import pandas as pd


CALIBRATED_MULTIPLE = 32
"""All widths behind the shipped fits are multiples of it."""


def width_notes(program: Program) -> list[str]:
    """What is uncalibrated about the widths of block matrices and LM head; empty where nothing is."""
    odd = sorted(width for width in _widths(program.share) if width % CALIBRATED_MULTIPLE)
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


def format_notes(timeline: Timeline) -> list[str]:
    """What the checkpoint states of formats, and which of them no kernel on this GPU was fitted for."""
    transformer, profile = timeline.program.transformer, timeline.profile
    notes = [transformer.stated] if transformer.stated else []
    notes += [
        f"{profile.name} has no {precision.math} units: {precision.name} is widened to bf16"
        for precision in (stored.precision for stored in block_formats(transformer))
        if runs_as(precision, profile) != precision
    ]
    notes += [
        f"no kernel of experts in {stored.name} is fitted: predicted by its bytes"
        for stored in block_formats(transformer, experts=True)
        if not experts_parameters(profile, runs_as(stored.precision, profile)).exact
    ]
    for precision in dict.fromkeys(each.precision for each in block_formats(transformer, experts=False)):
        if not has_fitted_kernel(profile, precision):
            notes.append(f"no kernel of {precision.name} is fitted: predicted by its bytes")
        elif is_transferred(profile, precision):
            notes.append(f"{precision.name} was not measured on {profile.name}: transferred from other GPUs")
    return list(dict.fromkeys(notes))


def kernel_notes(timeline: Timeline) -> list[str]:
    """Whose kernels are predicted, where they are not the default's or not all of one engine."""
    profile = timeline.profile
    chosen, fit = profile.kernels, profile.fit
    if fit is None or chosen is None:
        return []
    shapes = [op.shape for op in timeline.program.ops]
    used = {kernel_kind(shape).fitted_as(shape, profile): kernels_of(shape, profile) for shape in shapes}
    others: dict[str, list[str]] = {}
    for kind, kernels in used.items():
        if kind is not None and kernels not in (None, chosen):
            others.setdefault(str(kernels), []).append(kind)
    if not others:
        return [] if chosen == fit.default_kernels else [f"kernels of {chosen}"]
    lacking = [f"{', '.join(kinds)} of {name}" for name, kinds in others.items()]
    return [f"kernels of {chosen} but {' and '.join(lacking)}, for lack of its own"]


def _widths(transformer: Transformer) -> set[int]:
    """N, K and ranks of the block linears but routers, and the vocabulary that an LM head gives.

    A router's N is a number of experts.
    """
    blocks = [block for block, _ in transformer.grouped_blocks()]
    routers = [block.ffn.router for block in blocks if isinstance(block.ffn, ExpertLayer)]
    linears = [linear for block in blocks for linear in block.linears if linear not in routers]
    found = {width for linear in linears for width in (linear.out_features, linear.in_features)}
    found |= {linear.rank for linear in linears if linear.rank is not None}
    head = transformer.head
    return found | {transformer.vocab} if head is not None and head.labels is None else found


Column: TypeAlias = npt.NDArray[Any]
"""Numbers, truth values or texts (as objects), one for each scenario."""

Columns: TypeAlias = dict[str, Column]

MS, GIB = 1e3, 2.0**30


def scenario_columns(case: Case, timeline: Timeline) -> Columns:
    """Which scenario a row is about, and whether it fits in memory."""
    return {
        "phase": constant(case.phase, case),
        "batch": case.batch.ravel().astype(np.int64),
        "context": case.context.ravel().astype(np.int64),
        "fits_memory": timeline.fits_memory.ravel(),
    }


def gpu_columns(case: Case, timeline: Timeline) -> Columns:
    """The GPU, how many share the model, and where its profile's cost parameters come from."""
    profile = timeline.profile
    return {
        "gpu": constant(profile.name, case),
        "gpus": np.full(case.batch.size, case.gpus, dtype=np.int64),
        "calibration": constant(profile.calibration.value, case),
    }


def latency_columns(case: Case, timeline: Timeline) -> Columns:
    """Latency with its interval, floor, rate, memory, and milliseconds of each part."""
    seconds = {
        "latency_ms": timeline.latency_s,
        "lower_ms": timeline.lower_s,
        "upper_ms": timeline.upper_s,
        "floor_ms": timeline.floor_s,
    }
    parts = {f"ms_{part}": value.ravel() * MS for part, value in timeline.part_s().items()}
    return {
        **{name: value.ravel() * MS for name, value in seconds.items()},
        "tokens_per_s": (case.tokens / timeline.latency_s).ravel(),
        "memory_gib": timeline.program.memory_bytes.ravel() / GIB,
        **parts,
        "calibrated_share": timeline.calibrated_share().ravel(),
        **energy_columns(case, timeline),
    }


ENERGY = ("energy_j_per_token", "energy_lower_j_per_token", "energy_upper_j_per_token")


def energy_columns(case: Case, timeline: Timeline) -> Columns:
    """Joules of the board for each token and each request of the batch, mean watts, and what they rest on.

    NaN, calibration `none`, where nobody states the board's power limit.
    """
    energy = timeline.energy_j()
    if energy is None:
        names = (*ENERGY, "energy_j_per_request", "watts")
        return {name: constant(np.nan, case) for name in names} | {
            "energy_calibration": constant(Calibration.NONE.value, case)
        }
    joules = (energy.joules, energy.lower_j, energy.upper_j)
    return {
        **{name: (value / case.tokens).ravel() for name, value in zip(ENERGY, joules, strict=True)},
        "energy_j_per_request": (energy.joules / case.batch).ravel(),
        "watts": (energy.joules / timeline.latency_s).ravel(),
        "energy_calibration": constant(energy.law.calibration.value, case),
    }


def model_notes(case: Case, timeline: Timeline) -> Column:
    """Notes, a tuple each: what the file states, contexts beyond its positions, uncalibrated widths, and what
    padding odd ones would change.
    """
    limit = timeline.program.transformer.max_position
    note = f"context beyond the model's {limit} positions"
    positions = np.where(case.context > limit, note, "").astype(object).ravel()
    widths = np.empty(case.batch.size, dtype=object)
    odd = (*width_notes(timeline.program), *padding_notes(case, timeline))
    unmeasured = (NOT_MEASURED,) if chooses_tokens(timeline.program.transformer) else ()
    widths.fill((*kernel_notes(timeline), *unmeasured, *format_notes(timeline), *odd))
    return joined_notes(positions, widths)


def joined_notes(first: Column, second: Column) -> Column:
    """The notes of two columns, each of single texts (empty: none) or of tuples of texts, as tuples."""
    joined: Column = np.frompyfunc(lambda one, other: as_notes(one) + as_notes(other), 2, 1)(first, second)
    return joined


def as_notes(note: str | tuple[str, ...]) -> tuple[str, ...]:
    """The notes of a row: of a frame they are a tuple, of a sweep's table one text."""
    return note if isinstance(note, tuple) else (note,) if note else ()


def with_joined_notes(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` with the notes of each row in one text, for output that has no lists."""
    if "notes" not in frame:
        return frame
    return frame.assign(notes=["; ".join(as_notes(notes)) for notes in frame["notes"]])


def constant(value: str | float, case: Case) -> Column:
    """The same value for every scenario."""
    return np.full(case.batch.size, value, dtype=object if isinstance(value, str) else np.float64)


def to_frame(tables: Sequence[Columns]) -> pd.DataFrame:
    """Tables of the same columns, one below the other."""
    import pandas as pd

    return pd.DataFrame({name: np.concatenate([table[name] for table in tables]) for name in tables[0]})
