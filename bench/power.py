"""Power while a GEMM runs, on matrices that were not fitted, beside a metered B200: bench/power.py [FOLDER].

The published table holds two passes. In one, a kernel of 20 us that multiplies as fast as its GPU can draws
940 of 1,000 W; in the other (token counts that are multiples of four) the same kernel with one token less
draws 500, and only from some 200 us on do both agree: there the meter had not settled. What such a meter
reads is taken as idle + (power - idle) (1 - exp(-time / lag)), one lag for all, found with the law.

The rule: a law of what a board draws is scored where the meter had settled, which is one pass whole and
either pass from 200 us on. Over both no law can do well: kernels that differ by one token, one in each pass,
are half of their difference off whatever lies between (`apart`).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

import infersim
from infersim.cost.energy import power_law
from infersim.domain.arrays import Array
from infersim.domain.fit import Fit
from infersim.domain.profile import HardwareProfile
from infersim.fitting.fits.power_fit import LEAST_US, fit_power

DATA = Path(__file__).parents[2] / "shared" / "data"
TABLE = Path("power") / "b200-sxm.parquet"
SETTLED_EVERY = 4
FOLDS = 4
LAGS_US = np.geomspace(5.0, 100.0, 40)


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Measured and predicted watts of rows of one fold, predicted before and after the meter's lag."""

    rows: pd.DataFrame
    watts: Array
    reading: Array
    lag_us: float


def metered(folder: Path) -> pd.DataFrame:
    """The bf16 rows that are long enough for a meter, in the samples format; `settled` by pass."""
    table = pd.read_parquet(folder / TABLE)
    rows = table[(table["format"] == "bf16") & (table["latency_us"] > LEAST_US)]
    return rows.assign(
        kind="gemm", dtype="bf16", weight_copies=6, settled=rows["m"] % SETTLED_EVERY != 0
    ).reset_index(drop=True)


def left_out(profile: HardwareProfile, rows: pd.DataFrame) -> list[LeftOut]:
    """Each quarter of the matrices predicted by a law fitted to the settled rows of the others."""
    matrix = rows.groupby(["n", "k"]).ngroup().to_numpy()
    fold_of = np.random.default_rng(1).permutation(matrix.max() + 1)[matrix] % FOLDS
    return [_fold(profile, rows[fold_of != fold], rows[fold_of == fold]) for fold in range(FOLDS)]


def _fold(profile: HardwareProfile, known: pd.DataFrame, unknown: pd.DataFrame) -> LeftOut:
    assert profile.fit is not None
    kind = fit_power(profile, known[known["settled"]].reset_index(drop=True))
    kinds = {**profile.fit.kinds, kind.kind: kind}
    fitted = replace(profile, fit=Fit(gpu=profile.name, kinds=kinds, provenance={}))
    unsettled = known[~known["settled"]]
    lag_us = min(LAGS_US, key=lambda lag: _error(_readings(fitted, unsettled, lag), unsettled))
    watts = _watts(fitted, unknown)
    reading = np.where(unknown["settled"], watts, _readings(fitted, unknown, lag_us))
    return LeftOut(rows=unknown, watts=watts, reading=reading, lag_us=lag_us)


def _watts(profile: HardwareProfile, rows: pd.DataFrame) -> Array:
    m, n, k = (rows[name].to_numpy() for name in ("m", "n", "k"))
    return infersim.gemm_latency(profile, m, n, k, weight_copies=6).watts


def _readings(profile: HardwareProfile, rows: pd.DataFrame, lag_us: float) -> Array:
    law = power_law(profile)
    assert law is not None
    settling = -np.expm1(-rows["latency_us"].to_numpy() / lag_us)
    return law.idle_w + (_watts(profile, rows) - law.idle_w) * settling


def _error(predicted: Array, rows: pd.DataFrame) -> float:
    return float(np.abs(predicted / rows["power_w"].to_numpy() - 1).mean())


def apart(rows: pd.DataFrame) -> float:
    """Half of the log ratio of the readings of both passes, mean over kernels that differ by one token."""
    settled, other = rows[rows["settled"]], rows[~rows["settled"]]
    pairs = [
        other.merge(settled.assign(m=settled["m"] + step), on=["m", "n", "k"], suffixes=("", "_settled"))
        for step in (-1, 1)
    ]
    both = pd.concat(pairs)
    return float(np.abs(np.log(both["power_w"] / both["power_w_settled"])).mean() / 2)


def main() -> None:
    """Errors on left-out matrices, by pass of the table, and the highest prediction over the limit."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    if not (folder / TABLE).is_file():
        print(f"power: skipped, there is no {folder / TABLE}")
        return
    profile = infersim.load_profile("b200-sxm")
    folds = left_out(profile, metered(folder))
    rows = pd.concat([fold.rows for fold in folds])
    watts, reading = (
        np.concatenate([getattr(fold, name) for fold in folds]) for name in ("watts", "reading")
    )
    settled = rows["settled"].to_numpy()
    long = rows["latency_us"].to_numpy() > 10 * LEAST_US
    lag_us = float(np.median([fold.lag_us for fold in folds]))
    print(f"power of b200-sxm, bf16 GEMMs of more than {LEAST_US:g} us, matrices left out, mean error:")
    for name, predicted, some in (
        ("rows that the meter settled on", watts, settled),
        (f"rows of the other pass, with its lag of {lag_us:.0f} us", reading, ~settled),
        ("all rows, the meter's lag counted", reading, np.ones_like(settled)),
        ("all rows, as if no meter had a lag", watts, np.ones_like(settled)),
        (f"all rows of more than {10 * LEAST_US:g} us, no lag", watts, long),
    ):
        print(f"  {name}: {_error(predicted[some], rows[some]):.1%} of {int(some.sum()):,} rows")
    print(f"  what any law misses of kernels one token apart, one in each pass: {apart(rows):.1%}")
    print(f"  highest over the limit: {watts.max() / rows['power_limit_w'].max():.1%}")


if __name__ == "__main__":
    main()
