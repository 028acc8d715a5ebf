"""`infersim predict`: how long a model takes, dense or pruned."""

from __future__ import annotations

from infersim.cli import options
from infersim.cli.option_groups import PassFlags, RequestFlags, RunFlags, grouped
from infersim.domain.errors import InfersimError


@grouped
def predict_command(
    *,
    gpu: options.GpuOption,
    model: options.ModelOption = None,
    passes: PassFlags,
    own_request: RequestFlags,
    families: options.FamiliesOption = None,
    sparsity: options.SparsityOption = "0.5",
    plan: options.PlanOption = [],  # noqa: B006 - typer makes a list of its own for each call
    pruned_config: options.PrunedConfigOption = [],  # noqa: B006
    runs: RunFlags,
    kernels: options.KernelsOption = None,
    overrides: options.SetOption = [],  # noqa: B006
    full: options.FullOption = False,
    as_json: options.JsonOption = False,
    as_csv: options.CsvOption = False,
    html: options.HtmlOption = None,
    figures: options.FiguresOption = None,
) -> None:
    """Predict latency, floor, throughput and memory of a model, or of plans that prune it."""
    from functools import partial

    import pandas as pd

    from infersim.cli.outputs import check_outputs, write_asked
    from infersim.cli.plans import chosen_pruning
    from infersim.cli.printing import print_left_out, print_notes, print_summary, printed_for_machines
    from infersim.cli.questions import chosen_gpus, chosen_scenarios
    from infersim.report.speedups.prediction_page import gather_prediction, predict_page
    from infersim.simulation.speedups.prediction import predicted

    check_outputs([html], [*plan, *pruned_config, gpu, model], folder=figures)
    pruning = chosen_pruning(
        model=model, families=families, sparsity=sparsity, plan_files=plan, pruned_configs=pruned_config
    )
    gpus = chosen_gpus(gpu, overrides, kernels)
    scenarios = chosen_scenarios(passes, runs, own_request)
    pruning = pruning.shared_by(scenarios.executions())
    subjects = pruning.plans or (pruning.model,)
    if html is None and figures is None:
        frame = pd.concat([predicted(each, gpus, scenarios) for each in subjects], ignore_index=True)
    elif len(subjects) == 1:
        report = gather_prediction(subjects[0], gpus, scenarios=scenarios)
        write_asked(partial(predict_page, report), html=html, figures=figures)
        frame = report.prediction
    else:
        raise InfersimError(
            f"a page shows one model or plan, not {len(subjects)}; `compare` sets plans side by side"
        )
    briefly = not (full or as_json or as_csv)
    print_notes(pruning.notes, briefly=briefly)
    print_left_out(pruning.left_out, briefly=briefly)
    if not printed_for_machines(frame, as_json=as_json, as_csv=as_csv):
        print_summary(frame, full=full)
