"""Every published speedup that can be predicted beside its prediction, with the conditions that were assumed.

What a source leaves open is assumed by source, never by row, and told in `conditions`. No parameter is fitted
to any of these rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from infersim.cost.floor import gemm_flop
from infersim.profile_files.profiles import load_profile
from infersim.pruning.composition import prune
from infersim.simulation.comparison import compare
from infersim.simulation.measured import OTHER, MeasuredSpeedup, Scope, Timed, Unit
from infersim.simulation.prediction import predict
from infersim.simulation.published import load_published
from infersim.simulation.published_kernels import DTYPE, KernelSpeedup, kernel_speedup, sparse_speedup
from infersim.simulation.source_paper import SOURCE, load_figure2
from infersim.simulation.speedups.scenarios import ScenarioOptions, Scenarios
from infersim.workload.presets import load_model
from infersim.workload.requests import Request

if TYPE_CHECKING:
    import pandas as pd

WITHIN = 0.15
"""Largest difference that counts as a match."""

DENSE_NUMBERS = {"prefill": "S024", "decode": "S025"}
"""Numbers of the dense latencies of Figure 2, which stand in a table of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a source's rows are predicted with; `said` tells it to people.

    `scored` marks a source whose rows count though they leave a condition open that matters little.
    """

    said: str
    gpu: str | None = None
    options: ScenarioOptions = field(default_factory=ScenarioOptions)
    scored: bool = False

    def scenarios(self, row: MeasuredSpeedup) -> Scenarios:
        """Those of a row: its own batch and request where it states them."""
        options: ScenarioOptions = {**self.options, "phase": "decode", "batch": row.batch or 1}
        if row.output_len is not None and row.prompt_len is not None:
            options["context"] = None
            options["request"] = Request(prompt_len=row.prompt_len, output_len=row.output_len)
        return Scenarios.of(**options)


EAGER = "eager Hugging Face, no graph"
EAGER_FP16 = ScenarioOptions(dtype="fp16", execution="separate", cuda_graph=False)
CONDITIONS = {
    "arXiv:2402.02834v2": Conditions(
        said=f"fp16 (not stated), {EAGER}; H100 taken as SXM",
        gpu="h100-sxm",
        options=EAGER_FP16,
    ),
    "github.com/pytorch/ao@0021c2f": Conditions(
        said="A100 taken as SXM, w4a16, graph, batch 1; context 256 (not stated)",
        gpu="a100-sxm-80gb",
        options=ScenarioOptions(dtype="w4a16", context=256),
        scored=True,
    ),
    "arXiv:2310.06694": Conditions(
        said=f"A100 taken as SXM, fp16, {EAGER}; 128 tokens read, 2048 generated (not stated)",
        gpu="a100-sxm-80gb",
        options={**EAGER_FP16, "request": Request(prompt_len=128, output_len=2048)},
    ),
}
SPARSE_TOKENS = 2048
SPARSE_GEMMS = Conditions(
    said=f"fp16, {SPARSE_TOKENS} tokens (not stated), weights cold; an A40, of the same die, for the A6000",
    gpu="a40",
)
"""Wanda's 2:4 GEMMs; how many tokens they had matters little, as all are limited by multiplying."""

KERNELS = f"{DTYPE} and groups of 128 (defaults of the code), weights hot, graph"
FIGURE2 = "bf16, execution separate, graph, batch 1, context 32768"


def check_published() -> pd.DataFrame:
    """One row for each published figure, by `number`.

    Columns: `number id source scope gpu what conditions`, `quantity` (`speedup`, or `ms` of a dense model),
    `measured predicted lower upper` in that quantity, `difference` (predicted over measured, less 1),
    `dense_ms` and `pruned_ms` as predicted, `measured_dense_ms` and `measured_pruned_ms`, `note` of the row,
    `scored` (conditions known: it counts), `within` (no further than
    WITHIN off). NaN where nothing could be predicted.
    """
    import pandas as pd

    rows = [row for row in load_published().rows if row.scope is not Scope.MEAN]
    lines = [*_dense_lines(), *_lines(rows)]
    frame = pd.DataFrame(lines).sort_values("number", ignore_index=True)
    difference = frame["predicted"] / frame["measured"] - 1
    known = [source for source, conditions in CONDITIONS.items() if conditions.scored]
    scored = (frame["scope"] == Scope.POINT) | frame["source"].isin(known)
    return frame.assign(difference=difference, scored=scored, within=difference.abs() <= WITHIN)


def _dense_lines() -> Iterator[dict[str, object]]:
    """The dense model of Figure 2: its latency in both phases."""
    shown = load_figure2()
    first = shown[0]
    frame = predict(
        first.model, first.gpu, phase="both", batch=first.batch, context=first.context, execution="separate"
    ).set_index("phase")
    for phase, number in DENSE_NUMBERS.items():
        total_ms = next(part.total_ms for part in shown if part.phase == phase)
        predicted = frame.loc[phase]
        yield {
            "number": number,
            "id": f"figure-2-{phase}",
            "source": SOURCE,
            "scope": Scope.POINT.value,
            "gpu": first.gpu,
            "what": f"{first.model}, dense, {phase}",
            "conditions": FIGURE2,
            "quantity": "ms",
            "measured": total_ms,
            "predicted": predicted["latency_ms"],
            "lower": predicted["lower_ms"],
            "upper": predicted["upper_ms"],
            "dense_ms": predicted["latency_ms"],
            "measured_dense_ms": total_ms,
            "note": "",
        }


