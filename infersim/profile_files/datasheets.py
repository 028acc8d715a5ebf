"""Datasheets: TOML text to HardwareProfile (without its fit) and back to a table, checked on the way.

Where each number comes from: patterns of `sources` and `unverified` over dotted keys.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from infersim.domain.errors import FileContentError
from infersim.domain.profile import GIGA, Chip, HardwareProfile, Matrix, Memory
from infersim.profile_files.links import interconnect_of, table_of_interconnect

if TYPE_CHECKING:
    from infersim.profile_files.contradiction import Contradiction
    from infersim.profile_files.schema import Datasheet


def unverified_keys(file: object, patterns: Iterable[str], keys: Collection[str]) -> tuple[str, ...]:
    """The keys that a pattern of `unverified` names; FileContentError for a pattern that names none."""
    named = {key for pattern in patterns for key in _matches(file, "unverified", pattern, keys)}
    return tuple(key for key in keys if key in named)


def sources_by_key(
    file: object, sources: Mapping[str, str], keys: Collection[str], unverified: Collection[str]
) -> dict[str, str]:
    """The source of each key that has one, from its longest (most telling) matching pattern.

    What a pattern says of many numbers does not hold for those that are listed as unverified: these have a
    source only where one is given for the very key. FileContentError for a pattern that matches nothing.
    """
    sources_of: dict[str, str] = {}
    for pattern in sorted(sources, key=len):
        for key in _matches(file, "sources", pattern, keys):
            if key not in unverified or key == pattern:
                sources_of[key] = sources[pattern]
    return {key: sources_of[key] for key in keys if key in sources_of}


def require_evidence(file: object, numbers: Mapping[str, float], accounted_for: Collection[str]) -> None:
    """FileContentError for the first number with neither a source nor an entry under `unverified`."""
    for key, value in numbers.items():
        if key not in accounted_for:
            expected = 'a source for it under [sources], or its key in the list "unverified"'
            raise FileContentError(file, key, value, expected)


def _matches(file: object, table: str, pattern: str, keys: Collection[str]) -> list[str]:
    matching = [key for key in keys if fnmatchcase(key, pattern)]
    if not matching:
        expected = "a number's key, or a pattern such as matrix.*.sparse_factor that matches one"
        raise FileContentError(file, table, pattern, expected)
    return matching


MIB = 2.0**20


def parse_datasheet(table: Mapping[str, Any], file: object) -> Datasheet:
    """Check keys, types, ranges, agreement and evidence of a profile's table.

    Raises FileContentError that names `file`, key, value and expectation; warns with
    ImplausibleValueWarning of numbers that are only unheard of.
    """
    # pydantic is imported with the first file, so that importing infersim stays fast.
    from pydantic import ValidationError

    from infersim.files.errors import content_error
    from infersim.profile_files.schema import Datasheet

    try:
        sheet = Datasheet.model_validate(table)
    except ValidationError as error:
        raise content_error(file, error) from None
    _check(sheet, file)
    return sheet


def _check(sheet: Datasheet, file: object) -> None:
    from infersim.profile_files.consistency import contradictions
    from infersim.profile_files.plausibility import implausibilities
    from infersim.profile_files.ranges import check_range

    numbers = sheet.numbers()
    warned = {key for key, value in numbers.items() if not check_range(file, key, value, sheet.kind)}
    for key, reason in sheet.exceptions.items():
        if key not in numbers:
            raise FileContentError(file, f"exceptions.{key}", reason, "the key of a number in this file")
    for found in contradictions(sheet):
        if found.key not in sheet.exceptions:
            raise FileContentError(file, found.key, found.value, found.expected)
    warn_of((found for found in implausibilities(sheet) if found.key not in warned), sheet, file)


def warn_of(found: Iterable[Contradiction], sheet: Datasheet, file: object) -> None:
    """Warn with ImplausibleValueWarning of each finding whose number is no declared exception."""
    from infersim.profile_files.ranges import ImplausibleValueWarning

    for each in found:
        if each.key not in sheet.exceptions:
            message = f"{file}: {each.key} = {each.value:g}; expected {each.expected}"
            warnings.warn(ImplausibleValueWarning(message, each.key), stacklevel=2)


def profile_of(sheet: Datasheet, file: object) -> HardwareProfile:
    """The uncalibrated profile that a checked datasheet describes, in SI units."""
    from infersim.profile_files.datasheets import require_evidence, sources_by_key, unverified_keys

    numbers = sheet.numbers()
    unverified = unverified_keys(file, sheet.unverified, numbers)
    sources = sources_by_key(file, sheet.sources, numbers, unverified)
    require_evidence(file, numbers, {*unverified, *sources})
    chip, memory = sheet.chip, sheet.memory
    return HardwareProfile(
        name=sheet.name,
        title=sheet.title,
        kind=sheet.kind,
        vendor=sheet.vendor,
        generation=sheet.generation,
        compute_capability=sheet.compute_capability,
        chip=Chip(
            sm_count=chip.sm_count,
            clock_max_mhz=chip.clock_max_mhz,
            tensor_clock_mhz=chip.tensor_clock_mhz,
            l2_bytes=chip.l2_mib * MIB,
            tdp_w=chip.tdp_w,
            clock_base_mhz=chip.clock_base_mhz,
        ),
        memory=Memory(
            capacity_bytes=memory.capacity_gb * GIGA,
            bandwidth_bytes_per_s=memory.bandwidth_gb_s * GIGA,
            reported_bytes=None if memory.reported_mib is None else memory.reported_mib * MIB,
        ),
        matrix={dtype: Matrix(**row.model_dump()) for dtype, row in sheet.matrix.items()},
        interconnect=None if sheet.interconnect is None else interconnect_of(sheet.interconnect),
        aliases=tuple(sheet.aliases),
        unverified=unverified,
        sources=sources,
        exceptions=dict(sheet.exceptions),
    )


def table_of(profile: HardwareProfile) -> dict[str, Any]:
    """The numbers and names of `profile` as the table of a file, without aliases, evidence and fit.

    Bus width and pin rate stay behind in the file: they only check the bandwidth as it was written there.
    """
    chip, memory = profile.chip, profile.memory
    return {
        "name": profile.name,
        "title": profile.title,
        "kind": profile.kind,
        "vendor": profile.vendor,
        "generation": profile.generation,
        "compute_capability": profile.compute_capability,
        "chip": {
            "sm_count": chip.sm_count,
            "clock_max_mhz": chip.clock_max_mhz,
            "tensor_clock_mhz": chip.tensor_clock_mhz,
            "l2_mib": chip.l2_bytes / MIB,
            **({} if chip.tdp_w is None else {"tdp_w": chip.tdp_w}),
            **({} if chip.clock_base_mhz is None else {"clock_base_mhz": chip.clock_base_mhz}),
        },
        "memory": {
            "capacity_gb": memory.capacity_bytes / GIGA,
            "bandwidth_gb_s": memory.bandwidth_bytes_per_s / GIGA,
            **({} if memory.reported_bytes is None else {"reported_mib": memory.reported_bytes / MIB}),
        },
        "matrix": {dtype.value: _row_of(rate) for dtype, rate in profile.matrix.items()},
        **table_of_interconnect(profile.interconnect),
        "exceptions": dict(profile.exceptions),
    }


def _row_of(rate: Matrix) -> dict[str, float]:
    row = {
        "datasheet_tflops": rate.datasheet_tflops,
        "flop_per_clock_per_sm": rate.flop_per_clock_per_sm,
        "sparse_factor": rate.sparse_factor,
    }
    if rate.rate_cap != 1.0:
        row["rate_cap"] = rate.rate_cap
    if rate.quoted_clock_mhz is not None:
        row["quoted_clock_mhz"] = rate.quoted_clock_mhz
    return row
