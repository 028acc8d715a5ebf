"""`infersim import`: measurements that others published, as samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infersim.cli.options import FullOption

SourceArgument = Annotated[
    str,
    typer.Argument(
        help="aiconfigurator, vidur, neusight, slidesparse, alibaba-infersim, llm-serving-sim, cutlass, "
        "nvbench, torch-benchmark or torch-profiler."
    ),
]
PathArgument = Annotated[Path, typer.Argument(help="A file or a folder of your own download of it.")]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="Samples to write: .parquet, .csv or .jsonl.")]
GpuNameOption = Annotated[
    str | None, typer.Option("--gpu", "-g", help="The GPU, where the source does not name it clearly.")
]
SkipBadOption = Annotated[bool, typer.Option("--skip-bad", help="Set invalid rows aside, and count them.")]


def import_command(
    source: SourceArgument,
    path: PathArgument,
    out: OutOption,
    gpu: GpuNameOption = None,
    skip_bad: SkipBadOption = False,
    full: FullOption = False,
) -> None:
    """Turn published kernel measurements into samples to calibrate with."""
    from infersim.cli.outputs import check_outputs
    from infersim.cli.printing import print_answer
    from infersim.fitting.importers.importing import import_source
    from infersim.fitting.samples.writing import check_samples_name, write_samples
    from infersim.report.core import rounding
    from infersim.report.core.screen import Answer
    from infersim.report.core.table import Column, Table, text_column
    from infersim.report.core.verdict import Verdict

    check_outputs([out], [path])
    check_samples_name(out)
    read = import_source(source, path, gpu=gpu, skip_bad=skip_bad)
    write_samples(read.frame, out)
    verdict = Verdict(sentences=(f"{out}: {read.account()}.",))
    keys = [key for key in ("gpu", "kind", "dtype") if key in read.frame.columns]
    counts = read.frame.groupby(keys, sort=False, dropna=False).size().reset_index(name="rows")
    columns = (
        *(text_column(key, key) for key in keys),
        Column(heading="rows", keys=("rows",), text=rounding.count),
    )
    table = Table(title="", frame=counts.fillna(""), columns=columns)
    print_answer(Answer(verdict=verdict, tables=(table,)), full=full)
