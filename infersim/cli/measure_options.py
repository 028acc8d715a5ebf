"""Options that the commands of `infersim measure` share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

DeviceOption: TypeAlias = Annotated[
    str, typer.Option("--device", help="What is measured: cuda:0, another GPU by number, or cpu.")
]
ThreadsOption: TypeAlias = Annotated[
    int | None, typer.Option("--threads", help="Threads of a CPU. Left out: all its cores.")
]
ClockOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--clock",
        help="Of a CPU: wall, or cpu, which counts only the time that one thread had its core (--threads 1).",
    ),
]
