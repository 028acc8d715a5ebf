"""How exact are predicted speedups of 2:4? Leave out whole models, then whole GPUs, and score on those.

Reads SlideSparse's published timings (dense by cuBLASLt, 2:4 by cuSPARSELt, weights hot) from a folder beside
the checkout, and says so where there is none. Left-out model: the GPU is calibrated on the other models'
rows, dense and sparse. Left-out GPU: the relation of sparse to dense comes from the other GPUs, the dense
model from the GPU's own dense rows, or from its profile as it ships. `--parameters` fits the shipped
relations anew and prints them, with the errors that the shipped intervals stand on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from accuracy_goals import Outcome, at_most, outcomes_table
from infersim.cli.printing import print_for_people
from infersim.cli.questions import names
from infersim.cost.gemm.sparse import BULK, GRAPHICS, MMA, kernel_generation
from infersim.cost.kernels import kernel_cost
from infersim.cost.regimes import GEMM_REGIMES, gemm_regime
from infersim.domain.arrays import Array
from infersim.domain.dtypes import precision_named
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.domain.shapes import Gemm, WeightForm
from infersim.fitting.calibration import calibrate
from infersim.fitting.fits.intervals import error_summary
from infersim.fitting.validation.predictions import roofline_s
from infersim.profile_files.profiles import load_profile
from infersim.report.core import rounding
from infersim.report.core.table import Column, Table, number_column, text_column
from sparse_relation import (
    MeasuredPairs,
    fit_relation,
    predicted_speedups,
    with_relation,
)

MEASURED = Path(__file__).parents[2] / "shared" / "data" / "sparse_gemm" / "slidesparse_2_4.csv"
WEIGHT_COPIES = 1
"""Launches follow each other on the same weights."""

NOMINAL = 2.0
LEFT_OUT_MODEL, LEFT_OUT_GPU = "model left out", "GPU left out"
SHIPPED = f"{LEFT_OUT_GPU}, dense as shipped"
MEDIAN_GOAL, MEAN_GOAL, GPU_MEDIAN_GOAL = 0.08, 0.12, 0.14
WIDTHS = (("bf16", "fp16"), ("int8", "fp8"))


def main(
    gpus: Annotated[str, typer.Option(help="Names with commas between; left out, all.")] = "",
    dtypes: Annotated[str, typer.Option(help="Data types to score.")] = "bf16,fp16",
    parameters: Annotated[bool, typer.Option(help="Fit the shipped relations anew.")] = False,
    data: Annotated[Path, typer.Option(help="The table of timings.")] = MEASURED,
) -> None:
    """Score speedups of 2:4 against the measured ones."""
    if not data.is_file():
        print(f"sparse accuracy: skipped, there are no measurements in {data}")
        return
    table = read_timings(data)
    if parameters:
        print_for_people(None, *_parameter_tables(table))
        return
    scores = speedup_scores(table, names("dtypes", dtypes), names("gpus", gpus) if gpus else None)
    print_for_people(None, _scores_table(scores), outcomes_table(_outcomes(scores), "Goals of 2:4 speedups"))


def speedup_scores(table: pd.DataFrame, dtypes: Sequence[str], gpus: Sequence[str] | None) -> pd.DataFrame:
    """Errors of 2:4 speedups as fractions: a row for each way, GPU (None: all) and data type."""
    table = table[table["dtype"].isin(dtypes)]
    every = list(table["gpu"].unique())
    dense = {gpu: _dense_fit(gpu, table[table["gpu"] == gpu]) for gpu in every}
    parts = [part for gpu in gpus or every for part in _predictions(gpu, table, dense)]
    return _scores(pd.concat(parts, ignore_index=True))


def read_timings(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path)
    return table.assign(speedup=table["dense_us"] / table["sparse_2_4_us"])


def _samples(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with both latencies as samples of both kinds."""
    shapes = rows[["gpu", "dtype", "m", "n", "k"]].assign(
        weight_copies=WEIGHT_COPIES, includes_act_quant=False
    )
    dense = shapes.assign(kind="gemm", latency_us=rows["dense_us"])
    sparse = shapes.assign(kind="sparse_gemm", sparsity="2:4", latency_us=rows["sparse_2_4_us"])
    return pd.concat([dense, sparse], ignore_index=True)


def _without_fit(gpu: str) -> HardwareProfile:
    return replace(load_profile(gpu), fit=None, calibration=Calibration.NONE, fit_source=None)


def _dense_fit(gpu: str, rows: pd.DataFrame) -> HardwareProfile:
    samples = _samples(rows)
    return calibrate(_without_fit(gpu), samples[samples["kind"] == "gemm"])


