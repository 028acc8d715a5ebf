"""A validation on standard output: its verdict and its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infersim.fitting.validation import Validation


def print_validation(found: Validation) -> None:
    """Print the verdict, the errors, and those of speedups where there are pruned pairs."""
    from infersim.cli.printing import print_for_people
    from infersim.report.validation_tables import error_report_table, speedup_report_table
    from infersim.report.validation_verdict import validation_verdict

    speedups = [] if found.speedups.empty else [speedup_report_table(found.speedups)]
    print_for_people(validation_verdict(found), error_report_table(found.errors), *speedups)
