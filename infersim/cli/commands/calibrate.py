"""`infersim calibrate`: from measurements of a GPU to a fit.

With `--pool`: from the fits of several GPUs to what all others are predicted with.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infersim.cli import measurements, options
from infersim.domain.errors import InfersimError

if TYPE_CHECKING:
    from infersim.report.html.page import Page


def pool_command(
    gpus: Sequence[str], out: Path | None, beside_datasheets: bool, *, full: bool = False
) -> None:
    """Pool the fits of `gpus` (names or .toml), or of all that come with one, and write the pool."""
    import time

    from infersim.cli.outputs import check_outputs
    from infersim.cli.printing import print_answer, print_aside
    from infersim.cli.progress import working
    from infersim.domain.profile import Calibration
    from infersim.fitting.transfer.pooling import pool_fits
    from infersim.profile_files.pool_files import NAME, shipped_pool_path, write_pool
    from infersim.profile_files.profiles import list_profiles, load_profile
    from infersim.report.core.screen import Answer
    from infersim.report.hardware.pool_tables import pool_table, pool_verdict

    if out is not None and beside_datasheets:
        raise InfersimError("--out and --beside-datasheet at once; expected one of them")
    beside = shipped_pool_path() if beside_datasheets else Path(NAME)
    destination = beside if out is None else out
    check_outputs([destination], list(gpus))
    profiles = [load_profile(gpu) for gpu in gpus or list_profiles()]
    if not gpus:
        profiles = [profile for profile in profiles if profile.calibration is Calibration.FITTED]
    started = time.perf_counter()
    with working(f"Pooling the fits of {len(profiles)} GPUs"):
        pool = pool_fits(profiles)
    write_pool(pool, destination)
    verdict = pool_verdict(pool, time.perf_counter() - started)
    print_answer(Answer(verdict=verdict, tables=(pool_table(pool),)), full=full)
    where = "every command finds it" if beside_datasheets else "--beside-datasheet puts it where it is found"
    print_aside(f"The pool is in {destination}: {where}.")


DatasheetArgument = Annotated[
    str | None, typer.Argument(metavar="DATASHEET", help="GPU by name (infersim gpus), or its .toml.")
]
RowsOption = Annotated[
    int | None, typer.Option("--rows", help="At most so many of each kind, data type and phase.")
]
HoldOutOption = Annotated[
    float | None,
    typer.Option(
        "--hold-out",
        metavar="FRACTION",
        help="Keep this part of the matrices and head layouts out of the fit, and validate it on them.",
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FIT", help="Where the fit goes. Left out: <gpu>.fit.json, here."),
]
BesideOption = Annotated[
    bool, typer.Option("--beside-datasheet", help="Write the fit where every command finds it.")
]
PoolOption = Annotated[
    bool,
    typer.Option("--pool", help="Pool the fits of these GPUs (or all): what unmeasured ones rely on."),
]


def calibrate_command(
    datasheet: DatasheetArgument = None,
    samples: measurements.OptionalSamplesArgument = None,
    default: measurements.DefaultOption = [],  # noqa: B006 - typer makes a list of its own for each call
    kind: measurements.KindOption = None,
    rows: RowsOption = None,
    seed: measurements.SeedOption = 0,
    hold_out: HoldOutOption = None,
    fit: measurements.FitOption = None,
    out: OutOption = None,
    beside_datasheet: BesideOption = False,
    skip_bad: measurements.SkipBadOption = False,
    kernels: options.KernelsOption = None,
    pool: PoolOption = False,
    full: options.FullOption = False,
    html: options.HtmlOption = None,
    figures: options.FiguresOption = None,
) -> None:
    """Fit the cost model to measurements: parameters, residual and intervals, with their held-out error.

    Kinds of kernels that the samples do not hold are kept from the GPU's own fit, or from --fit. With --pool,
    GPUs take the place of samples, and their fits are pooled.
    """
    if pool:
        from infersim.cli.outputs import check_no_page

        check_no_page("a pool", html=html, figures=figures)
        named = [name for name in (datasheet, *map(str, samples or ())) if name is not None]
        pool_command(named, out, beside_datasheet, full=full)
        return
    if datasheet is None or not samples:
        raise InfersimError("a datasheet and samples are missing; expected DATASHEET SAMPLES..., or --pool")
    import time

    from infersim.cli.measurements import chosen_kinds, profile_and_samples
    from infersim.cli.outputs import check_outputs, write_asked
    from infersim.cli.printing import print_answer, print_aside
    from infersim.cli.progress import working
    from infersim.fitting.calibration import calibrate
    from infersim.fitting.calibration_rows import divide
    from infersim.fitting.samples.in_parts import drawn as drawn_samples
    from infersim.fitting.validation.validation import validate_held_out, validate_read
    from infersim.profile_files.fit_files import write_fit
    from infersim.report.accuracy.calibration_page import calibration_page
    from infersim.report.accuracy.calibration_tables import calibration_answer

    destination = _destination(datasheet, out, beside_datasheet)
    check_outputs([destination, html], [datasheet, fit, *samples], folder=figures)
    asked = chosen_kinds(kind)
    profile, read = profile_and_samples(datasheet, fit, samples, default, skip_bad, asked)
    rows_given = len(read.samples)
    division = divide(drawn_samples(read.samples), hold_out=hold_out, rows=rows, seed=seed)
    division = division.with_left_out(read.other_kinds, rows_given)
    drawn = {"rows": rows, "seed": seed, "hold_out": hold_out}
    started = time.perf_counter()
    with working(f"Fitting {len(division.fitted):,} samples of {profile.name}"):
        fitted = calibrate(
            profile, division.fitted, kernels=kernels, drawn=drawn, environment=read.tally.environment
        )
    seconds = time.perf_counter() - started
    if fitted.fit is None:
        raise InfersimError("calibration found nothing")
    kinds = fitted.fit.provenance["fitted"]
    write_fit(fitted.fit, destination)
    held_out = None if division.held_out.empty else validate_held_out(fitted, division.held_out)

    def page() -> Page:
        shown = held_out or validate_read(fitted, division.fitted)
        return calibration_page(fitted, kinds, seconds, shown, held_out=held_out is not None)

    write_asked(page, html=html, figures=figures)

    print_aside(f"{read.account()}. {division.account()}.")
    print_answer(calibration_answer(fitted.fit, kinds, seconds, held_out), full=full)
    print_aside(
        f"The fit is in {destination}: commands find it when it lies beside {_sheet(datasheet).name}."
    )


def _sheet(datasheet: str) -> Path:
    """The file of the datasheet that is given by name or path."""
    from infersim.profile_files.names import shipped_file

    return Path(datasheet) if datasheet.endswith(".toml") else shipped_file(datasheet)


def _destination(datasheet: str, out: Path | None, beside_datasheet: bool) -> Path:
    """Where the fit goes."""
    from infersim.profile_files.fit_files import fit_path

    if out is not None and beside_datasheet:
        raise InfersimError("--out and --beside-datasheet at once; expected one of them")
    beside = fit_path(_sheet(datasheet))
    if out is not None:
        return out
    return beside if beside_datasheet else Path(beside.name)
