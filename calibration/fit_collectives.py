"""Fit the exchanges between GPUs to published tables, into the fits and the pool that ship.

    python calibration/fit_collectives.py FOLDER

Other kinds of the fits and of the pool stay as they are.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import infersim
from collective_tables import ENGINES, collective_samples
from infersim.cost.collectives.parameters import COLLECTIVE_PARAMETERS
from infersim.domain.fit import Fit, KindFit
from infersim.domain.profile import HardwareProfile
from infersim.fitting.transfer.pooling import pool_fits
from infersim.profile_files.fit_files import fit_path, read_fit, write_fit
from infersim.profile_files.names import shipped_file
from infersim.profile_files.pool_files import read_pool, shipped_pool_path, write_pool
from infersim.profile_files.profiles import datasheet_alone

GPUS = ("a100-sxm-80gb", "b200-sxm", "h100-sxm", "l40s", "rtx-pro-6000-server")
SOURCE = "ai-dynamo/aiconfigurator @095f58a, Apache-2.0"


def fitted(folder: Path, gpu: str, kernels: str) -> HardwareProfile:
    """The bare profile with the exchanges of one engine fitted."""
    samples = collective_samples(folder, gpu, kernels)
    versions = sorted(samples["version"].unique())
    bare = datasheet_alone(infersim.load_profile(gpu))
    return infersim.calibrate(bare, samples, kernels=kernels, source=SOURCE, framework=versions)


def with_exchanges(fit: Fit, exchanges: Fit) -> Fit:
    """A fit with the exchanges of another in the place of its own."""
    (name,) = exchanges.kernel_sets
    kept = ("date", "framework", "source")
    own = {key: exchanges.provenance[key] for key in kept}
    seen = {key: exchanges.provenance["samples"][key] for key in ("rows", "sha256")}
    record = {**fit.provenance.get("exchanges", {}), name: own | seen}
    kinds: dict[str, KindFit] = dict(exchanges.kernel_sets[name])
    joined = fit.with_kinds(kinds, name).run_by(None)
    return replace(joined, provenance={**fit.provenance, "exchanges": record})


def main() -> None:
    """Fit all GPUs, write their files, and pool what vLLM runs."""
    folder, pooled = Path(sys.argv[1]), []
    for gpu in GPUS:
        path = fit_path(shipped_file(gpu))
        for kernels in ENGINES:
            profile = fitted(folder, gpu, kernels)
            assert profile.fit is not None
            for kind in profile.fit.kinds.values():
                print(f"{gpu} {kernels} {kind.kind}: {kind.rows} rows, left out {kind.held_out['mape']:.1%}")
            write_fit(with_exchanges(read_fit(path), profile.fit), path)
            if kernels == "vllm":
                pooled.append(profile)
    found = pool_fits(pooled)
    pool = read_pool(shipped_pool_path())
    kept = {name: kind for name, kind in pool.kinds.items() if name not in COLLECTIVE_PARAMETERS}
    gpus = {
        name: replace(facts, links=found.gpus[name].links) if name in found.gpus else facts
        for name, facts in pool.gpus.items()
    }
    write_pool(replace(pool, gpus=gpus, kinds={**kept, **found.kinds}), shipped_pool_path())
    for each in found.kinds.values():
        print(each.kind, each.left_out["mape"], each.interval)


if __name__ == "__main__":
    main()