def _predictions(gpu: str, table: pd.DataFrame, dense: dict[str, HardwareProfile]) -> Iterator[pd.DataFrame]:
    """Rows of one GPU with the speedups predicted for them, once for each way of leaving out."""
    rows = table[table["gpu"] == gpu].reset_index(drop=True)
    for model in rows["model"].unique():
        held = rows[rows["model"] == model].reset_index(drop=True)
        profile = calibrate(_without_fit(gpu), _samples(rows[rows["model"] != model]))
        yield _predicted(LEFT_OUT_MODEL, profile, held)
    others = [_pairs(other, table, dense) for other in dense if other != gpu]
    if others:
        values = fit_relation(others).values
        dtypes = list(rows["dtype"].unique())
        yield _predicted(LEFT_OUT_GPU, with_relation(dense[gpu], values, dtypes), rows)
        yield _predicted(SHIPPED, with_relation(load_profile(gpu), values, dtypes), rows)


def _pairs(gpu: str, table: pd.DataFrame, dense: dict[str, HardwareProfile]) -> MeasuredPairs:
    rows = table[table["gpu"] == gpu].reset_index(drop=True)
    return MeasuredPairs(profile=dense[gpu], rows=rows, weight_copies=WEIGHT_COPIES)


def _predicted(way: str, profile: HardwareProfile, rows: pd.DataFrame) -> pd.DataFrame:
    predicted = predicted_speedups(profile, rows, WEIGHT_COPIES, WeightForm.SPARSE_2_4)
    return rows.assign(way=way, predicted=predicted, roofline=_roofline_speedups(profile, rows))


def _roofline_speedups(profile: HardwareProfile, rows: pd.DataFrame) -> Array:
    """The ratio of plain rooflines."""
    ratio = np.empty(len(rows))
    for dtype, positions in rows.groupby("dtype").indices.items():
        m, n, k = (rows[name].to_numpy(dtype=np.float64)[positions] for name in ("m", "n", "k"))
        seconds = []
        for form in (WeightForm.DENSE, WeightForm.SPARSE_2_4):
            shape = Gemm(m=m, n=n, k=k, precision=precision_named(str(dtype)), weights=form, act_quant=False)
            seconds.append(roofline_s(shape, kernel_cost(shape, profile), profile))
        ratio[positions] = seconds[0] / seconds[1]
    return ratio


def _scores(predictions: pd.DataFrame) -> pd.DataFrame:
    lines = []
    for (way, gpu, dtype), rows in predictions.groupby(["way", "gpu", "dtype"], sort=True):
        measured = rows["speedup"].to_numpy(dtype=np.float64)
        found = error_summary(rows["predicted"].to_numpy(dtype=np.float64), measured)
        nominal = error_summary(np.full(len(rows), NOMINAL), measured)
        roofline = error_summary(rows["roofline"].to_numpy(dtype=np.float64), measured)
        line = {"way": way, "gpu": gpu, "dtype": dtype, "rows": len(rows)}
        for name, errors in (("", found), ("nominal_", nominal), ("roofline_", roofline)):
            line |= {f"{name}median": errors.median_ape, f"{name}mean": errors.mape}
        lines.append(line | {"bias": found.bias})
    return pd.DataFrame(lines)


def _scores_table(scores: pd.DataFrame) -> Table:
    columns: list[Column] = [text_column("GPU", "gpu"), text_column("dtype", "dtype")]
    columns += [number_column("rows", "rows", rounding.count)]
    columns += [
        number_column(heading, key, _percent)
        for heading, key in {
            "median": "median",
            "mean": "mean",
            "bias": "bias",
            "nominal 2x\nmedian": "nominal_median",
            "\nmean": "nominal_mean",
            "roofline\nmedian": "roofline_median",
            "roofline\nmean": "roofline_mean",
        }.items()
    ]
    return Table(
        title="Errors of 2:4 speedups",
        frame=scores,
        columns=tuple(columns),
        labels=tuple(scores["way"]),
    )


def _outcomes(scores: pd.DataFrame) -> Iterator[Outcome]:
    for way, rows in scores.groupby("way", sort=True):
        left_out_model = way == LEFT_OUT_MODEL
        yield _worst(str(way), rows, "median", MEDIAN_GOAL if left_out_model else GPU_MEDIAN_GOAL)
        if left_out_model:
            yield _worst(str(way), rows, "mean", MEAN_GOAL)


