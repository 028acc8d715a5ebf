"""From which batch and which context a family pays at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Unpack

from infersim.domain.arguments import as_it_is, checked, optional
from infersim.domain.errors import InvalidValueError
from infersim.pruning.plan import Plan
from infersim.simulation.frame_kinds import FrameKind, marks
from infersim.simulation.speedups import resolving
from infersim.simulation.speedups.cases import BOTH
from infersim.simulation.speedups.comparison import compare
from infersim.simulation.speedups.resolving import Gpu, Model, a_model
from infersim.simulation.speedups.scenarios import PassOptions, Scenarios, some_scenarios

if TYPE_CHECKING:
    import pandas as pd

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
CONTEXTS = (256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072)
"""Where it is looked: batches beside the context asked about, contexts beside the batch."""


@checked(
    model=a_model,
    plans=resolving.plans,
    gpu=resolving.profiles,
    scenarios=optional(some_scenarios),
    options=as_it_is,
)
@marks(FrameKind.BREAK_EVEN)
def break_even(
    model: Model,
    plans: Plan | Sequence[Plan],
    gpu: Gpu | Sequence[Gpu],
    *,
    scenarios: Scenarios | None = None,
    **options: Unpack[PassOptions],
) -> pd.DataFrame:
    """One row for each GPU (and number of them), phase and plan: where its whole 80 % interval is above 1.
    `batches` and `contexts` say it in words over BATCHES (at `context`) and CONTEXTS (at `batch`): `always`,
    `never`, `from 8`, `up to 4`, or each by name; `predicted_low` and `predicted_high` are the least and the
    greatest predicted speedup met on the way. Whether a scenario fits into memory is not asked.

    Parameters
    ----------
    model
        A name (`infersim models`), a path to a config or checkpoint, or a ready model.
    plans
        What `prune` made of that model, one or several.
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile; or several of them.
    scenarios
        A ready record of the options.
    **options
        See `ScenarioOptions`: one batch, one context and, by default, both phases.

    Returns
    -------
    DataFrame
        One row for each GPU, number of them, phase and plan.

    Raises
    ------
    InvalidValueError
        For a request, several batches or several contexts.
    UnknownNameError, UnsupportedError
        For a GPU or data type that is not known, or not there.

    Examples
    --------
    >>> import infersim as sim
    >>> plan = sim.prune("llama-3.1-8b", "static-m", sparsity=0.5)
    >>> sim.break_even("llama-3.1-8b", plan, "h100-sxm", phase="decode", context=1024)["batches"].tolist()
    ['always']
    """
    import pandas as pd

    if scenarios is None:
        options.setdefault("phase", BOTH)
    asked = Scenarios.of(scenarios, **options)
    batch, context = _one_each(asked)
    subject = partial(compare, model, plans, gpu)
    by_batch = subject(scenarios=replace(asked, batch=BATCHES))
    by_context = subject(scenarios=replace(asked, context=CONTEXTS))
    rows = []
    keys = ["gpu", "gpus", "phase", "plan"]
    elsewhere = dict(iter(by_context.groupby(keys, sort=False)))
    for (gpu_name, gpus, phase_name, plan), tried in by_batch.groupby(keys, sort=False):
        others = elsewhere[gpu_name, gpus, phase_name, plan]
        both = pd.concat([tried["predicted"], others["predicted"]])
        rows.append(
            {
                "model": tried["model"].iloc[0],
                "gpu": gpu_name,
                "gpus": gpus,
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


def _one_each(asked: Scenarios) -> tuple[int, int]:
    """The batch and the context to start from."""
    if asked.request is not None:
        raise InvalidValueError("request", asked.request.name, "none: batches and contexts are tried")
    for key, values in (("batch", asked.batch), ("context", asked.context)):
        if len(values) != 1:
            raise InvalidValueError(key, list(values), "one number")
    return asked.batch[0], asked.context[0]


def where_it_pays(values: Sequence[int], pays: Sequence[bool]) -> str:
    """In words where along rising `values` something pays: `always`, `from 8`, `up to 4`, `only 16`."""
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
    if first == last:
        return f"only {values[first]}"
    return f"up to {values[last]}" if first == 0 else f"{values[first]} to {values[last]}"
