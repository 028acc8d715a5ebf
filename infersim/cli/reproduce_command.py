"""`infersim reproduce`: what a paper measured, with infersim's bound and prediction beside it."""

from __future__ import annotations

from typing import Annotated

import typer

from infersim.cli import options
from infersim.domain.errors import UnknownNameError

BEYOND_FLOPS = "beyond-flops"

PaperArgument = Annotated[str, typer.Argument(help=f"{BEYOND_FLOPS} (arXiv:2606.09080).")]


def reproduce_command(
    paper: PaperArgument,
    as_json: options.JsonOption = False,
    as_csv: options.CsvOption = False,
    html: options.HtmlOption = None,
) -> None:
    """Print a paper's tables with infersim's bound and prediction beside its measured numbers.

    --json and --csv print its mean speedups.
    """
    from infersim.cli.printing import print_aside, print_for_people, printed_for_machines
    from infersim.report.reproduction import (
        claims_table,
        components_table,
        mean_speedups_table,
        reproduction_verdict,
    )
    from infersim.report.reproduction_page import write_reproduction_page
    from infersim.simulation.reproduction import reproduce_beyond_flops

    if paper != BEYOND_FLOPS:
        raise UnknownNameError("paper", paper, [BEYOND_FLOPS])
    found = reproduce_beyond_flops()
    if html is not None:
        write_reproduction_page(html, found)
    if not printed_for_machines(found.speedups, as_json=as_json, as_csv=as_csv):
        tables = (components_table(found), mean_speedups_table(found), claims_table(found))
        print_for_people(reproduction_verdict(found), *tables)
    if html is not None:
        print_aside(f"Wrote {html}")
