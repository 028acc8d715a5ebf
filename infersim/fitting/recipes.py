"""The recipe of every kind of kernel that samples can hold, in the order in which kinds are fitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.cost.gemm import gemm_features, machine_of
from infersim.cost.regimes import GEMM_REGIMES, gemm_regime
from infersim.domain.arrays import Array
from infersim.domain.dtypes import precision_named
from infersim.domain.profile import HardwareProfile
from infersim.fitting.gemm_recipe import gemm_smooths
from infersim.fitting.kind_fit import Recipe
from infersim.fitting.parameter_space import GEMM_SPACE
from infersim.fitting.sample_schema import Kind


def recipes(profile: HardwareProfile, samples: pd.DataFrame) -> Iterator[tuple[Recipe, pd.DataFrame]]:
    """Each kind in `samples` with its rows."""
    gemms = samples[samples["kind"] == Kind.GEMM]
    for dtype, rows in gemms.groupby("dtype", sort=True):
        yield gemm_recipe(profile, str(dtype), rows), rows


def gemm_recipe(profile: HardwareProfile, dtype: str, rows: pd.DataFrame) -> Recipe:
    """The recipe of dense GEMMs of one data type."""
    precision = precision_named(dtype)
    copies = rows["weight_copies"].mode()
    machine = machine_of(profile, precision.math)

    def features(samples: pd.DataFrame) -> Mapping[str, Array]:
        m, n, k = (samples[name].to_numpy(dtype=np.float32) for name in ("m", "n", "k"))
        return {name: at.astype(np.float64) for name, at in gemm_features(machine, m, n, k).items()}

    def regime(samples: pd.DataFrame) -> npt.NDArray[np.intp]:
        m, n, k = (samples[name].to_numpy(dtype=np.float64) for name in ("m", "n", "k"))
        return gemm_regime(m, n, k)

    return Recipe(
        kind=f"gemm.{precision.math}",
        space=GEMM_SPACE,
        smooths=gemm_smooths(profile, precision, None if copies.empty else int(copies.iloc[0])),
        features=features,
        group_columns=("n", "k"),
        range_columns=("m", "n", "k"),
        regime=regime,
        regime_names=GEMM_REGIMES,
        pair_features=("log2 m", "log2 n", "log2 k"),
        pair_reach=(0.5, 1.4, 1.4),
    )
