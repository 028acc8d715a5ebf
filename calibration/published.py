"""What fits of one kind to published tables have in common: GPUs, source, tables, and the files that ship."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

import infersim
from infersim.domain.fit import Fit
from infersim.domain.profile import HardwareProfile
from infersim.fitting.transfer.pooling import pool_fits
from infersim.profile_files.fit_files import fit_path, read_fit, write_fit
from infersim.profile_files.names import shipped_file
from infersim.profile_files.pool_files import read_pool, shipped_pool_path, write_pool
from infersim.profile_files.profiles import datasheet_alone

GPUS = ("a100-sxm-80gb", "b200-sxm", "h100-sxm", "l40s", "rtx-pro-6000-server")
SOURCE = "ai-dynamo/aiconfigurator @095f58a, Apache-2.0"


def table_of(folder: Path, name: str, gpu: str) -> pd.DataFrame:
    """The table of one GPU; empty where there is none."""
    path = folder / name / f"{gpu}.parquet"
    return pd.read_parquet(path) if path.is_file() else pd.DataFrame()


def fitted_alone(gpu: str, samples: pd.DataFrame, kernels: str) -> HardwareProfile:
    """The bare profile with the samples' kinds fitted, so that nothing depends on the pool made of them."""
    versions = sorted(samples["version"].unique())
    bare = datasheet_alone(infersim.load_profile(gpu))
    return infersim.calibrate(bare, samples, kernels=kernels, source=SOURCE, framework=versions)


def put_into_fit(profile: HardwareProfile, joined: Callable[[Fit, Fit], Fit]) -> None:
    """Write the GPU's shipped fit with that of `profile` in it, as `joined` says, and print the errors."""
    assert profile.fit is not None
    for kind in profile.fit.kinds.values():
        print(
            f"{profile.name} {kind.kernels} {kind.kind}: {kind.rows} rows, "
            f"left out {kind.held_out['mape']:.1%}",
            flush=True,
        )
    path = fit_path(shipped_file(profile.name))
    write_fit(joined(read_fit(path), profile.fit), path)


def put_into_pool(profiles: Sequence[HardwareProfile], is_own: Callable[[str], bool]) -> None:
    """Write the shipped pool with what these fits say in the place of the kinds that are their own.

    GPUs of the pool get their links as the profiles state them, by which exchanges are pooled.
    """
    found, pool = pool_fits(profiles), read_pool(shipped_pool_path())
    kept = {name: kind for name, kind in pool.kinds.items() if not is_own(name)}
    gpus = {
        name: replace(facts, links=found.gpus[name].links) if name in found.gpus else facts
        for name, facts in pool.gpus.items()
    }
    write_pool(replace(pool, gpus=gpus, kinds={**kept, **found.kinds}), shipped_pool_path())
    for each in found.kinds.values():
        print(each.kind, each.left_out["mape"], each.interval)
