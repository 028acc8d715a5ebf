"""Would the numbers of a datasheet make a GPU like any that is known? Each check yields what would not.

What is found here is used with a warning, as hardware that nobody has may be described; what cannot be true
at all is refused by `ranges` and `consistency`. These checks tell slips that agree with each other, such as
sparse peaks whose FLOP per clock was doubled along.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infersim.domain.dtypes import DType
from infersim.profile_files.consistency import GIB_PER_GB
from infersim.profile_files.contradiction import Contradiction

if TYPE_CHECKING:
    from infersim.profile_files.schema import Datasheet

FLOP_OF_CAPABILITY: dict[str, tuple[int, ...]] = {
    "7.0": (1024,),
    "7.5": (512, 1024),
    "8.0": (2048,),
    "8.6": (512, 1024),
    "8.7": (2048,),
    "8.9": (512, 1024),
    "9.0": (4096,),
    "10.0": (8192,),
    "10.3": (8192,),
    "12.0": (512, 1024),
}
"""Dense 16-bit FLOP for each clock and SM, by NVIDIA's compute capability; half on consumer cards, whose
accumulation in FP32 is slowed."""

WHOLE_TOLERANCE = 0.02
"""How far from a whole number of GB a capacity in GiB may come to lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A ratio of two numbers: its limits, what `key` has to do with it, and slips that explain one outside.

    `known` are the lowest and highest of the shipped GPUs; the limits lie two to three times beyond.
    `slips` maps what the number looks like to the factor that would put it right.
    """

    key: str
    words: str
    known: tuple[float, float]
    limits: tuple[float, float]
    slips: tuple[tuple[str, float], ...] = ()


BANDWIDTH_PER_CLOCK = Ratio(
    key="memory.bandwidth_gb_s",
    words="bytes for each clock and SM",
    known=(2.4, 29.2),
    limits=(0.8, 90),
    slips=(("Gbit/s", 1 / 8),),
)
RATIOS = (
    BANDWIDTH_PER_CLOCK,
    Ratio(
        key="memory.bandwidth_gb_s",
        words="times the capacity each second",
        known=(3.2, 62),
        limits=(1.5, 180),
        slips=(("Gbit/s", 1 / 8),),
    ),
    Ratio(
        key="memory.bandwidth_gb_s",
        words="16-bit FLOP for each byte",
        known=(37, 419),
        limits=(12, 1250),
    ),
    Ratio(key="chip.l2_mib", words="MiB for each SM", known=(0.07, 1.04), limits=(0.025, 3)),
    Ratio(key="chip.tdp_w", words="16-bit TFLOP/s for each watt", known=(0.15, 2.25), limits=(0.06, 7)),
)


def implausibilities(sheet: Datasheet) -> Iterator[Contradiction]:
    """Everything in the datasheet of a GPU that no known GPU is like."""
    if sheet.kind != "gpu":
        return
    yield from _against_known_ratios(sheet)
    yield from _against_capability(sheet)
    yield from _capacity_in_gib(sheet)


def _against_known_ratios(sheet: Datasheet) -> Iterator[Contradiction]:
    """The first ratio of each number that lies outside its limits."""
    reported = set()
    for ratio, value, number in _values(sheet):
        low, high = ratio.limits
        if low <= value <= high or ratio.key in reported:
            continue
        reported.add(ratio.key)
        hint = ""
        for name, factor in ratio.slips:
            if ratio.known[0] <= value * factor <= ratio.known[1]:
                hint = f"; it looks like {name}: write {number * factor:.6g}"
        yield Contradiction(
            key=ratio.key,
            value=number,
            expected=f"a number that makes {low:g} to {high:g} {ratio.words}, not {value:.4g}"
            f" (known GPUs: {ratio.known[0]:g} to {ratio.known[1]:g}){hint}",
        )


def _values(sheet: Datasheet) -> Iterator[tuple[Ratio, float, float]]:
    """Each ratio of this datasheet, and the number that it is told of; without what a file may lack."""
    chip, bandwidth = sheet.chip, sheet.memory.bandwidth_gb_s
    rate = next((sheet.matrix[d] for d in (DType.BF16, DType.FP16) if d in sheet.matrix), None)
    per_clock, per_capacity, per_byte, l2, power = RATIOS
    yield per_clock, bandwidth * 1e3 / (chip.tensor_clock_mhz * chip.sm_count), bandwidth
    yield per_capacity, bandwidth / sheet.memory.capacity_gb, bandwidth
    if rate is not None:
        yield per_byte, rate.datasheet_tflops * 1e3 / bandwidth, bandwidth
    yield l2, chip.l2_mib / chip.sm_count, chip.l2_mib
    if rate is not None and chip.tdp_w is not None:
        yield power, rate.datasheet_tflops / chip.tdp_w, chip.tdp_w


def _against_capability(sheet: Datasheet) -> Iterator[Contradiction]:
    known = FLOP_OF_CAPABILITY.get(sheet.compute_capability)
    if known is None or sheet.vendor.lower() != "nvidia":
        return
    for dtype in (DType.BF16, DType.FP16):
        rate = sheet.matrix.get(dtype)
        if rate is None or rate.flop_per_clock_per_sm in known:
            continue
        sparse = rate.flop_per_clock_per_sm == 2 * max(known)
        yield Contradiction(
            key=f"matrix.{dtype}.flop_per_clock_per_sm",
            value=rate.flop_per_clock_per_sm,
            expected=f"{' or '.join(map(str, known))}, the dense rate of compute capability"
            f" {sheet.compute_capability}"
            + ("; twice that looks like the sparse (2:4) rate" if sparse else ""),
        )


def _capacity_in_gib(sheet: Datasheet) -> Iterator[Contradiction]:
    """A capacity that is a whole number of GB only if it was meant as GiB: 74.5 for 80."""
    capacity = sheet.memory.capacity_gb
    in_gb = capacity / GIB_PER_GB
    if capacity % 1 and abs(in_gb - round(in_gb)) <= WHOLE_TOLERANCE * max(in_gb / 40, 1):
        yield Contradiction(
            key="memory.capacity_gb",
            value=capacity,
            expected=f"decimal GB; it looks like GiB: write {round(in_gb)}",
        )
