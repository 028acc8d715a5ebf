"""`infersim reproduce`: what a paper measured, with infersim's bound and prediction beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infersim.cli import options
from infersim.domain.errors import UnknownNameError

BEYOND_FLOPS, PUBLISHED = "beyond-flops", "published"

PaperArgument = Annotated[
    str,
    typer.Argument(
        help=f"{BEYOND_FLOPS} (arXiv:2606.09080), or {PUBLISHED}: all published speedups that infersim knows."
    ),
]


def reproduce_command(
    paper: PaperArgument,
    full: options.FullOption = False,
    as_json: options.JsonOption = False,
    as_csv: options.CsvOption = False,
    html: options.HtmlOption = None,
    figures: options.FiguresOption = None,
) -> None:
    """Print a paper's tables with infersim's bound and prediction beside its measured numbers.

    --json and --csv print its mean speedups, or the rows of all that is published.
    """
    if paper not in (BEYOND_FLOPS, PUBLISHED):
        raise UnknownNameError("paper", paper, [BEYOND_FLOPS, PUBLISHED])
    if paper == PUBLISHED:
        _print_published(full=full, as_json=as_json, as_csv=as_csv, html=html, figures=figures)
    else:
        _print_beyond_flops(full=full, as_json=as_json, as_csv=as_csv, html=html, figures=figures)


def _print_published(
    *, full: bool, as_json: bool, as_csv: bool, html: Path | None, figures: Path | None
) -> None:
    from infersim.cli.outputs import check_no_page
    from infersim.cli.printing import print_answer, printed_for_machines
    from infersim.report.core.screen import Answer
    from infersim.report.paper.published_check import (
        overpredicted_table,
        partial_table,
        published_verdict,
        scored_table,
    )
    from infersim.simulation.paper.published_check import check_published

    check_no_page(PUBLISHED, html=html, figures=figures)
    check = check_published()
    if not printed_for_machines(check, as_json=as_json, as_csv=as_csv):
        tables = (scored_table(check), overpredicted_table(check), partial_table(check))
        print_answer(Answer(verdict=published_verdict(check), tables=tables), full=full)


def _print_beyond_flops(
    *, full: bool, as_json: bool, as_csv: bool, html: Path | None, figures: Path | None
) -> None:
    from infersim.cli.outputs import check_outputs, write_asked
    from infersim.cli.printing import print_answer, printed_for_machines
    from infersim.report.core.screen import Answer
    from infersim.report.paper.reproduction import (
        claims_table,
        components_table,
        mean_speedups_table,
        reproduction_verdict,
    )
    from infersim.report.paper.reproduction_page import reproduction_page
    from infersim.simulation.paper.reproduction import reproduce_beyond_flops

    check_outputs([html], [], folder=figures)
    found = reproduce_beyond_flops()
    write_asked(lambda: reproduction_page(found), html=html, figures=figures)
    if not printed_for_machines(found.speedups, as_json=as_json, as_csv=as_csv):
        tables = (components_table(found), mean_speedups_table(found), claims_table(found))
        answer = Answer(verdict=reproduction_verdict(found), tables=tables, lead=tables[1])
        print_answer(answer, full=full)
