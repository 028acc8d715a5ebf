"""Options of the commands that read samples files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

SamplesArgument: TypeAlias = Annotated[
    list[Path], typer.Argument(metavar="SAMPLES", help="Samples: .parquet, .csv or .jsonl.")
]
OptionalSamplesArgument: TypeAlias = Annotated[
    list[Path] | None, typer.Argument(metavar="SAMPLES", help="Samples: .parquet, .csv or .jsonl.")
]
DefaultOption: TypeAlias = Annotated[
    list[str],
    typer.Option(
        "--default",
        metavar="COLUMN=VALUE,...",
        help="What the samples do not say: kind=gemm,weight_copies=6. The GPU need not be said.",
    ),
]
KindOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--kind", metavar="KIND,...", help="Only samples of these kinds: gemm,attention"),
]
FitOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--fit", metavar="FILE", help="Use this fit; left out: the one beside the datasheet."),
]
SkipBadOption: TypeAlias = Annotated[
    bool, typer.Option("--skip-bad", help="Set rows aside that are no samples, and count them.")
]
SeedOption: TypeAlias = Annotated[int, typer.Option("--seed", help="Of every random choice.")]
