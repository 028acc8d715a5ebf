"""Measurement plans: a TOML file in, the kernels that a measurement run should time out.

    plan = read_plan("standard")  # one that travels with infersim, or the path of one's own
    planned_samples(plan, dtypes=["bf16", "fp8"])

The layout of the files is in `schema`. What a kernel takes, bytes of its operands and FLOPs, is held
against the limits of its plan. Nothing here measures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.cost.kernels import kernel_kind
from infersim.domain.dtypes import precision_named
from infersim.domain.errors import FileContentError, InvalidValueError, UnknownNameError
from infersim.files.errors import content_error
from infersim.files.locations import data_folder
from infersim.files.reading import read_toml
from infersim.fitting.plans.schema import Limits
from infersim.fitting.samples.schema import COLUMN_NAMES, in_order
from infersim.fitting.samples.shapes import kernel_shapes

if TYPE_CHECKING:
    from infersim.fitting.plans.schema import MeasurementPlanTables, PlanPart


GIB = 2**30


def within(rows: pd.DataFrame, limits: Limits) -> npt.NDArray[np.bool_]:
    """Mask of the kernels that take no more than `limits` allow; launches take nothing."""
    inside = np.ones(len(rows), dtype=np.bool_)
    for places, shape in kernel_shapes(rows):
        kind = kernel_kind(shape)
        inside[places] = (kind.operand_bytes(shape) <= limits.operand_gib * GIB) & (
            kind.flop(shape) <= limits.tflop * 1e12
        )
    return inside


PART = "part"
"""The column, beside those of the samples format, that names the part a row belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementPlan:
    """A measurement plan file and those it includes, which keep their own limits, seeds and so their rows."""

    file: Path
    tables: MeasurementPlanTables
    included: tuple[MeasurementPlan, ...] = ()


def list_measurement_plans() -> list[str]:
    """Names of the measurement plans that travel with infersim, in alphabetical order."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def read_measurement_plan(name_or_path: str | Path) -> MeasurementPlan:
    """Read a measurement plan by name, or by the path of a .toml file; `include` names files beside it.

    Raises UnknownNameError, InvalidValueError where there is no such file, and FileContentError (file, key,
    value, expectation).
    """
    file = Path(name_or_path)
    if isinstance(name_or_path, str) and file.suffix != ".toml":
        if name_or_path not in list_measurement_plans():
            raise UnknownNameError("measurement plan", name_or_path, list_measurement_plans())
        file = _folder() / f"{name_or_path}.toml"
    tables = _tables(file)
    included = []
    for place, name in enumerate(tables.include):
        if not (file.parent / name).is_file():
            raise FileContentError(file, f"include[{place}]", name, "a file in the same folder")
        other = _tables(file.parent / name)
        if other.include:
            raise FileContentError(file, f"include[{place}]", name, "a plan that includes no other")
        included.append(MeasurementPlan(file=file.parent / name, tables=other))
    return MeasurementPlan(file=file, tables=tables, included=tuple(included))


def planned_samples(plan: MeasurementPlan, *, dtypes: Sequence[str] | None = None) -> pd.DataFrame:
    """The kernels to time, in the samples format without GPU and latency, and the column `part`.

    `dtypes` replaces the GEMM data types of all files; each part of GEMMs has its number of rows in each of
    them, and attention in the types that go with them. No kernel is there twice, each is within the limits of
    its file, and the same plan always gives the same rows. Raises FileContentError for a part that cannot
    have so many rows.
    """
    chosen = None if dtypes is None else list(dict.fromkeys(precision_named(name).name for name in dtypes))
    if chosen == []:
        raise InvalidValueError("dtypes", dtypes, "at least one data type")
    planned = pd.DataFrame({PART: []})
    for source in (*plan.included, plan):
        for key, part in source.tables.parts():
            for dtype in _dtypes(part, chosen or source.tables.dtypes):
                rows = _rows_of_part(source, key, part, dtype, planned)
                planned = pd.concat([planned, rows], ignore_index=True) if len(planned) else rows
    return planned[in_order(planned.columns)]


def _folder() -> Path:
    return data_folder("calibration") / "plans"


def _tables(file: Path) -> MeasurementPlanTables:
    # pydantic takes longer to import than to use: only who reads a plan pays.
    from pydantic import ValidationError

    from infersim.fitting.plans.schema import MeasurementPlanTables

    if not file.is_file():
        raise InvalidValueError("measurement plan", str(file), "an existing TOML file")
    content = read_toml(file)
    try:
        tables = MeasurementPlanTables.model_validate(content)
    except ValidationError as error:
        raise content_error(file, error) from None
    names = [part.name for _, part in tables.parts()]
    if not names and not tables.include:
        raise FileContentError(file, "the file", "no parts", "something to measure")
    for key, part in tables.parts():
        if names.count(part.name) > 1:
            raise FileContentError(file, f"{key}.name", part.name, "a name that no other part has")
    return tables


def _dtypes(part: PlanPart, gemm_dtypes: Sequence[str]) -> Iterator[str]:
    """The GEMM data types for which `part` has rows of its own."""
    from infersim.fitting.plans.schema import AttentionSpace, GemmModels, GemmSpace
    from infersim.fitting.plans.shapes import attention_dtype

    if isinstance(part, GemmSpace | GemmModels):
        yield from gemm_dtypes
    elif isinstance(part, AttentionSpace):
        yield from dict.fromkeys(attention_dtype(name) for name in gemm_dtypes)
    else:
        yield gemm_dtypes[0]


def _rows_of_part(
    plan: MeasurementPlan, key: str, part: PlanPart, dtype: str, planned: pd.DataFrame
) -> pd.DataFrame:
    """As many rows as the part asks for: the first ones within the limits that `planned` does not hold."""
    from infersim.fitting.plans.reading import within
    from infersim.fitting.plans.shapes import candidates

    try:
        drawn = candidates(part, dtype, plan.tables.seed).drop_duplicates()
    except UnknownNameError as error:
        known = ", ".join(dict.fromkeys((*error.closest, *error.known)))
        raise FileContentError(plan.file, f"{key}.models", error.name, f"models, of {known}") from None
    except InvalidValueError as error:
        raise FileContentError(plan.file, f"{key}.{error.key}", error.value, error.expected) from None
    allowed = drawn[within(drawn, plan.tables.limits)]
    rows = allowed[_unseen(allowed, planned)].head(part.rows).reset_index(drop=True)
    if len(rows) < part.rows:
        expected = f"at most {len(rows)}: of {len(drawn)} drawn, no more are new and within the limits"
        raise FileContentError(plan.file, f"{key}.rows", part.rows, expected)
    return rows.assign(**{PART: part.name})


def _unseen(rows: pd.DataFrame, planned: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Mask of the rows that differ from all planned ones."""
    known = [name for name in COLUMN_NAMES if name in rows.columns]
    if not set(known) <= set(planned.columns):
        return np.ones(len(rows), dtype=np.bool_)
    both = pd.concat([planned[known], rows[known]], ignore_index=True)
    unseen: np.ndarray[tuple[int], np.dtype[np.bool_]] = ~both.duplicated().to_numpy()[len(planned) :]
    return unseen
