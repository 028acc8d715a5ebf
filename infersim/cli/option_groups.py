"""Groups of options that several commands share: each reaches a command as one record."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints

from infersim.cli import options


@dataclass(frozen=True, slots=True, kw_only=True)
class PassFlags:
    """Which forward passes."""

    phase: options.PhaseUnlessRequestOption = None
    batch: options.BatchOption = "1"
    context: options.ContextOption = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFlags:
    """A whole request instead."""

    request: options.RequestOption = None
    prompt: options.PromptOption = None
    output: options.OutputOption = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFlags:
    """How the model is run; the fields are scenario options."""

    dtype: options.DtypeOption = None
    kv_dtype: options.KvDtypeOption = None
    execution: options.ExecutionOption = "fused"
    cuda_graph: options.CudaGraphOption = True
    gpus: options.GpusOption = "1"
    expert_parallel: options.ExpertParallelOption = False
    routing: options.RoutingOption = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatFlags:
    """How a service runs the model: the engine says all else."""

    dtype: options.DtypeOption = None
    kv_dtype: options.KvDtypeOption = None
    expert_parallel: options.ExpertParallelOption = False
    routing: options.RoutingOption = None


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer is to see it: in the place of a parameter that is a group, the group's options."""
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, Any] = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if is_dataclass(parameter.annotation)
    }

    @wraps(command)
    def typed(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    shown = [each for parameter in signature.parameters.values() for each in _expanded(parameter)]
    typed.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    typed.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return typed


def _expanded(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    group = parameter.annotation
    if not is_dataclass(group):
        yield parameter
        return
    types = get_type_hints(group, include_extras=True)
    for field in fields(group):
        yield inspect.Parameter(
            field.name, parameter.kind, default=field.default, annotation=types[field.name]
        )
