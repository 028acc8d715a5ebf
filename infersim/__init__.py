"""infersim: how fast a pruned model will be, how fast it could ever be, and what eats the difference.

The names below are the stable interface. Each is imported when it is first used, so that `import infersim`
loads no library that a question does not need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infersim.domain.errors import InfersimError
    from infersim.fitting.calibration import calibrate
    from infersim.fitting.calibration_rows import held_out_rows
    from infersim.fitting.importers.importing import import_source
    from infersim.fitting.samples.reading import read_samples
    from infersim.fitting.validation.validation import validate
    from infersim.profile_files.fit_files import write_fit
    from infersim.profile_files.overrides import with_overrides
    from infersim.profile_files.profiles import load_profile
    from infersim.pruning.composition import prune
    from infersim.report.accuracy.validation_points import validation_points
    from infersim.report.figures.frontier import frontier_figure
    from infersim.report.figures.loss_waterfall import loss_waterfall
    from infersim.report.figures.predicted_measured import predicted_measured
    from infersim.report.figures.residual_by_shape import residual_by_shape
    from infersim.report.figures.roofline import roofline
    from infersim.report.figures.speedup_curves import family_curves, speedup_curve
    from infersim.report.figures.time_by_op import time_by_op
    from infersim.report.search.page import layer_bars, trade_off
    from infersim.report.speedups.gathering import gather_comparison
    from infersim.report.summary import summary
    from infersim.simulation.advice.break_even import break_even
    from infersim.simulation.advice.padded import padded_widths
    from infersim.simulation.advice.target import sparsity_for
    from infersim.simulation.advice.width import free_widths
    from infersim.simulation.frontier.search import frontier
    from infersim.simulation.kernels.attention import attention_latency
    from infersim.simulation.kernels.exchange import all_reduce_latency, exchange_latency
    from infersim.simulation.kernels.gemm import gemm_latency, moe_latency
    from infersim.simulation.search.exports.writing import write_latency_table
    from infersim.simulation.search.searching import search
    from infersim.simulation.search.table import latency_table
    from infersim.simulation.serving.serving import serve
    from infersim.simulation.serving.simulating import simulate_serving
    from infersim.simulation.serving.under_load import compare_served
    from infersim.simulation.speedups.comparison import compare
    from infersim.simulation.speedups.hardware_sweep import compare_along
    from infersim.simulation.speedups.prediction import predict
    from infersim.simulation.speedups.scenarios import ScenarioOptions, Scenarios
    from infersim.simulation.sweeping.running import sweep
    from infersim.workload.presets import load_model
    from infersim.workload.requests import Request

__all__ = [
    "InfersimError",
    "Request",
    "ScenarioOptions",
    "Scenarios",
    "all_reduce_latency",
    "attention_latency",
    "break_even",
    "calibrate",
    "compare",
    "compare_along",
    "compare_served",
    "exchange_latency",
    "family_curves",
    "free_widths",
    "frontier",
    "frontier_figure",
    "gather_comparison",
    "gemm_latency",
    "held_out_rows",
    "import_source",
    "latency_table",
    "layer_bars",
    "load_model",
    "load_profile",
    "loss_waterfall",
    "moe_latency",
    "padded_widths",
    "predict",
    "predicted_measured",
    "prune",
    "read_samples",
    "residual_by_shape",
    "roofline",
    "search",
    "serve",
    "simulate_serving",
    "sparsity_for",
    "speedup_curve",
    "summary",
    "sweep",
    "time_by_op",
    "trade_off",
    "validate",
    "validation_points",
    "with_overrides",
    "write_fit",
    "write_latency_table",
]

_HOMES = {
    "InfersimError": "infersim.domain.errors",
    "Request": "infersim.workload.requests",
    "ScenarioOptions": "infersim.simulation.speedups.scenarios",
    "Scenarios": "infersim.simulation.speedups.scenarios",
    "all_reduce_latency": "infersim.simulation.kernels.exchange",
    "attention_latency": "infersim.simulation.kernels.attention",
    "break_even": "infersim.simulation.advice.break_even",
    "calibrate": "infersim.fitting.calibration",
    "compare": "infersim.simulation.speedups.comparison",
    "compare_along": "infersim.simulation.speedups.hardware_sweep",
    "compare_served": "infersim.simulation.serving.under_load",
    "exchange_latency": "infersim.simulation.kernels.exchange",
    "family_curves": "infersim.report.figures.speedup_curves",
    "free_widths": "infersim.simulation.advice.width",
    "frontier": "infersim.simulation.frontier.search",
    "frontier_figure": "infersim.report.figures.frontier",
    "gather_comparison": "infersim.report.speedups.gathering",
    "gemm_latency": "infersim.simulation.kernels.gemm",
    "held_out_rows": "infersim.fitting.calibration_rows",
    "import_source": "infersim.fitting.importers.importing",
    "layer_bars": "infersim.report.search.page",
    "latency_table": "infersim.simulation.search.table",
    "load_model": "infersim.workload.presets",
    "load_profile": "infersim.profile_files.profiles",
    "loss_waterfall": "infersim.report.figures.loss_waterfall",
    "moe_latency": "infersim.simulation.kernels.gemm",
    "padded_widths": "infersim.simulation.advice.padded",
    "predict": "infersim.simulation.speedups.prediction",
    "predicted_measured": "infersim.report.figures.predicted_measured",
    "prune": "infersim.pruning.composition",
    "read_samples": "infersim.fitting.samples.reading",
    "residual_by_shape": "infersim.report.figures.residual_by_shape",
    "roofline": "infersim.report.figures.roofline",
    "search": "infersim.simulation.search.searching",
    "serve": "infersim.simulation.serving.serving",
    "simulate_serving": "infersim.simulation.serving.simulating",
    "sparsity_for": "infersim.simulation.advice.target",
    "speedup_curve": "infersim.report.figures.speedup_curves",
    "summary": "infersim.report.summary",
    "sweep": "infersim.simulation.sweeping.running",
    "trade_off": "infersim.report.search.page",
    "time_by_op": "infersim.report.figures.time_by_op",
    "validate": "infersim.fitting.validation.validation",
    "validation_points": "infersim.report.accuracy.validation_points",
    "with_overrides": "infersim.profile_files.overrides",
    "write_fit": "infersim.profile_files.fit_files",
    "write_latency_table": "infersim.simulation.search.exports.writing",
}


def __getattr__(name: str) -> object:
    """Import a public name from its home on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'infersim' has no attribute {name!r}")
    found: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
