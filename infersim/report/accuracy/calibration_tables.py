"""What a calibration found, in words and tables: errors, intervals and parameters of each kind of kernel."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from infersim.domain.fit import Fit, KindFit
from infersim.report.accuracy.validation_tables import validation_tables, validation_verdict
from infersim.report.core import rounding
from infersim.report.core.screen import Answer
from infersim.report.core.table import Column, Table, number_column, text_column
from infersim.report.core.verdict import Verdict, as_sentence, enumeration

if TYPE_CHECKING:
    from infersim.fitting.validation.validation import Validation


def calibration_answer(fit: Fit, kinds: Sequence[str], seconds: float, held_out: Validation | None) -> Answer:
    """Of the `kinds` of `fit` that were fitted just now, and of the validation on held-out rows, if any."""
    verdict = calibration_verdict(fit, kinds, seconds)
    tables = fitted_kinds_table(fit, kinds), parameters_table(fit, kinds)
    if held_out is None:
        return Answer(verdict=verdict, tables=tables)
    checked = validation_verdict(held_out)
    both = Verdict(sentences=(*verdict.sentences, *checked.sentences), notes=(*verdict.notes, *checked.notes))
    return Answer(verdict=both, tables=(*tables, *validation_tables(held_out)))


def calibration_verdict(fit: Fit, kinds: Sequence[str], seconds: float) -> Verdict:
    """Judge the `kinds` of `fit` that were fitted just now."""
    found = [fit.kinds[kind] for kind in kinds]
    errors = [
        f"{kind.kind} {rounding.fraction(_number(kind.held_out, 'mape'))} from {kind.rows:,} rows"
        for kind in found
    ]
    sentences = [
        f"{fit.gpu} is calibrated in {rounding.quantity(seconds)} s; mean error on rows left out of the fit: "
        f"{enumeration(errors)}"
    ]
    kept = sorted(name for name, kind in fit.kinds.items() if name not in kinds and not kind.transferred)
    at_bound = [f"{name} of {kind.kind}" for kind in found for name in kind.at_bound]
    notes = []
    if kept:
        notes.append(f"Kept from an earlier fit: {enumeration(kept)}.")
    if at_bound:
        notes.append(f"At the end of their range, and so not to be read as physics: {enumeration(at_bound)}.")
    return Verdict(sentences=tuple(map(as_sentence, sentences)), notes=tuple(notes))


def fitted_kinds_table(fit: Fit, kinds: Sequence[str]) -> Table:
    """Errors on left-out rows and interval half-widths, of each kind in all and by regime."""
    import pandas as pd

    frame = pd.DataFrame([row for kind in kinds for row in _regimes(fit.kinds[kind])])
    columns = (
        text_column("shapes", "regime"),
        number_column("rows", "rows", rounding.count),
        number_column("left out\nas outliers", "outliers", rounding.count),
        number_column("mean", "mape", rounding.fraction),
        number_column("median", "median_ape", rounding.fraction),
        number_column("90 %", "p90_ape", rounding.fraction),
        number_column("interval\n±", "half_width", rounding.from_log),
        number_column("of\nspeedups", "pair", rounding.from_log),
        number_column("outside\nrange", "outside", rounding.from_log),
        number_column("fit s", "seconds", rounding.quantity),
    )
    return Table(
        title="Fitted kinds",
        frame=frame,
        columns=columns,
        labels=tuple(frame["kind"]),
        caption=(
            "Errors of predicting each row from rows of other groups (matrices, head layouts). Half-widths "
            "are those of 80 % intervals: of latency, of speedups, and of latency outside the range."
        ),
    )


def parameters_table(fit: Fit, kinds: Sequence[str]) -> Table:
    """Every fitted parameter with its standard deviation, and whether it sits at the end of its range."""
    import pandas as pd

    frame = pd.DataFrame(
        [
            {
                "kind": kind,
                "parameter": name,
                "value": value,
                "uncertainty": _number(fit.kinds[kind].uncertainties, name),
                "at_bound": name in fit.kinds[kind].at_bound,
            }
            for kind in kinds
            for name, value in fit.kinds[kind].parameters.items()
        ]
    )
    columns = (
        text_column("parameter", "parameter"),
        number_column("value", "value", rounding.quantity),
        number_column("±", "uncertainty", rounding.quantity),
        Column(heading="at end\nof range", keys=("at_bound",), text=_yes_or_nothing, numeric=False),
    )
    return Table(title="Parameters", frame=frame, columns=columns, labels=tuple(frame["kind"]))


def _regimes(kind: KindFit) -> list[dict[str, object]]:
    """The kind as a whole, then its regimes."""
    found = kind.held_out
    whole = {
        "kind": kind.kind,
        "regime": "all",
        "rows": kind.rows,
        "outliers": _number(found, "outliers_left_out"),
        **{name: _number(found, name) for name in ("mape", "median_ape", "p90_ape")},
        "half_width": math.nan,
        "pair": kind.interval.pair,
        "outside": kind.interval.outside,
        "seconds": _number(found, "fit_seconds"),
    }
    errors = found.get("mape_by_regime", {})
    unknown = dict.fromkeys(whole, math.nan)
    return [whole] + [
        unknown | {"kind": kind.kind, "regime": name, "mape": _number(errors, name), "half_width": width}
        for name, width in kind.interval.by_regime.items()
    ]


def _number(values: Mapping[str, Any], name: str) -> float:
    """A number of a fit's record, NaN where it is unknown."""
    value = values.get(name)
    return math.nan if value is None else float(value)


def _yes_or_nothing(value: bool) -> str:
    return "yes" if value else ""
