"""How exact are kernels of token-level dynamic width (`gemm_mn`, `gemm_k`) against their published speedups?

Reads the points of an RTX 5090 from a folder beside the checkout, and says so where there is none. Measured
is a whole operator, replayed in a CUDA graph with half of the executions of a group by a token skipped at
random: zero fill, sort of the masks beyond a few tokens, and the kernel; over PyTorch's dense GEMM, weights
hot in both.
As shipped: the defaults of the kernels, fitted on these very points. Curve left out: the kernels fitted anew
without the curve (operator, matrix and group) that is scored. `--parameters` prints the fit to all points.
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
from infersim.cost.gemm import group_skip, mask_sort
from infersim.cost.gemm.group_skip import GroupAxis, GroupGemm, GroupKernels
from infersim.cost.gemm.mask_sort import MaskSort
from infersim.cost.kernels import kernel_cost
from infersim.domain.arrays import Array, as_array
from infersim.domain.dtypes import precision_named
from infersim.domain.shapes import Gemm, MemoryBound, Shape
from infersim.profile_files.profiles import load_profile
from infersim.report.core import rounding
from infersim.report.core.table import Table, number_column, text_column

MEASURED = Path(__file__).parents[2] / "shared" / "data" / "dynamic_width" / "kernels.csv"
GPU = "rtx-5090"
DTYPE = "fp16"
AXES = {"gemm_mn": GroupAxis.OUTPUT, "gemm_k": GroupAxis.INPUT}
BACKENDS = {"cute": GroupKernels.CUTE, "dsl": GroupKernels.TRITON}
SHIPPED, LEFT_OUT = "as shipped", "curve left out"
CURVE = ["op", "n", "k", "group"]
KEYS = ["op", "backend", "n", "k", "group"]
HALF = 0.5
MEDIAN_GOAL = 0.12
STEP = 1e-3
CLEARLY = 0.1
"""A measured speedup that is off 1 by more than this has a side."""

FITTED: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "cute": {
        "l2_bytes_per_clock_per_sm": (2, 30),
        "near_l2": (1, 5),
        "l2_residency": (0.4, 1.2),
        "residency_sharpness": (3, 40),
        "partial_sums_per_clock_per_sm": (0.1, 100),
        "launch_us": (0.1, 15),
        "flags_per_clock_per_sm": (0.001, 1),
    },
    "dsl": {
        "triton_speed": (0.3, 1.2),
        "triton_busy_speed": (0.3, 1.2),
        "triton_vector_speed": (0.2, 1.2),
    },
}
"""Parameters with their bounds, by the kernels whose points they are fitted to."""


def main(
    parameters: Annotated[bool, typer.Option(help="Fit the shipped parameters anew.")] = False,
    data: Annotated[Path, typer.Option(help="The table of points.")] = MEASURED,
) -> None:
    """Errors of each operator and matrix, and the goals."""
    if not data.is_file():
        print(f"dynamic width: skipped, there are no measurements in {data}")
        return
    points = read_points(data)
    if parameters:
        values = _fitted(points)
        print("\n".join(f"{name}: {value:.4g}" for name, value in values.items()))
        return
    points = pd.concat(
        [
            points.assign(method=SHIPPED, predicted=predicted(points, {})),
            points.assign(method=LEFT_OUT, predicted=_without_curve(points)),
        ]
    )
    points["error"] = (points["predicted"] / points["speedup_over_torch"] - 1).abs()
    print_for_people(None, _table(points), outcomes_table(_outcomes(points), "Goals of dynamic width"))


def read_points(data: Path) -> pd.DataFrame:
    """Points along tokens."""
    points = pd.read_csv(data)
    return points[points["x_name"] == "M"].reset_index(drop=True)


def predicted(points: pd.DataFrame, values: Mapping[str, float]) -> Array:
    """Speedups over the dense GEMM, with `values` in the place of shipped parameters."""
    result = pd.Series(0.0, index=points.index)
    for (op, backend), rows in points.groupby(["op", "backend"]):
        m, n, k = (rows[name].to_numpy(float) for name in ("x", "n", "k"))
        group = rows["group"].to_numpy(float)
        along = n if op == "gemm_mn" else k
        precision = precision_named(DTYPE)
        dense = _seconds(Gemm(m=m, n=n, k=k, precision=precision, weight_copies=1), {})
        filled = MemoryBound(read_bytes=np.zeros_like(m), write_bytes=m * n * precision.output_bytes)
        kernel = GroupGemm(
            m=m,
            n=n,
            k=k,
            kept=HALF,
            group=group,
            axis=AXES[str(op)],
            precision=precision,
            kernels=BACKENDS[str(backend)],
            weight_copies=1,
        )
        sort = MaskSort(tokens=m, groups=along / group)
        total = sum(_seconds(shape, values) for shape in (filled, sort, kernel))
        result.loc[rows.index] = dense / total
    return as_array(result.to_numpy())


def _seconds(shape: Shape, values: Mapping[str, float]) -> Array:
    """Of kernel and launch on the GPU of the points."""
    own = (group_skip.PARAMETERS, mask_sort.PARAMETERS)
    replaced = [{**each.defaults, **{k: v for k, v in values.items() if k in each.defaults}} for each in own]
    with (
        patch.dict(own[0].defaults, replaced[0]),
        patch.dict(own[1].defaults, replaced[1]),
    ):
        cost = kernel_cost(shape, load_profile(GPU))
    return cost.kernel_s + cost.launch_s


def _fitted(points: pd.DataFrame) -> dict[str, float]:
    """CuTe's parameters on its points, then Triton's on its own."""
    values: dict[str, float] = {}
    defaults = {**mask_sort.PARAMETERS.defaults, **group_skip.PARAMETERS.defaults}
    for backend, bounds in FITTED.items():
        rows = points[points["backend"] == backend]
        known, first = dict(values), [defaults[name] for name in bounds]

        def off(logs: Array, rows: pd.DataFrame = rows, names: tuple[str, ...] = tuple(bounds),
                known: Mapping[str, float] = known) -> Array:  # fmt: skip
            tried = {**known, **dict(zip(names, np.exp(logs), strict=True))}
            return as_array(np.log(predicted(rows, tried) / rows["speedup_over_torch"].to_numpy()))

        limits = np.log(np.array(list(bounds.values()))).T
        inside = np.clip(np.log(first), limits[0] + 1e-6, limits[1] - 1e-6)
        found = least_squares(off, inside, bounds=limits, loss="soft_l1", f_scale=0.08, diff_step=[STEP])
        values |= dict(zip(bounds, np.exp(found.x), strict=True))
    return values


def _without_curve(points: pd.DataFrame) -> Array:
    result = pd.Series(0.0, index=points.index)
    for _, curve in points.groupby(CURVE):
        others = points.drop(index=curve.index)
        result.loc[curve.index] = predicted(curve, _fitted(others))
    return as_array(result.to_numpy())


def wrong_side(points: pd.DataFrame) -> pd.DataFrame:
    """Points whose measured speedup is clearly off 1, and the predicted one lies on the other side."""
    clear = points[(points["speedup_over_torch"] - 1).abs() > CLEARLY]
    return clear[(clear["speedup_over_torch"] > 1) != (clear["predicted"] > 1)]


def _outcomes(points: pd.DataFrame) -> Iterator[Outcome]:
    for method in (SHIPPED, LEFT_OUT):
        rows = points[points["method"] == method]
        median = float(rows["error"].median())
        yield at_most(f"median error, {method}", median, MEDIAN_GOAL, rounding.fraction(median))
        wrong = len(wrong_side(rows))
        yield Outcome(
            what=f"points on the wrong side of 1, {method}", goal="none", found=str(wrong), reached=not wrong
        )


def _table(points: pd.DataFrame) -> Table:
    lines = [
        {
            "method": method,
            "operator": op,
            "kernels": backend,
            "matrix": f"{n} x {k}",
            "group": str(group),
            "points": str(len(rows)),
            "median": float(rows["error"].median()),
            "mean": float(rows["error"].mean()),
        }
        for (method, op, backend, n, k, group), rows in points.groupby(["method", *KEYS], sort=False)
    ]
    columns = (
        *(text_column(name, name) for name in ("method", "operator", "kernels", "matrix", "group", "points")),
        *(number_column(name, name, rounding.fraction) for name in ("median", "mean")),
    )
    return Table(title="Dynamic width on RTX 5090", frame=pd.DataFrame(lines), columns=columns)


if __name__ == "__main__":
    typer.run(main)
