"""`infersim measure`: kernels, the machine's ceilings, and pruned models, timed on the machine at hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infersim.cli.interrupts import StoppedError, measured_so_far
from infersim.cli.options import ClockOption, DeviceOption, ThreadsOption
from infersim.cli.usage.help import PlainCommand
from infersim.domain.errors import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

measure_app = typer.Typer(
    help="Time kernels and pruned models on the machine at hand: pip install 'infersim[measure]' first.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

PlanOption = Annotated[
    str | None,
    typer.Option(
        "--plan", help="Which kernels: a plan by name or .toml. Left out: standard; cpu with --device cpu."
    ),
]
LogOption = Annotated[
    Path, typer.Option("--out", "-o", metavar="LOG", help="The measurement log (.jsonl); one there goes on.")
]
ProfileOption = Annotated[Path, typer.Option("--out", "-o", metavar="TOML", help="Where the profile goes.")]
NameOption = Annotated[
    str | None,
    typer.Option("--gpu", "-g", help="Name that samples bear, if not the device's; or a profile's .toml."),
]
DtypesOption = Annotated[
    str | None, typer.Option("--dtype", help="Data types of GEMMs, instead of the plan's: bf16,fp8")
]
MachineDtypesOption = Annotated[
    str, typer.Option("--dtype", help="Data types whose ceiling is measured: fp32,bf16")
]
With24Option = Annotated[bool, typer.Option("--with-2-4", help="Each 16-bit GEMM in its 2:4 form too.")]
L2Option = Annotated[
    str, typer.Option("--l2", help="cold: weights come from memory, as in a model; hot: the same each call.")
]
PassesOption = Annotated[
    int | None,
    typer.Option("--passes", help="Times that the plan is gone through. Left out: 1; 3 on a CPU."),
]

CPU_PASSES, GPU_PASSES = 3, 1
"""Other programs disturb a CPU for seconds: the median of passes apart in time leaves that behind."""


@measure_app.command("kernels", cls=PlainCommand, short_help="Time the kernels that a calibration needs.")
def measure_kernels_command(
    out: LogOption,
    device: DeviceOption = "cuda:0",
    plan: PlanOption = None,
    dtype: DtypesOption = None,
    with_2_4: With24Option = False,
    l2: L2Option = "cold",
    passes: PassesOption = None,
    threads: ThreadsOption = None,
    clock: ClockOption = "wall",
    gpu: NameOption = None,
) -> None:
    """Time every kernel of a plan; each is in the log before the next begins, and the same command goes on.

    What does not fit, is not supported or crashes is in the log with the reason.
    """
    from infersim.cli.printing import print_aside
    from infersim.cli.progress import progress_bar
    from infersim.cli.questions import names
    from infersim.measuring.kernel_runs.kernels_setup import busy_warning, check_setup
    from infersim.measuring.kernel_runs.plan_rows import rows_to_measure
    from infersim.measuring.kernel_runs.plan_run import measure_plan
    from infersim.measuring.kernel_runs.sample_log import check_log_path
    from infersim.measuring.kernel_runs.supervision import Measurer

    check_log_path(out)
    is_cpu = device == "cpu"
    name = plan or ("cpu" if is_cpu else "standard")
    setup = check_setup(device=device, threads=threads, clock=clock, l2=l2)
    dtypes = None if dtype is None else names("dtype", dtype)
    passes = passes if passes is not None else (CPU_PASSES if is_cpu else GPU_PASSES)
    rows = rows_to_measure(name, dtypes=dtypes, with_2_4=with_2_4, passes=passes)
    settings = {"plan": name, "dtypes": dtype, "passes": passes, "with_2_4": with_2_4, "l2": l2}
    gpu_name = None if gpu is None else _profile_name(gpu)
    try:
        with (
            Measurer(setup) as measurer,
            progress_bar(f"Measuring {measurer.environment['device']}", len(rows)) as on_row,
        ):
            warning = busy_warning(measurer.environment)
            if warning is not None:
                print_aside(warning)
            account = measure_plan(rows, measurer, out, settings=settings, gpu=gpu_name, on_row=on_row)
    except KeyboardInterrupt:
        raise StoppedError(measured_so_far(out)) from None
    print_aside(f"{account}. The log is {out}: infersim calibrate fits it.")


@measure_app.command(
    "machine", cls=PlainCommand, short_help="Write a profile of this CPU, from measured ceilings."
)
def measure_machine_command(
    out: ProfileOption,
    device: DeviceOption = "cpu",
    dtype: MachineDtypesOption = "fp32",
    threads: ThreadsOption = None,
    clock: ClockOption = "wall",
    name: Annotated[str | None, typer.Option("--name", help="Name of the profile.")] = None,
) -> None:
    """Measure what this CPU can do at most, and write it as a profile: no datasheet says it."""
    from infersim.cli.printing import print_aside
    from infersim.cli.progress import working
    from infersim.cli.questions import names
    from infersim.files.writing import check_place, write_whole
    from infersim.measuring.devices.opening import open_device
    from infersim.profile_files import load_profile

    if out.suffix != ".toml" or not out.parent.is_dir():
        raise InvalidValueError("out", str(out), "a .toml file in a folder that exists")
    check_place(out, "out")
    dtypes: Sequence[str] = names("dtype", dtype)
    opened: Any = open_device(device, threads, clock)

    from infersim.measuring.machine import measured_profile

    with working(f"Measuring the ceilings of {opened.title}"):
        text = measured_profile(opened, dtypes, name)
    write_whole(out, text, "profile file")
    profile = load_profile(out)
    rates = ", ".join(
        f"{dtype} {rate.datasheet_tflops * 1e3:.0f} GFLOP/s" for dtype, rate in profile.matrix.items()
    )
    print_aside(
        f"{profile.title}, {profile.chip.sm_count} cores as {profile.name}: {rates}, "
        f"{profile.memory.bandwidth_bytes_per_s / 1e9:.1f} GB/s. The profile is {out}, for --gpu."
    )


def _profile_name(gpu: str) -> str:
    """The name of a profile that is given by name, alias or file."""
    from infersim.profile_files import load_profile

    return load_profile(gpu).name
