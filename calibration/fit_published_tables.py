"""Rebuild the shipped fits from the kernel tables that NVIDIA publishes in aiconfigurator.

    python calibration/fit_published_tables.py FOLDER [PROFILE ...]

FOLDER holds `gemm/<gpu>.parquet` and `attention/<gpu>.parquet` with the columns of the samples format (see
docs/formats.md). GEMM timings there rotate over six weight copies, attention loops over one KV cache. The
rows themselves are not part of this project; `hw_profiles/SOURCES.md` names their source and licence.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pandas as pd

import infersim
from infersim.profile_files import write_fit
from infersim.profile_files.profiles import datasheet_alone

PROFILES = Path(__file__).parent.parent / "hw_profiles"
TABLES = {
    "a100-sxm-80gb": "a100_sxm",
    "l40s": "l40s",
    "h100-sxm": "h100_sxm",
    "b200-sxm": "b200_sxm",
    "rtx-pro-6000-server": "rtx_pro_6000_server",
}
SOURCE = (
    "NVIDIA ai-dynamo/aiconfigurator @095f58a, aic-core/src/aiconfigurator_core/systems/data (Apache-2.0)"
)
VERSIONS = dict.fromkeys(TABLES, "vLLM 0.24.0") | {"a100-sxm-80gb": "SGLang 0.5.10"}


def published_samples(folder: Path, profile: str) -> pd.DataFrame:
    """All published rows of one GPU in the samples format."""
    gemm = pd.read_parquet(folder / "gemm" / f"{TABLES[profile]}.parquet")
    attention = pd.read_parquet(folder / "attention" / f"{TABLES[profile]}.parquet")
    return pd.concat(
        (
            gemm.assign(kind="gemm", weight_copies=6, includes_act_quant=gemm["dtype"] == "fp8"),
            attention.assign(kind="attention", dtype="bf16", weight_copies=1),
        ),
        ignore_index=True,
    ).assign(gpu=profile)


def main() -> None:
    """Fit the named profiles, or all, and write `hw_profiles/<profile>.fit.json`."""
    folder, *names = sys.argv[1:]
    for name in names or TABLES:
        started = time.perf_counter()
        # From the datasheet alone, so that fits do not depend on the pool that is made of them.
        bare = datasheet_alone(infersim.load_profile(name))
        calibrated = infersim.calibrate(
            bare, published_samples(Path(folder), name), source=SOURCE, framework=VERSIONS[name], driver=None
        )
        path = PROFILES / f"{name}.fit.json"
        assert calibrated.fit is not None
        write_fit(calibrated.fit, path)
        seconds = time.perf_counter() - started
        print(f"{path.name}: {path.stat().st_size / 1024:.1f} KiB in {seconds:.1f} s")
        for kind in calibrated.fit.kinds.values():
            print(f"  {kind.kind}: {kind.rows} rows, left-out MAPE {kind.held_out['mape']:.1%}")


if __name__ == "__main__":
    main()
