"""How exact are predicted speedups of 2:4? Leave out whole models, then whole GPUs, and score on those.

Reads SlideSparse's published timings (dense by cuBLASLt, 2:4 by cuSPARSELt, weights hot) from a folder beside
the checkout, and says so where there is none. Left-out model: the GPU is calibrated on the other models'
rows, dense and sparse, or a relation of 2:4 to dense is fitted on them. Left-out GPU: the relation comes from
the other GPUs. As shipped: the profile and the relation that travel with infersim, fitted on these very rows.
`--parameters` fits the shipped relations anew and prints them, with the errors that their intervals stand on.
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
from infersim.cost.gemm.sparse_relations import GRAPHICS, PARAMETERS, kernel_generation
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
    relation_values,
    with_values,
)

MEASURED = Path(__file__).parents[2] / "shared" / "data" / "sparse_gemm" / "slidesparse_2_4.csv"
WEIGHT_COPIES = 1
"""Launches follow each other on the same weights."""

NOMINAL = 2.0
LEFT_OUT_MODEL, LEFT_OUT_GPU = "model left out", "GPU left out"
RELATION_LEFT_OUT_MODEL, SHIPPED = "relation, model left out", "as shipped"
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
    parts = [part for gpu in gpus or every for part in _predictions(gpu, table)]
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


def _predictions(gpu: str, table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Rows of one GPU with the speedups predicted for them, once for each way of leaving out."""
    rows = table[table["gpu"] == gpu].reset_index(drop=True)
    bare, shipped = _without_fit(gpu), load_profile(gpu)
    for model in rows["model"].unique():
        held = rows[rows["model"] == model].reset_index(drop=True)
        seen = rows[rows["model"] != model]
        profile = calibrate(bare, _samples(seen))
        yield _with_roofline(LEFT_OUT_MODEL, bare, held, _speedups(profile, held))
        for _, part in held.groupby("dtype"):
            own = part.reset_index(drop=True)
            alike = seen[seen["dtype"].isin(_alike(str(own["dtype"].iloc[0])))].reset_index(drop=True)
            fitted = with_values(fit_relation([_pairs(bare, alike)]).values)
            predicted, _ = relation_values(fitted, bare, own, WEIGHT_COPIES)
            yield _with_roofline(RELATION_LEFT_OUT_MODEL, bare, own, predicted)
    others = [_pairs(_without_fit(str(other)), part) for other, part in _others(gpu, table)]
    if others:
        predicted, _ = relation_values(with_values(fit_relation(others).values), bare, rows, WEIGHT_COPIES)
        yield _with_roofline(LEFT_OUT_GPU, bare, rows, predicted)
    yield _with_roofline(SHIPPED, bare, rows, _speedups(shipped, rows))


