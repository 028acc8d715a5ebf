"""`infersim serve`: a model, dense or pruned, as an engine serves it, and what pruning buys under load."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infersim.cli import options
from infersim.cli.option_groups import FormatFlags, grouped
from infersim.domain.errors import InvalidValueError

if TYPE_CHECKING:
    from infersim.simulation.serving.under_load import Targets

CONCURRENCY = "64"
"""Requests at once, where nobody says."""

PromptOption = Annotated[
    str | None, typer.Option("--prompt", help="Tokens that a request reads; several with commas between.")
]
OutputOption = Annotated[
    str | None, typer.Option("--output", help="Tokens that it writes; several with commas between.")
]
TraceOption = Annotated[
    Path | None,
    typer.Option("--trace", help="Lengths of requests instead (.csv, .parquet; columns prompt, output)."),
]
ConcurrencyOption = Annotated[
    str,
    typer.Option(
        "--concurrency", "-n", help="Requests in the system at once: 1,8,64; or max, the most that fits."
    ),
]
CachedOption = Annotated[
    float,
    typer.Option("--cached", metavar="SHARE", help="Of each prompt, in the KV cache when it comes: 0.8."),
]
EngineOption = Annotated[
    str, typer.Option("--engine", "-e", help="An engine by name (infersim engines), or a .toml.")
]
GpusOption = Annotated[int, typer.Option("--gpus", help="GPUs of one node that share the model.")]
PriceOption = Annotated[
    float | None, typer.Option("--price-per-hour", metavar="PRICE", help="Of a GPU, in any currency.")
]
TpotOption = Annotated[
    float | None,
    typer.Option("--tpot-target", metavar="MS", help="Plans at the most requests that keep this TPOT."),
]
TtftOption = Annotated[
    float | None,
    typer.Option("--ttft-target", metavar="MS", help="Plans at the most requests that keep this TTFT."),
]
RateOption = Annotated[
    float | None,
    typer.Option(
        "--rate",
        metavar="PER_SECOND",
        help="Requests that come at random, simulated.",
    ),
]
SimulateOption = Annotated[
    bool, typer.Option("--simulate", help="Serve requests one by one: percentiles, not the closed form.")
]
RequestsOption = Annotated[
    int | None, typer.Option("--requests", help="How many are simulated. Left out: six for each client.")
]


@grouped
def serve_command(
    *,
    gpu: options.GpuOption,
    model: options.ModelOption = None,
    prompt: PromptOption = None,
    output: OutputOption = None,
    trace: TraceOption = None,
    cached: CachedOption = 0.0,
    concurrency: ConcurrencyOption = CONCURRENCY,
    engine: EngineOption = "vllm",
    gpus: GpusOption = 1,
    families: options.FamiliesOption = None,
    sparsity: options.SparsityOption = "0.5",
    plan: options.PlanOption = [],  # noqa: B006 - typer makes a list of its own for each call
    pruned_config: options.PrunedConfigOption = [],  # noqa: B006
    tpot_target: TpotOption = None,
    ttft_target: TtftOption = None,
    price_per_hour: PriceOption = None,
    simulate: SimulateOption = False,
    rate: RateOption = None,
    requests: RequestsOption = None,
    formats: FormatFlags = FormatFlags(),  # noqa: B008 - frozen
    overrides: options.SetOption = [],  # noqa: B006
    full: options.FullOption = False,
    as_json: options.JsonOption = False,
    as_csv: options.CsvOption = False,
    html: options.HtmlOption = None,
    figures: options.FiguresOption = None,
) -> None:
    """Predict TTFT, TPOT, tokens per second, memory and price of a model as an engine serves it.

    With plans (--families, --plan, --pruned): what each buys at the same load, at the most requests that fit,
    and at the most that keep targets.
    """
    import pandas as pd

    from infersim.cli.outputs import check_no_page, check_outputs, write_asked
    from infersim.cli.plans import chosen_pruning
    from infersim.cli.printing import print_answer, print_left_out, print_notes, printed_for_machines
    from infersim.cli.questions import chosen_gpus, integers
    from infersim.pruning.plan import Plan
    from infersim.report.serving.page import serving_page
    from infersim.report.serving.verdict import services_answer
    from infersim.report.summary import summary
    from infersim.simulation.serving.service import MAX, Service
    from infersim.simulation.serving.serving import served_frame
    from infersim.simulation.serving.simulating import simulated_frame
    from infersim.simulation.serving.under_load import Targets, under_load, under_load_frame

    check_outputs([html], [*plan, *pruned_config, trace, gpu, model, engine], folder=figures)
    pruning = chosen_pruning(
        model=model, families=families, sparsity=sparsity, plan_files=plan, pruned_configs=pruned_config
    )
    profiles = chosen_gpus(gpu, overrides)
    service = Service.of(
        prompt=None if prompt is None else integers("prompt", prompt),
        output=None if output is None else integers("output", output),
        trace=trace,
        cached=cached,
        concurrency=MAX if concurrency == MAX else integers("concurrency", concurrency),
        engine=engine,
        gpus=gpus,
        **asdict(formats),
        price_per_hour=price_per_hour,
    )
    pruning = pruning.shared_by([service.execution])
    targets = Targets.of(tpot_ms=tpot_target, ttft_ms=ttft_target)
    if simulate or rate is not None:
        check_no_page("requests that are simulated one by one", html=html, figures=figures)
        _check_simulated(targets, price_per_hour, None if rate is None else concurrency)
    elif requests is not None:
        raise InvalidValueError("requests", requests, "none without --simulate or --rate")
    dense = Plan(base=pruning.model, transformer=pruning.model)
    if simulate or rate is not None:
        plans = [dense, *pruning.plans]
        frame = simulated_frame(plans, profiles, service, rate=rate, requests=requests, seed=0)
        shown = [frame]
    elif pruning.plans or targets.any or html is not None or figures is not None:
        found = [under_load(pruning.model, pruning.plans, profile, service, targets) for profile in profiles]
        write_asked(lambda: serving_page(found), html=html, figures=figures)
        shown = [under_load_frame(each) for each in found]
        frame = pd.concat(shown, ignore_index=True)
    else:
        frame = served_frame([dense], profiles, service)
        shown = [frame]
    briefly = not (full or as_json or as_csv)
    print_notes(pruning.notes, briefly=briefly)
    print_left_out(pruning.left_out, briefly=briefly)
    if not printed_for_machines(frame, as_json=as_json, as_csv=as_csv):
        print_answer(services_answer([summary(each) for each in shown], shown), full=full)


def _check_simulated(targets: Targets, price_per_hour: float | None, at_a_rate: str | None) -> None:
    """Refuse what a simulation does not answer; `at_a_rate` is the concurrency beside a rate."""
    said = {
        "tpot-target": targets.tpot_ms,
        "ttft-target": targets.ttft_ms,
        "price-per-hour": price_per_hour,
        "concurrency": None if at_a_rate in (None, CONCURRENCY) else at_a_rate,
    }
    for key, value in said.items():
        if value is not None:
            beside = "--rate, by which requests come" if key == "concurrency" else "--simulate and --rate"
            raise InvalidValueError(key, value, f"none beside {beside}")
