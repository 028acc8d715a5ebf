"""What a folder of benchmark results asks for where the command line says nothing: what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import typer

from infersim.cli.option_groups import PassFlags, RunFlags
from infersim.domain.errors import InvalidValueError

if TYPE_CHECKING:
    from infersim.simulation.measured.table import MeasuredSpeedup, MeasuredTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a comparison is about, as options of `infersim compare`; `typed` says which the user gave."""

    model: str | None
    families: str | None
    sparsity: str
    passes: PassFlags
    runs: RunFlags
    typed: Callable[[str], bool]


def typed_options(context: typer.Context) -> Callable[[str], bool]:
    """Whether the user gave an option of the running command."""

    def typed(option: str) -> bool:
        source = context.get_parameter_source(option)
        return source is not None and source.name != "DEFAULT"

    return typed


def asked_of_results(table: MeasuredTable, asked: Asked, *, with_plans: bool, with_request: bool) -> Asked:
    """`asked` with what was not typed taken from the measured speedups of `table`.

    Families only where no plans are given, phase and lengths only where no request is. Raises
    InvalidValueError where the results are of several models and none was named.
    """
    rows = _of_model(table.rows, asked)
    if not rows:
        return asked
    families = asked.families
    if families is None and not with_plans:
        families = ",".join(_families(rows))
    sparsities = dict.fromkeys(f"{row.sparsity:g}" for row in rows if row.sparsity is not None)
    return replace(
        asked,
        model=asked.model or rows[0].model,
        families=families,
        sparsity=asked.sparsity if asked.typed("sparsity") else ",".join(sparsities),
        passes=asked.passes if with_request else _passes(rows, asked),
        runs=_runs(rows, asked),
    )


def _of_model(rows: Sequence[MeasuredSpeedup], asked: Asked) -> list[MeasuredSpeedup]:
    models = sorted({str(row.model) for row in rows})
    if asked.model is None and len(models) > 1:
        raise InvalidValueError("model", None, f"one of {', '.join(models)}, which were measured")
    named = [row for row in rows if asked.model in (None, row.model)]
    return named or list(rows)


def _families(rows: Iterable[MeasuredSpeedup]) -> list[str]:
    """Each family once, with the options of what was run."""
    from infersim.simulation.measured.benchmark_results import FAMILIES

    options = dict(FAMILIES.values())
    return [
        "/".join((family, *(f"{name}={value}" for name, value in options[family].items())))
        for family in dict.fromkeys(row.family for row in rows)
    ]


def _passes(rows: Sequence[MeasuredSpeedup], asked: Asked) -> PassFlags:
    passes = asked.passes
    phases = {row.phase.value for row in rows}
    return PassFlags(
        phase=passes.phase or (phases.pop() if len(phases) == 1 else None),
        batch=passes.batch if asked.typed("batch") else _listed(row.batch for row in rows),
        context=passes.context or _listed(row.context for row in rows),
    )


def _runs(rows: Sequence[MeasuredSpeedup], asked: Asked) -> RunFlags:
    runs = asked.runs
    if not asked.typed("execution") and rows[0].execution is not None:
        runs = replace(runs, execution=rows[0].execution)
    graphs = {row.cuda_graph for row in rows}
    if not asked.typed("cuda_graph") and graphs == {False}:
        runs = replace(runs, cuda_graph=False)
    return runs


def _listed(values: Iterable[int | None]) -> str:
    return ",".join(map(str, sorted({value for value in values if value is not None})))
