"""Fit the defaults of small kernels to published tables of all GPUs together, and print them.

    python calibration/fit_small_kernels.py FOLDER

They stand in `infersim/cost/small_kernel_parameters.py` and are what a GPU without small kernels of its own
gets: fractions of its datasheet. Each GPU is then left out in turn, which gives the interval around them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

import infersim
from infersim.cost.small_kernel_parameters import MEMORY_DEFAULTS
from infersim.domain.arrays import Array
from infersim.domain.profile import HardwareProfile
from infersim.domain.small_kernels import SmallKernel, small_op
from infersim.fitting.fits.intervals import conformal_quantile
from infersim.fitting.fits.kind_fit import log_latency_of, log_measured, spread, with_kind
from infersim.fitting.fits.least_squares import fit_parameters
from infersim.fitting.fits.parameter_space import memory_space
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.shapes import kernel_shapes
from infersim.profile_files.profiles import datasheet_alone
from small_kernel_tables import PAST, small_kernel_samples

GPUS = ("rtx-4090", "rtx-pro-6000-server", "b200-sxm", "h100-sxm", "l40s", "a100-sxm-80gb")
ADDS_ONLY = "a100-sxm-80gb"
"""Its table is of a kernel set of 2024; a flat add is the same kernel since."""

ROWS = 120
"""Of each op and GPU, so that a long table does not outweigh the others."""

Measured = tuple[HardwareProfile, pd.DataFrame]


def measured(folder: Path, gpu: str) -> Measured:
    """The bare profile of a GPU and some of its samples."""
    samples = small_kernel_samples(folder, gpu, PAST if gpu == ADDS_ONLY else "vllm")
    if gpu == ADDS_ONLY:
        samples = samples[samples["op"] == "add"]
    frame = read_samples(samples).frame
    few = [spread(rows.reset_index(drop=True), ROWS) for _, rows in frame.groupby("op")]
    return datasheet_alone(infersim.load_profile(gpu)), pd.concat(few, ignore_index=True)


def fitted(tables: Sequence[Measured]) -> Mapping[str, float]:
    """One set of parameters for all of `tables`."""
    shapes = [(profile, list(kernel_shapes(rows)), len(rows)) for profile, rows in tables]

    def modelled(values: Mapping[str, float]) -> Array:
        return np.concatenate(
            [
                log_latency_of(with_kind(profile, "memory", values), held, rows)
                for profile, held, rows in shapes
            ]
        )

    found = fit_parameters(
        memory_space(_kernels(tables)), modelled, np.concatenate([log_measured(rows) for _, rows in tables])
    )
    return found.values


def errors(table: Measured, values: Mapping[str, float]) -> Array:
    """Log of measured over predicted."""
    profile, rows = table
    held = log_latency_of(with_kind(profile, "memory", values), list(kernel_shapes(rows)), len(rows))
    return log_measured(rows) - held


def _kernels(tables: Sequence[Measured]) -> set[SmallKernel]:
    return {small_op(op).kernel for _, rows in tables for op in rows["op"].unique()}


def main() -> None:
    """Fit all, then leave each GPU out."""
    tables = {gpu: measured(Path(sys.argv[1]), gpu) for gpu in GPUS}
    values = fitted(list(tables.values()))
    for name, value in values.items():
        print(f'    "{name}": {value:.3g},  # was {MEMORY_DEFAULTS[name]:.3g}')
    left_out = []
    for gpu, table in tables.items():
        fits = errors(table, values)
        others = fitted([other for name, other in tables.items() if name != gpu])
        known = _kernels([other for name, other in tables.items() if name != gpu])
        judged = np.array([small_op(op).kernel in known for op in table[1]["op"]])
        errs = errors(table, others)[judged] if judged.any() else np.array([])
        line = table[1][judged].assign(error=np.abs(np.expm1(-errs))).groupby("op")["error"].mean()
        print(f"{gpu}: fitted {np.abs(np.expm1(-fits)).mean():.1%}, left out {line.round(3).to_dict()}")
        left_out.append(errs)
    print(f"80 % half-width of GPUs left out: {conformal_quantile(np.concatenate(left_out)):.3f}")


if __name__ == "__main__":
    main()
