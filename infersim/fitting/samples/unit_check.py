"""Is the latency column in microseconds? Samples against the floor that no kernel can beat.

A wrong unit moves every ratio of latency to floor by a thousand, far more than any kernel's inefficiency.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.cost.floor import kernel_floor_s
from infersim.cost.kernels import kernel_cost
from infersim.domain.errors import InfersimError
from infersim.domain.profile import HardwareProfile
from infersim.fitting.samples.shapes import kernel_shapes

SHORTEST_KERNEL_US = 1.0
"""Order of the shortest time that a kernel takes on any GPU; floors of tiny shapes lie far below it."""

BELOW_FLOOR_SHARE = 0.1
"""More rows than this below the floor cannot be stray outliers."""

TOLERANCE = 0.98
"""A row is below its floor from 2 % on: timers and clocks are no better."""

LOOKS_LIKE = (
    (3e-4, "seconds"),
    (0.03, "milliseconds"),
    (0.3, "milliseconds, or the times of a faster GPU"),
    (300.0, "microseconds"),
    (np.inf, "nanoseconds"),
)
"""What a column holds by the upper end of its median latency over max(floor, 1 us), both as microseconds.

Right units give 1 to about 100 (a table of tiny shapes under a framework's launch cost), and neighbouring
units lie a factor of 1000 apart.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorCheck:
    """Of one kind: rows with a floor, share of them below it, median of latency / max(floor, 1 us)."""

    rows: int
    share_below_floor: float
    median_ratio: float


class WrongUnitError(InfersimError):
    """Latencies that cannot be microseconds, with the unit that would fit."""


def floors_us(frame: pd.DataFrame, profile: HardwareProfile) -> npt.NDArray[np.float64]:
    """Floor of each sample in microseconds, not-a-number where none is known (launch).

    L2 is credited to all: an empty `weight_copies` may mean that nobody said how the weights were kept, and a
    loop over hot ones has no wrong unit.
    """
    floors = np.full(len(frame), np.nan)
    for rows, shape in kernel_shapes(frame):
        cost = kernel_cost(shape, profile)
        floors[rows] = 1e6 * kernel_floor_s(cost.matrix_floor_s, cost.kernel_bytes, profile, cold_bytes=0.0)
    return floors


def check_against_floor(frame: pd.DataFrame, profile: HardwareProfile) -> Mapping[str, FloorCheck]:
    """Compare samples with their floors, kind by kind; refuse what no unit slip or noise explains away.

    Raises WrongUnitError where the latencies must be in another unit, InfersimError where more than
    BELOW_FLOOR_SHARE of the rows are faster than the GPU can be.
    """
    return check_parts_against_floor([frame], profile)


def check_parts_against_floor(
    parts: Iterable[pd.DataFrame], profile: HardwareProfile
) -> Mapping[str, FloorCheck]:
    """`check_against_floor` on samples that come part by part."""
    ratios: dict[str, list[npt.NDArray[np.float64]]] = {}
    latencies: dict[str, list[npt.NDArray[np.float32]]] = {}
    below = Counter[str]()
    for frame in parts:
        floor_us, latency_us = floors_us(frame, profile), frame["latency_us"].to_numpy(dtype=np.float64)
        for kind in map(str, frame["kind"].unique()):
            rows = (frame["kind"] == kind).to_numpy() & np.isfinite(floor_us)
            if rows.any():
                latency, floor = latency_us[rows], floor_us[rows]
                ratios.setdefault(kind, []).append(latency / np.maximum(floor, SHORTEST_KERNEL_US))
                latencies.setdefault(kind, []).append(latency.astype(np.float32))  # for messages alone
                below[kind] += int((latency < TOLERANCE * floor).sum())
    return {
        kind: _check(kind, np.concatenate(ratios.pop(kind)), latencies.pop(kind), below[kind], profile)
        for kind in sorted(ratios)
    }


def _check(
    kind: str,
    ratios: npt.NDArray[np.float64],
    latencies_us: Sequence[npt.NDArray[np.float32]],
    below: int,
    profile: HardwareProfile,
) -> FloorCheck:
    """Of one kind, from each row's latency over its floor; `below` of them are below it."""
    ratio = float(np.median(ratios, overwrite_input=True))
    unit = next(text for end, text in LOOKS_LIKE if ratio < end)
    if unit != "microseconds":
        median = np.median(np.concatenate(latencies_us))
        raise WrongUnitError(
            f"{kind} samples: latency_us = {median:.4g} in the median, {ratio:.2g} times the floor on "
            f"{profile.name}; expected microseconds, and these look like {unit}"
        )
    share = below / len(ratios)
    if share > BELOW_FLOOR_SHARE:
        raise InfersimError(
            f"{kind} samples: {share:.0%} of {len(ratios)} rows are faster than {profile.name} can be; "
            "expected measurements of this GPU with its data type in the dtype column"
        )
    return FloorCheck(rows=len(ratios), share_below_floor=share, median_ratio=ratio)