def _lines(rows: Sequence[MeasuredSpeedup]) -> Iterator[dict[str, object]]:
    """Rows of one source, model and GPU are compared at once."""
    alike = sorted(rows, key=_subject)
    for _, group in groupby(alike, key=_subject):
        yield from _predicted(list(group))


def _subject(row: MeasuredSpeedup) -> tuple[str, ...]:
    lengths = (str(row.prompt_len), str(row.output_len))
    return (row.source, row.gpu, row.model or "", row.phase, *lengths)


def _predicted(rows: Sequence[MeasuredSpeedup]) -> Iterator[dict[str, object]]:
    conditions = CONDITIONS.get(rows[0].source)
    if rows[0].phase is Timed.GEMM and rows[0].gpu != OTHER:
        profile = load_profile(rows[0].gpu)
        for row in rows:
            found = kernel_speedup(row, profile)
            yield _described(row, rows[0].gpu, KERNELS) | _of_kernels(found)
        return
    if rows[0].phase is Timed.GEMM and rows[0].family == "static-k-2:4":
        yield from _sparse_gemms(rows)
        return
    known = [row for row in rows if conditions and _can_be_asked(row)]
    yield from (_described(row, row.gpu, "") for row in rows if row not in known)
    if conditions and known:
        yield from _compared(known, conditions)


def _sparse_gemms(rows: Sequence[MeasuredSpeedup]) -> Iterator[dict[str, object]]:
    """2:4 GEMMs of which N and K are stated."""
    profile = load_profile(str(SPARSE_GEMMS.gpu))
    for row in rows:
        found = sparse_speedup(row, SPARSE_TOKENS, profile)
        yield _described(row, OTHER, SPARSE_GEMMS.said) | _of_kernels(found)


def _of_kernels(found: KernelSpeedup) -> dict[str, object]:
    return {
        "predicted": found.speedup,
        "lower": found.lower,
        "upper": found.upper,
        "dense_ms": 1e3 * found.dense_s,
        "pruned_ms": 1e3 * found.pruned_s,
    }


def _can_be_asked(row: MeasuredSpeedup) -> bool:
    return row.family != OTHER and row.model is not None and row.sparsity is not None


def _compared(rows: Sequence[MeasuredSpeedup], conditions: Conditions) -> Iterator[dict[str, object]]:
    """Rows of one model and GPU, as `compare` predicts them; rows of a request all have the same one."""
    model, row = load_model(str(rows[0].model)), rows[0]
    gpu = row.gpu if row.gpu != OTHER else str(conditions.gpu)
    plans = [prune(model, each.family, float(each.sparsity or 0.0)) for each in rows]
    frame = compare(model, plans, gpu, scenarios=conditions.scenarios(row))
    for each, found in zip(rows, frame.to_dict("records"), strict=True):
        yield _described(each, gpu, conditions.said) | {
            "predicted": found["predicted"],
            "lower": found["predicted_lower"],
            "upper": found["predicted_upper"],
            "dense_ms": found["dense_ms"],
            "pruned_ms": found["latency_ms"],
        }


def _described(row: MeasuredSpeedup, gpu: str, conditions: str) -> dict[str, object]:
    subject = row.model or (f"GEMM {row.m} x {row.n} x {row.k}" if row.m else row.model_as_published)
    return {
        "number": row.number or row.id,
        "id": row.id,
        "source": row.source,
        "scope": row.scope.value,
        "gpu": gpu if gpu != OTHER else row.gpu_as_published,
        "what": f"{subject}, {row.method}" + _ratio(row),
        "conditions": conditions,
        "quantity": "speedup",
        "measured": row.measured_speedup,
        "measured_dense_ms": _latency_ms(row, row.dense),
        "measured_pruned_ms": _latency_ms(row, row.pruned),
        "note": row.note or "",
    }


def _latency_ms(row: MeasuredSpeedup, figure: float | None) -> float:
    """Milliseconds that a published rate or time amounts to; NaN where the work is not stated."""
    if figure is None:
        return math.nan
    if row.unit is Unit.TFLOP_PER_S and row.m and row.n and row.k:
        return float(gemm_flop(row.m, row.n, row.k)) / figure / 1e9
    if row.unit is Unit.TOKENS_PER_S and row.output_len and row.batch:
        return 1e3 * row.output_len * row.batch / figure
    return math.nan


def _ratio(row: MeasuredSpeedup) -> str:
    if row.phase is Timed.GEMM or row.sparsity_as_published is None:
        return ""
    return f", {row.sparsity_as_published:.0%}"
