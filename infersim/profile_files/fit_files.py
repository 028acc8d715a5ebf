"""Fit files: `<gpu>.fit.json` beside the GPU's datasheet, written by calibration, read with the profile."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from infersim.cost.fit_names import known_names
from infersim.domain.arguments import a, a_path, checked
from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.domain.fit import Fit, GridAxis, IntervalFit, KindFit, ResidualGrid
from infersim.files.opening import read_bytes
from infersim.files.writing import write_whole
from infersim.profile_files.fit_format import decode_grid, table_of_fit

if TYPE_CHECKING:
    from infersim.profile_files.fit_format import KindTable, ResidualTable


LARGEST_PARAMETER = 1e6
"""Beyond any efficiency, rate in bytes a clock, or microseconds that a kernel's model holds."""


def fit_path(datasheet: Path) -> Path:
    """Where the fit of a profile file lies: `h100-sxm.toml` -> `h100-sxm.fit.json`."""
    return datasheet.with_name(f"{datasheet.stem}.fit.json")


@checked(fit=a(Fit, called="a fit: what calibrate leaves in a profile"), path=a_path)
def write_fit(fit: Fit, path: str | Path) -> None:
    """Write `fit` as JSON: stable key order, 7 significant digits, residuals deflated.

    Parameters
    ----------
    fit
        What `calibrate` leaves in a profile.
    path
        A file, which is replaced; a profile `h100-sxm.toml` finds its fit in `h100-sxm.fit.json`.

    Returns
    -------
    None
        The file appears whole or not at all.

    Raises
    ------
    InvalidValueError
        For a number that is not finite, a value that JSON does not know, or a place that cannot be written.

    Examples
    --------
    >>> import infersim as sim
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "l4.fit.json")
    ...     sim.write_fit(sim.load_profile("h100-sxm").fit, path)
    ...     path.is_file()
    True
    """
    text = json.dumps(table_of_fit(fit), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(path, text, "fit file")


def read_fit(path: str | Path) -> Fit:
    """Read a fit file; FileContentError with file, key, value and expectation where it is damaged."""
    # pydantic is imported with the first file, so that importing infersim stays fast.
    from pydantic import ValidationError

    from infersim.files.errors import content_error
    from infersim.profile_files.fit_format import FitTable

    path = Path(path)
    if not path.is_file():
        raise InvalidValueError("fit file", str(path), "an existing file")
    try:
        table = FitTable.model_validate_json(read_bytes(path, "fit file"))
    except ValidationError as error:
        raise content_error(path.name, error) from None
    default = table.kernels
    if default is None and table.kernel_sets:
        raise FileContentError(path.name, "kernels", None, "the name of the kernel set that `kinds` are of")
    if default in table.kernel_sets:
        raise FileContentError(
            path.name, f"kernel_sets.{default}", default, "other sets than that of `kinds`"
        )
    kinds = _kinds("kinds", table.kinds, default, path.name)
    others = {
        name: _kinds(f"kernel_sets.{name}", kind_tables, name, path.name)
        for name, kind_tables in table.kernel_sets.items()
    }
    fit = Fit(
        gpu=table.gpu,
        kinds=kinds,
        provenance=table.provenance,
        kernel_sets={} if default is None else {default: kinds, **others},
        default_kernels=default,
    )
    return fit.run_by(None)


def _kinds(place: str, tables: dict[str, KindTable], kernels: str | None, file: str) -> dict[str, KindFit]:
    return {kind: replace(_kind(place, kind, table, file), kernels=kernels) for kind, table in tables.items()}


def _kind(place: str, kind: str, table: KindTable, file: str) -> KindFit:
    key = f"{place}.{kind}"
    _check_kind(kind, key, table, file)
    return KindFit(
        kind=kind,
        parameters=table.parameters,
        uncertainties=table.uncertainties,
        at_bound=tuple(table.at_bound),
        residuals=tuple(
            _residual(f"{key}.residuals[{i}]", grid, file) for i, grid in enumerate(table.residuals)
        ),
        interval=IntervalFit(**table.interval.model_dump()),
        ranges=table.ranges,
        rows=table.rows,
        weight_copies=table.weight_copies,
        held_out=table.held_out,
        claim=table.claim,
    )


def _check_kind(kind: str, key: str, table: KindTable, file: str) -> None:
    """What the schema cannot say: parameters are physical, names refer to them, ranges run forwards.

    Only a tile's offset, a logarithm, may be 0 or less.
    """
    _check_names(kind, key, table, file)
    for name, value in table.parameters.items():
        if abs(value) > LARGEST_PARAMETER or (value <= 0 and not name.startswith("tile_")):
            expected = f"a number above 0, at most {LARGEST_PARAMETER:g}"
            raise FileContentError(file, f"{key}.parameters.{name}", value, expected)
    for where, names in (("uncertainties", table.uncertainties), ("at_bound", table.at_bound)):
        for name in names:
            if name not in table.parameters:
                raise FileContentError(file, f"{key}.{where}", name, f"one of {', '.join(table.parameters)}")
    for name, (low, high) in table.ranges.items():
        if low > high:
            raise FileContentError(file, f"{key}.ranges.{name}", [low, high], "the lower number first")


def _check_names(kind: str, key: str, table: KindTable, file: str) -> None:
    """A name that the cost of this kind does not read is a slip: what it says would be passed over."""
    known = known_names(kind)
    if known is None:
        return
    for name in table.parameters:
        if name not in known.parameters:
            expected = f"parameters of {kind}: {', '.join(known.parameters)}"
            raise FileContentError(file, f"{key}.parameters", name, expected)
    for place, grid in enumerate(table.residuals):
        for axis in grid.axes:
            if axis.name not in known.axes:
                expected = f"one of {', '.join(known.axes)}" if known.axes else f"no residual of {kind}"
                raise FileContentError(file, f"{key}.residuals[{place}].axes.name", axis.name, expected)


def _residual(key: str, table: ResidualTable, file: str) -> ResidualGrid:
    for axis in table.axes:
        if axis.low >= axis.high:
            expected = f"a number below high ({axis.high:g})"
            raise FileContentError(file, f"{key}.axes.{axis.name}.low", axis.low, expected)
    axes = tuple(GridAxis(**axis.model_dump()) for axis in table.axes)
    try:
        values = decode_grid(table.unit_exponent, table.values, tuple(axis.count for axis in axes))
    except ValueError as error:
        raise FileContentError(
            file, f"{key}.values", table.values[:20] + "...", f"one for each knot: {error}"
        ) from None
    return ResidualGrid(axes=axes, values=values)
