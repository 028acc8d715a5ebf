"""How exact are predictions of a GPU that nobody has measured? Leave each GPU out in turn.

The pool is made of fits of the other GPUs, on at most 400 rows of each kind and data type; the left-out GPU
gives its datasheet, and then 10, 30 and 100 rows, which are scored on (n, k) pairs that none of them has.
Reads published measurements from a folder beside the checkout, and says so where there is none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from accuracy import FILES, HELD_OUT, MEASURED, measured_samples, percent
from infersim.cli.printing import print_for_people
from infersim.cli.questions import integers, names
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.fitting.calibration import calibrate
from infersim.fitting.calibration_rows import held_out_rows, thinned
from infersim.fitting.transfer.pooling import pool_fits
from infersim.fitting.validation.error_table import ALL
from infersim.fitting.validation.validation import validate
from infersim.profile_files.profiles import datasheet_alone, load_profile
from infersim.report.core import rounding
from infersim.report.core.table import Column, Table, number_column, text_column
from infersim.transfer.borrowing import transferred_fit
from infersim.transfer.pool import Pool
from unseen_goals import goals_table
from unseen_speedups import speedup_differences

POOL_ROWS = 400
"""Rows of each kind and data type that the pool sees of each other GPU."""

SCORED_ROWS = 6000
"""Rows of each kind and data type that are scored, drawn at random."""


def main(
    gpus: Annotated[str, typer.Option(help="GPUs to leave out, with commas between.")] = ",".join(FILES),
    kinds: Annotated[str, typer.Option(help="gemm, attention.")] = "gemm,attention",
    dtypes: Annotated[str, typer.Option(help="Data types of GEMMs.")] = "bf16",
    rows: Annotated[str, typer.Option(help="Rows of the left-out GPU; 0 is the datasheet.")] = "0,10,30,100",
    seeds: Annotated[str, typer.Option(help="Seeds of hold-out and draw.")] = "0",
    models: Annotated[bool, typer.Option(help="Compare speedups of a whole model, too.")] = True,
    data: Annotated[Path, typer.Option(help="Folder with gemm/ and attention/.")] = MEASURED,
) -> None:
    """Score predictions of each GPU from the others' fits and its datasheet, with the goals below."""
    if not data.is_dir():
        print(f"unseen GPUs: skipped, there are no measurements in {data}")
        return
    scores: list[dict[str, object]] = []
    speedups: list[dict[str, object]] = []
    for seed in integers("seeds", seeds):
        samples = {gpu: _samples(data, gpu, names("kinds", kinds), names("dtypes", dtypes)) for gpu in FILES}
        fitted = {gpu: calibrate(_bare(gpu), thinned(samples[gpu], POOL_ROWS, seed)) for gpu in FILES}
        for gpu in names("gpus", gpus):
            pool = pool_fits([profile for name, profile in fitted.items() if name != gpu])
            unseen = transferred(gpu, pool)
            scores += _scores(unseen, samples[gpu], integers("rows", rows), seed)
            if models and "attention" in kinds and "gemm" in kinds:
                speedups.append({"gpu": gpu, **speedup_differences(unseen, fitted[gpu])})
            print(f"{gpu} left out, seed {seed}: done", file=sys.stderr)
    frame = _mean_over_seeds(pd.DataFrame(scores))
    print_for_people(None, scores_table(frame), goals_table(frame, pd.DataFrame(speedups)))


def transferred(gpu: str, pool: Pool) -> HardwareProfile:
    """A GPU as its datasheet and the pool have it."""
    bare = _bare(gpu)
    return replace(bare, fit=transferred_fit(bare, pool), calibration=Calibration.TRANSFERRED)


def _bare(gpu: str) -> HardwareProfile:
    return datasheet_alone(load_profile(gpu))


def _samples(data: Path, gpu: str, kinds: list[str], dtypes: list[str]) -> pd.DataFrame:
    parts = [frame for kind in kinds for frame in measured_samples(data, gpu, kind, dtypes)]
    return pd.concat(parts, ignore_index=True)


def _scores(
    unseen: HardwareProfile, samples: pd.DataFrame, sizes: list[int], seed: int
) -> Iterator[dict[str, object]]:
    """One row for each number of rows, kind and data type.

    The datasheet alone is scored on all samples, fits on those that were held out.
    """
    for size in sizes:
        held = held_out_rows(samples, HELD_OUT, seed)
        if size == 0:
            profile, scored = unseen, samples
        else:
            profile, scored = calibrate(unseen, thinned(samples[~held], size, seed)), samples[held]
        found = validate(profile, thinned(scored, SCORED_ROWS, seed))
        cuts = found.speedups[found.speedups["cut"] == "n or k"].set_index("dtype")
        for _, row in found.errors[found.errors["division"] == ALL].iterrows():
            pairs: Mapping[str, object] = {}
            if row["kind"] == "gemm" and row["dtype"] in cuts.index:
                pairs = cuts.loc[row["dtype"]].to_dict()
            yield {
                "gpu": unseen.name,
                "fitted_rows": size,
                "seed": seed,
                **row.drop(["division", "shape_class"]),
                "speedup_median_ape": pairs.get("median_ape"),
                "flops_median_ape": pairs.get("flops_median_ape"),
                "pair_coverage": pairs.get("coverage"),
                "pair_log_half_width": pairs.get("log_half_width"),
            }


def _mean_over_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    keys = ["kind", "dtype", "fitted_rows", "gpu"]
    numbers = scores.drop(columns=keys).astype(float)
    return numbers.groupby([scores[key] for key in keys], sort=False).mean().reset_index()


def scores_table(scores: pd.DataFrame) -> Table:
    """Scores, means over the seeds, one section for each kind, data type and number of rows."""
    order = scores.sort_values(["kind", "dtype", "fitted_rows"], kind="stable")
    labels = order["kind"] + " " + order["dtype"] + ", " + order["fitted_rows"].astype(str) + " rows"
    errors = {"mean": "mape", "median": "median_ape", "bias": "bias", "roofline\nmean": "roofline_mape"}
    shares = {"covered": "coverage", "pairs\ncovered": "pair_coverage"}
    widths = {
        "interval\n±": "log_half_width",
        "pairs\n±": "pair_log_half_width",
        "speedup\nmedian": "speedup_median_ape",
        "FLOPs ratio\nmedian": "flops_median_ape",
    }
    columns: list[Column] = [text_column("GPU", "gpu")]
    columns += [number_column(heading, key, percent) for heading, key in errors.items()]
    columns += [number_column(heading, key, rounding.share) for heading, key in shares.items()]
    columns += [number_column(heading, key, percent) for heading, key in widths.items()]
    return Table(
        title="Errors on GPUs left out of the pool (0 rows: the datasheet alone)",
        frame=order,
        columns=tuple(columns),
        labels=tuple(labels),
    )


if __name__ == "__main__":
    typer.run(main)
