"""How exact are calibrated predictions? Hold out, calibrate on few rows, and score on what was held out.

Whole (n, k) pairs of GEMMs and whole (batch, heads, kv heads) of attention are held out, so that every scored
shape belongs to a matrix or a head layout that the fit has never seen. Reads published measurements from a
folder beside the checkout, and says so where there is none.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from accuracy_goals import goals_table
from infersim.cli.printing import print_for_people
from infersim.cli.questions import integers, names
from infersim.domain.errors import UnknownNameError
from infersim.domain.profile import Calibration
from infersim.fitting.calibration import calibrate
from infersim.fitting.calibration_rows import held_out_rows, thinned
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.validation.error_table import ALL
from infersim.fitting.validation.validation import Validation, validate
from infersim.profile_files.profiles import load_profile
from infersim.report.core import rounding
from infersim.report.core.table import Column, Table, number_column, text_column

MEASURED = Path(__file__).parents[2] / "shared" / "data"
FILES = {
    "a100-sxm-80gb": "a100_sxm",
    "l40s": "l40s",
    "h100-sxm": "h100_sxm",
    "b200-sxm": "b200_sxm",
    "rtx-pro-6000-server": "rtx_pro_6000_server",
}
HELD_OUT = 0.3
ATTENTION_ROWS = 200
WEIGHT_COPIES = 6
"""The published timings rotate over six copies of the weights."""


def main(
    gpus: Annotated[str, typer.Option(help="Names with commas between.")] = ",".join(FILES),
    kinds: Annotated[str, typer.Option(help="gemm, attention.")] = "gemm,attention",
    dtypes: Annotated[str, typer.Option(help="Data types of GEMMs.")] = "bf16,fp8",
    rows: Annotated[str, typer.Option(help="GEMM rows to calibrate on.")] = "400,2000",
    attention_rows: Annotated[int, typer.Option(help="Attention rows of each phase.")] = ATTENTION_ROWS,
    seeds: Annotated[str, typer.Option(help="Seeds of hold-out and draw.")] = "0,1,2",
    data: Annotated[Path, typer.Option(help="Folder with gemm/ and attention/.")] = MEASURED,
) -> None:
    """Score calibrations on held-out shapes, GPU by GPU, with the goals below."""
    if not data.is_dir():
        print(f"accuracy: skipped, there are no measurements in {data}")
        return
    scores: list[dict[str, object]] = []
    for gpu in names("gpus", gpus):
        if gpu not in FILES:
            raise UnknownNameError("GPU with published measurements", gpu, FILES)
        for kind in names("kinds", kinds):
            sizes = integers("rows", rows) if kind == "gemm" else [attention_rows]
            samples = measured_samples(data, gpu, kind, names("dtypes", dtypes))
            for size in sizes:
                for seed in integers("seeds", seeds):
                    scores += _scores(gpu, samples, size, seed)
                    print(f"{gpu} {kind} {size} rows, seed {seed}: done", file=sys.stderr)
    if not scores:
        print(f"accuracy: skipped, {data} has no rows of {dtypes} for {gpus}")
        return
    means = _mean_over_seeds(pd.DataFrame(scores))
    print_for_people(None, scores_table(means), goals_table(means))


def measured_samples(data: Path, gpu: str, kind: str, dtypes: list[str]) -> list[pd.DataFrame]:
    """Samples of one GPU and kind, a frame for each data type."""
    path = data / kind / f"{FILES[gpu]}.parquet"
    if kind != "gemm":
        return [read_samples(path, defaults={"gpu": gpu, "kind": kind, "dtype": "bf16"}).frame]
    said = {"gpu": gpu, "kind": kind, "weight_copies": WEIGHT_COPIES}
    frame = read_samples(path, defaults=said).frame
    # Timings of 8-bit layers include the quantisation of their activations.
    frame = frame.assign(includes_act_quant=frame["dtype"] == "fp8")
    found = [frame[frame["dtype"] == dtype].reset_index(drop=True) for dtype in dtypes]
    return [rows for rows in found if len(rows)]


def held_out_validation(
    gpu: str, frame: pd.DataFrame, size: int, seed: int
) -> tuple[Validation, float, float]:
    """A calibration on `size` rows, compared with what was held out; seconds of the fit, of all cores too."""
    # A fit that comes with the profile may have seen the rows that are held out here.
    datasheet = replace(load_profile(gpu), fit=None, calibration=Calibration.NONE, fit_source=None)
    held = held_out_rows(frame, HELD_OUT, seed)
    chosen = thinned(frame[~held], size, seed)
    started, cpu_started = time.perf_counter(), time.process_time()
    profile = calibrate(datasheet, chosen)
    fit_s, fit_cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
    return validate(profile, frame[held]), fit_s, fit_cpu_s


def _scores(gpu: str, samples: list[pd.DataFrame], size: int, seed: int) -> Iterator[dict[str, object]]:
    """One row for each kind and data type: calibrated on `size` rows, scored on what was held out."""
    for frame in samples:
        found, fit_s, fit_cpu_s = held_out_validation(gpu, frame, size, seed)
        cuts = found.speedups[found.speedups["cut"] == "n or k"].set_index("dtype")
        for _, row in found.errors[found.errors["division"] == ALL].iterrows():
            pairs = cuts.loc[row["dtype"]] if row["kind"] == "gemm" else pd.Series(dtype=float)
            yield {
                "gpu": gpu,
                "fitted_rows": size,
                "seed": seed,
                **row.drop(["division", "shape_class"]),
                "speedup_median_ape": pairs.get("median_ape"),
                "flops_median_ape": pairs.get("flops_median_ape"),
                "pair_coverage": pairs.get("coverage"),
                "pair_log_half_width": pairs.get("log_half_width"),
                "fit_s": fit_s,
                "fit_cpu_s": fit_cpu_s,
            }


def _mean_over_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    keys = ["kind", "dtype", "fitted_rows", "gpu"]
    numbers = scores.drop(columns=keys).astype(float)
    return numbers.groupby([scores[key] for key in keys], sort=False).mean().reset_index()


def scores_table(scores: pd.DataFrame) -> Table:
    """Scores, means over the seeds, one section for each kind, data type and number of rows."""
    order = scores.sort_values(["kind", "dtype", "fitted_rows"], kind="stable")
    labels = order["kind"] + " " + order["dtype"] + ", " + order["fitted_rows"].astype(str) + " rows"
    errors = {"mean": "mape", "median": "median_ape", "90 %": "p90_ape"}
    speedups = {"speedup\nmedian": "speedup_median_ape", "FLOPs ratio\nmedian": "flops_median_ape"}
    shares = {"covered": "coverage", "pairs\ncovered": "pair_coverage"}
    widths = {"interval\n±": "log_half_width", "pairs\n±": "pair_log_half_width"}
    columns: list[Column] = [text_column("GPU", "gpu")]
    columns += [number_column(heading, key, percent) for heading, key in errors.items()]
    columns += [number_column(heading, key, rounding.share) for heading, key in shares.items()]
    columns += [number_column(heading, key, percent) for heading, key in (widths | speedups).items()]
    columns += [number_column("roofline\nmean", "roofline_mape", percent)]
    columns += [number_column("fit s", "fit_s", rounding.quantity)]
    columns += [number_column("of all\ncores", "fit_cpu_s", rounding.quantity)]
    return Table(
        title="Errors on held-out shapes, means over the seeds",
        frame=order,
        columns=tuple(columns),
        labels=tuple(labels),
    )


def percent(value: float) -> str:
    """A fraction in percent with one decimal."""
    return rounding.UNKNOWN if pd.isna(value) else f"{100 * value:.1f} %"


if __name__ == "__main__":
    typer.run(main)
