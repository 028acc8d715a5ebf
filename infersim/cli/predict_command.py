"""`infersim predict`: how long a model takes, dense or pruned."""

from __future__ import annotations

from infersim.cli import options
from infersim.domain.errors import InfersimError


def predict_command(
    gpu: options.GpuOption,
    model: options.ModelOption = None,
    phase: options.PhaseUnlessRequestOption = None,
    batch: options.BatchOption = "1",
    context: options.ContextOption = None,
    request: options.RequestOption = None,
    prompt: options.PromptOption = None,
    output: options.OutputOption = None,
    families: options.FamiliesOption = None,
    sparsity: options.SparsityOption = "0.5",
    plan: options.PlanOption = [],  # noqa: B006 - typer makes a list of its own for each call
    pruned_config: options.PrunedConfigOption = [],  # noqa: B006
    dtype: options.DtypeOption = "bf16",
    kv_dtype: options.KvDtypeOption = None,
    execution: options.ExecutionOption = "fused",
    cuda_graph: options.CudaGraphOption = True,
    overrides: options.SetOption = [],  # noqa: B006
    as_json: options.JsonOption = False,
    as_csv: options.CsvOption = False,
    html: options.HtmlOption = None,
    figures: options.FiguresOption = None,
) -> None:
    """Predict latency, floor, throughput and memory of a model, or of plans that prune it."""
    from functools import partial

    import pandas as pd

    from infersim.cli.outputs import check_outputs
    from infersim.cli.pages import write_asked
    from infersim.cli.plans import chosen_pruning
    from infersim.cli.printing import print_aside, print_summary, printed_for_machines
    from infersim.cli.questions import chosen_gpus, chosen_scenarios
    from infersim.report.prediction_page import gather_prediction, predict_page
    from infersim.simulation.prediction import predict

    check_outputs([html, figures], [*plan, *pruned_config, gpu, model])
    pruning = chosen_pruning(
        model=model, families=families, sparsity=sparsity, plan_files=plan, pruned_configs=pruned_config
    )
    scenarios = chosen_scenarios(
        phase=phase,
        batch=batch,
        context=context,
        request=request,
        prompt=prompt,
        output=output,
        dtype=dtype,
        kv_dtype=kv_dtype,
        execution=execution,
        cuda_graph=cuda_graph,
    )
    gpus = chosen_gpus(gpu, overrides)
    subjects = pruning.plans or (pruning.model,)
    if html is None and figures is None:
        frame = pd.concat([predict(each, gpus, **scenarios) for each in subjects], ignore_index=True)
    elif len(subjects) == 1:
        report = gather_prediction(subjects[0], gpus, **scenarios)
        write_asked(partial(predict_page, report), html=html, figures=figures)
        frame = report.prediction
    else:
        raise InfersimError(
            f"a page shows one model or plan, not {len(subjects)}; `compare` sets plans side by side"
        )
    for note in pruning.notes:
        print_aside(note)
    for reason in pruning.left_out:
        print_aside(f"Left out: {reason}")
    if not printed_for_machines(frame, as_json=as_json, as_csv=as_csv):
        print_summary(frame)
