"""Do intervals hold on other people's measurements? Shipped fits against tables of other hands, by source.

Errors and the coverage of 80 % intervals of each source, GPU and format: with the fit's own intervals, with
the spread that all other sources ask for (the source itself had no part in it), and as they ship. The RTX
4090, whose fit stands on two of these tables, is predicted from the other GPUs; with `--left-out` every GPU
is. `--estimate` prints the spread of all sources together, from which the constants of
`infersim/transfer/strangers.py` come. Reads published measurements from folders beside the checkout, and says
so where there are none.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from accuracy import MEASURED, percent
from accuracy_goals import Outcome, outcomes_table
from infersim.cli.printing import print_for_people
from infersim.domain.fit import Claim
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.fitting.fits.intervals import conformal_quantile
from infersim.fitting.fits.recipes import recipes
from infersim.fitting.validation.predictions import predict_samples
from infersim.profile_files.profiles import completed, datasheet_alone, load_profile
from infersim.report.core import rounding
from infersim.report.core.table import Table, number_column, text_column
from infersim.transfer.strangers import among_strangers
from stranger_spread import by_hands, errors_of_pairs, hands_of, hands_table, spread_of, spread_table
from stranger_tables import ENGINES, StrangerTable, stranger_tables
from stranger_unmeasured import of_library, unmeasured_table

CASES = MEASURED.parent / "cases"
COVERED = (0.72, 0.92)
FITTED_TO_STRANGERS = ("rtx-4090",)
"""GPUs whose shipped fits stand on tables that are scored here."""


def main(
    estimate: Annotated[bool, typer.Option(help="Print the spread that the sources ask for.")] = False,
    left_out: Annotated[bool, typer.Option(help="Predict every GPU from the others.")] = False,
    data: Annotated[Path, typer.Option(help="Folder with elementwise/, engine_gemm/, ...")] = MEASURED,
    cases: Annotated[Path, typer.Option(help="Folder with xla_h100_bf16.csv.")] = CASES,
) -> None:
    """Score shipped fits on strangers' tables."""
    if not data.is_dir():
        print(f"strangers: skipped, there are no measurements in {data}")
        return
    tables = [table for table in stranger_tables(data, cases) if left_out or not _of_its_own_engine(table)]
    if not tables:
        print(f"strangers: skipped, none of the tables is in {data}")
        return
    if left_out:
        tables = [table for table in tables if of_library(table)]
    rows = pd.concat([scored(table, left_out) for table in tables], ignore_index=True)
    print(f"{len(tables)} tables of {len(rows):,} rows: done", file=sys.stderr)
    if left_out or estimate:
        pairs = pd.concat([_pairs(table, rows, left_out) for table in tables], ignore_index=True)
    if left_out:
        print_for_people(None, scores_table(scores_of(rows)), unmeasured_table(rows, pairs))
        return
    if estimate:
        print_for_people(None, hands_table(rows), spread_table(rows, pairs))
        return
    scores = scores_of(rows)
    print_for_people(
        None, scores_table(scores), outcomes_table(_outcomes(scores), "Goals, on strangers' tables")
    )


def _of_its_own_engine(table: StrangerTable) -> bool:
    """Whether the shipped fit is of the very engine: no stranger measured it."""
    fit = shipped(table.gpu).fit
    kind = None if fit is None else fit.kinds.get(table.kind.replace(" ", "."))
    engine = ENGINES.get({"tensorrt-llm": "trtllm"}.get(kind.kernels or "", "")) if kind else None
    return kind is not None and not kind.transferred and engine == table.source


@lru_cache(maxsize=32)
def shipped(gpu: str, left_out: bool = False) -> HardwareProfile:
    """The profile as it ships; of the datasheet, where its fit stands on tables that are scored."""
    profile = load_profile(gpu)
    return completed(datasheet_alone(profile)) if left_out or gpu in FITTED_TO_STRANGERS else profile


@lru_cache(maxsize=32)
def of_own_samples(gpu: str, left_out: bool = False) -> HardwareProfile:
    """The same with the intervals that its own samples gave."""
    profile = shipped(gpu, left_out)
    assert profile.fit is not None
    return replace(profile, fit=among_strangers(profile.fit, Claim.SETUP))


