"""How exact are expert layers? Layers held out, GPUs left out, and what fewer experts and choices are worth.

    python bench/moe.py [--formats bf16,fp8] [--rows 2000]

Whole layers (hidden size, width, experts, top-k) are held out, however they are shared among GPUs, a third
at a time. A GPU left out is predicted from its datasheet and the others' fits. What removing experts is
worth is read off layers of the same sizes with other numbers of experts, both held out; no two measured
layers differ in top-k alone, so that half of it is half of the tokens: the same pairs, with half the rows
in and out. Reads published measurements beside the checkout, and says so where there are none. There are many
fits, of up to a minute or two each: `python bench` leaves it out.
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

from expert_tables import TABLE, expert_samples
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.fitting.calibration import calibrate
from infersim.fitting.calibration_rows import thinned
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.splits import EXPERT_GROUPS
from infersim.fitting.transfer.pooling import pool_fits
from infersim.fitting.validation.predictions import predict_samples
from infersim.profile_files.profiles import datasheet_alone, load_profile
from infersim.transfer.borrowing import transferred_fit
from published import GPUS

MEASURED = Path(__file__).parents[2] / "shared" / "data"
FOLDS, SEED = 3, 0
GOALS = {"held out": 0.15, "GPU left out": 0.22, "effect": 0.10}
SIZES = ["hidden_size", "ffn_width"]
SETTING = [*SIZES, "top_k", "tokens", "tensor_parallel", "expert_parallel", "gated", "routing"]
"""What two layers must have in common for their numbers of experts to be compared."""


def samples_of(data: Path, gpu: str, dtype: str) -> pd.DataFrame:
    """Checked samples of one format; none where the GPU has no such table."""
    frame = expert_samples(data, gpu)
    frame = frame[frame["dtype"] == dtype] if len(frame) else frame
    return read_samples(frame).frame if len(frame) else frame


def layers(frame: pd.DataFrame) -> np.ndarray:
    """A number for each whole layer."""
    return frame.groupby(list(EXPERT_GROUPS)).ngroup().to_numpy()


def fitted(gpu: str, frame: pd.DataFrame, rows: int) -> HardwareProfile:
    """The bare GPU with a fit to some rows of `frame`."""
    return calibrate(datasheet_alone(load_profile(gpu)), thinned(frame, rows, SEED), kernels="vllm")


def scored(frame: pd.DataFrame, profile: HardwareProfile) -> pd.DataFrame:
    """Each row with what is predicted, its error, and whether the interval held it."""
    said, measured = predict_samples(frame, profile), frame["latency_us"]
    inside = (said["lower_us"] <= measured) & (measured <= said["upper_us"])
    below = measured < 0.98 * said["floor_us"]
    predicted = said["predicted_us"]
    return frame.assign(
        predicted=predicted, error=(predicted / measured - 1).abs(), inside=inside, below=below
    )


def held_out(gpu: str, frame: pd.DataFrame, rows: int) -> Iterator[pd.DataFrame]:
    """A third of the layers at a time, from a fit to the others."""
    numbers = layers(frame)
    shuffled = np.random.default_rng(SEED).permutation(numbers.max() + 1)
    for fold in range(FOLDS):
        held = np.isin(numbers, shuffled[fold::FOLDS])
        if held.any() and not held.all():
            yield scored(frame[held].reset_index(drop=True), fitted(gpu, frame[~held], rows))


def effects(gpu: str, frame: pd.DataFrame, rows: int) -> Iterator[pd.DataFrame]:
    """Layers of the same sizes with two numbers of experts: measured and predicted ratios, both left out."""
    for _, alike in frame.groupby(SIZES):
        counts = sorted(alike["num_experts"].unique())
        others = frame.drop(alike.index)
        if len(counts) < 2 or others.empty:
            continue
        rest = scored(alike.reset_index(drop=True), fitted(gpu, others, rows))
        few, many = (rest[rest["num_experts"] == count] for count in counts[:2])
        yield _ratios(few, many, SETTING).assign(what="experts", times=counts[1] / counts[0])
        same = [*EXPERT_GROUPS, *(name for name in SETTING if name not in EXPERT_GROUPS)]
        half = rest.assign(tokens=rest["tokens"] * 2)
        yield _ratios(half, rest, same).assign(what="top-k", times=2.0)


def _ratios(less: pd.DataFrame, more: pd.DataFrame, same: list[str]) -> pd.DataFrame:
    """Times of layers over those of larger ones that have `same` in common."""
    both = less.merge(more, on=same, suffixes=("_less", "_more"))
    measured = both["latency_us_less"] / both["latency_us_more"]
    predicted = both["predicted_less"] / both["predicted_more"]
    return pd.DataFrame({"measured": measured, "error": (predicted / measured - 1).abs()})


def left_out(data: Path, gpu: str, dtype: str, fits: Sequence[HardwareProfile]) -> pd.DataFrame:
    """A GPU from its datasheet and the fits of the others."""
    bare = datasheet_alone(load_profile(gpu))
    others = [fit for fit in fits if fit.name != gpu]
    profile = replace(bare, fit=transferred_fit(bare, pool_fits(others)), calibration=Calibration.TRANSFERRED)
    return scored(samples_of(data, gpu, dtype), profile)


def _line(dtype: str, gpu: str, what: str, rows: pd.DataFrame) -> str:
    error = rows["error"]
    line = f"{dtype:10s} {gpu:20s} {what:14s} mean {error.mean():6.1%}, median {error.median():6.1%}"
    if "inside" in rows:
        line += f", {rows['inside'].mean():.0%} inside, {rows['below'].sum()} below the floor"
    return line


def main(
    data: Annotated[Path, typer.Option(help="Folder with moe/.")] = MEASURED,
    formats: Annotated[str, typer.Option(help="Formats, comma-separated.")] = "bf16,fp8",
    rows: Annotated[int, typer.Option(help="Rows that a fit gets.")] = 2000,
) -> None:
    """Print mean and median errors."""
    if not (data / TABLE).is_dir():
        print(f"expert layers: skipped, there are no measurements in {data}")
        return
    for dtype in formats.split(","):
        means: dict[str, list[float]] = {"held out": [], "GPU left out": []}
        found: list[pd.DataFrame] = []
        frames = {gpu: frame for gpu in GPUS if len(frame := samples_of(data, gpu, dtype))}
        for gpu, frame in frames.items():
            parts = list(held_out(gpu, frame, rows))
            if parts:
                held = pd.concat(parts, ignore_index=True)
                means["held out"].append(held["error"].mean())
                print(_line(dtype, gpu, "held out", held), flush=True)
            found += [each.assign(gpu=gpu) for each in effects(gpu, frame, rows)]
        fits = [fitted(gpu, frame, rows) for gpu, frame in frames.items()]
        for gpu in frames if len(frames) > 2 else ():
            unseen = left_out(data, gpu, dtype, fits)
            means["GPU left out"].append(unseen["error"].mean())
            print(_line(dtype, gpu, "GPU left out", unseen), flush=True)
        if found:
            together = pd.concat(found)
            for what, of_what in together.groupby("what"):
                print(_line(dtype, "all", f"half {what}", of_what), flush=True)
        for what, each in means.items():
            if each:
                goal = GOALS[what]
                print(f"{dtype}: {what}, mean over GPUs {np.mean(each):.1%} (goal {goal:.0%})", flush=True)


if __name__ == "__main__":
    typer.run(main)
