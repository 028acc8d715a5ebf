"""The source paper again: its Figure 2, its mean speedups and its claims, infersim's numbers beside them.

"Beyond FLOPs" (arXiv:2606.09080) runs Llama-3.1-8B in bf16 with a CUDA graph, q, k, v, gate and up as GEMMs
of their own and elementwise kernels unfused: execution `separate`. The grid behind its mean speedups is not
stated; here it is batches 1, 8, 16, 32 x contexts 1024, 8192, 32768 where dense and pruned model fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infersim.domain.shapes import Phase
from infersim.pruning.composition import prune
from infersim.pruning.plan import Plan
from infersim.simulation.comparison import compare
from infersim.simulation.measured import MeasuredSpeedup, Timed
from infersim.simulation.prediction import predict
from infersim.simulation.source_paper import Claim, Quantity, load_claims, load_figure2, load_mean_speedups
from infersim.workload.presets import load_model

if TYPE_CHECKING:
    import pandas as pd

GPU, MODEL, EXECUTION = "rtx-pro-6000", "llama-3.1-8b", "separate"
BATCHES = (1, 8, 16, 32)
CONTEXTS = (1024, 8192, 32768)

TOTAL = "total"
"""The row that sums up a phase of Figure 2."""

OVERHEAD_SPARSITY = 0.5
"""At which the growth of overheads is predicted: the paper does not state its own."""

_GEMM_COMPONENTS = ("ms_qkvo", "ms_ffn", "ms_attention", "ms_lm_head")
_OVERHEAD_COMPONENTS = ("ms_elementwise", "ms_extra", "ms_launch")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reproduction:
    """The paper's numbers and infersim's, as three frames; differences are predicted over published, less 1.

    - `components`: Figure 2, one row for each phase and component and a `total`: `phase component
      predicted_ms lower_ms upper_ms predicted_share paper_ms paper_share paper_upper_limit difference`. Only
      totals have an interval; where the paper gives an upper limit there is no difference.
    - `speedups`: its means, one row each: `family sparsity phase scenarios flops bound bound_min bound_max
      predicted predicted_min predicted_max paper difference`; ours are means and extremes over the grid.
    - `claims`: `quantity phase family sparsity predicted predicted_min predicted_max paper note`, fractions.

    `calibration` is the profile's. Figure 2 and the overheads are of batch 1 and 32768 tokens.
    """

    calibration: str
    components: pd.DataFrame
    speedups: pd.DataFrame
    claims: pd.DataFrame


def reproduce_beyond_flops() -> Reproduction:
    """Predict everything that the paper measured; nothing here is fitted to it."""
    grid = _grid(_plans())
    dense = _figure2_scenario()
    return Reproduction(
        calibration=str(dense["calibration"].iloc[0]),
        components=_components(dense),
        speedups=_speedups(grid),
        claims=_claims(grid, dense),
    )


def _plans() -> list[Plan]:
    """One plan for each family and sparsity that the paper says a speedup or an equivalent of."""
    model = load_model(MODEL)
    asked = {(row.family, row.sparsity) for row in load_mean_speedups()}
    asked |= {(claim.family, claim.sparsity) for claim in _claims_of(Quantity.STATIC_M_EQUIVALENT)}
    return [prune(model, family, sparsity) for family, sparsity in sorted(asked, key=str) if family]


def _claims_of(quantity: Quantity) -> list[Claim]:
    return [claim for claim in load_claims() if claim.quantity is quantity]


def _grid(plans: Sequence[Plan]) -> pd.DataFrame:
    frame = compare(
        load_model(MODEL), plans, GPU, phase="both", batch=BATCHES, context=CONTEXTS, execution=EXECUTION
    )
    return frame[frame["fits_memory"] & frame["dense_fits_memory"]]


def _figure2_scenario() -> pd.DataFrame:
    first = load_figure2()[0]
    return predict(
        MODEL, GPU, phase="both", batch=first.batch, context=first.context, execution=EXECUTION
    ).set_index("phase")


def _components(dense: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for phase in Phase:
        predicted = dense.loc[phase.value]
        published = [part for part in load_figure2() if part.phase is phase]
        for part in published:
            rows.append(
                {
                    "phase": phase.value,
                    "component": part.component,
                    "predicted_ms": predicted[f"ms_{part.component}"],
                    "paper_ms": part.time_ms,
                    "paper_share": part.share,
                    "paper_upper_limit": part.upper_limit,
                }
            )
        rows.append(
            {
                "phase": phase.value,
                "component": TOTAL,
                "predicted_ms": predicted["latency_ms"],
                "lower_ms": predicted["lower_ms"],
                "upper_ms": predicted["upper_ms"],
                "paper_ms": published[0].total_ms,
                "paper_share": 1.0,
                "paper_upper_limit": False,
            }
        )
    frame = pd.DataFrame(rows)
    total_ms = frame["phase"].map(dense["latency_ms"])
    difference = (frame["predicted_ms"] / frame["paper_ms"] - 1).mask(frame["paper_upper_limit"])
    return frame.assign(predicted_share=frame["predicted_ms"] / total_ms, difference=difference)


def _speedups(grid: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    rows = [_mean_speedup(row, grid) for row in load_mean_speedups()]
    frame = pd.DataFrame(rows)
    return frame.assign(difference=frame["predicted"] / frame["paper"] - 1)


def _mean_speedup(row: MeasuredSpeedup, grid: pd.DataFrame) -> dict[str, object]:
    phases = (Timed.PREFILL, Timed.DECODE) if row.phase is Timed.BOTH else (row.phase,)
    same_plan = (grid["family"] == row.family) & (grid["sparsity"] == row.sparsity)
    chosen = grid[same_plan & grid["phase"].isin([phase.value for phase in phases])]
    return {
        "family": row.family,
        "sparsity": row.sparsity,
        "phase": row.phase.value,
        "scenarios": len(chosen),
        "flops": chosen["flops"].mean(),
        **_spread("bound", chosen["bound"]),
        **_spread("predicted", chosen["predicted"]),
        "paper": row.measured_speedup,
    }


def _spread(name: str, values: pd.Series[float]) -> dict[str, float]:
    return {name: values.mean(), f"{name}_min": values.min(), f"{name}_max": values.max()}
