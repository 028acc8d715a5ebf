"""Pairs of GEMMs of which one is the other, cut along an axis: found among any number of samples.

Equal GEMMs lie side by side, once sorted, as a run of rows. The partners of a run are the runs of its group
(all else equal) that are 0.4 to 0.9 as long: rows side by side too, so that pairs are counted, and drawn,
without listing them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.domain.arrays import Array
from infersim.fitting.samples.schema import Kind

Axis = Literal["m", "n", "k"]

Positions: TypeAlias = npt.NDArray[np.int64]

Way: TypeAlias = tuple[float | bool | str | None, ...]
"""How a GEMM was timed: its value of each column of HOW_TIMED, None where it is empty."""

SHORTEST_CUT, LONGEST_CUT = 0.4, 0.9
"""Parts of an axis that pruning leaves: less is hardly the same model, more is a gain within the noise."""

HOW_TIMED = ("weight_copies", "includes_act_quant", "timed")
"""Columns that say how a GEMM was timed: a pair is timed alike."""

SMALLEST_DIMENSION = 2048
"""N and K of the dense GEMM: the linear layers of LLMs."""

BLOCK_RUNS = 500_000
"""Runs that are looked at together."""

LARGEST_KEY = 2**62


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DenseGemms:
    """Measured GEMMs as arrays; `alike` numbers what a pair has in common besides two dimensions.

    It is the place of how they were timed in `ways`, where these are said.
    """

    alike: npt.NDArray[Any]
    m: npt.NDArray[Any]
    n: npt.NDArray[Any]
    k: npt.NDArray[Any]
    latency_us: Array
    ways: tuple[Way, ...] = ()

    def __len__(self) -> int:
        return len(self.latency_us)


def pruned_pairs(frame: pd.DataFrame, axis: Axis, *, cap: int = 20_000, seed: int = 0) -> pd.DataFrame:
    """Pairs among the dense GEMM samples of `frame`: columns `dense`, `pruned`, `fraction`, `speedup`.

    `dense` and `pruned` are row positions in `frame`: the same GPU, data type, way of timing and other two
    dimensions, `axis` cut to `fraction` (0.4 to 0.9) of the dense one, whose N and K are at least 2048.
    `speedup` is measured; the FLOPs ratio is 1 / fraction. Beyond `cap`, that many are drawn by `seed`.
    """
    positions = np.flatnonzero(frame["kind"] == Kind.GEMM)
    rows = frame.iloc[positions]
    same = [name for name in ("gpu", "dtype", *HOW_TIMED) if name in frame]
    alike = numbered([rows[name] for name in same], len(rows))
    m, n, k = (rows[name].to_numpy() for name in ("m", "n", "k"))
    latency_us = rows["latency_us"].to_numpy(dtype=np.float64)
    gemms = DenseGemms(alike=alike, m=m, n=n, k=k, latency_us=latency_us)
    pairs = paired(gemms, axis, cap=cap, seed=seed)
    return pairs.assign(dense=positions[pairs["dense"]], pruned=positions[pairs["pruned"]])


def paired(gemms: DenseGemms, axis: Axis, *, cap: int = 20_000, seed: int = 0) -> pd.DataFrame:
    """`pruned_pairs` among GEMMs that are dense, by their positions in the arrays."""
    dense, pruned = pairs_of(gemms, axis, cap=cap, seed=seed)
    length = getattr(gemms, axis)
    return pd.DataFrame(
        {
            "dense": dense,
            "pruned": pruned,
            "fraction": length[pruned].astype(np.float64) / length[dense],
            "speedup": gemms.latency_us[dense] / gemms.latency_us[pruned],
        }
    )


def numbered(columns: Sequence[pd.Series[Any]], rows: int) -> Positions:
    """A number for each row, the same where all columns are, in their order; what is empty comes last."""
    numbers: Positions = np.zeros(rows, dtype=np.int64)
    for column in columns:
        codes, distinct = pd.factorize(column, sort=True)
        numbers = numbers * (len(distinct) + 1) + np.where(codes < 0, len(distinct), codes)
    return numbers


def pairs_of(gemms: DenseGemms, axis: Axis, *, cap: int, seed: int) -> tuple[Positions, Positions]:
    """Dense and pruned row of each pair, `cap` at most: by dense run, pruned run, dense row, pruned row."""
    keys, lengths = _keys(gemms, axis)
    order: Positions = np.lexsort((gemms.latency_us, keys)) if len(gemms) else np.zeros(0, dtype=np.int64)
    keys = keys[order]
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])) if len(gemms) else order
    bounds, keys = np.append(starts, len(gemms)), keys[starts]
    first = order[starts]
    large = (gemms.n[first] >= SMALLEST_DIMENSION) & (gemms.k[first] >= SMALLEST_DIMENSION)

    def blocks() -> Iterator[_Block]:
        groups = keys // len(lengths)
        start = 0
        while start < len(keys):
            end = min(start + BLOCK_RUNS, len(keys))
            if end < len(keys):  # to the end of the group
                end = int(np.searchsorted(groups, groups[end - 1], side="right"))
            length = lengths[keys[start:end] % len(lengths)]
            yield _block(groups[start:end], length, bounds[start : end + 1], large[start:end])
            start = end

    totals = [block.pairs for block in blocks()]
    total = sum(totals)
    if total > cap:
        ranks = np.sort(np.random.default_rng(seed).choice(total, size=cap, replace=False))
    else:
        ranks = np.arange(total)
    found, before = [(np.zeros(0, dtype=np.int64),) * 2], 0
    for block in blocks():
        here = (before <= ranks) & (ranks < before + block.pairs)
        if here.any():
            found.append(block.drawn(ranks[here] - before))
        before += block.pairs
    dense, pruned = (np.concatenate(rows) for rows in zip(*found, strict=True))
    return order[dense], order[pruned]


def _keys(gemms: DenseGemms, axis: Axis) -> tuple[Positions, Array]:
    """A number for each row that sorts them by what pairs have in common, then by length; all lengths."""
    columns = [gemms.alike, *(getattr(gemms, name) for name in ("m", "n", "k") if name != axis)]
    keys: Positions = np.zeros(len(gemms), dtype=np.int64)
    known = [np.unique(column) for column in (*columns, getattr(gemms, axis))]
    reach = 1
    for column, values in zip((*columns, getattr(gemms, axis)), known, strict=True):
        if reach * len(values) > LARGEST_KEY:
            reached, keys = np.unique(keys, return_inverse=True)
            reach = len(reached)
        keys *= max(len(values), 1)
        keys += np.searchsorted(values, column)
        reach *= max(len(values), 1)
    return keys, known[-1].astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Block:
    """Runs of whole groups: where each begins in all rows, how many it has, and the rows it is cut to."""

    starts: Positions
    sizes: Positions
    first: Positions
    partners: Positions
    through: Positions

    @property
    def pairs(self) -> int:
        return int(self.through[-1]) if len(self.through) else 0

    def drawn(self, ranks: Positions) -> tuple[Positions, Positions]:
        """Dense and pruned rows of the pairs of these ranks."""
        run = np.searchsorted(self.through, ranks, side="right")
        start, size = self.starts[run], self.sizes[run]
        within = ranks - (self.through[run] - self.partners[run] * size)
        other = np.searchsorted(self.starts, self.first[run] + within // size, side="right") - 1
        within = within - size * (self.starts[other] - self.first[run])
        of_other = self.sizes[other]
        return start + within // of_other, self.starts[other] + within % of_other


def _block(groups: Positions, length: Array, bounds: Positions, large: npt.NDArray[np.bool_]) -> _Block:
    groups = np.cumsum(np.diff(groups, prepend=groups[:1]) != 0)
    first, last = _partners(groups, length, bounds)
    sizes = np.diff(bounds)
    partners = np.where(large, last - first, 0)
    through = np.cumsum(partners * sizes)
    return _Block(starts=bounds[:-1], sizes=sizes, first=first, partners=partners, through=through)


def _partners(groups: Positions, length: Array, starts: Positions) -> tuple[Positions, Positions]:
    """First row, and the one after the last, of what each run of equal GEMMs is cut to.

    Lengths are whole numbers: the bounds are stepped to where the quotient itself is within the limits.
    """
    shortest, longest = np.floor(SHORTEST_CUT * length) - 1, np.floor(LONGEST_CUT * length) + 2
    for _ in range(3):
        shortest = np.where(shortest / length < SHORTEST_CUT, shortest + 1, shortest)
        longest = np.where(longest / length > LONGEST_CUT, longest - 1, longest)
    known = np.unique(length)
    place = groups * len(known) + np.searchsorted(known, length)
    first = np.searchsorted(place, groups * len(known) + np.searchsorted(known, shortest))
    last = np.searchsorted(place, groups * len(known) + np.searchsorted(known, longest, side="right"))
    first_row: Positions = starts[first]
    end_row: Positions = starts[np.maximum(last, first)]
    return first_row, end_row
