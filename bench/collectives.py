"""How exact are exchanges between GPUs? Message sizes held out, GPUs left out, and what the host's time adds.

    python bench/collectives.py

Whole message sizes are held out of every exchange at once. A GPU left out is predicted from its datasheet and
the fits of the others over the same class of links; over PCIe there is one other, whose fit stands as it is.
Reads published measurements from a folder beside the checkout, and says so where there is none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

sys.path.insert(0, str(Path(__file__).parents[1] / "calibration"))

from collective_tables import ENGINES, collective_samples
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.fitting.calibration import calibrate
from infersim.fitting.calibration_rows import held_out_rows
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.transfer.pooling import pool_fits
from infersim.fitting.validation.predictions import predict_samples
from infersim.profile_files.profiles import datasheet_alone, load_profile
from infersim.transfer.borrowing import transferred_fit
from published import GPUS

MEASURED = Path(__file__).parents[2] / "shared" / "data"
HELD_OUT, SEEDS = 0.3, (0, 1, 2)
LEAST_BYTES, MOST_BYTES = 2**10, 2**29
GOAL = 0.12


def samples_of(data: Path, gpu: str, kernels: str, *, eager: bool = False) -> pd.DataFrame:
    """Checked samples of the sizes that are judged and all others."""
    return read_samples(collective_samples(data, gpu, kernels, eager=eager)).frame


def scored(frame: pd.DataFrame, profile: HardwareProfile, kernels: str) -> pd.DataFrame:
    """Each row of the judged sizes with its error, and whether its interval held it."""
    judged = frame[frame["message_bytes"].between(LEAST_BYTES, MOST_BYTES)].reset_index(drop=True)
    said = predict_samples(judged, profile)
    by = judged["library"].fillna(kernels) if "library" in judged else kernels
    measured = judged["latency_us"]
    return judged.assign(
        by=by,
        error=(said["predicted_us"] / measured - 1).abs(),
        inside=(said["lower_us"] <= measured) & (measured <= said["upper_us"]),
    )


def held_out(data: Path, gpu: str, kernels: str) -> Iterator[pd.DataFrame]:
    """Sizes that the fit did not see, for each seed."""
    frame = samples_of(data, gpu, kernels)
    for seed in SEEDS:
        held = held_out_rows(frame, HELD_OUT, seed)
        profile = calibrate(datasheet_alone(load_profile(gpu)), frame[~held], kernels=kernels)
        yield scored(frame[held], profile, kernels)


def left_out(data: Path, gpu: str, fitted: Sequence[HardwareProfile]) -> pd.DataFrame:
    """A GPU from its datasheet and the others' fits."""
    bare = datasheet_alone(load_profile(gpu))
    alike = [each for each in fitted if each.name != gpu and _class(each) == _class(bare)]
    profile = replace(bare, fit=alike[0].fit, calibration=Calibration.BORROWED)
    if len(alike) > 1:
        fit = transferred_fit(bare, pool_fits(alike))
        profile = replace(bare, fit=fit, calibration=Calibration.TRANSFERRED)
    return scored(samples_of(data, gpu, "vllm"), profile, "vllm")


def _class(profile: HardwareProfile) -> str:
    return profile.link_between(2).kind.value


def table(scores: pd.DataFrame) -> str:
    """Mean errors by exchange, library and GPU, and over all."""
    scores = scores.assign(exchange=scores["exchange"] + " " + scores["by"])
    errors = scores.pivot_table(index="exchange", columns="gpu", values="error", aggfunc="mean", margins=True)
    return (100 * errors).round(1).to_string()


def main(data: Annotated[Path, typer.Option(help="Folder with collectives/.")] = MEASURED) -> None:
    """Print mean errors in per cent, from 1 KiB to 512 MiB."""
    if not (data / "collectives").is_dir():
        print(f"collectives: skipped, there are no measurements in {data}")
        return
    pairs = [(gpu, kernels) for gpu in GPUS for kernels in ENGINES]
    held = pd.concat([rows for pair in pairs for rows in held_out(data, *pair)], ignore_index=True)
    print("Held-out message sizes: mean error, %", table(held), sep="\n")
    reduced = held[held["exchange"] == "all_reduce"]
    by_gpus = reduced.pivot_table(index=["by", "gpus"], columns="gpu", values="error", aggfunc="mean")
    print("All-reduce by GPUs, %", (100 * by_gpus).round(1).to_string(), sep="\n")
    means = reduced.groupby("gpu")["error"].mean()
    reached = "reached" if means.max() <= GOAL else "missed"
    print(f"goal of {GOAL:.0%} on each GPU: {means.max():.1%} ({means.idxmax()}), {reached}")
    print(f"inside the fit's 80 % interval: {held['inside'].mean():.0%}")

    fitted = [
        calibrate(datasheet_alone(load_profile(gpu)), samples_of(data, gpu, "vllm"), kernels="vllm")
        for gpu in GPUS
    ]
    unseen = pd.concat([left_out(data, gpu, fitted) for gpu in GPUS], ignore_index=True)
    print("GPU left out: mean error, %", table(unseen), sep="\n")
    print(f"inside their 80 % interval: {unseen.groupby('gpu')['inside'].mean().round(2).to_dict()}")
    eager = pd.concat(
        [
            scored(samples_of(data, gpu, "vllm", eager=True), with_host(profile), "vllm eager")
            for gpu, profile in zip(GPUS, fitted, strict=True)
        ],
        ignore_index=True,
    )
    eager = eager.assign(bytes=np.where(eager["message_bytes"] < 2**20, "below 1 MiB", "1 MiB and more"))
    errors = eager.pivot_table(index="bytes", columns="gpu", values="error", aggfunc="mean")
    print(
        "Without a CUDA graph (a copy of the buffer counted there), %",
        (100 * errors).round(1).to_string(),
        sep="\n",
    )


def with_host(profile: HardwareProfile) -> HardwareProfile:
    """The profile with the host's time of the shipped fit, where it has one."""
    shipped = load_profile(profile.name).fit
    assert profile.fit is not None
    launch = {} if shipped is None else {n: k for n, k in shipped.kinds.items() if n == "launch"}
    return replace(profile, fit=replace(profile.fit, kinds={**profile.fit.kinds, **launch}))


if __name__ == "__main__":
    typer.run(main)
