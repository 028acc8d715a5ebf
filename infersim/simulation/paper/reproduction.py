"""The source paper again: its Figure 2, its mean speedups and its claims, infersim's numbers beside them.

"Beyond FLOPs" (arXiv:2606.09080) runs Llama-3.1-8B in bf16 with a CUDA graph, q, k, v, gate and up as GEMMs
of their own and elementwise kernels unfused: execution `separate`. The grid behind its mean speedups is not
stated; here it is batches 1, 8, 16, 32 x contexts 1024, 8192, 32768 where dense and pruned model fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infersim.pruning.composition import prune
from infersim.pruning.plan import Plan
from infersim.simulation.measured.table import MeasuredSpeedup, Timed
from infersim.simulation.paper.claims import claims_beside_predictions, equivalents_claimed, reason_of, spread
from infersim.simulation.paper.source import (
    METHOD_OPTIONS,
    SHORT_CONTEXT,
    ComponentTime,
    load_figure2,
    load_mean_speedups,
)
from infersim.simulation.speedups.comparison import compare
from infersim.simulation.speedups.prediction import predict
from infersim.workload.presets import load_model

if TYPE_CHECKING:
    import pandas as pd

GPU, MODEL, EXECUTION = "rtx-pro-6000", "llama-3.1-8b", "separate"
BATCHES = (1, 8, 16, 32)
CONTEXTS = (1024, 8192, 32768)

TOTAL = "total"
"""The component that sums up a phase of Figure 2."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reproduction:
    """The paper's numbers and infersim's; `difference` is predicted over published, less 1.

    - `components`: Figure 2, a row for each phase and component and a `total`: `phase component predicted_ms
      lower_ms upper_ms predicted_share paper_ms paper_share paper_upper_limit difference`. Only totals have
      an interval, and where the paper gives an upper limit there is no difference.
    - `speedups`: its means, a row each, by phase: `family sparsity phase scenarios flops bound bound_min
      bound_max predicted predicted_min predicted_max predicted_short paper difference off reason`; ours are
      means and extremes over the grid, `predicted_short` the mean over its batches at SHORT_CONTEXT tokens.
      `off` is predicted less paper, and where it exceeds EXPLAINED_FROM `reason` says what stands behind it.
    - `claims`: numbers of its text, see `reproduction_claims`.
    """

    calibration: str
    components: pd.DataFrame
    speedups: pd.DataFrame
    claims: pd.DataFrame


def reproduce_beyond_flops() -> Reproduction:
    """Predict what the paper measured; no number here is fitted to it."""
    plans = _plans()
    grid = compare(
        plans[0].base, plans, GPU, phase="both", batch=BATCHES, context=CONTEXTS, execution=EXECUTION
    )
    grid = grid[grid["fits_memory"] & grid["dense_fits_memory"]]
    shown = load_figure2()[0]
    scenario = grid[(grid["batch"] == shown.batch) & (grid["context"] == shown.context)]
    dense = predict(
        plans[0].base, GPU, phase="both", batch=shown.batch, context=shown.context, execution=EXECUTION
    )
    return Reproduction(
        calibration=dense["calibration"].iloc[0],
        components=_components(dense.set_index("phase")),
        speedups=_speedups(grid),
        claims=claims_beside_predictions(grid, scenario, dense),
    )


def _plans() -> list[Plan]:
    """One plan for each family and sparsity of which the paper gives a speedup or an equivalent."""
    model = load_model(MODEL)
    needed = {(row.family, row.sparsity) for row in load_mean_speedups()} | equivalents_claimed()
    return [
        prune(model, family, sparsity, **METHOD_OPTIONS.get(family, {}))
        for family, sparsity in sorted(needed, key=str)
    ]


def _components(dense: pd.DataFrame) -> pd.DataFrame:
    """Figure 2 beside `dense`, the prediction with the phase as its index."""
    import pandas as pd

    rows = []
    for phase, predicted in dense.iterrows():
        parts = [part for part in load_figure2() if part.phase == phase]
        rows += [_component(part, predicted) for part in parts]
        rows.append(_total(parts[0], predicted))
    frame = pd.DataFrame(rows)
    difference = frame["predicted_ms"] / frame["paper_ms"] - 1
    return frame.assign(
        predicted_share=frame["predicted_ms"] / frame["phase"].map(dense["latency_ms"]),
        paper_share=frame["paper_ms"] / frame["phase"].map(frame.groupby("phase")["paper_ms"].max()),
        difference=difference.mask(frame["paper_upper_limit"]),
    )


def _component(part: ComponentTime, predicted: pd.Series[float]) -> dict[str, object]:
    return {
        "phase": part.phase.value,
        "component": part.component,
        "predicted_ms": predicted[f"ms_{part.component}"],
        "paper_ms": part.time_ms,
        "paper_upper_limit": part.upper_limit,
    }


def _total(part: ComponentTime, predicted: pd.Series[float]) -> dict[str, object]:
    return {
        "phase": part.phase.value,
        "component": TOTAL,
        "predicted_ms": predicted["latency_ms"],
        "lower_ms": predicted["lower_ms"],
        "upper_ms": predicted["upper_ms"],
        "paper_ms": part.total_ms,
        "paper_upper_limit": False,
    }


def _speedups(grid: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    phases = list(Timed)
    published = sorted(load_mean_speedups(), key=lambda row: phases.index(row.phase))
    frame = pd.DataFrame([_mean_speedup(row, grid) for row in published])
    off = frame["predicted"] - frame["paper"]
    return frame.assign(
        difference=frame["predicted"] / frame["paper"] - 1,
        off=off,
        reason=[reason_of(*row) for row in zip(frame["family"], frame["phase"], off, strict=True)],
    )


def _mean_speedup(row: MeasuredSpeedup, grid: pd.DataFrame) -> dict[str, object]:
    phases = (Timed.PREFILL, Timed.DECODE) if row.phase is Timed.BOTH else (row.phase,)
    same_plan = (grid["family"] == row.family) & (grid["sparsity"] == row.sparsity)
    covered = grid[same_plan & grid["phase"].isin([phase.value for phase in phases])]
    return {
        "family": row.family,
        "sparsity": row.sparsity,
        "phase": row.phase.value,
        "scenarios": len(covered),
        "flops": covered["flops"].mean(),
        **spread("bound", covered["bound"]),
        **spread("predicted", covered["predicted"]),
        "predicted_short": covered[covered["context"] == SHORT_CONTEXT]["predicted"].mean(),
        "paper": row.measured_speedup,
    }
