"""`infersim compare`: how fast plans make a model, how fast they could, and what eats the difference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infersim.cli import options
from infersim.cli.lists import ALL
from infersim.cli.option_groups import PassFlags, RequestFlags, RunFlags, grouped
from infersim.domain.errors import InvalidValueError

MeasuredOption = Annotated[
    Path | None,
    typer.Option("--measured", help="Your own measured speedups (.csv, .parquet) instead of published ones."),
]
TargetOption = Annotated[
    float | None,
    typer.Option(
        "--target-speedup",
        metavar="FACTOR",
        help="Instead of --sparsity: each family at the least sparsity that reaches this, such as 1.5.",
    ),
]

SweepSetOption = Annotated[
    str | None,
    typer.Option(
        "--sweep-set",
        metavar="KEY=LOW:HIGH:COUNT",
        help="Compare along a number of the GPU, such as memory.bandwidth_gb_s=2000:8000:9.",
    ),
]


@grouped
def compare_command(
    *,
    gpu: options.GpuOption,
    model: options.ModelOption = None,
    families: options.FamiliesOption = None,
    sparsity: options.SparsityOption = "0.5",
    plan: options.PlanOption = [],  # noqa: B006 - typer makes a list of its own for each call
    pruned_config: options.PrunedConfigOption = [],  # noqa: B006
    passes: PassFlags,
    own_request: RequestFlags,
    measured: MeasuredOption = None,
    layers: options.LayersOption = None,
    target_speedup: TargetOption = None,
    runs: RunFlags,
    overrides: options.SetOption = [],  # noqa: B006
    sweep_set: SweepSetOption = None,
    as_json: options.JsonOption = False,
    as_csv: options.CsvOption = False,
    html: options.HtmlOption = None,
    figures: options.FiguresOption = None,
) -> None:
    """Set plans that prune a model against the dense model: speedup, bound, ceiling, and every loss by name.

    Without --plan or --pruned-config it compares all families.
    """
    from functools import partial

    from infersim.cli.hardware_sweep import compare_along_number
    from infersim.cli.outputs import check_outputs
    from infersim.cli.pages import write_asked
    from infersim.cli.plans import chosen_pruning
    from infersim.cli.printing import print_aside, print_summary, printed_for_machines
    from infersim.cli.questions import chosen_gpus, chosen_scenarios
    from infersim.cli.targets import plans_for_target
    from infersim.report.comparison_page import compare_page
    from infersim.report.comparison_report import gather_comparison
    from infersim.simulation.comparison import compare
    from infersim.simulation.measured_account import measured_account
    from infersim.simulation.published import load_measured

    check_outputs([html, figures], [*plan, *pruned_config, measured, gpu, model])
    gpus = chosen_gpus(gpu, overrides)
    pruning = chosen_pruning(
        model=model,
        families=families or (None if plan or pruned_config else ALL),
        sparsity=sparsity,
        plan_files=plan,
        pruned_configs=pruned_config,
        layers=layers,
    )
    scenarios = chosen_scenarios(passes, runs, own_request)
    table = None if measured is None else load_measured(measured)
    if target_speedup is not None:
        pruning = plans_for_target(
            pruning,
            target_speedup,
            gpus,
            scenarios,
            families=families,
            with_files=bool(plan or pruned_config),
        )
    if sweep_set is not None:
        if table is not None:
            raise InvalidValueError("measured", str(measured), "none beside --sweep-set")
        compare_along_number(
            sweep_set, pruning, gpus, scenarios, as_json=as_json, as_csv=as_csv, html=html, figures=figures
        )
        return
    if html is None and figures is None:
        frame = compare(pruning.model, pruning.plans, gpus, measured=table, scenarios=scenarios)
    else:
        report = gather_comparison(
            pruning.model,
            pruning.plans,
            gpus,
            measured=table,
            left_out=pruning.left_out,
            scenarios=scenarios,
        )
        write_asked(partial(compare_page, report), html=html, figures=figures)
        frame = report.comparison
    for note in pruning.notes:
        print_aside(note)
    for reason in pruning.left_out:
        print_aside(f"Left out: {reason}")
    if table is not None:
        for sentence in measured_account(table, frame, scenarios.execution):
            print_aside(sentence)
    if not printed_for_machines(frame, as_json=as_json, as_csv=as_csv):
        print_summary(frame)
