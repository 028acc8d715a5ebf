"""Scenarios: what a question is about, as one record that is made at the border and passed on whole.

The keywords that users type it with are documented here and nowhere else. What is timed of it are its cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypedDict, Unpack, cast

import numpy as np

from infersim.cost.experts.routing_names import a_routing, routing_name, routing_named
from infersim.domain.arguments import Rule, a, as_it_is, either, flag, one_of, optional, refused
from infersim.domain.arrays import Array
from infersim.domain.dtypes import PRECISIONS, DType, precision_named
from infersim.domain.errors import InvalidValueError
from infersim.domain.numbers import whole_numbers
from infersim.domain.shapes import Phase
from infersim.files.memory import check_room
from infersim.simulation.speedups.cases import BOTH, PHASES, Case, phase_case, request_case
from infersim.simulation.speedups.resolving import Dimension
from infersim.workload.requests import REQUESTS, Request, request_named
from infersim.workload.scenario import MAX_BATCH, MAX_CONTEXT, MAX_GPUS, Execution, Layout


class RunOptions(TypedDict, total=False):
    """How the model is run; see ScenarioOptions."""

    dtype: str | None
    kv_dtype: str | None
    execution: str
    cuda_graph: bool
    expert_parallel: bool
    routing: str | None


class PassOptions(RunOptions, total=False):
    """Which forward passes, and how the model is run; see ScenarioOptions."""

    phase: str
    batch: Dimension
    context: Dimension | None
    gpus: Dimension


class ScenarioOptions(PassOptions, total=False):
    """Keywords by which public functions are asked about scenarios; defaults in brackets.

    Every batch is combined with every context.

    - `phase` (`prefill`): `prefill` reads whole prompts, `decode` is one step, which makes one token for each
      sequence; `both`.
    - `batch` (1): sequences at once, a number or several.
    - `context`: tokens, a number or several: the prompt's in prefill, in decode all so far, the current one
      included.
    - `request`: in place of a context, whole requests: a preset's name (`classification`, `generation`,
      `reasoning`) or a `Request` with its lengths in tokens. Prefill and all decode steps are summed over the
      growing context; the phase says nothing then.
    - `dtype` (what the model's file states, else `bf16`): how the linears of the blocks are stored and
      multiplied: `bf16`, `fp16`, `tf32`, `fp32`, `fp8` and `int8` (W8A8), `w8a16` and `w4a16` (weights only).
      One that contradicts the file is an error.
    - `kv_dtype` (the file's, else the attention's own type): how cached K and V are stored, such as `fp8`.
    - `execution` (`fused`): one QKV and one gate-up GEMM and fused elementwise kernels, or `separate`, each
      apart as eager PyTorch does.
    - `cuda_graph` (True): launches are replayed from a CUDA graph; False: the host issues each.
    - `gpus` (1): GPUs of one node that share each layer (tensor parallel), a number or several.
    - `expert_parallel` (False): each GPU has whole experts of a mixture instead of a share of each one.
    - `routing` (the model's own, which is even unless its type states else): how tokens choose experts:
      `balanced`, each draws evenly; `zipf_0.9`, by fixed popularity, or `power_law_1.2`, by a power law, with
      any exponent, so that fewer experts are hit and some of them by many tokens.
    """

    request: str | Request | None


ROW_BYTES = 4096
"""Memory of a row of an answer, with what it is made of: predict takes 1.7 kB a row of Llama, compare 2.6."""

DEFAULT_DTYPE = "bf16"
"""Of models whose files state no format, where nobody asks for one."""

DEFAULTS: ScenarioOptions = {
    "phase": Phase.PREFILL.value,
    "batch": 1,
    "context": None,
    "request": None,
    "dtype": None,
    "kv_dtype": None,
    "execution": Layout.FUSED.value,
    "cuda_graph": True,
    "gpus": 1,
    "expert_parallel": False,
    "routing": None,
}
"""What is taken where an option is left out; neither a context nor a request is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenarios:
    """Every batch with every context, in one phase or both, or whole requests; and how the model is run.

    Parameters
    ----------
    phase, execution
        Made by `of` from `ScenarioOptions`; execution is that of one GPU, and each case has its own.
    batch, context, gpus, request
        Tuples of numbers; the context is empty beside a request, and `phase` is `both`.

    Examples
    --------
    >>> import infersim as sim
    >>> sim.Scenarios.of(phase="decode", batch=[1, 8], context=1024).batch
    (1, 8)
    """

    phase: str
    batch: tuple[int, ...]
    context: tuple[int, ...]
    request: Request | None
    execution: Execution
    gpus: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        """Check what was not made by `of`."""
        for key, rule in _FIELDS.items():
            object.__setattr__(self, key, rule(key, getattr(self, key)))
        if (self.request is None) is (not self.context):
            _contexts(self.context or None, self.request)

    @classmethod
    def of(cls, ready: Scenarios | None = None, /, **options: Unpack[ScenarioOptions]) -> Scenarios:
        """The record of some options; or `ready`, beside which there can be none.

        Raises TypeError for an option of no known name, InvalidValueError for dimensions that are impossible,
        missing or one too many, and UnknownNameError for names that are not known.
        """
        if ready is not None:
            some_scenarios("scenarios", ready)
            if options:
                raise TypeError(f"{', '.join(options)}: none beside scenarios; see Scenarios.replace")
            return ready
        said = _with_defaults(options)
        request = said["request"]
        execution = _execution(said)
        return cls(
            phase=said["phase"] if request is None else BOTH,
            batch=_whole("batch", said["batch"], MAX_BATCH),
            context=_contexts(said["context"], request),
            request=request_named(request) if isinstance(request, str) else request,
            execution=execution,
            gpus=_whole("gpus", said["gpus"], MAX_GPUS),
        )

    def replace(self, **options: Unpack[ScenarioOptions]) -> Scenarios:
        """The same with other options, checked as in `of`."""
        said: ScenarioOptions = {**self._options(), **options}
        return type(self).of(**said)

    def executions(self) -> tuple[Execution, ...]:
        """How the model is run on each number of GPUs."""
        return tuple(replace(self.execution, gpus=count) for count in self.gpus)

    def cases(self, *, plans: int = 1, profiles: int = 1) -> tuple[Case, ...]:
        """One case for each number of GPUs and each phase, or the one of the request.

        Raises InfersimError where the rows of so many plans on so many GPUs would not fit in memory.
        """
        self._check_room(plans, profiles)
        return tuple(case for execution in self.executions() for case in self._cases(execution))

    def _cases(self, execution: Execution) -> Iterator[Case]:
        batches = _floats(self.batch)[:, np.newaxis]
        if self.request is not None:
            yield request_case(self.request, batches, execution)
            return
        contexts = _floats(self.context)
        for phase in tuple(Phase) if self.phase == BOTH else (Phase(self.phase),):
            yield phase_case(phase, batches, contexts, execution)

    def _check_room(self, plans: int, profiles: int) -> None:
        contexts = len(self.context) * (2 if self.phase == BOTH else 1) if self.request is None else 1
        gpus = profiles * len(self.gpus)
        rows = len(self.batch) * contexts * plans * gpus
        check_room(
            f"{rows:,} rows ({len(self.batch):,} batches, {contexts:,} contexts, {plans:,} plans with the "
            f"dense model, {gpus:,} GPUs)",
            ROW_BYTES * rows,
        )

    def _options(self) -> ScenarioOptions:
        """The options that make this record."""
        return {
            "phase": self.phase,
            "batch": self.batch,
            "context": self.context or None,
            "request": self.request,
            "dtype": self.execution.precision.name if self.execution.explicit else None,
            "kv_dtype": None if self.execution.kv_dtype is None else self.execution.kv_dtype.value,
            "execution": self.execution.layout.value,
            "cuda_graph": self.execution.cuda_graph,
            "gpus": self.gpus,
            "expert_parallel": self.execution.expert_parallel,
            "routing": routing_name(self.execution.skew, self.execution.popularity),
        }


def _some_whole(high: int) -> Rule:
    return lambda key, value: _whole(key, value, high)


a_request = either(Request, one_of("request", REQUESTS))
"""A rule of arguments: a Request, or the name of a preset."""


def _some_or_no_context(key: str, value: Any) -> tuple[int, ...]:
    """Empty beside a request."""
    return () if isinstance(value, tuple) and not value else _whole(key, value, MAX_CONTEXT)


_OPTIONS: dict[str, Rule] = {
    "phase": one_of("phase", PHASES),
    "batch": as_it_is,  # both become the record's tuples
    "context": as_it_is,
    "request": optional(a_request),
    "dtype": optional(one_of("dtype", PRECISIONS)),
    "kv_dtype": optional(one_of("kv_dtype", list(DType))),
    "execution": one_of("execution", list(Layout)),
    "cuda_graph": flag,
    "gpus": as_it_is,
    "expert_parallel": flag,
    "routing": optional(a_routing),
}
"""What each option may be."""

_FIELDS: dict[str, Rule] = {
    "phase": one_of("phase", PHASES),
    "batch": _some_whole(MAX_BATCH),
    "context": _some_or_no_context,
    "request": optional(a(Request, called="a Request, or None")),
    "execution": a(Execution, called="an Execution"),
    "gpus": _some_whole(MAX_GPUS),
}
"""What each field of a record may be."""

some_scenarios = a(Scenarios, called="a record that Scenarios.of returns")
"""A rule of arguments."""


def make_execution(**options: Unpack[RunOptions]) -> Execution:
    """The execution by its names; raises UnknownNameError that lists the known ones."""
    return _execution(_with_defaults(cast("ScenarioOptions", options)))


def _with_defaults(options: ScenarioOptions) -> ScenarioOptions:
    for name in options:
        if name not in DEFAULTS:
            raise TypeError(f"{name!r} is no scenario option; known: {', '.join(DEFAULTS)}")
    given = {name: _OPTIONS[name](name, value) for name, value in options.items()}
    return cast("ScenarioOptions", DEFAULTS | given)


def _execution(said: ScenarioOptions) -> Execution:
    kv_dtype = said["kv_dtype"]
    routing = None if said["routing"] is None else routing_named(said["routing"])
    return Execution(
        layout=Layout(said["execution"]),
        cuda_graph=said["cuda_graph"],
        precision=precision_named(DEFAULT_DTYPE if said["dtype"] is None else said["dtype"]),
        kv_dtype=None if kv_dtype is None else DType(kv_dtype),
        explicit=said["dtype"] is not None,
        expert_parallel=said["expert_parallel"],
        skew=0.0 if routing is None else routing.skew,
        popularity=None if routing is None else routing.popularity,
    )


def _contexts(context: Dimension | None, request: str | Request | None) -> tuple[int, ...]:
    if request is not None and context is not None:
        raise refused("context", context, "none beside a request, which has its own lengths")
    if request is not None:
        return ()
    if context is None:
        raise InvalidValueError(
            "context", None, "the context in tokens (--context 4096), or a request (--request generation)"
        )
    return _whole("context", context, MAX_CONTEXT)


def _whole(key: str, value: Dimension, high: int) -> tuple[int, ...]:
    array = np.atleast_1d(whole_numbers(key, value, high))
    if array.ndim > 1:
        raise refused(key, value, "a positive integer, or a flat list of them")
    return tuple(int(each) for each in array)


def _floats(values: tuple[int, ...]) -> Array:
    return np.array(values, dtype=np.float64)
