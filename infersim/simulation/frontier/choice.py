"""Which losses of quality a frontier is drawn from, and the plans that stand behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infersim.domain.errors import InfersimError, UnknownNameError, UnsupportedError
from infersim.pruning.composition import prune_with
from infersim.pruning.plan import Plan
from infersim.simulation.frontier.quality import QualityPoint, QualityTable
from infersim.simulation.frontier.quality_files import load_own_quality, load_quality
from infersim.workload.transformer import Transformer

Quality = QualityTable | str | Path
"""Losses of quality: a table, or a path to a file of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to look for in a table of quality; None: everything.

    `model` is the model whose quality is taken, `recovery` a kind of recovery (`lora`), `task_type` a kind of
    tasks (`zero-shot`), `source` a source as the table cites it.
    """

    model: str
    recovery: str | None = None
    task_type: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A point and the plan that it was measured of; None where the source states no sparsity."""

    point: QualityPoint
    plan: Plan | None


def chosen_points(quality: Quality | None, choice: Choice) -> tuple[QualityPoint, ...]:
    """The points of `choice`; by default of the published table.

    Raises UnknownNameError for a recovery, task type or source that the table does not have, UnsupportedError
    where it has nothing of the model or of the combination.
    """
    table = _table(quality)
    for kind, name, known in (
        ("recovery", choice.recovery, table.recoveries),
        ("task type", choice.task_type, table.task_types),
        ("source", choice.source, table.sources),
    ):
        if name is not None and name not in known:
            raise UnknownNameError(kind, name, known)
    of_model = table.of_model(choice.model)
    if not of_model:
        raise UnsupportedError(
            f"no quality is known of {choice.model}: take that of another model (--quality-model "
            f"{', '.join(table.models)}), or give your own (--quality FILE)"
        )
    found = tuple(row for row in of_model if _meets(row, choice))
    if not found:
        known = sorted({f"{row.recovery} with {row.task_type}" for row in of_model})
        raise UnsupportedError(
            f"nothing of {choice.model} meets all that was asked; there is {', '.join(known)}"
        )
    return found


def planned(
    model: Transformer, points: Sequence[QualityPoint]
) -> tuple[tuple[Planned, ...], tuple[str, ...]]:
    """The plan of each point on `model`, equal ones shared; and what cannot be pruned so, with the reason."""
    plans: dict[tuple[str, float, str], Plan] = {}
    found, left_out = [], []
    for point in points:
        if point.sparsity is None:
            found.append(Planned(point=point, plan=None))
            continue
        key = (point.family, point.sparsity, point.options)
        try:
            if key not in plans:
                plans[key] = prune_with(model, point.family, point.sparsity, point.plan_options)
        except InfersimError as error:
            left_out.append(f"{point.id}, {point.family} at {point.sparsity:g}: {error}")
            continue
        found.append(Planned(point=point, plan=plans[key]))
    if not any(each.plan for each in found):
        raise UnsupportedError(
            f"none of the points has a plan: {'; '.join(left_out) or 'no sparsity is stated'}"
        )
    return tuple(found), tuple(left_out)


def _table(quality: Quality | None) -> QualityTable:
    if quality is None:
        return load_quality()
    return quality if isinstance(quality, QualityTable) else load_own_quality(quality)


def _meets(row: QualityPoint, choice: Choice) -> bool:
    return (
        choice.recovery in (None, row.recovery)
        and choice.task_type in (None, row.task_type)
        and choice.source in (None, row.source)
    )
