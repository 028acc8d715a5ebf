"""The recipes of exchanges between GPUs: what is fitted, from where, and what the residual is smooth in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from infersim.cost.collectives.collectives import collective_features
from infersim.cost.collectives.parameters import COLLECTIVE_PARAMETERS, fit_name
from infersim.cost.regimes import COLLECTIVE_REGIMES, collective_regime
from infersim.domain.arrays import Array
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Collective, Exchange
from infersim.fitting.fits.gaussian_process import Component
from infersim.fitting.fits.kind_fit import Recipe
from infersim.fitting.fits.parameter_space import Parameter, ParameterSpace
from infersim.fitting.fits.smooth_residual import Smooth

_BOUNDS: Mapping[str, tuple[float, float]] = {
    "launch_us": (0.5, 100.0),
    "hop_us": (0.01, 50.0),
    "efficiency": (0.02, 1.0),
    "doubling": (0.05, 2.0),
    "flagged_share": (0.02, 1.0),
    "filled_steps": (1.0, 300.0),
    "switch_efficiency": (0.02, 1.0),
    "own_us": (0.5, 100.0),
    "barrier_us": (0.01, 50.0),
    "second_us": (0.01, 50.0),
    "one_shot": (0.02, 1.0),
    "two_shot": (0.02, 1.0),
}

_EXCHANGED = ("message_bytes", "gpus")

SMOOTHNESS = Component(length_scales=(2.5, 2.0), amplitude=0.25)
"""Octaves of a message's bytes, along which libraries change protocols, and of the GPUs that exchange it."""


LEAST_ROWS = 20
"""Of an exchange's table, which has two dimensions: a dozen sizes and a few numbers of GPUs tell it."""


def collective_recipes(
    profile: HardwareProfile, samples: pd.DataFrame
) -> Iterator[tuple[Recipe, pd.DataFrame]]:
    """Each exchange in `samples`, by what connects so many GPUs, with its rows."""
    if len(samples):
        for name, rows in samples.groupby(_names(profile, samples), sort=True):
            yield collective_recipe(str(name)), rows


def _names(profile: HardwareProfile, samples: pd.DataFrame) -> pd.Series[str]:
    """The name of the fit that each row is of."""
    library = samples["library"] if "library" in samples.columns else pd.Series(None, index=samples.index)
    said = library.astype(object).where(library.notna(), None)
    rows = list(zip(samples["exchange"], samples["gpus"].astype(int), said, strict=True))
    known = {row: _name(profile, *row) for row in set(rows)}
    return pd.Series([known[row] for row in rows], index=samples.index)


def _name(profile: HardwareProfile, exchange: str, gpus: int, library: str | None) -> str:
    shape = Collective(message_bytes=1.0, gpus=gpus, exchange=Exchange(exchange), library=library)
    return fit_name(shape, profile.link_between(gpus))


def collective_recipe(name: str) -> Recipe:
    """The recipe of an exchange over a class of links, by the name of its fit."""
    return Recipe(
        kind=name,
        space=_space(name),
        smooths=(_smooth(),),
        features=_features,
        group_columns=("message_bytes",),
        range_columns=_EXCHANGED,
        regime=lambda samples: collective_regime(samples["message_bytes"].to_numpy(dtype=np.float64)),
        regime_names=COLLECTIVE_REGIMES,
        weight_copies=None,
        pair_features=("log2 bytes",),
        pair_reach=(1.4,),
        pair_least=(0.0,),
        least_rows=LEAST_ROWS,
    )


def _space(name: str) -> ParameterSpace:
    return ParameterSpace(
        tuple(
            Parameter(name=each, start=start, low=_BOUNDS[each][0], high=_BOUNDS[each][1])
            for each, start in COLLECTIVE_PARAMETERS[name].defaults.items()
        )
    )


def _smooth() -> Smooth:
    axes = ("log2 bytes", "log2 gpus")
    return Smooth(
        component=SMOOTHNESS,
        axes=axes,
        knots_per_unit=(1.0, 1.0),
        derive=lambda at: np.stack([at[name] for name in axes], axis=1),
    )


def _features(samples: pd.DataFrame) -> Mapping[str, Array]:
    """The cost model's features of samples."""
    found = collective_features(*(samples[name].to_numpy(dtype=np.float64) for name in _EXCHANGED))
    return {name: at.astype(np.float64) for name, at in found.items()}
