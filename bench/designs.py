"""Which 400 GEMMs to measure? Measurement plans of one size compared by calibrations on the published tables.

    python bench/designs.py FOLDER

FOLDER holds `gemm/<gpu>.parquet`. The pairs (n, k) that `accuracy.py` scores on are set aside first and never
looked at; among the others 30 % are held out to judge the plans. A planned kernel is stood for by the
nearest row of the table in log2(m, n, k), each row at most once; misaligned kernels have none there, so
every plan here is without them, and as long as `gemm-400` without them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from accuracy import FILES, HELD_OUT, WEIGHT_COPIES
from infersim.cli.printing import print_for_people
from infersim.cli.questions import integers, names
from infersim.domain.errors import InvalidValueError
from infersim.domain.profile import HardwareProfile
from infersim.fitting.calibration import calibrate
from infersim.fitting.calibration_rows import held_out_rows, thinned
from infersim.fitting.plans.reading import PART, MeasurementPlan, planned_samples, read_measurement_plan
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.validation.error_table import ALL
from infersim.fitting.validation.validation import validate
from infersim.profile_files.profiles import load_profile
from infersim.report.core import rounding
from infersim.report.core.table import Table, number_column, text_column

INNER_SEED = 1000
"""Added to the seed of the outer split, so that the inner one is another permutation."""

SPACE, DECODE, MODELS, HEADS = "gemm space", "gemm decode", "gemm models", "gemm LM heads"
MISALIGNED = "gemm misaligned"

MIXES: Mapping[str, Mapping[str, float]] = {
    "space only": {SPACE: 1.0},
    "space and decode": {SPACE: 0.85, DECODE: 0.15},
    "quarter models": {SPACE: 0.75, MODELS: 0.22, HEADS: 0.03},
    "quarter models, decode": {SPACE: 0.60, DECODE: 0.15, MODELS: 0.22, HEADS: 0.03},
    "third models, decode": {SPACE: 0.50, DECODE: 0.15, MODELS: 0.32, HEADS: 0.03},
    "half models": {SPACE: 0.50, MODELS: 0.47, HEADS: 0.03},
    "half models, decode": {SPACE: 0.35, DECODE: 0.15, MODELS: 0.47, HEADS: 0.03},
}
"""Shares of the parts of `gemm-400` in the measurement plans that are compared."""

RANDOM = {"random rows": 0, "other random rows": INNER_SEED}
"""What is added to the seed of the draw; two draws differ by no more than chance."""


def main(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="With gemm/<gpu>.parquet.")],
    gpus: Annotated[str, typer.Option(help="Names with commas between.")] = "l40s,h100-sxm,b200-sxm",
    seeds: Annotated[str, typer.Option(help="Seeds of the splits.")] = "0,1",
    mixes: Annotated[str, typer.Option(help="Measurement plans to compare.")] = ";".join((*RANDOM, *MIXES)),
) -> None:
    """Compare measurement plans by their error on the inner hold-out."""
    plan = read_measurement_plan("gemm-400")
    aligned = planned_samples(plan)
    aligned = aligned[aligned[PART] != MISALIGNED]
    chosen = [name.strip() for name in mixes.split(";")]
    for name in set(chosen) - {*RANDOM, *MIXES}:
        raise InvalidValueError("mixes", name, f"some of {'; '.join((*RANDOM, *MIXES))}")
    scores: list[dict[str, object]] = []
    for gpu in names("gpus", gpus):
        profile, table = load_profile(gpu), _table(folder, gpu)
        for seed in integers("seeds", seeds):
            inner = table[~held_out_rows(table, HELD_OUT, seed)].reset_index(drop=True)
            held = held_out_rows(inner, HELD_OUT, seed + INNER_SEED)
            for name in chosen:
                rows = _rows(name, plan, inner[~held], len(aligned), seed)
                scores.append({"gpu": gpu, "mix": name, "seed": seed, **_errors(profile, rows, inner[held])})
    print_for_people(None, _scores_table(pd.DataFrame(scores)))


def mixed(plan: MeasurementPlan, shares: Mapping[str, float], rows: int) -> MeasurementPlan:
    """`plan` with `rows` rows in all, divided by `shares`; what rounding leaves goes to the largest."""
    counts = {name: round(share * rows) for name, share in shares.items()}
    counts[max(counts, key=counts.__getitem__)] += rows - sum(counts.values())
    changed = {
        table: [
            part.model_copy(update={"rows": counts[part.name]})
            for part in getattr(plan.tables, table)
            if part.name in counts
        ]
        for table in ("gemm_space", "gemm_models")
    }
    return MeasurementPlan(file=plan.file, tables=plan.tables.model_copy(update=changed))


def nearest(planned: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `table` that come nearest to `planned` in log2(m, n, k), one after the other, each once."""
    axes = ["m", "n", "k"]
    there = np.log2(table[axes].to_numpy(dtype=np.float64))
    taken = np.zeros(len(table), dtype=np.bool_)
    for point in np.log2(planned[axes].to_numpy(dtype=np.float64)):
        distance = ((there - point) ** 2).sum(axis=1)
        taken[np.argmin(np.where(taken, np.inf, distance))] = True
    return table[taken].reset_index(drop=True)


def _table(folder: Path, gpu: str) -> pd.DataFrame:
    said = {"gpu": gpu, "kind": "gemm", "weight_copies": WEIGHT_COPIES}
    frame = read_samples(folder / "gemm" / f"{FILES[gpu]}.parquet", defaults=said).frame
    return frame[frame["dtype"] == "bf16"].reset_index(drop=True)


def _rows(name: str, plan: MeasurementPlan, table: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    if name in RANDOM:
        return thinned(table, count, seed + RANDOM[name])
    return nearest(planned_samples(mixed(plan, MIXES[name], count)), table)


def _errors(profile: HardwareProfile, rows: pd.DataFrame, held: pd.DataFrame) -> dict[str, object]:
    """Mean errors on `held`: over all rows, over those of each class, and over cut n or k."""
    started = time.perf_counter()
    found = validate(calibrate(profile, rows), held)
    print(f"{profile.name}: {len(rows)} rows, {time.perf_counter() - started:.0f} s", file=sys.stderr)
    errors = found.errors[found.errors["division"] == ALL]
    classes = found.errors[found.errors["division"].isin(["tokens", "size"])].set_index("shape_class")
    cuts = found.speedups[found.speedups["cut"] == "n or k"]
    return {
        "rows": len(rows),
        "mape": errors["mape"].iloc[0],
        **{name: classes["mape"][name] for name in ("decode", "mid", "prefill", "large", "small")},
        "speedup": cuts["median_ape"].iloc[0],
    }


def _scores_table(scores: pd.DataFrame) -> Table:
    """Means over the seeds for each GPU, and over the GPUs last."""
    numbers = scores.columns.difference(["gpu", "mix", "seed"], sort=False)
    each = scores.groupby(["gpu", "mix"], sort=False)[list(numbers)].mean().reset_index()
    over_all = scores.groupby("mix", sort=False)[list(numbers)].mean().reset_index().assign(gpu="mean")
    frame = pd.concat([each, over_all], ignore_index=True)
    columns = [text_column("design", "mix"), number_column("rows", "rows", rounding.quantity)]
    columns += [number_column(name, name, _percent) for name in numbers if name != "rows"]
    return Table(
        title="Mean errors on the inner hold-out (speedup: median), means over the seeds",
        frame=frame,
        columns=tuple(columns),
        labels=tuple(frame["gpu"]),
    )


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


if __name__ == "__main__":
    typer.run(main)
