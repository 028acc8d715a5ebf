"""Fit expert layers to published tables, into the fits and the pool that ship.

    python calibration/fit_experts.py FOLDER

Other kinds of the fits and of the pool stay as they are.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import infersim
from expert_tables import expert_samples
from infersim.domain.fit import Fit
from infersim.domain.profile import HardwareProfile
from infersim.fitting.calibration_rows import thinned
from infersim.fitting.transfer.pooling import pool_fits
from infersim.profile_files.fit_files import fit_path, read_fit, write_fit
from infersim.profile_files.names import shipped_file
from infersim.profile_files.pool_files import read_pool, shipped_pool_path, write_pool
from infersim.profile_files.profiles import datasheet_alone

GPUS = ("a100-sxm-80gb", "b200-sxm", "h100-sxm", "l40s", "rtx-pro-6000-server")
SOURCE = "ai-dynamo/aiconfigurator @095f58a, Apache-2.0"
KERNELS = "vllm"
ROWS = 4000
"""Rows of each format that are fitted."""


def fitted(folder: Path, gpu: str, rows: int = ROWS) -> HardwareProfile:
    """The bare profile with its expert layers fitted."""
    samples = thinned(expert_samples(folder, gpu), rows, seed=0)
    versions = sorted(samples["version"].unique())
    bare = datasheet_alone(infersim.load_profile(gpu))
    return infersim.calibrate(bare, samples, kernels=KERNELS, source=SOURCE, framework=versions)


def with_experts(fit: Fit, experts: Fit) -> Fit:
    """A fit with the expert layers of another in the place of its own."""
    joined = fit.with_kinds(dict(experts.kernel_sets[KERNELS]), KERNELS).run_by(None)
    return replace(joined, provenance={**fit.provenance, "experts": experts.provenance})


def main() -> None:
    """Fit all GPUs, write their files, and pool them."""
    folder, pooled = Path(sys.argv[1]), []
    for gpu in GPUS:
        path = fit_path(shipped_file(gpu))
        profile = fitted(folder, gpu)
        assert profile.fit is not None
        for kind in profile.fit.kinds.values():
            print(f"{gpu} {kind.kind}: {kind.rows} rows, left out {kind.held_out['mape']:.1%}", flush=True)
        write_fit(with_experts(read_fit(path), profile.fit), path)
        pooled.append(profile)
    found = pool_fits(pooled)
    pool = read_pool(shipped_pool_path())
    kept = {name: kind for name, kind in pool.kinds.items() if not name.startswith("experts.")}
    write_pool(replace(pool, kinds={**kept, **found.kinds}), shipped_pool_path())
    for each in found.kinds.values():
        print(each.kind, each.left_out["mape"], each.interval)


if __name__ == "__main__":
    main()
