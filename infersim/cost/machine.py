"""The GPU as the models of kernels see it: rates of an SM, what its L2 keeps, waves of tiles over its SMs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

F32: TypeAlias = npt.NDArray[np.float32]
Floats = TypeVar("Floats", npt.NDArray[np.float32], npt.NDArray[np.float64])

MOST_LOG_ODDS = 80.0
"""Beyond it an exponential leaves the range of float32; a share is 0 long before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the tile model needs of a GPU: per-SM rates in FLOP/us, DRAM in bytes/us, L2 in bytes."""

    sm_count: int
    flop_per_us_per_sm: float
    clock_mhz: float
    dram_bytes_per_us: float
    l2_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Operands:
    """Bytes per value of A, W and O, and how many weight copies a timing rotates over (None: cold).

    `weight_reread` is the share of the passes over weights beyond L2 that come from DRAM again (see
    `gemm.sparse_relations`). `dequantises`: an SM widens the weights of each tile before it multiplies them.
    `vector_tokens` is the most tokens that kernels without tensor cores multiply.
    """

    activation_bytes: float
    weight_bytes: float
    output_bytes: float
    weight_copies: int | None = None
    weight_reread: float = 0.0
    tiles_per_sm: float = 1.0
    dequantises: bool = False
    vector_tokens: int = 1


def resident_share(p: Mapping[str, float], machine: Machine, operands: Operands, bytes_: F32) -> F32:
    """Share of the weights that stays in L2 while a timing loop touches `bytes_` before it returns.

    A cyclic loop over more than L2 holds finds nothing of it left: the step is sharp, and where it lies
    (`l2_residency` of the nominal capacity) depends on how the L2 is partitioned.
    """
    if operands.weight_copies is None:
        return np.zeros_like(bytes_)
    return kept_in_l2(p, machine.l2_bytes, bytes_)


def kept_in_l2(p: Mapping[str, float], l2_bytes: float, touched_bytes: Floats) -> Floats:
    """Share of `touched_bytes` that L2 still holds when a loop over them returns."""
    return np.reciprocal(1 + _odds(p, l2_bytes, touched_bytes, p["residency_sharpness"]))


def missed_in_l2(p: Mapping[str, float], l2_bytes: float, touched_bytes: Floats) -> Floats:
    """The bytes of `touched_bytes` that such a loop fetches from memory: what is not kept."""
    return touched_bytes / (1 + _odds(p, l2_bytes, touched_bytes, -p["residency_sharpness"]))


def _odds(p: Mapping[str, float], l2_bytes: float, bytes_: Floats, sharpness: float) -> Floats:
    """(bytes / usable capacity) ** sharpness, with no overflow."""
    number = bytes_.dtype.type
    log_load = np.log(bytes_ * number(1 / (p["l2_residency"] * l2_bytes)))
    odds: Floats = np.exp(np.minimum(log_load * number(sharpness), number(MOST_LOG_ODDS)))
    return odds


def waves_of(tile: tuple[int, int], machine: Machine, m: F32, n: F32) -> F32:
    """Waves (a real number) that the output tiles of a GEMM make over the SMs."""
    tiles = np.ceil(m * np.float32(1 / tile[0])) * np.ceil(n * np.float32(1 / tile[1]))
    waves: F32 = tiles * np.float32(1 / machine.sm_count)
    return waves


def at_least_one(load: Floats, *, out: Floats | None = None) -> Floats:
    """`load`, and 1 where it is less. Beside a row of ones numpy's maximum is thrice as fast as with a 1."""
    ones = np.ones(load.shape[-1:], dtype=load.dtype)
    return np.maximum(load, ones) if out is None else np.maximum(load, ones, out=out)


def filled_waves(load: Floats, wave_fill: float | np.float32, *, buffer: Floats | None = None) -> Floats:
    """Full waves that `load` waves of work (a real number) take as long as.

    The last, partly filled one costs less than a full one by `wave_fill` of what it lacks, even if it is the
    only one: give `at_least_one(load)` where a tile takes its time on however few SMs. `buffer`, an array
    like `load`, is written instead of a new one.
    """
    waves = np.empty_like(load)
    lacking = np.empty_like(load) if buffer is None else buffer
    np.ceil(load, out=waves)
    np.subtract(waves, load, out=lacking)
    np.multiply(lacking, wave_fill, out=lacking)
    np.subtract(waves, lacking, out=waves)
    return waves
