"""Reading a sweep's plan: a user's file, one that infersim ships, or a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from infersim.domain.errors import UnknownNameError
from infersim.files.locations import data_folder
from infersim.files.reading import checked_tables, tables_from_file
from infersim.simulation.sweeping.plan_lists import Source
from infersim.simulation.sweeping.plan_tables import NESTED, SweepTables

SweepPlan = str | Path | Mapping[str, object]
"""A plan's file, the name of a shipped one, or its tables as they would be in a file."""


def read_sweep_plan(plan: SweepPlan) -> Source:
    """The plan's tables, what they name not yet looked up; errors as in `resolve_sweep`."""
    if isinstance(plan, Mapping):
        tables = checked_tables(plan, "plan", SweepTables, NESTED)
        return Source(label="plan", folder=Path(), tables=tables)
    file = Path(plan)
    if isinstance(plan, str) and not plan.endswith(".toml"):
        shipped = shipped_sweeps()
        if plan not in shipped:
            raise UnknownNameError("sweep (a .toml file, or one that infersim ships)", plan, shipped)
        file = shipped[plan]
    tables = tables_from_file(file, "plan", SweepTables, NESTED)
    return Source(label=str(file), folder=file.parent, tables=tables)


def shipped_sweeps() -> dict[str, Path]:
    """Files of the plans that travel with infersim, by name."""
    return {file.stem: file for file in sorted((data_folder("calibration") / "sweeps").glob("*.toml"))}
