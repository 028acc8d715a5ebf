"""From which batch and which context a family pays at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from infersim.pruning.plan import Plan
from infersim.simulation.comparison import compare
from infersim.simulation.frame_kinds import FrameKind, marks
from infersim.simulation.resolving import Gpu, Model

if TYPE_CHECKING:
    import pandas as pd

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
CONTEXTS = (256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072)
"""Where it is looked: batches beside the context asked about, contexts beside the batch."""


@marks(FrameKind.BREAK_EVEN)
def break_even(
    model: Model,
    plans: Sequence[Plan],
    gpu: Gpu | Sequence[Gpu],
    *,
    batch: int,
    context: int,
    phase: str = "both",
    dtype: str = "bf16",
    execution: str = "fused",
    cuda_graph: bool = True,
    kv_dtype: str | None = None,
) -> pd.DataFrame:
    """One row for each GPU, phase and plan: where its whole 80 % interval is above 1.

    `batches` and `contexts` say it in words over BATCHES (at `context`) and CONTEXTS (at `batch`): `always`,
    `never`, `from 8`, `up to 4`, or each by name; `predicted_low` and `predicted_high` are the least and the
    greatest predicted speedup met on the way. Whether a scenario fits into memory is not asked. Raises what
    `compare` raises.
    """
    import pandas as pd

    def frame(batches: Sequence[int], contexts: Sequence[int]) -> pd.DataFrame:
        return compare(
            model,
            list(plans),
            gpu,
            phase=phase,
            batch=batches,
            context=contexts,
            dtype=dtype,
            execution=execution,
            cuda_graph=cuda_graph,
            kv_dtype=kv_dtype,
        )

    by_batch = frame(BATCHES, [context])
    by_context = frame([batch], CONTEXTS)
    rows = []
    keys = ["gpu", "phase", "plan"]
    elsewhere = dict(iter(by_context.groupby(keys, sort=False)))
    for (gpu_name, phase_name, plan), tried in by_batch.groupby(keys, sort=False):
        others = elsewhere[gpu_name, phase_name, plan]
        both = pd.concat([tried["predicted"], others["predicted"]])
        rows.append(
            {
                "model": tried["model"].iloc[0],
                "gpu": gpu_name,
                "calibration": tried["calibration"].iloc[0],
                "phase": phase_name,
                "batch": batch,
                "context": context,
                "family": tried["family"].iloc[0],
                "plan": plan,
                "batches": where_it_pays(tried["batch"].tolist(), (tried["predicted_lower"] > 1).tolist()),
                "contexts": where_it_pays(
                    others["context"].tolist(), (others["predicted_lower"] > 1).tolist()
                ),
                "predicted_low": both.min(),
                "predicted_high": both.max(),
            }
        )
    return pd.DataFrame(rows)


def where_it_pays(values: Sequence[int], pays: Sequence[bool]) -> str:
    """In words where along rising `values` something pays: `always`, `from 8`, `up to 4`, `2 to 16`."""
    paying = [value for value, yes in zip(values, pays, strict=True) if yes]
    if not paying:
        return "never"
    first, last = values.index(paying[0]), values.index(paying[-1])
    if last - first + 1 > len(paying):
        return "at " + ", ".join(map(str, paying))
    if first == 0 and last == len(values) - 1:
        return "always"
    if last == len(values) - 1:
        return f"from {values[first]}"
    return f"up to {values[last]}" if first == 0 else f"{values[first]} to {values[last]}"
