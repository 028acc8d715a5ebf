"""The numbers of one GPU, each with its source: what `infersim gpus NAME` shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from infersim.domain.profile import HardwareProfile
from infersim.profile_files.datasheets import table_of
from infersim.report.core.table import Column, Table, text_column


def numbers_table(profile: HardwareProfile) -> Table:
    """All numbers of a profile, in the units of its file, with their sources."""
    import pandas as pd

    rows = [
        {
            "key": key,
            "value": value,
            "verified": key not in profile.unverified,
            "source": profile.sources.get(key, ""),
            "exception": profile.exceptions.get(key, ""),
        }
        for key, value in _flattened(table_of(profile))
    ]
    return Table(
        title=f"{profile.title} ({profile.name}); calibration: {_calibration(profile)}",
        frame=pd.DataFrame(rows),
        columns=(
            text_column("number", "key"),
            Column(heading="value", keys=("value",), text=lambda value: f"{value:,.10g}"),
            Column(heading="source", keys=("verified", "source", "exception"), text=_evidence, numeric=False),
        ),
        caption=" ".join(filter(None, (_connected(profile), _aliases(profile)))),
    )


def _flattened(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Dotted keys of a profile's file with their numbers."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield prefix + key, value


def _connected(profile: HardwareProfile) -> str:
    """How the GPUs of a node are connected, in words; nothing where nobody says."""
    links = profile.interconnect
    if links is None or links.gpus_per_node == 1:
        return "" if links is None else "Nothing connects it to another GPU of its node."
    generation = f" {links.generation}" if links.generation else ""
    wiring = f", {links.wiring.value}" if links.wiring else ""
    adds = ", which adds up (NVLink SHARP)" if links.nvls else ""
    return f"GPUs of a node are connected by {links.kind.value}{generation}{wiring}{adds}."


def _aliases(profile: HardwareProfile) -> str:
    return f"Also known as {', '.join(profile.aliases)}." if profile.aliases else ""


def _evidence(verified: bool, source: str, exception: str) -> str:
    said = (source if verified else f"unverified: {source or 'in no table that was read'}", exception)
    return "; ".join(filter(None, said))


def _calibration(profile: HardwareProfile) -> str:
    return f"{profile.calibration} from {profile.fit_source}" if profile.fit_source else profile.calibration
