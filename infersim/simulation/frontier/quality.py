"""What pruning costs in quality, as records: one loss of one pruned model, and where it stands.

Reading files is `frontier_quality_files`; `calibration/README.md` says what each column means.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from annotated_types import Ge, Gt, Lt

from infersim.pruning.families.registry import quality_axis
from infersim.pruning.plan import OptionValue
from infersim.simulation.measured.table import Fraction, Positive, Text, Timed

UNSTATED = "unstated"

_COUNT = re.compile(r"[0-9]{1,9}")

Finite: TypeAlias = Annotated[float, Gt(-math.inf), Lt(math.inf)]
NotNegative: TypeAlias = Annotated[float, Ge(0), Lt(math.inf)]


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityPoint:
    """One pruned model's loss of quality. None or empty: not stated (never zero).

    `quality_loss_percent` is relative to the dense model: of an accuracy what is lost, of a perplexity what
    is added; below 0 the pruned model is the better one. `loss_uncertainty_percent` is the half-width of its
    80 % interval, in the same points. `sparsity` is in infersim's definition of the family, with the options
    `options` (`target=ffn`). `measured_speedup` is one that the source states beside this very loss.
    """

    id: Text
    source: Text
    locator: Text
    family: Text
    quality_loss_percent: Finite
    loss_uncertainty_percent: NotNegative | None = None
    sparsity: Fraction | None = None
    options: str = ""
    method: str = ""
    model: Text | None = None
    model_as_published: str = ""
    evidence: str = ""
    sparsity_as_published: Fraction | None = None
    counted: str = ""
    recovery: str = UNSTATED
    recovery_detail: str = ""
    task_type: str = UNSTATED
    metric: str = ""
    dense: Positive | None = None
    pruned: Positive | None = None
    measured_speedup: Positive | None = None
    measured_phase: Timed = Timed.UNSTATED
    measured_gpu: Text | None = None
    note: str = ""

    @property
    def regime(self) -> str:
        """How quality was recovered after pruning: `lora (RedPajama, 164M tokens)`."""
        return f"{self.recovery} ({self.recovery_detail})" if self.recovery_detail else self.recovery

    @property
    def axis(self) -> str:
        """Losses stand beside each other on one axis only: a type of task, or a task on the family's own."""
        own = quality_axis(self.family)
        return f"{own}, {self.metric.partition(' (')[0] or self.task_type}" if own else self.task_type

    @property
    def series(self) -> str:
        """Points of one method in one study: between them, and only them, may be interpolated."""
        return ", ".join(filter(None, (self.family, self.method, self.options, self.source, self.metric)))

    @property
    def plan_options(self) -> Mapping[str, OptionValue]:
        """`options` as arguments of `prune`."""
        pairs = (part.partition("=") for part in self.options.split() if part)
        return {name: int(value) if _COUNT.fullmatch(value) else value for name, _, value in pairs}


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityTable:
    """Points in the order of their file."""

    rows: tuple[QualityPoint, ...]

    def of_model(self, model: str) -> tuple[QualityPoint, ...]:
        """The points of `model`, and those of a file that names no model."""
        return tuple(row for row in self.rows if row.model in (model, None))

    @property
    def models(self) -> list[str]:
        """Names of the models with any point."""
        return _distinct(row.model for row in self.rows if row.model)

    @property
    def recoveries(self) -> list[str]:
        """Kinds of recovery."""
        return _distinct(row.recovery for row in self.rows)

    @property
    def task_types(self) -> list[str]:
        """Kinds of tasks."""
        return _distinct(row.task_type for row in self.rows)

    @property
    def sources(self) -> list[str]:
        """Sources, as cited."""
        return _distinct(row.source for row in self.rows)


def relative_loss_percent(dense: float, pruned: float, *, perplexity: bool) -> float:
    """Of an accuracy the part that is lost, of a perplexity the part that is added; in percent."""
    ratio = pruned / dense
    return 100 * (ratio - 1 if perplexity else 1 - ratio)


def _distinct(values: Iterable[str]) -> list[str]:
    return sorted(set(values))
