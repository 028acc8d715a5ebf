"""`infersim search`: the plan that loses least importance and meets its targets, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infersim.cli import options
from infersim.cli.commands.search import asking
from infersim.cli.option_groups import PassFlags, RequestFlags, RunFlags, grouped
from infersim.domain.errors import InvalidValueError

ImportanceOption = Annotated[
    str,
    typer.Option(
        "--importance",
        "-i",
        help="Losses: a .csv or .parquet (layer, sublayer, choice, loss), Puzzletron's .json or folder; or a "
        "rule, uniform or depth, that nobody measured.",
    ),
]
MetricOption = Annotated[
    str | None, typer.Option("--metric", help="Which of Puzzletron's losses, such as kl_div_loss.")
]
SpeedupOption = Annotated[
    float | None,
    typer.Option("--target-speedup", "-t", metavar="FACTOR", help="Speedup to reach, such as 1.5."),
]
LatencyOption = Annotated[
    float | None, typer.Option("--target-latency", metavar="MS", help="Of each scenario or request.")
]
TpotOption = Annotated[
    float | None, typer.Option("--target-tpot", metavar="MS", help="Of a decode step, or as served.")
]
TtftOption = Annotated[
    float | None, typer.Option("--target-ttft", metavar="MS", help="Of prefill, or as served.")
]
MemoryOption = Annotated[
    float | None, typer.Option("--target-memory", metavar="GIB", help="Of one GPU, cache included.")
]
TargetPriceOption = Annotated[
    float | None, typer.Option("--target-price", metavar="PRICE", help="Of a million tokens written.")
]
SureOption = Annotated[
    float, typer.Option("--sure", metavar="PROBABILITY", help="With which each target is met, such as 0.9.")
]
MultipleOption = Annotated[int, typer.Option("--multiple", help="Widths and ranks are multiples of it.")]
TensorOption = Annotated[
    int, typer.Option("--tensor-parallel", help="GPUs that heads and widths must divide by.")
]
GroupOption = Annotated[
    int, typer.Option("--group", help="So many consecutive layers are equal. 0: each its own.")
]
ShapesOption = Annotated[
    int | None, typer.Option("--shapes", help="At most so many distinct shapes of each kind of sublayer.")
]
KeepOption = Annotated[
    str | None, typer.Option("--keep", help="Layers that stay as they are: 0,1,-1 (from the end below 0).")
]
RunsOnOption = Annotated[
    str | None, typer.Option("--runs-on", help="Only what a released version of this engine runs.")
]
GapOption = Annotated[float, typer.Option("--gap", help="Relative gap at which the solver stops.")]
TimeOption = Annotated[
    float, typer.Option("--time-limit", metavar="SECONDS", help="Then the best plan so far, with its gap.")
]
PointsOption = Annotated[int, typer.Option("--points", help="Points of the whole trade-off. 0: none.")]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Write the plan (.toml), for compare --plan."),
]


@grouped
def search_command(
    *,
    model: options.NeededModelOption,
    gpu: asking.OneGpuOption,
    importance: ImportanceOption,
    metric: MetricOption = None,
    attention: asking.AttentionOption = None,
    ffn: asking.FfnOption = None,
    target_speedup: SpeedupOption = None,
    target_latency: LatencyOption = None,
    target_tpot: TpotOption = None,
    target_ttft: TtftOption = None,
    target_memory: MemoryOption = None,
    target_price: TargetPriceOption = None,
    sure: SureOption = 0.5,
    multiple: MultipleOption = 1,
    tensor_parallel: TensorOption = 1,
    group: GroupOption = 0,
    shapes: ShapesOption = None,
    keep: KeepOption = None,
    runs_on: RunsOnOption = None,
    gap: GapOption = 1e-3,
    time_limit: TimeOption = 60.0,
    points: PointsOption = 12,
    passes: PassFlags,
    own_request: RequestFlags,
    engine: asking.EngineOption = None,
    concurrency: asking.ConcurrencyOption = None,
    price_per_hour: asking.PriceOption = None,
    runs: RunFlags,
    kernels: options.KernelsOption = None,
    overrides: options.SetOption = [],  # noqa: B006 - typer makes a list of its own for each call
    out: OutOption = None,
    full: options.FullOption = False,
    as_json: options.JsonOption = False,
    as_csv: options.CsvOption = False,
    html: options.HtmlOption = None,
    figures: options.FiguresOption = None,
) -> None:
    """Find the plan that loses least importance and meets all targets by a full prediction.

    Each layer has its own choice. --json and --csv print what became of each layer.
    """
    from infersim.cli.outputs import check_outputs, write_asked
    from infersim.cli.printing import print_aside, print_summary, printed_for_machines
    from infersim.cli.questions import integers
    from infersim.report.search.page import search_page
    from infersim.simulation.search.searching import search

    check_outputs([out, html], [gpu, model, importance], folder=figures)
    if out is not None and out.suffix.lower() != ".toml":
        raise InvalidValueError(
            "output file", str(out), "a file that ends in .toml, as compare --plan reads it"
        )
    found = search(
        model,
        asking.one_gpu(gpu, overrides, kernels),
        importance,
        metric=metric,
        choices=asking.choices_of(attention, ffn),
        target_speedup=target_speedup,
        target_latency_ms=target_latency,
        target_tpot_ms=target_tpot,
        target_ttft_ms=target_ttft,
        target_memory_gib=target_memory,
        target_price_per_million=target_price,
        sure=sure,
        multiple=multiple,
        tensor_parallel=tensor_parallel,
        group=group,
        shapes=shapes,
        keep=() if keep is None else integers("keep", keep),
        runs_on=runs_on,
        gap=gap,
        time_limit=time_limit,
        points=points,
        **asking.setting_options(passes, own_request, runs, engine, concurrency, price_per_hour),
    )
    if out is not None:
        found.write_plan(out)
        print_aside(f"Wrote {out}")
    write_asked(lambda: search_page(found), html=html, figures=figures)
    if not printed_for_machines(found.layers, as_json=as_json, as_csv=as_csv):
        print_summary(found, full=full)
