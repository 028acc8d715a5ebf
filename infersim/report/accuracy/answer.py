"""The answer of a calibration: its errors and parameters, and those of what was held out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from infersim.domain.fit import Fit
from infersim.report.accuracy.calibration_tables import (
    calibration_verdict,
    fitted_kinds_table,
    parameters_table,
)
from infersim.report.accuracy.validation_tables import validation_tables, validation_verdict
from infersim.report.core.screen import Answer
from infersim.report.core.verdict import Verdict

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
