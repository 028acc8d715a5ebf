"""`infersim validate`: how far predictions are from measurements."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from infersim.cli import measurements, options

ProfileArgument = Annotated[
    str, typer.Argument(metavar="PROFILE", help="GPU by name (infersim gpus), or its .toml.")
]
MOST_DRAWN = 200_000
"""Rows that figures are drawn from; of more, as many are taken evenly from all."""

MOST_NOTED = 500
"""The same of rows that notes are found from, where nothing is drawn."""

PredictionsOption = Annotated[
    Path | None,
    typer.Option("--predictions", metavar="FILE", help="Write every sample with what was predicted for it."),
]


def validate_command(
    profile: ProfileArgument,
    samples: measurements.SamplesArgument,
    default: measurements.DefaultOption = [],  # noqa: B006 - typer makes a list of its own for each call
    kind: measurements.KindOption = None,
    fit: measurements.FitOption = None,
    skip_bad: measurements.SkipBadOption = False,
    kernels: options.KernelsOption = None,
    predictions: PredictionsOption = None,
    full: options.FullOption = False,
    as_json: options.JsonOption = False,
    as_csv: options.CsvOption = False,
    html: options.HtmlOption = None,
    figures: options.FiguresOption = None,
) -> None:
    """Compare predictions with measurements: error by kind and shape, speedup error, interval coverage."""
    from infersim.cli.measurements import chosen_kinds, profile_and_samples
    from infersim.cli.outputs import check_outputs, write_asked
    from infersim.cli.printing import print_aside, print_summary, printed_for_machines
    from infersim.fitting.samples.writing import check_samples_name, writing_samples
    from infersim.fitting.validation.in_parts import validate_packed
    from infersim.report.accuracy.validation_page import validation_page
    from infersim.report.accuracy.validation_tables import validation_frame

    check_outputs([html, predictions], [profile, fit, *samples], folder=figures)
    if predictions is not None:
        check_samples_name(predictions)
    chosen, read = profile_and_samples(profile, fit, samples, default, skip_bad, chosen_kinds(kind))
    chosen = chosen.with_kernels(kernels)
    drawn = MOST_NOTED if html is None and figures is None else MOST_DRAWN
    with nullcontext() if predictions is None else writing_samples(predictions) as write:
        left_out = read.other_kinds
        found = validate_packed(chosen, read.samples, left_out=left_out, write=write, drawn=drawn)
    if predictions is not None:
        print_aside(f"Predictions written to {predictions}.")
    write_asked(lambda: validation_page(found, chosen), html=html, figures=figures)
    rows = validation_frame(found.errors, found.speedups)
    if not printed_for_machines(rows, as_json=as_json, as_csv=as_csv):
        print_summary(found, full=full)
    print_aside(f"{read.account()}.")
