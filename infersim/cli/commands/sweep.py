"""`infersim sweep`: every combination of a plan into one table, on many cores if need be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infersim.cli import options
from infersim.cli.interrupts import StoppedError
from infersim.domain.errors import InvalidValueError

if TYPE_CHECKING:
    from infersim.simulation.sweeping.resolved import LeftOut, ResolvedSweep

MAX_LEFT_OUT = 12
"""Kinds of combinations left out that are told one by one; the file has them all."""

ENGINES = ("local", "dask")

PlanArgument = Annotated[
    str,
    typer.Argument(
        metavar="PLAN", help="The plan, a .toml file; or one that infersim ships: families, million."
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="The table (.parquet); one begun there goes on."),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would be computed.")]
WorkersOption = Annotated[int, typer.Option("--workers", "-w", help="Processes of this machine.")]
EngineOption = Annotated[str, typer.Option("--engine", help="local, or dask: on a cluster that runs.")]
SchedulerOption = Annotated[
    str | None, typer.Option("--scheduler", metavar="ADDRESS", help="Of the cluster: tcp://host:8786")
]
ChunkOption = Annotated[
    int | None, typer.Option("--chunk-rows", help="Rows computed together: fewer take less memory.")
]


def sweep_command(
    plan: PlanArgument,
    out: OutOption = None,
    dry_run: DryRunOption = False,
    workers: WorkersOption = 1,
    engine: EngineOption = "local",
    scheduler: SchedulerOption = None,
    chunk_rows: ChunkOption = None,
    full: options.FullOption = False,
    as_json: options.JsonOption = False,
    as_csv: options.CsvOption = False,
    html: options.HtmlOption = None,
    figures: options.FiguresOption = None,
) -> None:
    """Compare all models x GPUs x prunings x scenarios of a plan; killed, the same command goes on.

    --json and --csv print the mean of every case and plan; the rows themselves are in --out.
    """
    from infersim.cli.outputs import check_outputs
    from infersim.cli.printing import print_answer, print_aside, printed_for_machines
    from infersim.cli.progress import progress_bar, working
    from infersim.simulation.sweeping.grid import CHUNK_ROWS
    from infersim.simulation.sweeping.parts import check_out
    from infersim.simulation.sweeping.resolved import resolve_sweep
    from infersim.simulation.sweeping.running import run_sweep

    _check_engine(engine, scheduler, workers)
    check_outputs([out, html], [plan if plan.endswith(".toml") else None], folder=figures)
    if out is not None:
        check_out(out)
    elif not dry_run:
        raise InvalidValueError("out", None, "a .parquet file for the table: --out results.parquet")
    rows = CHUNK_ROWS if chunk_rows is None else chunk_rows
    if rows < 1:
        raise InvalidValueError("chunk_rows", rows, "a positive integer")
    with working("Checking the plan"):
        resolved = resolve_sweep(plan)
    if dry_run:
        _print_estimate(resolved, rows, workers, as_json=as_json, as_csv=as_csv)
        _print_left_out(resolved.left_out, briefly=False)
        return
    try:
        with progress_bar("Sweeping", resolved.rows) as on_rows:
            result = run_sweep(
                resolved, out, workers=workers, scheduler=scheduler, chunk_rows=rows, on_rows=on_rows
            )
    except KeyboardInterrupt:
        raise StoppedError(_kept(out)) from None

    from functools import partial

    from infersim.cli.outputs import write_asked
    from infersim.report.sweep.page import sweep_page
    from infersim.report.sweep.verdict import sweep_answer
    from infersim.simulation.sweeping.result import sweep_summary

    summary = sweep_summary(result)
    if not printed_for_machines(summary, as_json=as_json, as_csv=as_csv):
        print_answer(sweep_answer(summary), full=full)
    _print_left_out(resolved.left_out, briefly=not (full or as_json or as_csv))
    print_aside(f"Wrote {out}: {result.rows:,} rows")
    write_asked(partial(sweep_page, result, summary), html=html, figures=figures)


def _check_engine(engine: str, scheduler: str | None, workers: int) -> None:
    from infersim.domain.errors import UnknownNameError
    from infersim.simulation.sweeping.engines import MAX_WORKERS

    if engine not in ENGINES:
        raise UnknownNameError("engine", engine, ENGINES)
    if engine == "dask" and scheduler is None:
        raise InvalidValueError("scheduler", None, "the address of a Dask scheduler, such as tcp://host:8786")
    if engine == "local" and scheduler is not None:
        raise InvalidValueError("scheduler", scheduler, "--engine dask beside it")
    if not 1 <= workers <= MAX_WORKERS:
        raise InvalidValueError("workers", workers, f"an integer from 1 to {MAX_WORKERS}")
    if engine == "dask" and workers != 1:
        raise InvalidValueError("workers", workers, "none beside --engine dask, whose cluster has its own")


def _kept(out: Path | None) -> str:
    """What an interrupted sweep leaves."""
    from infersim.simulation.sweeping.parts import parts_folder

    if out is not None and out.exists():
        return f"the table is whole in {out}"
    if out is None or not parts_folder(out).exists():
        return "no part was finished"
    return f"finished parts are beside {out}, and the same command goes on"


def _print_estimate(
    resolved: ResolvedSweep, chunk_rows: int, workers: int, *, as_json: bool, as_csv: bool
) -> None:
    from dataclasses import asdict

    import pandas as pd

    from infersim.cli.printing import printed_for_machines
    from infersim.report.sweep.tables import estimate_text
    from infersim.simulation.sweeping.table import estimate_sweep

    estimate = estimate_sweep(resolved, chunk_rows)
    row = {**asdict(estimate), "workers": workers, "seconds": estimate.core_s / workers}
    if not printed_for_machines(pd.DataFrame([row]), as_json=as_json, as_csv=as_csv):
        print(estimate_text(estimate, workers))


def _print_left_out(left_out: tuple[LeftOut, ...], *, briefly: bool) -> None:
    from infersim.cli.printing import print_aside, print_left_out

    if briefly:
        reasons = [f"{each.what} ({each.scenarios:,} scenarios): {each.reason}" for each in left_out]
        print_left_out(reasons, briefly=True)
        return
    for each in left_out[:MAX_LEFT_OUT]:
        print_aside(f"Left out: {each.what} ({each.scenarios:,} scenarios): {each.reason}")
    if len(left_out) > MAX_LEFT_OUT:
        rest = left_out[MAX_LEFT_OUT:]
        print_aside(f"Left out: {len(rest)} more ({sum(each.scenarios for each in rest):,} scenarios)")
