"""infersim: how fast a pruned model will be, how fast it could ever be, and what eats the difference.

The names below are the stable interface. Each is imported when it is first used, so that `import infersim`
loads no library that a question does not need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infersim.fitting.calibration import calibrate
    from infersim.fitting.validation import validate
    from infersim.profile_files.profiles import load_profile
    from infersim.pruning.composition import prune
    from infersim.simulation.comparison import compare
    from infersim.simulation.frontier import frontier
    from infersim.simulation.kernel_latency import attention_latency, gemm_latency
    from infersim.simulation.prediction import predict
    from infersim.simulation.sweeping.running import sweep
    from infersim.workload.presets import load_model

__all__ = [
    "attention_latency",
    "calibrate",
    "compare",
    "frontier",
    "gemm_latency",
    "load_model",
    "load_profile",
    "predict",
    "prune",
    "sweep",
    "validate",
]

_HOMES = {
    "attention_latency": "infersim.simulation.kernel_latency",
    "calibrate": "infersim.fitting.calibration",
    "compare": "infersim.simulation.comparison",
    "frontier": "infersim.simulation.frontier",
    "gemm_latency": "infersim.simulation.kernel_latency",
    "load_model": "infersim.workload.presets",
    "load_profile": "infersim.profile_files.profiles",
    "predict": "infersim.simulation.prediction",
    "prune": "infersim.pruning.composition",
    "sweep": "infersim.simulation.sweeping.running",
    "validate": "infersim.fitting.validation",
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
