"""Add the power of metered boards to their shipped fits: python calibration/fit_power.py FOLDER [PROFILE ...]

FOLDER holds `power/<profile>.parquet`, what the board drew while each GEMM ran, as NVIDIA publishes it in
aiconfigurator (`hw_profiles/SOURCES.md`). Run it after what writes the rest of a fit. Rows that the meter had
not settled on are left out (see bench/power.py).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd

import infersim
from infersim.cost.energy import POWER
from infersim.fitting.fits.power_fit import LEAST_US, fit_power
from infersim.profile_files import fit_path, read_fit, write_fit

PROFILES = Path(__file__).parent.parent / "hw_profiles"
METERED = ("b200-sxm",)


def metered_samples(file: Path) -> pd.DataFrame:
    """Long bf16 GEMMs of the pass in which the meter had settled, in the samples format."""
    rows = pd.read_parquet(file)
    rows = rows[(rows["format"] == "bf16") & (rows["latency_us"] > LEAST_US) & (rows["m"] % 4 != 0)]
    return rows.assign(kind="gemm", dtype="bf16", weight_copies=6).reset_index(drop=True)


def main() -> None:
    """Fit the named boards, or all that were metered."""
    folder, *names = sys.argv[1:]
    for name in names or METERED:
        rows = metered_samples(Path(folder) / "power" / f"{name}.parquet")
        path = fit_path(PROFILES / f"{name}.toml")
        fit, profile = read_fit(path), infersim.load_profile(name)
        kind = fit_power(profile, rows)
        write_fit(replace(fit, kinds={**fit.kinds, POWER.name: kind}), path)
        values = ", ".join(f"{key} {value:.3g}" for key, value in kind.parameters.items())
        print(f"{path.name}: {kind.rows} rows, left-out MAPE {kind.held_out['mape']:.1%}: {values}")


if __name__ == "__main__":
    main()
