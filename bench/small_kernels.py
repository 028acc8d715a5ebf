"""How exact are small kernels (norms, rotary, activations, gathers, quantisation), and what of other GPUs?

Reads published timings from a folder beside the checkout, and says so where there is none. As defaults: what
a GPU gets that was not measured; those of the tables stand behind them, so they are judged with each GPU left
out of the fit too. Calibrated: the GPU's own fit, with whole models (of quantisation, whole widths; where an
op has one model only, tokens) left out in turn. All from 64 tokens on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "calibration"))

from accuracy_goals import Outcome, at_most, outcomes_table  # noqa: E402
from fit_small_kernels import ADDS_ONLY, GPUS, fitted, measured  # noqa: E402
from infersim.cli.printing import print_for_people  # noqa: E402
from infersim.domain.profile import HardwareProfile  # noqa: E402
from infersim.fitting.calibration import calibrate  # noqa: E402
from infersim.fitting.fits.kind_fit import spread, with_kind  # noqa: E402
from infersim.fitting.samples.reading import read_samples  # noqa: E402
from infersim.fitting.validation.predictions import predict_samples  # noqa: E402
from infersim.profile_files.profiles import datasheet_alone, load_profile  # noqa: E402
from infersim.report.core import rounding  # noqa: E402
from infersim.report.core.table import Table, number_column, text_column  # noqa: E402
from small_kernel_tables import PAST, small_kernel_samples  # noqa: E402

MEASURED = HERE.parents[1] / "shared" / "data"
FEWEST_TOKENS = 64
CALIBRATED, LEFT_OUT = "calibrated", "GPU left out"
GOALS = {CALIBRATED: 0.15, LEFT_OUT: 0.20}
FITTED_ROWS = 600
FOLDS = 4


def main() -> None:
    """Errors of every GPU and op, and the goals."""
    if not (MEASURED / "elementwise").is_dir():
        print(f"small kernels: skipped, there are no measurements in {MEASURED}")
        return
    lines = pd.DataFrame(_lines())
    print_for_people(None, _table(lines), outcomes_table(_outcomes(lines), "Goals of small kernels"))


def _outcomes(lines: pd.DataFrame) -> Iterator[Outcome]:
    means = lines.groupby(["method", "gpu"], sort=False)["mape"].mean().reset_index()
    for row in means.to_dict("records"):
        if row["method"] in GOALS:
            what = f"{row['gpu']}, {row['method']}: mean over its ops"
            yield at_most(what, row["mape"], GOALS[row["method"]], rounding.fraction(row["mape"]))


def _lines() -> Iterator[dict[str, object]]:
    tables = {gpu: measured(MEASURED, gpu) for gpu in GPUS}
    for gpu in GPUS:
        kernels = PAST if gpu == ADDS_ONLY else "vllm"
        samples = small_kernel_samples(MEASURED, gpu, kernels)
        samples = read_samples(samples[samples["tokens"] >= FEWEST_TOKENS]).frame
        bare = datasheet_alone(load_profile(gpu))
        own = np.full(len(samples), np.nan)
        for held in _folds(samples):
            fit = calibrate(bare, spread(samples[~held].reset_index(drop=True), FITTED_ROWS))
            own[held] = _predicted(samples[held], fit)
        yield from _errors(samples, own, gpu=gpu, method=CALIBRATED)
        if kernels != PAST:
            others = fitted([table for name, table in tables.items() if name != gpu])
            transferred = with_kind(bare, "memory", others)
            yield from _errors(samples, _predicted(samples, transferred), gpu=gpu, method=LEFT_OUT)
        yield from _errors(samples, _predicted(samples, bare), gpu=gpu, method="defaults")


def _folds(samples: pd.DataFrame) -> Iterator[npt.NDArray[np.bool_]]:
    """Whole models (widths) in turn; tokens in turn where an op was timed of one model only."""
    models = samples["model"].to_numpy(dtype=str)
    several = samples.groupby("op")["model"].transform("nunique").to_numpy() > 1
    number = np.where(several, _turn(models), _turn(samples["tokens"].to_numpy()))
    for fold in range(FOLDS):
        yield number == fold


def _turn(values: npt.NDArray[np.generic]) -> npt.NDArray[np.intp]:
    """A number below FOLDS for each distinct value."""
    distinct, place = np.unique(values, return_inverse=True)
    return np.asarray(np.random.default_rng(0).permutation(len(distinct))[place] % FOLDS)


def _predicted(samples: pd.DataFrame, profile: HardwareProfile) -> npt.NDArray[np.float64]:
    predictions = predict_samples(samples.reset_index(drop=True), profile)
    return predictions["predicted_us"].to_numpy(dtype=np.float64)


def _errors(
    samples: pd.DataFrame, predicted: npt.NDArray[np.float64], *, gpu: str, method: str
) -> Iterator[dict[str, object]]:
    error = np.abs(predicted / samples["latency_us"].to_numpy() - 1)
    for op, mape in pd.Series(error).groupby(samples["layer"].to_numpy()).mean().items():
        rows = int((samples["layer"] == op).sum())
        yield {"gpu": gpu, "method": method, "op": op, "rows": rows, "mape": mape}


def _table(lines: pd.DataFrame) -> Table:
    columns = (
        text_column("GPU", "gpu"),
        text_column("parameters", "method"),
        text_column("op", "op"),
        number_column("rows", "rows", rounding.count),
        number_column("mean\nerror", "mape", rounding.fraction),
    )
    return Table(title=f"Small kernels from {FEWEST_TOKENS} tokens", frame=lines, columns=columns)


if __name__ == "__main__":
    main()