def _others(gpu: str, table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for other, part in table[table["gpu"] != gpu].groupby("gpu", sort=False):
        yield str(other), part.reset_index(drop=True)


def _alike(dtype: str) -> tuple[str, ...]:
    """16-bit types run the same kernels; int8 and fp8 do not."""
    return WIDTHS[0] if dtype in WIDTHS[0] else (dtype,)


def _pairs(profile: HardwareProfile, rows: pd.DataFrame) -> MeasuredPairs:
    return MeasuredPairs(profile=profile, rows=rows.reset_index(drop=True), weight_copies=WEIGHT_COPIES)


def _speedups(profile: HardwareProfile, rows: pd.DataFrame) -> Array:
    return predicted_speedups(profile, rows, WEIGHT_COPIES, WeightForm.SPARSE_2_4)


def _with_roofline(way: str, bare: HardwareProfile, rows: pd.DataFrame, predicted: Array) -> pd.DataFrame:
    return rows.assign(way=way, predicted=predicted, roofline=_roofline_speedups(bare, rows))


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
        left_out_model = way != LEFT_OUT_GPU
        yield _worst(str(way), rows, "median", MEDIAN_GOAL if left_out_model else GPU_MEDIAN_GOAL)
        if left_out_model:
            yield _worst(str(way), rows, "mean", MEAN_GOAL)


def _worst(way: str, rows: pd.DataFrame, which: str, limit: float) -> Outcome:
    worst = rows.sort_values(which).iloc[-1]
    found = f"{worst[which]:.1%} ({worst['gpu']} {worst['dtype']})"
    return at_most(f"{way}: worst {which}", worst[which], limit, found)


def _parameter_tables(table: pd.DataFrame) -> Sequence[Table]:
    """The relations by GPU and data type, that of all graphics cards, and errors by what was left out."""
    relations: list[Mapping[str, object]] = []
    errors: list[Mapping[str, object]] = []
    for dtypes in (WIDTHS[0], *((dtype,) for dtype in WIDTHS[1])):
        rows = table[table["dtype"].isin(dtypes)]
        for gpu, part in rows.groupby("gpu", sort=False):
            bare = _without_fit(str(gpu))
            line = {"dtypes": ", ".join(dtypes), "gpu": gpu}
            relations.append({**line, **_fitted([_pairs(bare, part)])})
            errors.append({**line, "left": "model", **_left_out_model(bare, part)})
            others = [_pairs(_without_fit(other), left) for other, left in _others(str(gpu), rows)]
            if others:
                fitted = with_values(fit_relation(others).values)
                found, _ = relation_values(fitted, bare, part.reset_index(drop=True), WEIGHT_COPIES)
                errors.append({**line, "left": "GPU", **_by_regime(part, found)})
    cards = table[table["gpu"].map(lambda gpu: kernel_generation(load_profile(gpu)) == GRAPHICS)]
    together = [_pairs(_without_fit(str(gpu)), part) for gpu, part in cards.groupby("gpu", sort=False)]
    relations.append({"dtypes": "all", "gpu": GRAPHICS, **_fitted(together)})
    return _relations_table(pd.DataFrame(relations)), _errors_table(pd.DataFrame(errors))


def _fitted(measured: list[MeasuredPairs]) -> dict[str, float]:
    return {name: float(value) for name, value in fit_relation(measured).values.items()}


def _left_out_model(bare: HardwareProfile, rows: pd.DataFrame) -> Mapping[str, float]:
    """Errors of each model by the relation of the others."""
    parts, found = [], []
    for model in rows["model"].unique():
        held = rows[rows["model"] == model].reset_index(drop=True)
        fitted = with_values(fit_relation([_pairs(bare, rows[rows["model"] != model])]).values)
        parts.append(held)
        found.append(relation_values(fitted, bare, held, WEIGHT_COPIES)[0])
    return _by_regime(pd.concat(parts), np.concatenate(found))


def _by_regime(rows: pd.DataFrame, predicted: Array) -> Mapping[str, float]:
    """80 % quantiles of |log error| of speedups, by regime and over all."""
    regimes = gemm_regime(*(rows[name].to_numpy(dtype=np.float64) for name in ("m", "n", "k")))
    logs = np.abs(np.log(predicted / rows["speedup"].to_numpy(dtype=np.float64)))
    return {
        name: float(np.quantile(logs[regimes == index], 0.8))
        for index, name in enumerate(GEMM_REGIMES)
        if np.any(regimes == index)
    } | {"all": float(np.quantile(logs, 0.8))}


def _relations_table(frame: pd.DataFrame) -> Table:
    columns: list[Column] = [text_column("data types", "dtypes"), text_column("GPU", "gpu")]
    columns += (number_column(name.replace("_", " "), name, _three_digits) for name in PARAMETERS)
    return Table(title="2:4 over dense, fitted", frame=frame, columns=tuple(columns))


def _errors_table(frame: pd.DataFrame) -> Table:
    keys = {"data types": "dtypes", "left out": "left", "GPU": "gpu"}
    columns: list[Column] = [text_column(heading, key) for heading, key in keys.items()]
    named = [name for name in (*GEMM_REGIMES, "all") if name in frame]
    columns += (number_column(name, name, _two_places) for name in named)
    return Table(title="80 % quantiles of |log error|", frame=frame, columns=tuple(columns))


def _two_places(value: float) -> str:
    return rounding.UNKNOWN if pd.isna(value) else f"{value:.2f}"


def _three_digits(value: float) -> str:
    return f"{value:#.3g}"


def _percent(value: float) -> str:
    return rounding.UNKNOWN if pd.isna(value) else f"{100 * value:.1f} %"


if __name__ == "__main__":
    typer.run(main)
