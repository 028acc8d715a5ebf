"""A service: what is asked of an engine, as one record that is made at the border and passed on whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from infersim.cost.experts.routing_names import a_routing
from infersim.domain.arguments import Rule, a_path, either, flag, one_of, optional, refused
from infersim.domain.dtypes import PRECISIONS, DType
from infersim.domain.errors import InvalidValueError
from infersim.domain.numbers import count, number, whole_numbers
from infersim.engines.reading import an_engine
from infersim.files.memory import check_room
from infersim.simulation.serving.lengths import Lengths, check_together, fixed_lengths, lengths_of_trace
from infersim.simulation.serving.steps import execution_on, served_execution, with_cache
from infersim.simulation.speedups.columns import GIB
from infersim.simulation.speedups.resolving import Dimension
from infersim.simulation.speedups.scenarios import ROW_BYTES, make_execution
from infersim.workload.scenario import MAX_BATCH, MAX_CONTEXT, MAX_GPUS, Execution

if TYPE_CHECKING:
    from infersim.domain.profile import HardwareProfile
    from infersim.engines.engine import Engine

MAX = "max"
"""The most requests that the KV cache holds."""

DEFAULT_ENGINE = "vllm"

Concurrency = Dimension | str


class ServiceOptions(TypedDict, total=False):
    """Keywords by which public functions are asked about services; defaults in brackets.

    - `prompt`, `output`: tokens that a request reads and writes, a number or several; each prompt is combined
      with each output.
    - `trace`: in their place a CSV or Parquet file with one request a row (columns `prompt`, `output`).
    - `cached` (0): the share of each prompt that the KV cache holds when its request comes (prefix caching).
      It is not computed again; memory is counted as if no two requests shared it.
    - `concurrency`: requests in the system at once, a number, several, or `max`: the most that the KV cache
      holds.
    - `engine` (`vllm`): a name (`infersim engines`), or a path to a `.toml`.
    - `gpus` (1): GPUs of one node that share the model (tensor parallel); `expert_parallel` (False): each has
      whole experts of a mixture instead of a share of each one. `routing` (the model's own): as in
      `predict`.
    - `dtype`, `kv_dtype`: as in `predict`. Where weights are fp8 and nothing is said of the cache, it is what
      the engine makes of it.
    - `price_per_hour`: what a GPU costs, in any currency.
    """

    prompt: Dimension | None
    output: Dimension | None
    trace: str | Path | None
    cached: float
    concurrency: Concurrency
    engine: str | Path | Engine
    gpus: int
    expert_parallel: bool
    routing: str | None
    dtype: str | None
    kv_dtype: str | None
    price_per_hour: float | None


RUNS = ("dtype", "kv_dtype", "expert_parallel", "routing")
"""Options of how a model is run that `predict` has too."""

DEFAULTS: ServiceOptions = {
    "prompt": None,
    "output": None,
    "trace": None,
    "cached": 0.0,
    "concurrency": 64,
    "engine": DEFAULT_ENGINE,
    "gpus": 1,
    "expert_parallel": False,
    "routing": None,
    "dtype": None,
    "kv_dtype": None,
    "price_per_hour": None,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Service:
    """Requests of each of `lengths` at each of `concurrency` (empty: the most that fits), under an engine.

    `price_per_hour` is that of one GPU.

    Made by `Service.of`, which checks.
    """

    lengths: tuple[Lengths, ...]
    concurrency: tuple[int, ...]
    engine: Engine
    execution: Execution
    price_per_hour: float | None = None

    @classmethod
    def of(cls, **options: Unpack[ServiceOptions]) -> Service:
        """The record of some options.

        Raises TypeError for an option of no known name, InvalidValueError for numbers that are impossible,
        missing or one too many, UnknownNameError for names, FileContentError for a trace that is none.
        """
        for name in options:
            if name not in DEFAULTS:
                raise TypeError(f"{name!r} is no option of a service; known: {', '.join(DEFAULTS)}")
        given: dict[str, Any] = {name: _OPTIONS[name](name, value) for name, value in options.items()}
        said: dict[str, Any] = {**DEFAULTS, **given}
        engine = an_engine("engine", said["engine"])
        if said["gpus"] > 1 and engine.kernels.all_reduce == "none":
            raise InvalidValueError("gpus", said["gpus"], f"1: {engine.title} runs on one GPU")
        asked = make_execution(**{name: said[name] for name in RUNS})
        concurrency = said["concurrency"]
        found = () if concurrency == MAX else _whole("concurrency", concurrency, MAX_BATCH)
        return cls(
            lengths=tuple(
                replace(each, cached=said["cached"]) for each in _lengths(said, max(1, len(found)))
            ),
            concurrency=found,
            engine=engine,
            execution=replace(served_execution(asked, engine), gpus=said["gpus"]),
            price_per_hour=said["price_per_hour"],
        )

    @property
    def gpus(self) -> int:
        """How many share the model."""
        return self.execution.gpus

    def on(self, profile: HardwareProfile) -> Service:
        """The service as its engine runs it on a GPU: with its numbers, cache and fused kernels there."""
        engine = self.engine.on(profile.memory.total_bytes / GIB, profile.compute_capability)
        cached = with_cache(self.execution, engine, profile.compute_capability)
        return replace(self, engine=engine, execution=execution_on(profile, cached, engine))

    def check_room(self, *, plans: int, gpus: int) -> None:
        """Raise InfersimError where the rows of so many plans on so many GPUs would not fit in memory."""
        _check_room(len(self.lengths), max(1, len(self.concurrency)), plans, gpus)


def _check_room(lengths: int, concurrencies: int, plans: int = 1, gpus: int = 1) -> None:
    """Raise InfersimError where so many rows would not fit in memory."""
    rows = lengths * concurrencies * plans * gpus
    check_room(
        f"{rows:,} rows ({lengths:,} lengths, {concurrencies:,} concurrencies, {plans:,} plans, "
        f"{gpus:,} GPUs)",
        ROW_BYTES * rows,
    )


def _lengths(said: dict[str, Any], concurrencies: int) -> tuple[Lengths, ...]:
    prompt, output, trace = said["prompt"], said["output"], said["trace"]
    if trace is not None:
        if prompt is not None or output is not None:
            key = "prompt" if prompt is not None else "output"
            raise refused(key, said[key], "none beside a trace, which has its own lengths")
        return (lengths_of_trace(trace),)
    if prompt is None and output is None:
        expected = "tokens that a request reads and writes (--prompt 1024 --output 256), or a trace (--trace)"
        raise InvalidValueError("prompt, output", None, expected)
    for key in ("prompt", "output"):
        if said[key] is None:
            raise InvalidValueError(key, None, f"a number of tokens (--{key} 1024), or a trace (--trace)")
    prompts, outputs = _whole("prompt", prompt, MAX_CONTEXT), _whole("output", output, MAX_CONTEXT)
    check_together(max(prompts), max(outputs))
    _check_room(len(prompts) * len(outputs), concurrencies)
    return tuple(fixed_lengths(read, written) for read in prompts for written in outputs)


def _whole(key: str, value: Dimension, high: int) -> tuple[int, ...]:
    array = np.atleast_1d(whole_numbers(key, value, high))
    if array.ndim > 1:
        raise refused(key, value, "a positive integer, or a flat list of them")
    return tuple(int(each) for each in array)


def a_concurrency(key: str, value: Any) -> Any:
    """A rule of arguments: whole numbers, or `max`."""
    if isinstance(value, str):
        if value != MAX:
            raise refused(key, value, f"a number of requests, several, or {MAX}")
        return value
    return _whole(key, value, MAX_BATCH)


def _sequence(key: str, value: Any) -> Sequence[int]:
    return _whole(key, value, MAX_CONTEXT)


_OPTIONS: dict[str, Rule] = {
    "prompt": optional(_sequence),
    "output": optional(_sequence),
    "trace": optional(either(Path, a_path)),
    "cached": number("a share from 0 to below 1", above=math.nextafter(0, -1), high=math.nextafter(1, 0)),
    "concurrency": a_concurrency,
    "engine": an_engine,
    "gpus": count(MAX_GPUS),
    "expert_parallel": flag,
    "routing": optional(a_routing),
    "dtype": optional(one_of("dtype", PRECISIONS)),
    "kv_dtype": optional(one_of("kv_dtype", list(DType))),
    "price_per_hour": optional(number("a price above 0", above=0.0)),
}
"""What each option may be."""
