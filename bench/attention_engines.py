"""How exact is attention of TensorRT-LLM and SGLang, with KV caches in 16 and 8 bit and heads of 64 to 256?

Reads published timings from a folder beside the checkout, and says so where there is none. Whole (batch,
heads, KV heads) are held out; each engine, phase and cache is fitted apart on few of the other rows, so that
the shipped fits, which see all of them, are a little better.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from accuracy_goals import Outcome, at_most, outcomes_table
from infersim.cli.printing import print_for_people
from infersim.cli.questions import names
from infersim.fitting.calibration import calibrate
from infersim.fitting.calibration_rows import held_out_rows
from infersim.fitting.fits.kind_fit import spread
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.validation.predictions import predict_samples
from infersim.profile_files.profiles import datasheet_alone, load_profile
from infersim.report.core import rounding
from infersim.report.core.table import Table, number_column, text_column

MEASURED = Path(__file__).parents[2] / "shared" / "data" / "engine_attention"
GPUS = "h100-sxm,b200-sxm,l40s,rtx-pro-6000-server"
ROWS, SCORED = 800, 3000
HELD_OUT, SEED = 0.3, 1
GOAL = 0.10
DIMENSIONS = ["phase", "batch", "query_len", "context_len", "num_heads", "num_kv_heads", "head_dim"]


def main(
    gpus: Annotated[str, typer.Option(help="Names with commas between.")] = GPUS,
    rows: Annotated[int, typer.Option(help="Rows of each engine, phase and cache that are fitted.")] = ROWS,
) -> None:
    """Score attention of each engine, phase and cache."""
    if not MEASURED.is_dir():
        print(f"attention of engines: skipped, there are no measurements in {MEASURED}")
        return
    scores = pd.DataFrame([line for gpu in names("gpus", gpus) for line in _scores(gpu, rows)])
    print_for_people(None, _table(scores), outcomes_table(_outcomes(scores), "Goals of attention"))


def engine_samples(folder: Path, gpu: str) -> pd.DataFrame:
    """The rows of one GPU in the samples format, with the column `engine`; timing loops over one KV cache."""
    table = pd.read_parquet(folder / f"{gpu}.parquet")
    rows = table[[*DIMENSIONS, "latency_us"]].assign(
        gpu=gpu,
        kind="attention",
        dtype="bf16",
        kv_dtype=table["kv_dtype"].where(table["kv_dtype"] != "bf16"),
        weight_copies=1,
        engine=table["engine"],
    )
    return read_samples(rows).frame


def _scores(gpu: str, rows: int) -> Iterator[dict[str, object]]:
    samples = engine_samples(MEASURED, gpu)
    samples = samples.assign(cache=samples["kv_dtype"].fillna("bf16"))
    bare = datasheet_alone(load_profile(gpu))
    for _, group in samples.groupby(["engine", "phase", "cache"]):
        of_kind = group.reset_index(drop=True)
        engine, phase, cache = (str(of_kind[name].iloc[0]) for name in ("engine", "phase", "cache"))
        held = held_out_rows(of_kind, HELD_OUT, SEED)
        fit = calibrate(bare, spread(of_kind[~held].reset_index(drop=True), rows))
        judged = spread(of_kind[held].reset_index(drop=True), SCORED)
        found = predict_samples(judged, fit)
        measured = judged["latency_us"].to_numpy(dtype=np.float64)
        error = np.abs(found["predicted_us"].to_numpy() / measured - 1)
        inside = (found["lower_us"] <= measured) & (measured <= found["upper_us"])
        said = {
            "gpu": gpu,
            "engine": engine,
            "phase": phase,
            "cache": cache,
            "mape": float(error.mean()),
            "coverage": float(inside.mean()),
        }
        widths = judged["head_dim"].to_numpy()
        of_width = {d: error[widths == d] for d in (64, 128, 256)}
        yield said | {f"d{d}": float(e.mean()) if len(e) else np.nan for d, e in of_width.items()}


def _outcomes(scores: pd.DataFrame) -> Iterator[Outcome]:
    means = scores.groupby(["phase", "cache"])["mape"].mean().reset_index()
    for row in means.to_dict("records"):
        what = f"{row['phase']}, {row['cache']} cache: mean"
        yield at_most(what, row["mape"], GOAL, rounding.fraction(row["mape"]))
    wide = float(scores["d256"].mean())
    yield at_most("head_dim 256: mean", wide, GOAL, rounding.fraction(wide))


def _table(scores: pd.DataFrame) -> Table:
    widths = [number_column(f"head_dim\n{d}", f"d{d}", rounding.fraction) for d in (64, 128, 256)]
    columns = (
        *(text_column(name, name) for name in ("gpu", "engine", "phase", "cache")),
        number_column("mean\nerror", "mape", rounding.fraction),
        *widths,
        number_column("inside\n80 %", "coverage", rounding.fraction),
    )
    return Table(
        title="Attention of engines, whole heads and batches held out", frame=scores, columns=columns
    )


if __name__ == "__main__":
    typer.run(main)
