"""What-if hardware: a profile with some numbers set by the user, checked like any file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from infersim.domain.arguments import checked, named_values
from infersim.domain.errors import UnknownNameError
from infersim.domain.numbers import a_number
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.profile_files.datasheets import parse_datasheet, profile_of, table_of
from infersim.profile_files.profiles import a_profile, completed

SET_BY_USER = "set by the user"
FOLLOWS = "follows from numbers that the user set"
CAPACITY, REPORTED = "memory.capacity_gb", "memory.reported_mib"
"""What another capacity would report is not known."""


@checked(gpu=a_profile, overrides=named_values(a_number))
def with_overrides(gpu: HardwareProfile | str | Path, overrides: Mapping[str, float]) -> HardwareProfile:
    """The profile `gpu`, or the one it names, with other numbers: `{"memory.bandwidth_gb_s": 6000.0}`.

    Keys and units are those of the profile files. A changed SM count, clock or FLOP per clock moves the
    datasheet peaks that follow from it, unless those are set too. The name says what was set, aliases are
    dropped, and a fit counts as borrowed: it was measured on the hardware as it is; a transfer is made anew.

    Parameters
    ----------
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile.
    overrides
        Numbers by the keys of profile files.

    Returns
    -------
    HardwareProfile
        The profile with these numbers.

    Raises
    ------
    UnknownNameError
        For a key that is none.
    FileContentError
        Where the numbers are impossible or contradict each other.

    Examples
    --------
    >>> import infersim as sim
    >>> faster = sim.with_overrides("h100-sxm", {"memory.bandwidth_gb_s": 6700})
    >>> now, then = (sim.gemm_latency(gpu, 1, 4096, 4096) for gpu in ("h100-sxm", faster))
    >>> bool(then.floor_s < now.floor_s)
    True
    """
    profile = a_profile("gpu", gpu)
    if not overrides:
        return profile
    table = table_of(profile)
    known = list(_keys(table))
    rates = {dtype: _rate(row, table["chip"]) for dtype, row in table["matrix"].items()}
    for key, value in overrides.items():
        if key not in known:
            raise UnknownNameError("number of a profile", key, known)
        _set(table, key, value)
    if CAPACITY in overrides and REPORTED not in overrides:
        table["memory"].pop("reported_mib", None)
        known = list(_keys(table))
    moved = _move_peaks(table, rates, overrides)

    sources = {key: source for key, source in profile.sources.items() if key in known}
    table["sources"] = sources | dict.fromkeys(moved, FOLLOWS) | dict.fromkeys(overrides, SET_BY_USER)
    table["exceptions"] = {**table["exceptions"], **_freed_ratios(table["matrix"], overrides)}
    table["unverified"] = [key for key in profile.unverified if key in known and key not in overrides]
    settings = ",".join(f"{key}={value:g}" for key, value in overrides.items())
    table["name"] = f"{profile.name}[{settings}]"
    changed = profile_of(parse_datasheet(table, table["name"]), table["name"])
    return _with_fit_of(profile, changed)


def number_of(profile: HardwareProfile, key: str) -> float:
    """The number under a key of the profile's file, in its unit; UnknownNameError for a key that is none."""
    table: Any = table_of(profile)
    known = list(_keys(table))
    if key not in known:
        raise UnknownNameError("number of a profile", key, known)
    for part in key.split("."):
        table = table[part]
    number: float = table
    return number


def _keys(table: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted keys of all numbers in a table of tables."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _keys(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield prefix + key


def _set(table: dict[str, Any], key: str, value: float) -> None:
    *path, last = key.split(".")
    for part in path:
        table = table[part]
    # A count must stay a whole number, however the command line read it.
    table[last] = int(value) if float(value).is_integer() else value


def _rate(row: Mapping[str, float], chip: Mapping[str, float]) -> float:
    """FLOP per clock and SM x SMs x MHz x cap: what a datasheet peak is proportional to."""
    clock_mhz = row.get("quoted_clock_mhz", chip["tensor_clock_mhz"])
    return row["flop_per_clock_per_sm"] * chip["sm_count"] * clock_mhz * row.get("rate_cap", 1.0)


def _move_peaks(table: dict[str, Any], rates: Mapping[str, float], fixed: Mapping[str, float]) -> list[str]:
    """Scale the peaks whose rate is no longer that in `rates`, but those in `fixed`; returns their keys."""
    moved = []
    for dtype, row in table["matrix"].items():
        key, factor = f"matrix.{dtype}.datasheet_tflops", _rate(row, table["chip"]) / rates[dtype]
        if key not in fixed and factor != 1.0:
            row["datasheet_tflops"] *= factor
            moved.append(key)
    return moved


def _freed_ratios(matrix: Mapping[str, Any], overrides: Mapping[str, float]) -> dict[str, str]:
    """Exceptions from what rates of data types have to each other, where the user set the rate of some.

    Peaks follow the rates; one that the user set beside them is not excused.
    """
    set_rates = [key for key in overrides if key.startswith("matrix.") and key.endswith("_per_sm")]
    peaks = [f"matrix.{dtype}.datasheet_tflops" for dtype in matrix]
    return {key: "the user set rates of data types" for key in peaks if set_rates and key not in overrides}


def _with_fit_of(profile: HardwareProfile, changed: HardwareProfile) -> HardwareProfile:
    """A measured fit is borrowed; what was transferred to the old numbers is transferred to the new ones."""
    if profile.fit is None:
        return changed
    if profile.calibration is Calibration.TRANSFERRED:
        return completed(changed)
    kinds = {name: kind for name, kind in profile.fit.kinds.items() if not kind.transferred}
    source = profile.name if profile.calibration is Calibration.FITTED else profile.fit_source
    borrowed = replace(profile.fit, kinds=kinds)
    return completed(replace(changed, fit=borrowed, calibration=Calibration.BORROWED, fit_source=source))
