"""`infersim gemm`: how long single GEMMs take."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from infersim.cli.options import (
    CsvOption,
    FullOption,
    GpuOption,
    JsonOption,
    KernelDtypeOption,
    KernelsOption,
    SetOption,
)
from infersim.cli.questions import integers

GEMM_BYTES = 4096
"""Memory that a predicted GEMM takes, with the rows that show it."""

TokensArgument = Annotated[str, typer.Argument(metavar="M", help="Tokens in flight: 16 or 1,16,256")]
OutputsArgument = Annotated[str, typer.Argument(metavar="N", help="Output features.")]
InputsArgument = Annotated[str, typer.Argument(metavar="K", help="Input features.")]
FormOption = Annotated[
    str | None,
    typer.Option(
        "--sparsity",
        "-s",
        help="2:4 for the sparse tensor-core kernel; a fraction: so many weights are zero anywhere.",
    ),
]
SparseKernelOption = Annotated[
    str, typer.Option("--sparse-kernel", help="Of weights that are zero anywhere: macko, cusparse or dense.")
]
CopiesOption = Annotated[
    int | None,
    typer.Option(
        "--weight-copies",
        help="Weights that a timing loop rotates over, which may stay in L2. Left out: cold, as in a model.",
    ),
]
ActQuantOption = Annotated[
    bool,
    typer.Option("--act-quant/--no-act-quant", help="Of 8 and 4 bit: include quantising the activations."),
]


def gemm_command(
    m: TokensArgument,
    n: OutputsArgument,
    k: InputsArgument,
    gpu: GpuOption,
    dtype: KernelDtypeOption = "bf16",
    sparsity: FormOption = None,
    weight_copies: CopiesOption = None,
    act_quant: ActQuantOption = True,
    kernels: KernelsOption = None,
    sparse_kernel: SparseKernelOption = "macko",
    overrides: SetOption = [],  # noqa: B006 - typer makes a list of its own for each call
    full: FullOption = False,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Predict GEMMs O[M,N] = A[M,K] @ W[N,K]^T: all combinations of the M, N and K given."""
    import numpy as np

    from infersim.cli.printing import print_answer, printed_for_machines
    from infersim.cli.questions import chosen_gpus
    from infersim.files.memory import check_room
    from infersim.report.core.screen import Answer
    from infersim.report.kernels import joined_rows, kernel_rows, kernel_table, kernel_verdict
    from infersim.simulation.kernels.gemm import gemm_latency

    sizes = integers("m", m), integers("n", n), integers("k", k)
    many = math.prod(map(len, sizes))
    check_room(f"{many:,} GEMMs ({' x '.join(f'{len(each):,}' for each in sizes)})", GEMM_BYTES * many)
    tokens, outputs, inputs = np.meshgrid(*sizes, indexing="ij")
    form: dict[str, str] = {"dtype": dtype, "sparsity": sparsity or "none"}
    found = []
    for profile in chosen_gpus(gpu, overrides, kernels):
        latency = gemm_latency(
            profile,
            tokens,
            outputs,
            inputs,
            dtype=dtype,
            sparsity=_form(sparsity),
            weight_copies=weight_copies,
            act_quant=act_quant,
            sparse_kernel=sparse_kernel,
        )
        found.append(kernel_rows(profile.name, {**form, "m": tokens, "n": outputs, "k": inputs}, latency))
    rows = joined_rows(found)
    if not printed_for_machines(rows, as_json=as_json, as_csv=as_csv):
        answer = Answer(verdict=kernel_verdict("GEMM", rows), tables=(kernel_table(rows),))
        print_answer(answer, full=full)


def _form(text: str | None) -> str | float | None:
    """A fraction as a number; what is none is left to the rule of arguments."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text
