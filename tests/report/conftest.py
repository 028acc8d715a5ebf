"""Fixtures of the report tests: one real comparison, and its page, made once."""

from __future__ import annotations

import pytest

from infersim.pruning.composition import prune
from infersim.report.html.page import render_page
from infersim.report.speedups.comparison_page import compare_page
from infersim.report.speedups.gathering import ComparisonReport, gather_comparison
from infersim.simulation.measured.table import MeasuredSpeedup, MeasuredTable, Timed
from infersim.workload.presets import load_model

MODEL, GPU = "llama-3.1-8b", "rtx-pro-6000"


def measured_point() -> MeasuredTable:
    """One invented measurement of the comparison below."""
    return MeasuredTable.of(
        [
            MeasuredSpeedup(
                id="own",
                source="own.csv",
                locator="line 2",
                gpu=GPU,
                model=MODEL,
                family="static-nk",
                sparsity=0.5,
                phase=Timed.DECODE,
                batch=1,
                context=4096,
                measured_speedup=1.5,
            )
        ]
    )


@pytest.fixture(scope="session")
def report() -> ComparisonReport:
    """Both phases, several families, a composed plan, and one measurement."""
    model = load_model(MODEL)
    plans = [
        prune(model, "static-m", 0.5),
        prune(model, "static-k-2:4"),
        prune(model, "static-nk", 0.5),
        prune(model, "dynamic-m", 0.25),
        prune(prune(model, "static-m", 0.25), "static-nk", 0.25),
    ]
    return gather_comparison(
        model, plans, GPU, phase="both", context=4096, measured=measured_point(), left_out=["<none> & more"]
    )


@pytest.fixture(scope="session")
def page(report: ComparisonReport) -> str:
    """The comparison's page."""
    return render_page(compare_page(report))
