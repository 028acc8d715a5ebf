"""How expert layers are fitted: parameters, what the residual is smooth in, and what is held out together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.cost.experts.experts import EXPERTS_AXES, experts_features, experts_run_as
from infersim.cost.experts.grouped import rows_name, tile_heights
from infersim.cost.experts.parameters import EXPERTS_PARAMETERS
from infersim.cost.experts.routing import Routing, loads_of
from infersim.cost.experts.routing_names import BALANCED, routing_named
from infersim.cost.regimes import EXPERT_REGIMES, expert_regime
from infersim.domain.arrays import Array
from infersim.domain.dtypes import Precision, precision_named
from infersim.domain.profile import HardwareProfile
from infersim.fitting.fits.gaussian_process import Component
from infersim.fitting.fits.kind_fit import Recipe
from infersim.fitting.fits.parameter_space import Parameter, ParameterSpace
from infersim.fitting.fits.smooth_residual import Smooth
from infersim.fitting.samples.shapes import local_experts, local_width
from infersim.fitting.samples.splits import EXPERT_GROUPS

_BOUNDS: Mapping[str, tuple[float, float]] = {
    "efficiency": (0.02, 1.15),
    "chain_us": (0.005, 5.0),
    "prologue_us": (0.005, 50.0),
    "l2_bytes_per_clock_per_sm": (1.0, 400.0),
    "dram_efficiency": (0.2, 1.0),
    "launch_us": (0.5, 500.0),
    "tile_overhead": (0.03, 60.0),
    "throttle": (0.001, 1.5),
    "l2_residency": (0.01, 1.0),
    "residency_sharpness": (2.0, 40.0),
    "wave_fill": (0.01, 1.0),
    "gather_share": (0.01, 3.0),
    "remote_share": (0.001, 1.0),
    "row_bytes_per_clock_per_sm": (0.5, 200.0),
    "row_residency": (0.01, 2.0),
    "row_dram_efficiency": (0.1, 1.0),
    "pair_ns": (0.001, 20.0),
    "expert_us": (0.0001, 1.0),
    "misaligned": (0.01, 20.0),
}
SECOND_STARTS = {"l2_residency": 0.85}
"""An L2 that every SM reaches keeps nearly all it can hold, as for GEMMs; no search crosses its edge."""

_DEQUANTISE = {"dequantise_per_clock_per_sm": (4.0, 4000.0)}


def experts_space(precision: Precision) -> ParameterSpace:
    """The parameters that samples of a format can say something of."""
    bounds = dict(_BOUNDS) | (_DEQUANTISE if precision.dequantises else {})
    return ParameterSpace(
        tuple(
            Parameter(
                name=name,
                start=EXPERTS_PARAMETERS.defaults[name],
                low=low,
                high=high,
                second_start=SECOND_STARTS.get(name),
            )
            for name, (low, high) in bounds.items()
        )
        + tuple(
            Parameter(
                name=rows_name(tile_m),
                start=EXPERTS_PARAMETERS.defaults[rows_name(tile_m)],
                low=-1.0,
                high=3.0,
                pull=0.05,
                log=False,
            )
            for tile_m in tile_heights()
        )
    )


LAYER = Component(length_scales=(6.0, 8.0, 8.0, 8.0, 8.0), amplitude=0.12)
"""Octaves of tokens an expert, hit experts, width, hidden size, GPUs."""

_KNOTS = (1.0, 0.5, 0.5, 1.0, 0.5)


def _derive(at: Mapping[str, Array]) -> Array:
    return np.stack([at[name] for name in EXPERTS_AXES], axis=1)


def with_shares(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with what one GPU has of each layer: the columns that ranges are stated by."""
    return rows.assign(hidden=rows["hidden_size"], width=local_width(rows), local_experts=local_experts(rows))


def _routings(rows: pd.DataFrame) -> npt.NDArray[np.object_]:
    if "routing" not in rows.columns:
        return np.full(len(rows), BALANCED, dtype=object)
    return rows["routing"].fillna(BALANCED).to_numpy(dtype=object)


def _features(rows: pd.DataFrame) -> Mapping[str, Array]:
    """The cost model's features, with pairs and hits, of each row."""
    names = _routings(rows)
    found: dict[str, Array] = {}
    for name in np.unique(names.astype(str)):
        at = np.flatnonzero(names == name)
        for feature, values in _features_of(rows.iloc[at], name).items():
            found.setdefault(feature, np.empty(len(rows)))[at] = values
    return found


def _features_of(rows: pd.DataFrame, name: str) -> Mapping[str, Array]:
    named = routing_named(name)
    assert named is not None, "the reader has checked it"
    tokens, num_experts, top_k, hidden = (
        rows[column].to_numpy(dtype=np.float32)
        for column in ("tokens", "num_experts", "top_k", "hidden_size")
    )
    routing = Routing(
        tokens=tokens,
        num_experts=num_experts,
        local=local_experts(rows).astype(np.float32),
        top_k=top_k,
        skew=named.skew,
        popularity=named.popularity,
        dealt=named.dealt,
    )
    loads = loads_of(routing)
    features = experts_features(hidden, local_width(rows).astype(np.float32), routing, loads)
    return {**features, "pairs": loads.pairs, "hits": loads.hits, "log2 top k": np.log2(top_k)}


PLACED_TOKENS = 16
"""Pairs for each expert from which it hardly matters how a benchmark placed the experts on its GPUs."""


def _of_kernels(rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Layers on one GPU, or of many tokens: of few, the fullest GPU's share is the benchmark's own choice."""
    alone = local_experts(rows) >= rows["num_experts"]
    many = rows["tokens"] * rows["top_k"] >= PLACED_TOKENS * rows["num_experts"]
    return np.asarray(alone | many, dtype=np.bool_)


def _regime(rows: pd.DataFrame) -> npt.NDArray[np.intp]:
    at = _features(rows)
    return expert_regime(at["pairs"], at["hits"])


def experts_recipe(profile: HardwareProfile, dtype: str, rows: pd.DataFrame) -> Recipe:
    """The recipe of expert layers of one format."""
    precision = experts_run_as(precision_named(dtype), profile)
    copies = rows["weight_copies"].mode(dropna=False) if "weight_copies" in rows else None
    return Recipe(
        kind=f"experts.{precision.fitted_as}",
        space=experts_space(precision),
        smooths=(Smooth(component=LAYER, axes=EXPERTS_AXES, knots_per_unit=_KNOTS, derive=_derive),),
        features=_features,
        group_columns=EXPERT_GROUPS,
        range_columns=("tokens", "hidden", "width", "num_experts", "local_experts", "top_k"),
        regime=_regime,
        regime_names=EXPERT_REGIMES,
        weight_copies=None if copies is None or copies.isna().iloc[0] else int(copies.iloc[0]),
        pair_features=("log2 tokens an expert", "log2 hit experts", "log2 width", "log2 hidden"),
        pair_reach=(1.1, 1.1, 1.1, 0.1),
        pair_least=(-20.0, 0.0, 0.0, 0.0),
        of_kernels=_of_kernels,
    )
