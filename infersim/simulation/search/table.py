"""`latency_table`: time, memory, parameters, FLOPs and floor of every choice of every sublayer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from infersim.domain.arguments import as_it_is, checked
from infersim.domain.arrays import Array
from infersim.domain.profile import HardwareProfile
from infersim.profile_files.profiles import kernels_named
from infersim.simulation.frame_kinds import FrameKind, marks
from infersim.simulation.search.settings.asking import setting_of
from infersim.simulation.search.settings.costs import (
    Entries,
    PassCosts,
    Quantity,
    parameter_counts,
    pass_costs,
)
from infersim.simulation.search.settings.scenarios import InScenarios
from infersim.simulation.search.settings.served import InService
from infersim.simulation.search.spaces.formats import without_unsupported
from infersim.simulation.search.spaces.limits import Limits
from infersim.simulation.search.spaces.space import Space, Texts, checked_texts, space_of
from infersim.simulation.speedups.cases import REQUEST
from infersim.simulation.speedups.columns import MS
from infersim.simulation.speedups.resolving import Gpu, Model, a_model, a_profile
from infersim.simulation.timing.passes import Pass
from infersim.workload.transformer import Attention, ExpertLayer, FeedForward, Transformer

if TYPE_CHECKING:
    import pandas as pd

REMAINDER = "remainder"
"""What stands in `sublayer` for the rest of the model, in layer -1."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatencyTable:
    """All quantities of the entries of a space in one setting.

    `scenarios` names each part of the table (columns that tell scenarios apart) with its quantities by
    column. `left_out` says which choices cannot be, and why.
    """

    model: Transformer
    profile: HardwareProfile
    setting: InScenarios | InService
    entries: Entries
    scenarios: tuple[tuple[Mapping[str, object], Mapping[str, Quantity]], ...]

    @property
    def space(self) -> Space:
        """The slots and their choices."""
        return self.entries.space

    @property
    def left_out(self) -> tuple[str, ...]:
        """Choices that cannot be, and why."""
        return self.space.left_out


