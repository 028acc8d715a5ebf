"""The spread between those who measure, from errors on their tables: by group of kernels and regime.

Of 16-bit GEMMs on GPUs that were measured, how many times its own half-width a fit needs on each table. Of
all else, of each table and regime, the 80 % quantile of the errors less, in quadrature, the half-width that
the fit's own samples gave; the root mean square over a source's GPUs, then over the sources, so that each
counts once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from infersim.domain.arrays import Array
from infersim.fitting.fits.intervals import related_pairs
from infersim.fitting.fits.kind_fit import Recipe
from infersim.report.core.table import Table, number_column, text_column
from stranger_tables import ENGINES, OTHER_FORMATS

FEWEST = 15
"""Rows of a regime below which their quantile says nothing."""

FITTED_WIDTH = 0.35
"""Half-widths above it are stated guesses, not of samples: they tell nothing of a spread."""


def by_hands(rows: pd.DataFrame) -> pd.Series[bool]:
    """Rows whose half-widths others' measurements multiply."""
    return rows["measured"] & rows["group"].eq("gemm, 16 bit")


def hands_of(rows: pd.DataFrame) -> float:
    """How many times its own half-width a fit needs: root mean square over a source's GPUs, then sources."""
    return float(np.sqrt((_times_of_sources(rows) ** 2).groupby("source").mean().mean()))


def _times_of_sources(rows: pd.DataFrame) -> pd.Series[float]:
    """The 80 % quantile of errors over the fit's own half-widths, of each source and GPU."""
    some = rows[by_hands(rows)]
    times = some["error"].abs() / some["own"]
    return times.groupby([some["source"], some["gpu"]]).quantile(0.8)


def hands_table(rows: pd.DataFrame) -> Table:
    """What each table of 16-bit GEMMs asks for."""
    frame = _times_of_sources(rows).rename("times").reset_index()
    return Table(
        title=f"Times the fit's own half-widths; in the root mean square {hands_of(rows):.2f}",
        frame=frame,
        columns=(
            text_column("GPU", "gpu"),
            number_column("times", "times", lambda value: f"{value:.2f}"),
        ),
        labels=tuple(frame["source"]),
    )


def spread_of(rows: pd.DataFrame) -> Callable[[pd.Series, pd.Series], Array]:
    """Half-widths to add by group and regime; a regime that no source tells of gets its group's mean."""
    table = spreads(rows)
    by_group = table.groupby("group")["added"].mean()
    known = table.set_index(["group", "regime"])["added"]

    def added(group: pd.Series, regime: pd.Series) -> Array:
        at = pd.MultiIndex.from_arrays([group, regime])
        found = known.reindex(at).to_numpy(dtype=np.float64)
        return np.where(np.isnan(found), by_group.reindex(group).fillna(0.0).to_numpy(), found)

    return added


def spreads(rows: pd.DataFrame) -> pd.DataFrame:
    """`added` by group and regime, with the number of sources behind it."""
    lines = []
    for (group, regime, source, gpu, kind), part in rows[_tell_of_a_spread(rows)].groupby(
        ["group", "regime", "source", "gpu", "kind"]
    ):
        if len(part) >= FEWEST:
            more = np.quantile(part["error"].abs(), 0.8) ** 2 - part["own"].median() ** 2
            lines.append(
                {
                    "group": group,
                    "regime": regime,
                    "source": source,
                    "gpu": f"{gpu} {kind}",
                    "added": max(more, 0.0),
                }
            )
    of_sources = pd.DataFrame(lines).groupby(["group", "regime", "source"])["added"].mean()
    over = of_sources.groupby(["group", "regime"])
    return pd.DataFrame({"added": over.mean() ** 0.5, "sources": over.size()}).reset_index()


def _tell_of_a_spread(rows: pd.DataFrame) -> pd.Series[bool]:
    """Of formats whose kernels engines bring themselves, engines only: a library's bare GEMM is none."""
    return (rows["own"] < FITTED_WIDTH) & (
        rows["group"].ne(OTHER_FORMATS) | rows["source"].isin(ENGINES.values())
    )


def errors_of_pairs(recipe: Recipe, samples: pd.DataFrame, errors: Array) -> Array:
    """Differences of the errors of related kernels, as a fit's own pair width stands on."""
    features = recipe.features(samples)
    at = np.stack([features[name] for name in recipe.pair_features], axis=1)
    pairs = related_pairs(at, recipe.pair_reach, recipe.pair_least)
    differences: Array = errors[pairs[:, 0]] - errors[pairs[:, 1]]
    return differences


def spread_table(rows: pd.DataFrame, pairs: pd.DataFrame) -> Table:
    """What all sources together ask for."""
    fitted = _tell_of_a_spread(pairs.assign(own=pairs["own_pair"]))
    enough = pairs[(pairs["pairs"] >= 2 * FEWEST) & fitted]
    more = np.maximum(enough["found"] ** 2 - enough["own_pair"] ** 2, 0.0)
    by_source = enough.assign(added=more).groupby(["group", "source"])["added"].mean().reset_index()
    of_pairs = by_source.groupby("group")["added"].agg(["mean", "size"])
    ratios = pd.DataFrame(
        {
            "group": of_pairs.index,
            "regime": "ratio of two kernels",
            "added": of_pairs["mean"].to_numpy() ** 0.5,
            "sources": of_pairs["size"].to_numpy(),
        }
    )
    frame = pd.concat([spreads(rows), ratios], ignore_index=True).sort_values("group", kind="stable")
    return Table(
        title="Half-widths (natural log) that strangers' tables add to a fit's own",
        frame=frame,
        columns=(
            text_column("regime", "regime"),
            number_column("added", "added", lambda value: f"{value:.3f}"),
            number_column("sources", "sources", str),
        ),
        labels=tuple(frame["group"]),
    )
