"""Which widths are worth padding: what each one off a multiple gains by the zeros that bring it there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Unpack

from infersim.domain.arguments import as_it_is, checked, optional
from infersim.pruning.plan import Plan
from infersim.simulation.frame_kinds import FrameKind, marks
from infersim.simulation.speedups.cases import Case
from infersim.simulation.speedups.columns import MS
from infersim.simulation.speedups.padding import MIB, Padding, paddings
from infersim.simulation.speedups.resolving import (
    Gpu,
    Model,
    a_model_or_plan,
    as_plan,
    as_profiles,
    profiles,
)
from infersim.simulation.speedups.scenarios import ScenarioOptions, Scenarios, some_scenarios
from infersim.simulation.timing.program import lay_out
from infersim.simulation.timing.timeline import Timeline, timelines

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("model", "gpu", "gpus", "phase", "batch", "context", "dimension", "width", "multiple", "padded"),
    *("saves", "saves_lower", "saves_upper", "memory_mib", "latency_ms", "padded_ms"),
)


@checked(model_or_plan=a_model_or_plan, gpu=profiles, scenarios=optional(some_scenarios), options=as_it_is)
@marks(FrameKind.PADDED_WIDTHS)
def padded_widths(
    model_or_plan: Model | Plan,
    gpu: Gpu | Sequence[Gpu],
    *,
    scenarios: Scenarios | None = None,
    **options: Unpack[ScenarioOptions],
) -> pd.DataFrame:
    """One row for each scenario, width off a multiple of 64, and next multiple of 8, 16 and 64.

    `dimension` is the vocabulary, the hidden size, an FFN width or a rank, `width` its value and `padded` the
    one with zeros up to the `multiple`. `saves` is the part of the time that goes, with its 80 % interval
    `saves_lower saves_upper` (below 0: it takes longer), `memory_mib` the memory that comes; `latency_ms` and
    `padded_ms` are the times. Of what GPUs share, each has such multiples. No rows where all widths are
    multiples of 64.

    Parameters
    ----------
    model_or_plan
        A model as in `predict`, or a plan of `prune`.
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile; or several of them.
    scenarios
        A ready record of the options.
    **options
        See `ScenarioOptions`.

    Returns
    -------
    DataFrame
        One row for each scenario, width and multiple.

    Raises
    ------
    InvalidValueError
        For impossible dimensions.
    UnknownNameError, UnsupportedError
        For a GPU or data type that is not known, or not there.

    Examples
    --------
    >>> import infersim as sim
    >>> len(sim.padded_widths("llama-3.1-8b", "h100-sxm", phase="decode", context=1024))
    0
    """
    import pandas as pd

    plan = as_plan(model_or_plan)
    asked = Scenarios.of(scenarios, **options)
    rows = [
        row
        for profile in as_profiles(gpu)
        for case in asked.cases()
        for row in _rows(plan, case, timelines(lay_out((plan.transformer,), case.passes), profile)[0])
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(plan: Plan, case: Case, timeline: Timeline) -> Iterator[dict[str, object]]:
    for padding in paddings(case, timeline):
        for place, (batch, context) in enumerate(case.scenarios):
            yield {
                "model": plan.name or plan.transformer.name,
                "gpu": timeline.profile.name,
                "gpus": case.gpus,
                "phase": case.phase,
                "batch": batch,
                "context": context,
                **_numbers(padding, timeline, place),
            }


def _numbers(padding: Padding, timeline: Timeline, place: int) -> dict[str, object]:
    """What one padding changes in one scenario, counted along the flat axes."""
    return {
        "dimension": padding.width.dimension.value,
        "width": padding.width.value,
        "multiple": padding.multiple,
        "padded": padding.to,
        "saves": padding.saves.flat[place],
        "saves_lower": padding.saves_lower.flat[place],
        "saves_upper": padding.saves_upper.flat[place],
        "memory_mib": padding.more_bytes.flat[place] / MIB,
        "latency_ms": timeline.latency_s.flat[place] * MS,
        "padded_ms": padding.timeline.latency_s.flat[place] * MS,
    }
