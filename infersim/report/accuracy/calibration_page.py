"""The page of a calibration: what was found, how well it tells rows it has not seen, and every parameter."""

from __future__ import annotations

from collections.abc import Sequence

from infersim.domain.errors import InfersimError
from infersim.domain.profile import HardwareProfile
from infersim.fitting.validation.validation import Validation
from infersim.report.accuracy.calibration_tables import (
    calibration_verdict,
    fitted_kinds_table,
    parameters_table,
)
from infersim.report.accuracy.validation_page import GLOSSARY as VALIDATION_GLOSSARY
from infersim.report.accuracy.validation_page import validation_views
from infersim.report.accuracy.validation_tables import validation_tables, validation_verdict
from infersim.report.core.glossary import glossary
from infersim.report.core.verdict import Verdict
from infersim.report.html.page import Page


def calibration_page(
    fitted: HardwareProfile, kinds: Sequence[str], seconds: float, found: Validation, *, held_out: bool
) -> Page:
    """The page's content; `found` compares `fitted` with rows `held_out` of the fit, or else with its own.

    `kinds` were fitted in `seconds`.
    """
    if fitted.fit is None:
        raise InfersimError(f"{fitted.name} has no fit to show")
    verdict, compared = calibration_verdict(fitted.fit, kinds, seconds), validation_verdict(found)
    rows = "held out of the fit" if held_out else "that were fitted"
    return Page(
        title=f"Calibration of {fitted.title}",
        setting=f"Figures show {found.rows:,} rows {rows}",
        verdict=Verdict(
            sentences=(*verdict.sentences, *(compared.sentences if held_out else ())),
            notes=(*verdict.notes, *compared.notes),
        ),
        views=tuple(validation_views(found, fitted)),
        tables=(
            fitted_kinds_table(fitted.fit, kinds),
            parameters_table(fitted.fit, kinds),
            *validation_tables(found),
        ),
        glossary=VALIDATION_GLOSSARY | glossary("at end of range", *(("held out",) if held_out else ())),
    )