@checked(model=a_model, gpu=a_profile, choices=as_it_is, kernels=kernels_named, options=as_it_is)
def latency_table(
    model: Model,
    gpu: Gpu,
    *,
    choices: Texts | None = None,
    kernels: str | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Time of every choice of every sublayer, with the remainder, so that sums are whole-model times.

    `choices` are texts for `attention` and `ffn`: `none`, `kv_heads=4`, `heads=16`, `width=7168`, `linear`,
    `lowrank=0.5`, `2:4`, formats such as `fp8`, several with `+` between; percentages and ranges
    (`width=25%..75%/25%`). Left out: a choice of each kind. Every sublayer has `kept` beside them. Options
    are those of `ScenarioOptions`, or where `engine`, `prompt`, `output` or `concurrency` is among them those
    of `ServiceOptions`, with one length of requests.

    Columns: `model gpu calibration`; the scenario `phase batch context`, or `engine prompt output
    concurrency`; `layer sublayer choice family`; `latency_ms` (of a request also `prefill_ms decode_ms`), or
    `step_ms prompt_ms tpot_ms ttft_ms request_ms` at the dense model's number of running requests; `floor_ms`
    (each op at the GPU's peaks), `memory_gib` (weights and KV cache), `parameters flops`, and the sizes
    `num_heads num_kv_heads ffn_width num_experts top_k` that the choice leaves (0: none). The row of each
    scenario with `sublayer` `remainder` is the rest of the model: embedding, norms, head, host, and layers
    without a choice. One choice of each sublayer of each layer and the remainder sum to the whole model's;
    where several GPUs share it, to what each of them takes.

    Parameters
    ----------
    model
        A name (`infersim models`), a path to a config or checkpoint, or a ready model.
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile.
    choices
        Texts for `attention` and `ffn`. Left out: a choice of each kind.
    kernels
        The engine whose kernels are predicted, as in `load_profile`.
    **options
        See above.

    Returns
    -------
    DataFrame
        One row for each scenario, sublayer and choice, and one for the remainder.

    Raises
    ------
    InvalidValueError
        For texts that are no choices.
    UnknownNameError, UnsupportedError
        For a GPU or data type that is not known, or not there.

    Examples
    --------
    >>> import infersim as sim
    >>> frame = sim.latency_table(
    ...     "llama-3.2-1b", "h100-sxm", choices={"ffn": "width=50%"}, phase="decode", context=1024
    ... )
    >>> sorted(set(frame["sublayer"]))
    ['ffn', 'remainder']
    """
    found = table_of(model, gpu, checked_texts(choices), kernels, options)  # type: ignore[arg-type]
    return table_frame(found)


def table_of(
    model: Transformer,
    profile: HardwareProfile,
    texts: Texts | None,
    kernels: str | None,
    options: Mapping[str, Any],
) -> LatencyTable:
    """The table; errors as in `latency_table`."""
    setting = setting_of(model, profile.with_kernels(kernels), options)
    limits = Limits(tensor_parallel=setting.gpus, expert_parallel=setting.expert_parallel)
    asked = texts is not None
    space = without_unsupported(space_of(model, texts, limits, asked=asked), setting.profile, asked=asked)
    entries = Entries.of(space)
    if isinstance(setting, InScenarios):
        parts = _of_scenarios(setting, entries)
    else:
        parts = _of_service(setting, entries)
    return LatencyTable(
        model=model, profile=setting.profile, setting=setting, entries=entries, scenarios=tuple(parts)
    )


_Parts = list[tuple[Mapping[str, object], Mapping[str, Quantity]]]


def _of_scenarios(setting: InScenarios, entries: Entries) -> _Parts:
    measures = setting.measures(entries, None)
    parameters = parameter_counts(entries)
    parts: _Parts = []
    for case in setting.cases:
        costs, _ = pass_costs(entries, case.passes, setting.profile)
        prefill = None
        if case.phase == REQUEST:
            prefill, _ = pass_costs(entries, case.passes[:1], setting.profile)
        for flat, (batch, context) in enumerate(case.scenarios):
            place = len(parts)
            quantities = {"latency_ms": measures[f"latency_ms[{place}]"]}
            if prefill is not None:
                quantities["prefill_ms"] = prefill.seconds.of_scenario(flat, MS)
                quantities["decode_ms"] = _less(quantities["latency_ms"], quantities["prefill_ms"])
            quantities |= _counted(costs, flat, measures[f"memory_gib[{place}]"], parameters)
            parts.append(({"phase": case.phase, "batch": batch, "context": context}, quantities))
    return parts


def _of_service(setting: InService, entries: Entries) -> _Parts:
    measures, answer = setting.measures(entries, None), setting.dense
    lengths, engine = setting.service.lengths[0], setting.service.engine
    costs, _ = pass_costs(entries, (Pass(scenario=setting.step_scenario(answer)),), setting.profile)
    counted = _counted(costs, 0, measures["memory_gib"], parameter_counts(entries))
    names = ("step_ms", "prompt_ms", "tpot_ms", "ttft_ms", "request_ms")
    told = {
        "engine": engine.name,
        "prompt": lengths.prompt,
        "output": lengths.output,
        "cached": lengths.cached,
        "concurrency": int(answer.load.concurrency[0, 0]),
    }
    return [(told, {name: measures[name] for name in names} | counted)]


def _counted(costs: PassCosts, flat: int, memory: Quantity, parameters: Quantity) -> dict[str, Quantity]:
    return {
        "floor_ms": costs.floor_s.of_scenario(flat, MS),
        "memory_gib": memory,
        "parameters": parameters,
        "flops": costs.flop.of_scenario(flat, 1.0),
    }


def _less(whole: Quantity, part: Quantity) -> Quantity:
    return Quantity(values=whole.values - part.values, remainder=np.asarray(whole.remainder - part.remainder))


@marks(FrameKind.LATENCY_TABLE)
def table_frame(found: LatencyTable) -> pd.DataFrame:
    """The frame of `latency_table`."""
    import pandas as pd

    named = _entry_columns(found.space)
    count = found.space.size
    about = {
        "model": found.model.name,
        "gpu": found.profile.name,
        "calibration": found.profile.calibration.value,
    }
    frames = [
        pd.DataFrame(
            {
                **{name: [value] * (count + 1) for name, value in {**about, **told}.items()},
                **named,
                **{name: _with_remainder(each) for name, each in quantities.items()},
                **_size_columns(found.space),
            }
        )
        for told, quantities in found.scenarios
    ]
    return pd.concat(frames, ignore_index=True)


def _with_remainder(found: Quantity) -> Array:
    return np.append(found.values, found.remainder)


def _entry_columns(space: Space) -> dict[str, Sequence[object]]:
    """Layer, sublayer, choice and family of each entry, the remainder last."""
    choices = [choice for slot in space.slots for choice in slot.choices]
    return {
        "layer": [slot.layer for slot in space.slots for _ in slot.choices] + [-1],
        "sublayer": [slot.sublayer.value for slot in space.slots for _ in slot.choices] + [REMAINDER],
        "choice": [choice.text for choice in choices] + [""],
        "family": [choice.family for choice in choices] + [""],
    }


def _size_columns(space: Space) -> dict[str, list[int]]:
    names = ("num_heads", "num_kv_heads", "ffn_width", "num_experts", "top_k")
    sizes: dict[str, list[int]] = {name: [] for name in names}
    for slot in space.slots:
        for became in slot.made:
            attention = became if isinstance(became, Attention) else None
            sizes["num_heads"].append(attention.num_heads if attention else 0)
            sizes["num_kv_heads"].append(attention.num_kv_heads if attention else 0)
            experts = became if isinstance(became, ExpertLayer) else None
            wide = isinstance(became, FeedForward | ExpertLayer)
            sizes["ffn_width"].append(became.width if wide else 0)  # type: ignore[union-attr]
            sizes["num_experts"].append(experts.num_experts if experts else 0)
            sizes["top_k"].append(experts.top_k if experts else 0)
    return {name: [*values, 0] for name, values in sizes.items()}
