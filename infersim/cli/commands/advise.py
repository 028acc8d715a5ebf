"""`infersim advise`: the sparsity that a speedup needs, where families pay, and widths that cost nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from infersim.cli import options
from infersim.cli.option_groups import PassFlags, RequestFlags, RunFlags, grouped
from infersim.cli.questions import ALL, DEFAULT_CONTEXT

TargetOption = Annotated[
    float | None,
    typer.Option("--target-speedup", "-t", metavar="FACTOR", help="Speedup to reach, such as 1.5."),
]
AdviseSparsityOption = Annotated[
    float, typer.Option("--sparsity", "-s", help="Sparsity at which break-even and widths are looked for.")
]


@grouped
def advise_command(
    *,
    model: options.NeededModelOption,
    gpu: options.GpuOption,
    target_speedup: TargetOption = None,
    families: options.FamiliesOption = None,
    sparsity: AdviseSparsityOption = 0.5,
    passes: PassFlags,
    own_request: RequestFlags,
    runs: RunFlags,
    kernels: options.KernelsOption = None,
    overrides: options.SetOption = [],  # noqa: B006 - typer makes a list of its own for each call
    full: options.FullOption = False,
    as_json: options.JsonOption = False,
    as_csv: options.CsvOption = False,
    html: options.HtmlOption = None,
    figures: options.FiguresOption = None,
) -> None:
    """Say what sparsity a speedup needs, from which batch and context families pay, and which width is free.

    With a target --json and --csv print what it needs, else where families pay.
    """
    from infersim.cli.outputs import check_outputs, write_asked
    from infersim.cli.plans import chosen_pruning
    from infersim.cli.printing import print_answer, print_left_out, print_notes, printed_for_machines
    from infersim.cli.questions import chosen_gpus, chosen_scenarios
    from infersim.cli.targets import chosen_families
    from infersim.report.advice.page import advice_page
    from infersim.report.advice.tables import advice_tables
    from infersim.report.advice.verdict import advice_verdict
    from infersim.report.core.scenarios import setting_text
    from infersim.report.core.screen import Answer
    from infersim.simulation.advice.break_even import break_even
    from infersim.simulation.advice.padded import padded_widths
    from infersim.simulation.advice.target import sparsity_for
    from infersim.simulation.advice.width import free_widths

    check_outputs([html], [gpu, model], folder=figures)
    gpus = chosen_gpus(gpu, overrides, kernels)
    pruning = chosen_pruning(
        model=model, families=families or ALL, sparsity=str(sparsity), plan_files=[], pruned_configs=[]
    )
    scenarios = chosen_scenarios(passes, runs, own_request, default_context=DEFAULT_CONTEXT)
    pruning = pruning.shared_by(scenarios.executions())
    needed = None
    if target_speedup is not None:
        needed = sparsity_for(
            pruning.model, gpus, target_speedup, chosen=chosen_families(families), scenarios=scenarios
        )
    pays = None
    if scenarios.request is None:
        start = scenarios.replace(batch=scenarios.batch[0], context=scenarios.context[0])
        pays = break_even(pruning.model, pruning.plans, gpus, scenarios=start)
    widths = free_widths(pruning.model, gpus, sparsity, scenarios=scenarios)
    padded = padded_widths(pruning.model, gpus, scenarios=scenarios)
    setting = setting_text(scenarios.execution, transformer=pruning.model, gpus=scenarios.gpus)
    write_asked(lambda: advice_page(needed, pays, widths, setting, padded), html=html, figures=figures)
    briefly = not (full or as_json or as_csv)
    print_notes(pruning.notes, briefly=briefly)
    print_left_out(pruning.left_out, briefly=briefly)
    rows = next(frame for frame in (needed, pays, widths) if frame is not None)
    if not printed_for_machines(rows, as_json=as_json, as_csv=as_csv):
        shown = needed, pays, widths, padded
        print_answer(Answer(verdict=advice_verdict(*shown), tables=advice_tables(*shown)), full=full)
