"""The profile and the samples that a command is about, from what was typed.

With the options that name them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from infersim.cli.questions import names

if TYPE_CHECKING:
    from infersim.domain.profile import HardwareProfile
    from infersim.fitting.samples.in_parts import PackedRead


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
    bool, typer.Option("--skip-bad", help="Set invalid rows aside, and count them.")
]
SeedOption: TypeAlias = Annotated[int, typer.Option("--seed", help="Of every random choice.")]


def chosen_kinds(kinds: str | None) -> list[str]:
    """`gemm,attention` as kinds; none where none is named, which means all."""
    return [] if kinds is None else names("kind", kinds)


def profile_and_samples(
    gpu: str,
    fit: Path | None,
    samples: Sequence[Path],
    defaults: Sequence[str],
    skip_bad: bool,
    kinds: Sequence[str] = (),
) -> tuple[HardwareProfile, PackedRead]:
    """The profile, with the fit in the file `fit` if one is given, and the samples of its GPU and `kinds`.

    Raises what reading them raises.
    """
    from infersim.fitting.samples.in_parts import read_packed
    from infersim.fitting.samples.reading import parse_defaults
    from infersim.profile_files.profiles import load_profile, with_fit

    profile = load_profile(gpu)
    if fit is not None:
        profile = with_fit(profile, fit)
    typed = [default for word in defaults for default in names("default", word)]
    said = {"gpu": profile.name, **parse_defaults(typed)}
    read = read_packed(samples, gpu=profile.name, defaults=said, skip_bad=skip_bad, kinds=kinds)
    return profile, read
