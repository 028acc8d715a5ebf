"""`infersim frontier`: what speed each way to prune gains for what it loses in quality."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infersim.cli import options
from infersim.cli.option_groups import PassFlags, RequestFlags, RunFlags, grouped
from infersim.cli.questions import DEFAULT_CONTEXT

QualityOption = Annotated[
    Path | None,
    typer.Option("--quality", help="Your own losses of quality (.csv, .parquet) instead of published ones."),
]
QualityModelOption = Annotated[
    str | None, typer.Option("--quality-model", help="Model whose losses are taken, if not --model's own.")
]
RecoveryOption = Annotated[
    str | None, typer.Option("--recovery", help="Only losses after this recovery: none, lora, router, ...")
]
TaskOption = Annotated[
    str | None,
    typer.Option("--task", help="Only losses on: zero-shot, knowledge, reasoning, perplexity, long-context."),
]
SourceOption = Annotated[str | None, typer.Option("--source", help="Only losses from this source.")]
MaxLossOption = Annotated[
    float | None, typer.Option("--max-loss", metavar="PERCENT", help="The best choice within this loss.")
]
RequestsOption = Annotated[
    str | None,
    typer.Option(
        "--request",
        help="Whole requests instead: classification, generation, reasoning; with commas between.",
    ),
]
MeasuredOption = Annotated[
    Path | None,
    typer.Option("--measured", help="Your own measured speedups (.csv, .parquet) instead of published ones."),
]


@grouped
def frontier_command(
    *,
    model: options.NeededModelOption,
    gpu: options.GpuOption,
    passes: PassFlags,
    request: RequestsOption = None,
    max_loss: MaxLossOption = None,
    quality: QualityOption = None,
    quality_model: QualityModelOption = None,
    recovery: RecoveryOption = None,
    task: TaskOption = None,
    source: SourceOption = None,
    measured: MeasuredOption = None,
    runs: RunFlags,
    kernels: options.KernelsOption = None,
    overrides: options.SetOption = [],  # noqa: B006 - typer makes a list of its own for each call
    full: options.FullOption = False,
    as_json: options.JsonOption = False,
    as_csv: options.CsvOption = False,
    html: options.HtmlOption = None,
    figures: options.FiguresOption = None,
) -> None:
    """Join losses of quality, published or yours, with predicted speedups: who leads at which loss.

    Losses after different recovery never share a frontier; sparse attention stands apart, task by task.
    --json and --csv print every point.
    """
    from infersim.cli.outputs import check_outputs, write_asked
    from infersim.cli.printing import print_answer, print_left_out, printed_for_machines
    from infersim.cli.questions import NO_REQUEST, chosen_gpus, chosen_scenarios, names
    from infersim.report.frontier.page import frontier_page
    from infersim.report.summary import summary
    from infersim.simulation.frontier.search import frontier

    check_outputs([html], [quality, measured, gpu, model], folder=figures)
    requests = [NO_REQUEST]
    if request is not None:
        requests = [RequestFlags(request=name) for name in names("request", request)]
    scenarios = [chosen_scenarios(passes, runs, each, default_context=DEFAULT_CONTEXT) for each in requests]
    found = frontier(
        model,
        chosen_gpus(gpu, overrides, kernels),
        scenarios=scenarios,
        quality=quality,
        quality_model=quality_model,
        recovery=recovery,
        task_type=task,
        source=source,
        measured=measured,
    )
    said = summary(found, max_loss_percent=max_loss)
    write_asked(lambda: frontier_page(found, max_loss), html=html, figures=figures)
    print_left_out(found.left_out, briefly=not (full or as_json or as_csv))
    if not printed_for_machines(found.points, as_json=as_json, as_csv=as_csv):
        print_answer(said, full=full)