def scored(table: StrangerTable, left_out: bool = False) -> pd.DataFrame:
    """Each row's log error, half-width by the fit's own samples, regime, floor, and whether it is covered."""
    samples, profile = table.samples, of_own_samples(table.gpu, left_out)
    found, ships = predict_samples(samples, profile), predict_samples(samples, shipped(table.gpu, left_out))
    recipe = next(recipes(profile, samples))[0]
    measured, predicted, upper, floor = (
        column.to_numpy(dtype=np.float64)
        for column in (samples["latency_us"], found["predicted_us"], found["upper_us"], found["floor_us"])
    )
    inside = (ships["lower_us"] <= measured) & (ships["upper_us"] >= measured)
    return pd.DataFrame(
        {
            "source": table.source,
            "gpu": table.gpu,
            "kind": table.kind,
            "group": table.group,
            "measured": profile.calibration is Calibration.FITTED,
            "regime": [recipe.regime_names[index] for index in recipe.regime(samples)],
            "error": np.log(measured / predicted),
            "own": np.log(upper / predicted),
            "own_pair": found["pair_log_half_width"].to_numpy(),
            "above_floor": np.log(predicted / floor),
            "covered": inside.to_numpy(),
            "width": np.log(
                ships["upper_us"].to_numpy(dtype=np.float64)
                / ships["predicted_us"].to_numpy(dtype=np.float64)
            ),
        }
    )


def _pairs(table: StrangerTable, rows: pd.DataFrame, left_out: bool) -> pd.DataFrame:
    """Half-width of the log ratios of related kernels of one table, beside the fit's own."""
    mine = rows[(rows["source"] == table.source) & (rows["gpu"] == table.gpu) & (rows["kind"] == table.kind)]
    recipe = next(recipes(of_own_samples(table.gpu, left_out), table.samples))[0]
    differences = errors_of_pairs(recipe, table.samples, mine["error"].to_numpy())
    said = {name: mine[name].iloc[0] for name in ("source", "gpu", "group", "own_pair")}
    found = {"found": conformal_quantile(differences), "pairs": len(differences)}
    held = float(np.mean(np.abs(differences) <= said["own_pair"])) if len(differences) else np.nan
    return pd.DataFrame([said | found | {"held": held}])


def scores_of(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each source, GPU and kind."""
    lines = []
    for (source, gpu, kind), part in rows.groupby(["source", "gpu", "kind"], sort=True):
        other = rows[rows["source"] != source]
        added = np.hypot(part["own"], spread_of(other)(part["group"], part["regime"]))
        widths = np.where(by_hands(part), part["own"] * hands_of(other), added)
        lower = np.minimum(widths, part["above_floor"].fillna(np.inf))
        lines.append(
            {
                "source": source,
                "gpu": gpu,
                "kind": kind,
                "rows": len(part),
                "mape": np.abs(np.expm1(-part["error"])).mean(),
                "bias": -part["error"].mean(),
                "own": (part["error"].abs() <= part["own"]).mean(),
                "left_out": part["error"].between(-lower, widths).mean(),
                "shipped": part["covered"].mean(),
                "width": part["width"].mean(),
            }
        )
    return pd.DataFrame(lines)


def scores_table(scores: pd.DataFrame) -> Table:
    """Scores by source."""
    return Table(
        title="Shipped fits on strangers' tables",
        frame=scores,
        columns=(
            text_column("GPU", "gpu"),
            text_column("kernels", "kind"),
            number_column("rows", "rows", rounding.count),
            number_column("mean\nerror", "mape", percent),
            number_column("bias", "bias", rounding.from_log),
            number_column("own\ncovered", "own", rounding.share),
            number_column("source\nleft out", "left_out", rounding.share),
            number_column("as\nshipped", "shipped", rounding.share),
            number_column("interval\n±", "width", rounding.from_log),
        ),
        labels=tuple(scores["source"]),
        caption="Rows inside 80 % intervals: of the fit's own samples; with the spread of the other sources; "
        "as shipped.",
    )


def _outcomes(scores: pd.DataFrame) -> list[Outcome]:
    low, high = COVERED
    return [
        Outcome(
            what=f"{source}: rows covered",
            goal=f"{low:.0%} to {high:.0%} of each table",
            found=f"{part['shipped'].min():.0%} to {part['shipped'].max():.0%}",
            reached=bool(part["shipped"].between(low, high).all()),
        )
        for source, part in scores[scores["kind"].str.startswith("gemm")].groupby("source")
    ]


if __name__ == "__main__":
    typer.run(main)
