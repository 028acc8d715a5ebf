"""Measured speedups as records, and a table that finds the one for a scenario without scanning.

Reading files is `measured_files`; the facts that travel with infersim are loaded by `published`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, TypeAlias

from annotated_types import Ge, Gt, Lt, MinLen

OTHER = "other"
"""Stands for a GPU or family that infersim has no name for, or that the source leaves open."""

SPARSITY_TOLERANCE = 0.005
"""Half a point: published sparsities are rounded, realised ones follow layers, heads and alignment."""

Text: TypeAlias = Annotated[str, MinLen(1)]
Count: TypeAlias = Annotated[int, Ge(1)]
Positive: TypeAlias = Annotated[float, Gt(0), Lt(math.inf)]
Fraction: TypeAlias = Annotated[float, Ge(0), Lt(1)]


class Scope(StrEnum):
    """What a speedup stands for, and so what may be said of it beside a prediction."""

    POINT = "point"  # one known scenario
    HOST_BOUND = "host_bound"  # a known scenario, slowed by the host: a GPU model must predict too much
    OVERHEAD = "overhead"  # a known kernel, slowed by gather and scatter around it
    MEAN = "mean"  # a mean over scenarios that are not stated
    PARTIAL = "partial"  # a condition is not stated, or part of the model was timed


class Timed(StrEnum):
    """What was timed: a phase, a whole request, one GEMM, a mean over both phases, or it is not said."""

    PREFILL = "prefill"
    DECODE = "decode"
    BOTH = "prefill+decode"
    REQUEST = "request"
    GEMM = "gemm"
    UNSTATED = "unstated"


class Unit(StrEnum):
    """Unit of the dense and the pruned figure; RATIO: only their ratio was published."""

    MILLISECONDS = "ms"
    SECONDS = "s"
    TOKENS_PER_S = "tokens/s"
    TFLOP_PER_S = "TFLOP/s"
    RATIO = "ratio"

    def speedup(self, dense: float, pruned: float) -> float:
        """The speedup that two figures in this unit amount to: a time shrinks, a rate grows."""
        return dense / pruned if self in (Unit.MILLISECONDS, Unit.SECONDS) else pruned / dense


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredSpeedup:
    """One measured speedup and where it stands. None: not stated (never zero).

    `sparsity` is in infersim's definition for the family. `context` is the context in tokens when the
    pass ends: the prompt in prefill, the current token included in decode, prompt + output in a request.
    `plan` is a plan's title, as a family may have several: a row that states it matches no other; likewise
    `execution` and `cuda_graph`.
    """

    id: Text
    source: Text
    locator: Text
    gpu: Text
    family: Text
    phase: Timed
    measured_speedup: Positive
    scope: Scope = Scope.POINT
    model: Text | None = None
    sparsity: Fraction | None = None
    batch: Count | None = None
    context: Count | None = None
    prompt_len: Count | None = None
    output_len: Count | None = None
    m: Count | None = None
    n: Count | None = None
    k: Count | None = None
    dtype: Text | None = None
    plan: Text | None = None
    execution: Text | None = None
    cuda_graph: bool | None = None
    method: Text | None = None
    unit: Unit = Unit.RATIO
    dense: Positive | None = None
    pruned: Positive | None = None
    gpu_as_published: Text | None = None
    model_as_published: Text | None = None
    sparsity_as_published: Fraction | None = None
    pruned_blocks: Count | None = None
    pruned_heads: Positive | None = None
    pruned_ffn_width: Positive | None = None
    evidence: Text | None = None
    number: Text | None = None
    note: Text | None = None

    @property
    def gives_attainment(self) -> bool:
        """Whether realised over bound means something: only for one known scenario that the GPU decided."""
        return self.scope is Scope.POINT

    @property
    def names_scenario(self) -> bool:
        """Whether GPU, model, family, batch and context are all known: a prediction can be of the same."""
        stated = (self.model, self.sparsity, self.batch, self.context)
        named = OTHER not in (self.gpu, self.family) and None not in stated
        return named and self.scope not in (Scope.MEAN, Scope.PARTIAL)


_Subject: TypeAlias = tuple[str, str | None, str, str]
_Scenario: TypeAlias = tuple[_Subject, float | None, float | None, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredTable:
    """Measured speedups with an index by scenario; build it with `of`. A look-up costs microseconds.

    `failures` tell of plans that could not be measured, and why.
    """

    rows: tuple[MeasuredSpeedup, ...]
    by_scenario: Mapping[_Scenario, Sequence[MeasuredSpeedup]]
    means: Mapping[_Subject, Sequence[MeasuredSpeedup]]
    failures: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[MeasuredSpeedup], failures: Iterable[str] = ()) -> MeasuredTable:
        """Index `rows`; those that neither name a scenario nor are a mean are kept but never matched."""
        rows = tuple(rows)
        by_scenario: defaultdict[_Scenario, list[MeasuredSpeedup]] = defaultdict(list)
        means: defaultdict[_Subject, list[MeasuredSpeedup]] = defaultdict(list)
        for row in rows:
            for phase in (Timed.PREFILL, Timed.DECODE) if row.phase is Timed.BOTH else (row.phase,):
                subject = (row.gpu, row.model, row.family, phase.value)
                if row.names_scenario:
                    by_scenario[subject, row.batch, row.context, row.output_len].append(row)
                elif row.scope is Scope.MEAN:
                    means[subject].append(row)
        return cls(rows=rows, by_scenario=dict(by_scenario), means=dict(means), failures=tuple(failures))


def match_measured(
    table: MeasuredTable,
    *,
    gpu: str,
    model: str,
    family: str,
    sparsity: float,
    phase: str,
    batch: float,
    context: float,
    output_len: float | None = None,
    dtype: str | None = None,
    plan: str | None = None,
    execution: str | None = None,
    cuda_graph: bool | None = None,
) -> list[MeasuredSpeedup]:
    """Speedups measured in this very scenario, best first; where there is none, means that cover it.

    Pass the realised sparsity: rows match within half a point. A request has the phase `request`, its
    final context (prompt + output) and `output_len`. `dtype`, `plan`, `execution` and `cuda_graph` set aside
    rows that state another; rows that state none stay. Scope POINT comes before HOST_BOUND; rows of scope
    MEAN are returned only alone, for the caller to print as such.
    """

    def fits(row: MeasuredSpeedup) -> bool:
        near = row.sparsity is not None and abs(row.sparsity - sparsity) <= SPARSITY_TOLERANCE + 1e-9
        typed = dtype is None or row.dtype is None or _cost_type(row.dtype) == _cost_type(dtype)
        stated = ((row.plan, plan), (row.execution, execution), (row.cuda_graph, cuda_graph))
        return near and typed and all(None in pair or pair[0] == pair[1] for pair in stated)

    def rank(row: MeasuredSpeedup) -> tuple[bool, float]:
        return not row.gives_attainment, abs((row.sparsity or 0.0) - sparsity)

    subject = (gpu, model, family, str(phase))
    # Keys hold integers; an equal float (numpy's too) has the same hash and finds them.
    exact = table.by_scenario.get((subject, batch, context, output_len), ())
    found = [row for row in exact if fits(row)] or [row for row in table.means.get(subject, ()) if fits(row)]
    return sorted(found, key=rank)


def _cost_type(dtype: str) -> str:
    """bf16 and fp16 move the same bytes and multiply at the same rate: a speedup of one holds for both."""
    return "bf16" if dtype == "fp16" else dtype
