"""`infersim measure model`: dense and pruned transformers built and timed for real."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infersim.cli import options
from infersim.cli.interrupts import StoppedError, measured_so_far
from infersim.cli.options import ClockOption, DeviceOption, ThreadsOption
from infersim.cli.questions import ALL, integers
from infersim.domain.errors import InvalidValueError

if TYPE_CHECKING:
    from infersim.measuring.model.runs import Pass
    from infersim.simulation.speedups.scenarios import Scenarios

OutOption = Annotated[
    Path, typer.Option("--out", "-o", help="Where each speedup goes as it is measured: .csv or .parquet.")
]
DtypeOption = Annotated[
    str | None, typer.Option("--dtype", help="bf16, fp16, tf32 or fp32. Left out: bf16, on a CPU fp32.")
]
NameOption = Annotated[
    str | None,
    typer.Option("--gpu", "-g", help="Name that rows bear, if not the device's; or a profile's .toml."),
]
SecondsOption = Annotated[
    float, typer.Option("--seconds", help="At most so long for the passes of one plan and scenario.")
]


def measure_model_command(
    out: OutOption,
    model: options.ModelOption = None,
    families: options.FamiliesOption = None,
    sparsity: options.SparsityOption = "0.5",
    plan: options.PlanOption = [],  # noqa: B006 - typer makes a list of its own for each call
    pruned_config: options.PrunedConfigOption = [],  # noqa: B006
    phase: options.PhaseOption = "both",
    batch: options.BatchOption = "1",
    context: options.ContextOption = "1024",
    device: DeviceOption = "cuda:0",
    dtype: DtypeOption = None,
    threads: ThreadsOption = None,
    clock: ClockOption = "wall",
    execution: options.ExecutionOption = "fused",
    cuda_graph: options.CudaGraphOption = True,
    layers: options.LayersOption = None,
    gpu: NameOption = None,
    seconds: SecondsOption = 5.0,
    full: options.FullOption = False,
) -> None:
    """Time dense and pruned models in turn, with random weights and the kernels that each family would use.

    Every row is in the file at once: an interrupted run goes on where it stopped. `infersim compare
    --measured FILE` sets the rows beside predictions.
    """
    import dataclasses

    from infersim.cli.outputs import check_outputs
    from infersim.cli.plans import chosen_pruning
    from infersim.cli.printing import print_answer, print_aside
    from infersim.measuring.devices.opening import open_device
    from infersim.measuring.model.measurable import check_families_measurable
    from infersim.profile_files import load_profile

    check_outputs([out], [*plan, *pruned_config, model, gpu])
    left_out: list[str] = []
    if families == ALL or (families is None and not plan and not pruned_config):
        families, left_out = measurable_families()
    pruning = chosen_pruning(
        model=model,
        families=families,
        sparsity=sparsity,
        plan_files=plan,
        pruned_configs=pruned_config,
    )
    for reason in [*left_out, *pruning.left_out]:
        print_aside(f"Left out: {reason}")
    for chosen in pruning.plans:
        check_families_measurable(chosen)
    opened = open_device(device, threads, clock)
    # torch is loaded from here on, after what can be wrong without it.
    from infersim.measuring.model.execution.executor import torch_dtype
    from infersim.measuring.model.result_file import ResultFile
    from infersim.measuring.model.runs import MeasurementRun, measure_run
    from infersim.measuring.model.sizing import sized
    from infersim.report.speedups.measured_models import measured_models_answer, measured_row_line
    from infersim.simulation.speedups.cases import BOTH
    from infersim.simulation.speedups.scenarios import Scenarios

    on_cpu = opened.torch_device.type == "cpu"
    scenarios = Scenarios.of(
        phase=phase or BOTH,
        batch=integers("batch", batch),
        context=None if context is None else integers("context", context),
        dtype=dtype or ("fp32" if on_cpu else "bf16"),
        execution=execution,
        cuda_graph=cuda_graph and not on_cpu,
    )
    torch_dtype(scenarios.execution)
    budget = dataclasses.replace(
        opened.budget, budget_us=_positive_seconds(seconds) * 1e6, least_repeats=7, most_repeats=100
    )
    fitted = sized(
        MeasurementRun(
            model=pruning.model,
            plans=pruning.plans,
            passes=_passes(scenarios),
            execution=scenarios.execution,
            budget=budget,
        ),
        layers,
        opened.free_bytes(),
    )
    run = fitted.run
    if fitted.note:
        print_aside(fitted.note)
    name = opened.gpu if gpu is None else load_profile(gpu).name
    results = ResultFile(out, {**run.setting(opened), "gpu": name}, run.plan_ids())
    missing = sum(len(passes) for _, passes in run.missing(results))
    if results.rows:
        print_aside(f"{out} has {len(results.rows)} rows; {missing} are missing.")
    done = 0

    def tell(row: Mapping[str, Any]) -> None:
        nonlocal done
        done += 1
        print_aside(f"{done} of {missing}: {measured_row_line(row)}")

    try:
        measure_run(run, opened, results, tell)
    except KeyboardInterrupt:
        raise StoppedError(measured_so_far(out)) from None
    print_answer(measured_models_answer(results.rows), full=full)
    print_aside(f"Set beside predictions by: infersim compare --measured {out} --gpu PROFILE ...")


def measurable_families() -> tuple[str, list[str]]:
    """All families of dense models that are measured, with their options there; and why others are not."""
    from infersim.pruning.families.registry import families

    entries, left_out = [], []
    for family in families():
        if family.of_experts:
            continue
        if family.not_measured:
            left_out.append(f"{family.name}: {family.not_measured}")
        else:
            options = (f"{name}={value}" for name, value in family.measured_with.items())
            entries.append("/".join((family.name, *options)))
    return ",".join(entries), left_out


def _passes(scenarios: Scenarios) -> tuple[Pass, ...]:
    """Every phase with every batch and context."""
    from infersim.domain.shapes import Phase
    from infersim.measuring.model.runs import Pass

    return tuple(
        Pass(phase=Phase(case.phase), batch=batch, context=context)
        for case in scenarios.cases()
        for batch, context in case.scenarios
    )


def _positive_seconds(seconds: float) -> float:
    if not 0 < seconds < 1e6:
        raise InvalidValueError("seconds", seconds, "a positive number of seconds")
    return seconds
