"""Do the numbers of a datasheet agree with each other? Each check yields the contradictions it finds.

These are the traps that published hardware tables fell into: sparse peaks taken as dense ones, GB taken as
GiB, a rate halved twice, a data type the GPU does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from infersim.domain.dtypes import DType
from infersim.profile_files.contradiction import Contradiction
from infersim.profile_files.links import against_links

if TYPE_CHECKING:
    from infersim.profile_files.schema import ChipTable, Datasheet, MatrixRow

RATE_TOLERANCE = 0.02
"""Datasheets round; public ones agree with FLOP/clock/SM x SMs x clock to this fraction."""

BANDWIDTH_TOLERANCE = 0.04
"""Boards run their memory up to 2.5 % below the pin rate; GiB for GB would be 7.4 % off."""

LEAST_REPORTED = 0.92
"""A device reports at least this part of its GB, as GiB: error correction takes a sixteenth of some."""

GIB_PER_GB = 1e9 / 2**30
BITS_PER_BYTE = 8

RATE_RATIOS: tuple[tuple[DType, DType, tuple[float, ...]], ...] = (
    (DType.FP16, DType.BF16, (1,)),
    (DType.FP8, DType.BF16, (2,)),
    (DType.BF16, DType.TF32, (2,)),
    # 4 on consumer cards, whose FP32 accumulation halves the 16-bit rate
    (DType.INT8, DType.BF16, (2, 4)),
    (DType.INT8, DType.FP16, (2, 4)),
    (DType.FP4, DType.FP8, (2, 3, 4)),
)

FIRST_CAPABILITY = {DType.BF16: (8, 0), DType.TF32: (8, 0), DType.FP8: (8, 9), DType.FP4: (10, 0)}
FIRST_SPARSE_CAPABILITY = (8, 0)
"""The first compute capabilities of NVIDIA with tensor cores for a data type, and for 2:4 sparsity."""


def contradictions(sheet: Datasheet) -> Iterator[Contradiction]:
    """Everything in `sheet` that cannot all be true, the most telling first."""
    yield from _against_clocks(sheet)
    yield from _against_other_types(sheet.matrix)
    yield from _against_generation(sheet)
    yield from _against_bus(sheet)
    yield from _against_capacity(sheet)
    yield from _against_maximum_clock(sheet.chip)
    if sheet.interconnect is not None:
        yield from against_links(sheet.interconnect)


def rate_tflops(row: MatrixRow, chip: ChipTable) -> float:
    """FLOP/clock/SM x SMs x the clock of the datasheet x the cap the part is sold with, in TFLOP/s."""
    clock_mhz = row.quoted_clock_mhz or chip.tensor_clock_mhz
    return row.flop_per_clock_per_sm * chip.sm_count * clock_mhz * row.rate_cap / 1e6


def _against_clocks(sheet: Datasheet) -> Iterator[Contradiction]:
    """Peaks that rates, SMs and clock do not give; where all are off alike, it is rather SMs or clock."""
    rows = sheet.matrix.values()
    ratios = [row.datasheet_tflops / rate_tflops(row, sheet.chip) for row in rows]
    alike = len(ratios) > 1 and max(ratios) <= min(ratios) * (1 + RATE_TOLERANCE)
    for dtype, row in sheet.matrix.items():
        for contradiction in _against_clock(dtype, row, sheet.chip):
            hint = ""
            if alike and abs(ratios[0] - 1) > RATE_TOLERANCE:
                sms = sheet.chip.sm_count * sum(ratios) / len(ratios)
                hint = f"; all data types are off alike: {sms:.0f} SMs, or another clock, would explain it"
            yield replace(contradiction, expected=contradiction.expected + hint)


def _against_clock(dtype: DType, row: MatrixRow, chip: ChipTable) -> Iterator[Contradiction]:
    computed = rate_tflops(row, chip)
    ratio = row.datasheet_tflops / computed
    if abs(ratio - 1) <= RATE_TOLERANCE:
        return
    clock_mhz = row.quoted_clock_mhz or chip.tensor_clock_mhz
    cap = f" x {row.rate_cap:g}" if row.rate_cap != 1 else ""
    hint = ""
    if abs(ratio / 2 - 1) <= RATE_TOLERANCE:
        hint = "; twice that looks like a sparse (2:4) peak: write the dense one"
    elif abs(ratio * 2 - 1) <= RATE_TOLERANCE:
        hint = "; half of that looks like a dense peak halved once more"
    yield Contradiction(
        key=f"matrix.{dtype}.datasheet_tflops",
        value=row.datasheet_tflops,
        expected=f"{computed:.5g} within {RATE_TOLERANCE:.0%} ({row.flop_per_clock_per_sm:g} FLOP/clock/SM"
        f" x {chip.sm_count} SMs x {clock_mhz:g} MHz{cap}){hint}",
    )


def _against_other_types(matrix: dict[DType, MatrixRow]) -> Iterator[Contradiction]:
    for upper, lower, allowed in RATE_RATIOS:
        if upper not in matrix or lower not in matrix:
            continue
        rate, base = matrix[upper].datasheet_tflops, matrix[lower].datasheet_tflops
        if any(abs(rate / base / ratio - 1) <= RATE_TOLERANCE for ratio in allowed):
            continue
        ratios = " or ".join(f"{ratio:g}" for ratio in allowed)
        sparse = any(
            abs(rate / base / ratio / slip - 1) <= RATE_TOLERANCE for ratio in allowed for slip in (0.5, 2)
        )
        yield Contradiction(
            key=f"matrix.{upper}.datasheet_tflops",
            value=rate,
            expected=f"{ratios} x matrix.{lower}.datasheet_tflops ({base:g})"
            + ("; one of the two looks like a sparse (2:4) peak" if sparse else "")
            + (", or one is a copy of the other" if rate == base else ""),
        )


def _against_generation(sheet: Datasheet) -> Iterator[Contradiction]:
    if sheet.vendor.lower() != "nvidia":
        return
    try:
        major, minor = (int(part) for part in sheet.compute_capability.split("."))
    except ValueError:
        yield Contradiction(
            key="compute_capability", value=sheet.compute_capability, expected="a version such as 9.0"
        )
        return
    for dtype, row in sheet.matrix.items():
        first = FIRST_CAPABILITY.get(dtype, (0, 0))
        if (major, minor) < first:
            yield Contradiction(
                key=f"matrix.{dtype}.datasheet_tflops",
                value=row.datasheet_tflops,
                expected=f"no {dtype} before compute capability {first[0]}.{first[1]}",
            )
        if (major, minor) < FIRST_SPARSE_CAPABILITY and row.sparse_factor > 1:
            yield Contradiction(
                key=f"matrix.{dtype}.sparse_factor",
                value=row.sparse_factor,
                expected="1: no 2:4 sparsity before compute capability 8.0",
            )


def _against_bus(sheet: Datasheet) -> Iterator[Contradiction]:
    memory = sheet.memory
    if memory.bus_bits is None or memory.pin_gbit_s is None:
        return
    computed = memory.bus_bits * memory.pin_gbit_s / 8
    ratio = memory.bandwidth_gb_s / computed
    if abs(ratio - 1) <= BANDWIDTH_TOLERANCE:
        return
    gib = min(abs(ratio / GIB_PER_GB - 1), abs(ratio * GIB_PER_GB - 1)) <= 0.03
    hint = "; it looks like GiB/s taken for GB/s" if gib else ""
    if abs(ratio / BITS_PER_BYTE - 1) <= BANDWIDTH_TOLERANCE:
        hint = f"; it looks like Gbit/s: write {memory.bandwidth_gb_s / BITS_PER_BYTE:g}"
    yield Contradiction(
        key="memory.bandwidth_gb_s",
        value=memory.bandwidth_gb_s,
        expected=f"{computed:.5g} within {BANDWIDTH_TOLERANCE:.0%} ({memory.bus_bits} bits x"
        f" {memory.pin_gbit_s:g} Gbit/s / 8){hint}",
    )


def _against_capacity(sheet: Datasheet) -> Iterator[Contradiction]:
    """A device reports between the GB less a sixteenth for error correction and as many GiB."""
    reported, sold = sheet.memory.reported_mib, sheet.memory.capacity_gb
    if reported is None:
        return
    low, high = sold * 2**10 * LEAST_REPORTED, sold * 2**10
    if not low <= reported <= high:
        yield Contradiction(
            key="memory.reported_mib",
            value=reported,
            expected=f"{low:,.0f} to {high:,.0f}, as memory.capacity_gb is {sold:g}",
        )


def _against_maximum_clock(chip: ChipTable) -> Iterator[Contradiction]:
    if chip.tensor_clock_mhz > chip.clock_max_mhz:
        yield Contradiction(
            key="chip.tensor_clock_mhz",
            value=chip.tensor_clock_mhz,
            expected=f"at most chip.clock_max_mhz ({chip.clock_max_mhz:g})",
        )
    if chip.clock_base_mhz is not None and chip.clock_base_mhz > chip.clock_max_mhz:
        yield Contradiction(
            key="chip.clock_base_mhz",
            value=chip.clock_base_mhz,
            expected=f"at most chip.clock_max_mhz ({chip.clock_max_mhz:g})",
        )
