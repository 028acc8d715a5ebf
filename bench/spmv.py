"""How exact are sparse matrix-vector kernels (MACKO, cuSPARSE) on weights that are zero anywhere?

Reads published timings of an RTX 3090 and an RTX 4090 from a folder beside the checkout, and says so where
there is none: one token, L2 overwritten before each call, timed by events. As shipped: the defaults of the
kernels, fitted on these very rows. Sizes left out: fitted anew without the matrices (n, k) that are scored,
in six parts; GPU left out: without the rows of the GPU. What flushing and events add is the timing's own, and
read off the dense kernel (cuBLAS), which the GPU's own profile predicts. `--parameters` prints the fit to all
rows. Last, tokens per second of a whole model as MACKO's authors measured them, which nothing is fitted to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated
from unittest.mock import patch

import numpy as np
import pandas as pd
import typer
from scipy.optimize import least_squares

from accuracy_goals import Outcome, at_most, outcomes_table
from infersim.cli.printing import print_for_people
from infersim.cost.gemm.unstructured import PARAMETERS, SparseKernel, UnstructuredGemm
from infersim.cost.kernels import kernel_cost
from infersim.domain.arrays import Array, as_array
from infersim.domain.dtypes import precision_named
from infersim.profile_files.profiles import load_profile
from infersim.pruning.composition import prune
from infersim.report.core import rounding
from infersim.report.core.table import Table, number_column, text_column
from infersim.simulation.speedups.prediction import predict
from infersim.workload.presets import load_model

MEASURED = Path(__file__).parents[2] / "shared" / "data" / "spmv" / "spmv.csv"
KERNELS = {
    "macko": SparseKernel.MACKO,
    "cusparse": SparseKernel.CUSPARSE,
    "dense_cublas": SparseKernel.DENSE,
}
SPARSE = ("macko", "cusparse")
SHIPPED, SIZES, GPUS = "as shipped", "sizes left out", "GPU left out"
GOALS = {SIZES: 0.12, GPUS: 0.20}
PARTS = 6
GENERATED = 100
WHOLE_MODEL = {
    0.0: 66.5,
    0.2: 66.36,
    0.3: 73.88,
    0.4: 85.46,
    0.5: 98.6,
    0.6: 119.27,
    0.7: 150.78,
    0.8: 193.79,
    0.9: 255.01,
}
HALF_A_MICROSECOND = 0.5
"""Times were cut to whole microseconds."""

FITTED: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "dense_cublas": {"events_us": (0.0, 20), "written_back_mb": (1.0, 80)},
    "macko": {"macko_dram_efficiency": (0.4, 1), "macko_places_per_clock_per_sm": (1, 1000)},
    "cusparse": {
        "cusparse_launch_us": (1, 40),
        "cusparse_dram_efficiency": (0.4, 1),
        "cusparse_entries_per_clock_per_sm": (1, 1000),
        "cusparse_row_fs": (1, 100),
        "cusparse_long_row": (500, 20000),
        "cusparse_long_row_excess": (0, 3),
    },
}
"""Parameters with their bounds, by the kernel whose rows they are fitted to, one kernel after the other."""


def main(
    parameters: Annotated[bool, typer.Option(help="Fit the shipped parameters anew.")] = False,
    data: Annotated[Path, typer.Option(help="The table of timings.")] = MEASURED,
) -> None:
    """Errors of each kernel and GPU, and the goals."""
    if not data.is_file():
        print(f"unstructured: skipped, there are no measurements in {data}")
        return
    rows = pd.read_csv(data)
    rows = rows[(rows["bits"] == 16) & rows["kernel"].isin(list(KERNELS))].reset_index(drop=True)
    if parameters:
        print("\n".join(f"{name}: {value:.4g}" for name, value in _fitted(rows).items()))
        return
    sparse = rows[rows["kernel"].isin(SPARSE)]
    scored = pd.concat(
        [
            rows.assign(method=SHIPPED, predicted=predicted_us(rows, {})),
            sparse.assign(method=SIZES, predicted=_left_out(sparse, _parts(sparse))),
            sparse.assign(method=GPUS, predicted=_left_out(sparse, sparse["gpu"])),
        ]
    )
    scored["error"] = (scored["predicted"] / (scored["mean_us"] + HALF_A_MICROSECOND) - 1).abs()
    print_for_people(
        None, _table(scored), _whole_model(), outcomes_table(_outcomes(scored), "Goals of unstructured")
    )


def predicted_us(rows: pd.DataFrame, values: Mapping[str, float]) -> Array:
    """Microseconds of one token, with `values` in the place of shipped parameters."""
    result = pd.Series(0.0, index=rows.index)
    with patch.dict(PARAMETERS.defaults, values):
        for (gpu, kernel), part in rows.groupby(["gpu", "kernel"]):
            shape = UnstructuredGemm(
                m=1.0,
                n=part["n"].to_numpy(float),
                k=part["k"].to_numpy(float),
                density=part["density"].to_numpy(float),
                precision=precision_named("fp16"),
                kernel=KERNELS[str(kernel)],
                flushed=True,
            )
            cost = kernel_cost(shape, load_profile(str(gpu)))
            result.loc[part.index] = (cost.kernel_s + cost.launch_s) * 1e6
    return as_array(result.to_numpy())


def _fitted(rows: pd.DataFrame) -> dict[str, float]:
    values: dict[str, float] = {}
    for kernel, bounds in FITTED.items():
        own = rows[rows["kernel"] == kernel]
        if own.empty:
            continue
        names, known = tuple(bounds), dict(values)
        first = np.array([PARAMETERS.defaults[name] for name in names])

        def off(tried: Array, own: pd.DataFrame = own, names: tuple[str, ...] = names,
                known: Mapping[str, float] = known) -> Array:  # fmt: skip
            guessed = {**known, **dict(zip(names, tried, strict=True))}
            measured = own["mean_us"].to_numpy() + HALF_A_MICROSECOND
            return as_array(np.log(predicted_us(own, guessed) / measured))

        low, high = zip(*bounds.values(), strict=True)
        found = least_squares(off, first, bounds=(low, high), loss="soft_l1", f_scale=0.07, x_scale=first)
        values |= dict(zip(names, found.x, strict=True))
    return values


def _whole_model() -> Table:
    """Llama-2-7B in fp16 on RTX 4090, 100 tokens generated (media/README.md @10e3752)."""
    model = load_model("llama-2-7b")
    lines = []
    for sparsity, tokens_per_s in WHOLE_MODEL.items():
        plan = prune(model, "unstructured", sparsity)
        frame = predict(plan, "rtx-4090", phase="decode", context=GENERATED // 2, dtype="fp16")
        found = float(frame["tokens_per_s"].iloc[0])
        lines.append(
            {
                "zero": sparsity,
                "measured": tokens_per_s,
                "predicted": found,
                "error": found / tokens_per_s - 1,
            }
        )
    columns = (
        number_column("zero", "zero", rounding.fraction),
        *(number_column(f"{name} tokens/s", name, rounding.quantity) for name in ("measured", "predicted")),
        number_column("error", "error", rounding.fraction),
    )
    return Table(title="Llama-2-7B on RTX 4090", frame=pd.DataFrame(lines), columns=columns)


def _parts(rows: pd.DataFrame) -> pd.Series:
    """Matrices (n, k) in a few parts: none of them is in two."""
    return rows.groupby(["n", "k"]).ngroup() % PARTS


def _left_out(rows: pd.DataFrame, part: pd.Series) -> Array:
    result = pd.Series(0.0, index=rows.index)
    for name in part.unique():
        held = rows[part == name]
        result.loc[held.index] = predicted_us(held, _fitted(rows[part != name]))
    return as_array(result.to_numpy())


def _outcomes(scored: pd.DataFrame) -> Iterator[Outcome]:
    for method, goal in GOALS.items():
        for kernel in SPARSE:
            rows = scored[(scored["method"] == method) & (scored["kernel"] == kernel)]
            for gpu, of_gpu in rows.groupby("gpu"):
                mean = float(of_gpu["error"].mean())
                yield at_most(f"{kernel}, {gpu}, {method}", mean, goal, rounding.fraction(mean))


def _table(scored: pd.DataFrame) -> Table:
    lines = [
        {
            "method": method,
            "kernel": kernel,
            "gpu": gpu,
            "rows": str(len(rows)),
            "mean": float(rows["error"].mean()),
            "median": float(rows["error"].median()),
            "worst": float(rows["error"].max()),
        }
        for (method, kernel, gpu), rows in scored.groupby(["method", "kernel", "gpu"], sort=False)
    ]
    columns = (
        *(text_column(name, name) for name in ("method", "kernel", "gpu", "rows")),
        *(number_column(name, name, rounding.fraction) for name in ("mean", "median", "worst")),
    )
    return Table(title="A token times a sparse matrix", frame=pd.DataFrame(lines), columns=columns)


if __name__ == "__main__":
    typer.run(main)
