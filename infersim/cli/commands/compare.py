"""`infersim compare`: how fast plans make a model, how fast they could, and what eats the difference.

With `--sweep-set`: the same question along one number of the datasheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infersim.cli import options
from infersim.cli.option_groups import PassFlags, RequestFlags, RunFlags, grouped
from infersim.cli.questions import ALL, DEFAULT_CONTEXT
from infersim.domain.errors import InvalidValueError

if TYPE_CHECKING:
    from infersim.cli.plans import Pruning
    from infersim.domain.profile import HardwareProfile
    from infersim.simulation.speedups.scenarios import Scenarios


COUNT = 9
"""Values where none is said."""

EXPECTED = "KEY=LOW:HIGH or KEY=LOW:HIGH:COUNT, such as memory.bandwidth_gb_s=2000:8000:9"


def compare_along_number(
    text: str,
    pruning: Pruning,
    gpus: Sequence[HardwareProfile],
    scenarios: Scenarios,
    *,
    as_json: bool,
    as_csv: bool,
    full: bool,
    html: Path | None,
    figures: Path | None,
) -> None:
    """Print the comparison along the number that `text` names, and write its page or figures."""
    from functools import partial

    from infersim.cli.outputs import write_asked
    from infersim.cli.printing import print_left_out, print_notes, print_summary, printed_for_machines
    from infersim.report.core.scenarios import setting_text
    from infersim.report.hardware.page import hardware_page
    from infersim.simulation.speedups.comparison import measured_index
    from infersim.simulation.speedups.hardware_sweep import compared_along

    if len(gpus) != 1:
        raise InvalidValueError("gpu", ", ".join(gpu.name for gpu in gpus), "one GPU beside --sweep-set")
    key, values = swept_number(text)
    index = measured_index(None)
    frame = compared_along(pruning.model, pruning.plans, gpus[0], key, values, scenarios, index)
    briefly = not (full or as_json or as_csv)
    print_notes(pruning.notes, briefly=briefly)
    print_left_out(pruning.left_out, briefly=briefly)
    if not printed_for_machines(frame, as_json=as_json, as_csv=as_csv):
        print_summary(frame, full=full)
    setting = setting_text(scenarios.execution, transformer=pruning.model, gpus=scenarios.gpus)
    write_asked(partial(hardware_page, frame, setting), html=html, figures=figures)


def _check_free(text: str, overrides: Sequence[str]) -> None:
    """Refuse to sweep a number that is set beside: the datasheet's own value is one of the sweep's."""
    for override in overrides:
        if override.partition("=")[0].strip() == text.partition("=")[0].strip():
            raise InvalidValueError("set", override, "no number that --sweep-set goes through")


def swept_number(text: str) -> tuple[str, list[float]]:
    """`memory.bandwidth_gb_s=2000:8000:9` as the key and nine values in even steps."""
    from infersim.simulation.speedups.hardware_sweep import MOST_VALUES, even_steps

    key, _, limits = text.partition("=")
    parts = limits.split(":")
    try:
        low, high = float(parts[0]), float(parts[1])
        count = int(parts[2]) if len(parts) > 2 else COUNT
    except (ValueError, IndexError):
        raise InvalidValueError("sweep-set", text, EXPECTED) from None
    if len(parts) > 3 or not 0 < low < high < float("inf") or not 2 <= count <= MOST_VALUES:
        expected = f"{EXPECTED}: LOW above 0 and below HIGH, COUNT from 2 to {MOST_VALUES}"
        raise InvalidValueError("sweep-set", text, expected)
    return key.strip(), even_steps(low, high, count)


MeasuredOption = Annotated[
    Path | None,
    typer.Option(
        "--measured",
        help="Your own speedups (.csv, .parquet, a PruningInferSim folder) instead of published ones.",
    ),
]
TargetOption = Annotated[
    float | None,
    typer.Option(
        "--target-speedup",
        metavar="FACTOR",
        help="Instead of --sparsity: each family at the least sparsity that reaches this, such as 1.5.",
    ),
]

EngineOption = Annotated[
    str | None,
    typer.Option("--engine", "-e", help="Say of each plan whether this engine runs it (infersim engines)."),
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
    command: typer.Context,
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
    kernels: options.KernelsOption = None,
    overrides: options.SetOption = [],  # noqa: B006
    sweep_set: SweepSetOption = None,
    engine: EngineOption = None,
    full: options.FullOption = False,
    as_json: options.JsonOption = False,
    as_csv: options.CsvOption = False,
    html: options.HtmlOption = None,
    figures: options.FiguresOption = None,
) -> None:
    """Set plans that prune a model against the dense model: speedup, bound, ceiling, and every loss by name.

    Without --plan or --pruned-config it compares all families, or a 2:4 checkpoint with its dense model.
    """
    from functools import partial

    from infersim.cli.benchmark_runs import Asked, asked_of_results, typed_options
    from infersim.cli.outputs import check_outputs, write_asked
    from infersim.cli.plans import SPARSITY, chosen_pruning
    from infersim.cli.printing import (
        print_answer,
        print_aside,
        print_left_out,
        print_notes,
        printed_for_machines,
    )
    from infersim.cli.questions import NO_REQUEST, chosen_gpus, chosen_scenarios
    from infersim.cli.targets import plans_for_target
    from infersim.engines.reading import load_engine
    from infersim.report.serving.engines import runs_table
    from infersim.report.speedups.answer import comparison_answer
    from infersim.report.speedups.comparison_page import compare_page
    from infersim.report.speedups.gathering import gather_comparison
    from infersim.simulation.measured.benchmark_results import is_results
    from infersim.simulation.measured.files import load_measured
    from infersim.simulation.serving.runnable import with_support
    from infersim.simulation.speedups.comparison import measured_index, streamed_comparison
    from infersim.simulation.speedups.measured_columns import measured_account

    check_outputs([html], [*plan, *pruned_config, measured, gpu, model, engine], folder=figures)
    if target_speedup is not None and sparsity != SPARSITY:
        raise InvalidValueError("sparsity", sparsity, "none beside --target-speedup, which finds it")
    runtime = None if engine is None else load_engine(engine)
    gpus = chosen_gpus(gpu, overrides, kernels)
    asked = Asked(
        model=model,
        families=families,
        sparsity=sparsity,
        passes=passes,
        runs=runs,
        typed=typed_options(command),
    )
    table = None
    if measured is not None:
        table = load_measured(measured, gpu=gpus[0].name if len(gpus) == 1 else None)
        if is_results(measured):
            with_plans = bool(plan or pruned_config)
            with_request = own_request != NO_REQUEST
            asked = asked_of_results(table, asked, with_plans=with_plans, with_request=with_request)
    pruning = chosen_pruning(
        model=asked.model,
        families=asked.families,
        otherwise=ALL,
        sparsity=asked.sparsity,
        plan_files=plan,
        pruned_configs=pruned_config,
        layers=layers,
    )
    scenarios = chosen_scenarios(asked.passes, asked.runs, own_request, default_context=DEFAULT_CONTEXT)
    pruning = pruning.shared_by(scenarios.executions())
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
        if runtime is not None:
            raise InvalidValueError("engine", engine, "none beside --sweep-set")
        _check_free(sweep_set, overrides)
        compare_along_number(
            sweep_set,
            pruning,
            gpus,
            scenarios,
            as_json=as_json,
            as_csv=as_csv,
            full=full,
            html=html,
            figures=figures,
        )
        return
    if html is None and figures is None:
        index = measured_index(table)
        frame = streamed_comparison(pruning.model, pruning.plans, gpus, scenarios, index)
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
    briefly = not (full or as_json or as_csv)
    print_notes(pruning.notes, briefly=briefly)
    print_left_out(pruning.left_out, briefly=briefly)
    if table is not None:
        for sentence in measured_account(table, frame, scenarios.execution):
            print_aside(sentence)
    if runtime is not None:
        frame = with_support(frame, pruning.plans, runtime)
    if not printed_for_machines(frame, as_json=as_json, as_csv=as_csv):
        more = () if runtime is None else (runs_table(pruning.plans, runtime),)
        print_answer(comparison_answer(frame, more), full=full)
