"""What both commands ask about: choices, and scenarios or a service."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from infersim.cli.option_groups import FormatFlags, PassFlags, RequestFlags, RunFlags
from infersim.domain.errors import InvalidValueError

if TYPE_CHECKING:
    from infersim.domain.profile import HardwareProfile

OneGpuOption: TypeAlias = Annotated[
    str, typer.Option("--gpu", "-g", help="GPU by name (infersim gpus) or .toml.")
]
AttentionOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--attention",
        metavar="CHOICES",
        help="Of each attention, with commas between: kv_heads=4,heads=50%,none,linear,fp8.",
    ),
]
FfnOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--ffn",
        metavar="CHOICES",
        help="Of each FFN: width=25%..75%/25%,width=50%+fp8,none,2:4.",
    ),
]
EngineOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--engine", "-e", help="An engine (infersim engines): --prompt and --output are served."),
]
ConcurrencyOption: TypeAlias = Annotated[
    int | None, typer.Option("--concurrency", "-n", help="With --engine: requests at once. Left out: 64.")
]
PriceOption: TypeAlias = Annotated[
    float | None, typer.Option("--price-per-hour", metavar="PRICE", help="With --engine: of a GPU.")
]


def choices_of(attention: str | None, ffn: str | None) -> dict[str, list[str]] | None:
    """The choices that were typed; None where there are none."""
    typed = {"attention": attention, "ffn": ffn}
    found = {
        name: [word.strip() for word in text.split(",") if word.strip()]
        for name, text in typed.items()
        if text is not None
    }
    return found or None


def setting_options(
    passes: PassFlags,
    own: RequestFlags,
    runs: RunFlags,
    engine: str | None,
    concurrency: int | None,
    price_per_hour: float | None,
) -> dict[str, Any]:
    """The options of `latency_table` and `search`: a record of scenarios, or one of a service."""
    from infersim.cli.questions import DEFAULT_CONTEXT, chosen_scenarios, integers

    if engine is None:
        for key, value in (("concurrency", concurrency), ("price-per-hour", price_per_hour)):
            if value is not None:
                raise InvalidValueError(key, value, "none without --engine")
        return {"scenarios": chosen_scenarios(passes, runs, own, default_context=DEFAULT_CONTEXT)}
    from infersim.simulation.serving.service import Service

    _only_a_service(passes, own, runs)
    gpus = integers("gpus", runs.gpus)
    if len(gpus) > 1:
        raise InvalidValueError("gpus", runs.gpus, "one number of GPUs with --engine")
    service = Service.of(
        prompt=own.prompt,
        output=own.output,
        engine=engine,
        gpus=gpus[0],
        price_per_hour=price_per_hour,
        **{field.name: getattr(runs, field.name) for field in fields(FormatFlags)},
        concurrency=64 if concurrency is None else concurrency,
    )
    return {"service": service}


def _only_a_service(passes: PassFlags, own: RequestFlags, runs: RunFlags) -> None:
    """Refuse what an engine decides."""
    plain = RunFlags()
    said = {
        "phase": passes.phase,
        "context": passes.context,
        "batch": None if passes.batch == PassFlags().batch else passes.batch,
        "request": own.request,
        "execution": None if runs.execution == plain.execution else runs.execution,
        "cuda-graph": None if runs.cuda_graph == plain.cuda_graph else runs.cuda_graph,
    }
    for key, value in said.items():
        if value is not None:
            raise InvalidValueError(key, value, "none beside --engine: --prompt, --output and --concurrency")


def one_gpu(gpu: str, overrides: list[str], kernels: str | None) -> HardwareProfile:
    """The one profile that was typed."""
    from infersim.cli.questions import chosen_gpus

    found = chosen_gpus(gpu, overrides, kernels)
    if len(found) > 1:
        raise InvalidValueError("gpu", gpu, "one GPU")
    return found[0]
