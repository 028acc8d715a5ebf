"""How exact are predictions of number formats, by the kernels of each engine?

As in `accuracy`, whole (n, k) pairs are held out, so that no scored matrix was fitted: once with all other
rows of a format, as the shipped fits have them, once with few. Then each GPU is left out of what others say
of it. Reads published measurements from a folder beside the checkout, and says so where there is none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from accuracy import MEASURED, held_out_validation, scores_table
from accuracy_goals import Outcome, at_most, outcomes_table
from infersim.cli.printing import print_for_people
from infersim.cli.questions import integers, names
from infersim.fitting.calibration_rows import thinned
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.transfer.pooling import pool_fits
from infersim.fitting.validation.error_table import ALL
from infersim.fitting.validation.validation import validate
from infersim.profile_files.profiles import load_profile
from unseen_gpus import transferred

sys.path.append(str(Path(__file__).parents[1] / "calibration"))
published = import_module("fit_published_tables")
FILES, TABLES, published_samples = published.FILES, published.TABLES, published.published_samples

FORMATS = "w4a16,w8a16,int8,fp8_static,fp8_block,nvfp4"
ENOUGH = 2000
"""Rows that a fit makes use of."""

SCORED_ROWS = 6000
EACH, MEAN, FEW_MEAN, LEFT_OUT_MEAN = 0.10, 0.07, 0.09, 0.18
"""Goals: mean error of each format and of all with all rows, of all with few, and of GPUs left out."""

COVERED = (0.72, 0.92)


def main(
    gpus: Annotated[str, typer.Option(help="Names with commas between.")] = ",".join(FILES),
    formats: Annotated[str, typer.Option(help="Number formats, engines' bf16 and fp8 among them.")] = FORMATS,
    engines: Annotated[str, typer.Option(help="Kernel sets.")] = ",".join(TABLES),
    rows: Annotated[str, typer.Option(help="Rows to calibrate on; all of use are 2000.")] = f"400,{ENOUGH}",
    seeds: Annotated[str, typer.Option(help="Seeds of hold-out and draw.")] = "0",
    left_out: Annotated[bool, typer.Option(help="Leave each GPU out of the shipped fits, too.")] = True,
    data: Annotated[Path, typer.Option(help="Folder of the tables.")] = MEASURED,
) -> None:
    """Score formats on held-out matrices and on left-out GPUs, with the goals below."""
    if not data.is_dir():
        print(f"formats: skipped, there are no measurements in {data}")
        return
    scores: list[dict[str, object]] = []
    unseen: list[dict[str, object]] = []
    for gpu in names("gpus", gpus):
        for frame in _samples(data, gpu, names("engines", engines), names("formats", formats)):
            for size in integers("rows", rows):
                scores += [_score(gpu, frame, size, seed) for seed in integers("seeds", seeds)]
        print(f"{gpu}: done", file=sys.stderr)
        if left_out:
            unseen += _unseen(data, gpu, names("engines", engines), names("formats", formats))
            print(f"{gpu} left out: done", file=sys.stderr)
    if not scores:
        print(f"formats: skipped, {data} has no rows of {formats} for {gpus}")
        return
    frame = pd.DataFrame(scores)
    keys = ["kind", "dtype", "fitted_rows", "gpu"]
    means = frame.drop(columns=keys).astype(float).groupby([frame[key] for key in keys], sort=False).mean()
    outcomes = [*_outcomes(means.reset_index()), *_left_out_outcomes(pd.DataFrame(unseen))]
    print_for_people(None, scores_table(means.reset_index()), outcomes_table(outcomes, "Goals of formats"))


def _samples(data: Path, gpu: str, engines: list[str], formats: list[str]) -> Iterator[pd.DataFrame]:
    """The GEMM rows of each engine and format."""
    for kernels in engines:
        published = published_samples(data, gpu, kernels)
        if "m" not in published:  # no GEMMs
            continue
        gemms = published[(published["kind"] == "gemm") & published["dtype"].isin(formats)]
        for dtype, rows in gemms.groupby("dtype", sort=False):
            wanted = rows[["gpu", "kind", "dtype", "m", "n", "k", "latency_us", "weight_copies"]]
            wanted = wanted.assign(includes_act_quant=rows["includes_act_quant"].astype(bool))
            read = read_samples(wanted.reset_index(drop=True)).frame
            read.attrs["label"] = f"{dtype} {kernels}"
            yield read


def _score(gpu: str, frame: pd.DataFrame, size: int, seed: int) -> dict[str, object]:
    """Errors of a calibration on `size` rows, on what was held out."""
    found, fit_s, fit_cpu_s = held_out_validation(gpu, frame, size, seed)
    row = found.errors[found.errors["division"] == ALL].iloc[0].drop(["division", "shape_class", "dtype"])
    pairs = found.speedups[found.speedups["cut"] == "n or k"].iloc[0]
    return {
        **row,
        "gpu": gpu,
        "dtype": frame.attrs["label"],
        "fitted_rows": size,
        "speedup_median_ape": pairs["median_ape"],
        "flops_median_ape": pairs["flops_median_ape"],
        "pair_coverage": pairs["coverage"],
        "pair_log_half_width": pairs["log_half_width"],
        "fit_s": fit_s,
        "fit_cpu_s": fit_cpu_s,
    }


def _unseen(data: Path, gpu: str, engines: list[str], formats: list[str]) -> Iterator[dict[str, object]]:
    """Errors on a GPU of which only the datasheet is known, from the shipped fits of the others."""
    pool = pool_fits([load_profile(other) for other in FILES if other != gpu])
    profile = transferred(gpu, pool)
    for frame in _samples(data, gpu, engines, formats):
        found = validate(replace(profile), thinned(frame, SCORED_ROWS, 0))
        row = found.errors[found.errors["division"] == ALL].iloc[0]
        yield {"gpu": gpu, "dtype": frame.attrs["label"], "mape": row["mape"], "coverage": row["coverage"]}


def _outcomes(means: pd.DataFrame) -> Iterator[Outcome]:
    for size in sorted(means["fitted_rows"].astype(int).unique()):
        rows = means[means["fitted_rows"] == size]
        by_format = rows.groupby("dtype", sort=False)["mape"].mean()
        limit = MEAN if size >= ENOUGH else FEW_MEAN
        found = by_format.mean()
        yield at_most(f"{size} rows: mean error over formats", found, limit, f"{found:.2%}")
        if size >= ENOUGH:
            for dtype, error in by_format.items():
                yield at_most(f"{size} rows: {dtype}", error, EACH, f"{error:.2%}")
        low, high = COVERED
        least, most = rows["coverage"].min(), rows["coverage"].max()
        yield Outcome(
            what=f"{size} rows: covered",
            goal=f"{low:.0%} to {high:.0%}",
            found=f"{least:.0%} to {most:.0%}",
            reached=low <= least and most <= high,
        )


def _left_out_outcomes(unseen: pd.DataFrame) -> Iterator[Outcome]:
    if unseen.empty:
        return
    for dtype, rows in unseen.groupby("dtype", sort=False):
        each = ", ".join(f"{gpu} {error:.0%}" for gpu, error in zip(rows["gpu"], rows["mape"], strict=True))
        error = rows["mape"].mean()
        yield at_most(f"left out, {dtype} ({each})", error, LEFT_OUT_MEAN, f"{error:.1%}")
    for what, error in (
        ("formats and GPUs", unseen["mape"].mean()),
        ("formats, each its GPUs' mean", unseen.groupby("dtype")["mape"].mean().mean()),
    ):
        yield at_most(f"left out: mean over {what}", error, LEFT_OUT_MEAN, f"{error:.1%}")


if __name__ == "__main__":
    typer.run(main)