def _worst(way: str, rows: pd.DataFrame, which: str, limit: float) -> Outcome:
    worst = rows.sort_values(which).iloc[-1]
    found = f"{worst[which]:.1%} ({worst['gpu']} {worst['dtype']})"
    return at_most(f"{way}: worst {which}", worst[which], limit, found)


def _parameter_tables(table: pd.DataFrame) -> Sequence[Table]:
    """The relations by GPU and data type, those pooled by width, and errors of GPUs that were left out."""
    every = list(table["gpu"].unique())
    dense = {gpu: _dense_fit(gpu, table[table["gpu"] == gpu]) for gpu in every}
    relations: list[Mapping[str, object]] = []
    errors: list[Mapping[str, object]] = []
    for width in WIDTHS:
        rows = table[table["dtype"].isin(width)]
        measured = {gpu: _pairs(gpu, rows, dense) for gpu in every}
        named = ", ".join(width)
        relations.append({"dtypes": named, "gpu": "all", **_fitted(list(measured.values()))})
        for generation in (MMA, GRAPHICS, BULK):
            of_it = [pairs for pairs in measured.values() if kernel_generation(pairs.profile) == generation]
            relations.append({"dtypes": named, "gpu": generation, **_fitted(of_it)})
        for gpu, pairs in measured.items():
            # bf16 and fp16 run the same kernels; int8 and fp8 do not.
            parts = [pairs.rows] if width == WIDTHS[0] else [r for _, r in pairs.rows.groupby("dtype")]
            for part in parts:
                own = replace(pairs, rows=part.reset_index(drop=True))
                dtypes = ", ".join(part["dtype"].unique())
                relations.append({"dtypes": dtypes, "gpu": gpu, **_fitted([own])})
            others = fit_relation([pairs for other, pairs in measured.items() if other != gpu]).values
            errors += _errors_by_regime(gpu, pairs, others, named)
    graphics = [gpu for gpu in every if kernel_generation(dense[gpu]) == GRAPHICS]
    pooled = _fitted([_pairs(gpu, table, dense) for gpu in graphics])
    relations.append({"dtypes": "all", "gpu": GRAPHICS, **pooled})
    return _relations_table(pd.DataFrame(relations)), _errors_table(pd.DataFrame(errors))


def _fitted(measured: list[MeasuredPairs]) -> dict[str, float]:
    return {name: float(value) for name, value in fit_relation(measured).values.items()}


def _errors_by_regime(
    gpu: str, pairs: MeasuredPairs, values: Mapping[str, float], dtypes: str
) -> Iterator[Mapping[str, object]]:
    named = list(pairs.rows["dtype"].unique())
    regimes = gemm_regime(*(pairs.rows[name].to_numpy(dtype=np.float64) for name in ("m", "n", "k")))
    for dense, profile in (("own rows", pairs.profile), ("as shipped", load_profile(gpu))):
        related = with_relation(profile, values, named)
        predicted = predicted_speedups(related, pairs.rows, WEIGHT_COPIES, WeightForm.SPARSE_2_4)
        logs = np.abs(np.log(predicted / pairs.rows["speedup"].to_numpy(dtype=np.float64)))
        yield (
            {"dtypes": dtypes, "dense": dense, "gpu": gpu}
            | {
                name: float(np.quantile(logs[regimes == index], 0.8))
                for index, name in enumerate(GEMM_REGIMES)
                if np.any(regimes == index)
            }
            | {"all": float(np.quantile(logs, 0.8))}
        )


def _relations_table(frame: pd.DataFrame) -> Table:
    parameters = ("sparse_operand_time", "sparse_launch_us", "weight_reread")
    columns: list[Column] = [text_column("data types", "dtypes"), text_column("GPU", "gpu")]
    columns += (number_column(name, name, _two_places) for name in parameters)
    return Table(title="2:4 over dense, fitted", frame=frame, columns=tuple(columns))


def _errors_table(frame: pd.DataFrame) -> Table:
    keys = {"data types": "dtypes", "dense": "dense", "GPU": "gpu"}
    columns: list[Column] = [text_column(heading, key) for heading, key in keys.items()]
    named = [name for name in (*GEMM_REGIMES, "all") if name in frame]
    columns += (number_column(name, name, _two_places) for name in named)
    return Table(title="80 % quantiles of |log error|, GPU left out", frame=frame, columns=tuple(columns))


def _two_places(value: float) -> str:
    return rounding.UNKNOWN if pd.isna(value) else f"{value:.2f}"


def _percent(value: float) -> str:
    return rounding.UNKNOWN if pd.isna(value) else f"{100 * value:.1f} %"


if __name__ == "__main__":
    typer.run(main)
