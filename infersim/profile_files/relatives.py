"""Does a datasheet of the user's own differ from the shipped ones that it seems to be, or to come from?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from infersim.files.reading import read_toml
from infersim.profile_files.consistency import BANDWIDTH_TOLERANCE, GIB_PER_GB
from infersim.profile_files.contradiction import Contradiction
from infersim.profile_files.datasheets import parse_datasheet
from infersim.profile_files.names import plain_name, shipped_files

if TYPE_CHECKING:
    from infersim.profile_files.schema import Datasheet

SAME_TOLERANCE = 0.03
"""Numbers of the same GPU from two tables differ by less."""

SLIP_TOLERANCE = 0.003
"""A bandwidth in GiB/s is this near to a known one over 1.0737."""


def differences(sheet: Datasheet) -> Iterator[Contradiction]:
    """Numbers that the shipped profile of the same name or alias has otherwise, and bandwidths in GiB/s.

    The file is not one of the shipped ones.
    """
    shipped = _namesake(sheet)
    if shipped is not None:
        yield from _against_namesake(sheet, shipped)
    elif sheet.memory.bus_bits is None or sheet.memory.pin_gbit_s is None:
        yield from _bandwidth_in_gib(sheet)


def _namesake(sheet: Datasheet) -> Datasheet | None:
    names = {plain_name(name) for name in (sheet.name, sheet.title, *sheet.aliases)}
    for shipped in _shipped():
        if names & {plain_name(name) for name in (shipped.name, shipped.title, *shipped.aliases)}:
            return shipped
    return None


@lru_cache(maxsize=1)
def _shipped() -> tuple[Datasheet, ...]:
    return tuple(parse_datasheet(read_toml(path, path.name), path.name) for path in shipped_files().values())


def _against_namesake(sheet: Datasheet, shipped: Datasheet) -> Iterator[Contradiction]:
    known = shipped.numbers()
    for key, value in sheet.numbers().items():
        if key not in known or abs(value / known[key] - 1) <= SAME_TOLERANCE:
            continue
        expected = f"{known[key]:g}, as infersim's own {shipped.name}.toml has it"
        if key.startswith("memory.") and _gib_apart(value, known[key], tolerance=0.01):
            expected += "; it looks like GiB"
        yield Contradiction(key=key, value=value, expected=expected)


def _bandwidth_in_gib(sheet: Datasheet) -> Iterator[Contradiction]:
    """Nothing in the file checks the bandwidth, but a GPU of the same kind has it in GB/s."""
    value = sheet.memory.bandwidth_gb_s
    relatives = [
        other
        for other in _shipped()
        if (other.vendor, other.compute_capability) == (sheet.vendor, sheet.compute_capability)
    ]
    if any(abs(value / other.memory.bandwidth_gb_s - 1) <= BANDWIDTH_TOLERANCE / 2 for other in relatives):
        return
    for other in relatives:
        if _gib_apart(value, other.memory.bandwidth_gb_s, tolerance=SLIP_TOLERANCE):
            yield Contradiction(
                key="memory.bandwidth_gb_s",
                value=value,
                expected=f"decimal GB/s; it looks like the {other.memory.bandwidth_gb_s:g} of {other.name}"
                " with GiB for GB",
            )
            return


def _gib_apart(value: float, known: float, *, tolerance: float) -> bool:
    ratio = value / known
    return min(abs(ratio / GIB_PER_GB - 1), abs(ratio * GIB_PER_GB - 1)) <= tolerance
