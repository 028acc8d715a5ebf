"""A sweep's plan: read from a user's file, one that infersim ships, or a mapping.

Models, GPUs and settings in it.

Errors name the file, the key with its place in the list, the value and what was expected. The prunings are
looked up in `plan_prunings`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TypeVar, cast

from infersim.domain.errors import FileContentError, InvalidValueError, UnknownNameError
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Phase
from infersim.files.errors import located
from infersim.files.fingerprint import fingerprint
from infersim.files.locations import data_folder
from infersim.files.reading import checked_tables, tables_from_file
from infersim.profile_files.overrides import with_overrides
from infersim.simulation.serving.service import Service
from infersim.simulation.speedups.cases import BOTH
from infersim.simulation.speedups.scenarios import RunOptions, ScenarioOptions, make_execution
from infersim.simulation.sweeping.plan_tables import AUTO, NESTED, RequestTable, SweepTables
from infersim.workload.presets import load_model
from infersim.workload.requests import Request, request_named
from infersim.workload.scenario import Execution
from infersim.workload.transformer import Transformer

Value = TypeVar("Value")
Named = TypeVar("Named", Transformer, HardwareProfile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A plan that was read: `label` is what errors call it, `folder` what its paths start from."""

    label: str
    folder: Path
    tables: SweepTables


def listed_models(source: Source) -> tuple[Transformer, ...]:
    """The dense models, each once."""

    def model(place: int) -> Transformer:
        name = source.tables.model[place]
        beside = source.folder / name
        is_file = name.endswith(".json") or name.startswith(".")
        return load_model(beside if is_file else name)

    return _each_once(source, "model", len(source.tables.model), model)


def listed_gpus(source: Source) -> tuple[HardwareProfile, ...]:
    """The profiles, each once, with the numbers that the plan sets."""

    def gpu(place: int) -> HardwareProfile:
        table = source.tables.gpu[place]
        name = source.folder / table.name if table.name.endswith(".toml") else table.name
        return with_overrides(name, table.set)

    return _each_once(source, "gpu", len(source.tables.gpu), gpu)


def listed_settings(source: Source) -> tuple[ScenarioOptions, ...]:
    """Every way to run a model, each once: `auto` and the type that it stands for in most models are one."""
    tables, found = source.tables, dict[Execution, ScenarioOptions]()
    for place, dtype in enumerate(tables.dtype):
        with located(source.label, f"dtype[{place}]"):
            make_execution(dtype=_own_if_auto(dtype))
    for place, cache in enumerate(tables.kv_dtype):
        with located(source.label, f"kv_dtype[{place}]"):
            make_execution(kv_dtype=_own_if_auto(cache))
    for place, layout in enumerate(tables.execution):
        with located(source.label, f"execution[{place}]"):
            make_execution(execution=layout)
    formats = (tables.dtype, tables.kv_dtype, tables.execution, tables.cuda_graph)
    for dtype, cache, layout, graph, gpus in product(*formats, tables.gpus):
        setting = RunOptions(
            dtype=_own_if_auto(dtype),
            kv_dtype=_own_if_auto(cache),
            execution=layout,
            cuda_graph=graph,
            expert_parallel=tables.expert_parallel,
        )
        runs = make_execution(**setting)
        key = replace(runs, kv_dtype=runs.cache_dtype, explicit=False, gpus=gpus)
        found.setdefault(key, cast("ScenarioOptions", {**setting, "gpus": gpus}))
    return tuple(found.values())


def listed_services(source: Source) -> tuple[Service, ...]:
    """Services under each engine in each format; none where nothing is served.

    They stand in a plan of their own: their table has other columns.
    """
    tables = source.tables
    if tables.serve is None:
        return ()
    for key in ("context", "request", "phase"):
        if getattr(tables, key) is not None:
            raise FileContentError(source.label, key, getattr(tables, key), "no such key beside serve")
    found = []
    for place, table in enumerate(tables.serve):
        with located(source.label, f"serve[{place}]"):
            found += [
                Service.of(
                    prompt=table.prompt,
                    output=table.output,
                    concurrency=table.concurrency,
                    cached=table.cached,
                    engine=source.folder / engine if engine.endswith(".toml") else engine,
                    dtype=_own_if_auto(dtype),
                    kv_dtype=_own_if_auto(cache),
                    price_per_hour=table.price_per_hour,
                    gpus=gpus,
                    expert_parallel=tables.expert_parallel,
                )
                for engine, dtype, cache, gpus in product(
                    table.engine, tables.dtype, tables.kv_dtype, tables.gpus
                )
            ]
    return tuple(found)


def listed_phases(source: Source) -> tuple[str, ...]:
    """The phases of the contexts; none where only requests or services are asked about."""
    tables = source.tables
    if tables.serve is not None:
        return ()
    if tables.context is None and tables.request is None:
        raise FileContentError(source.label, "context", None, "contexts in tokens, or requests beside them")
    if tables.context is None and tables.phase is not None:
        raise FileContentError(
            source.label, "phase", tables.phase, "no such key without contexts: a request has both phases"
        )
    if tables.context is None:
        return ()
    asked: Sequence[str] = tables.phase or [BOTH]
    expanded = (list(map(str, Phase)) if phase == BOTH else [phase] for phase in asked)
    return distinct(phase for several in expanded for phase in several)


def listed_requests(source: Source) -> tuple[Request, ...]:
    """Requests by name or lengths; one without a name is called by its lengths."""
    found = []
    for place, table in enumerate(source.tables.request or []):
        with located(source.label, f"request[{place}]"):
            found.append(_request(table))
    return distinct(found)


def distinct(values: Iterable[Value]) -> tuple[Value, ...]:
    """Each value once, in the order of first mention."""
    return tuple(dict.fromkeys(values))


def _own_if_auto(name: str) -> str | None:
    return None if name == AUTO else name


def _request(table: RequestTable) -> Request:
    if table.name is not None:
        if (table.prompt, table.output) != (None, None):
            raise InvalidValueError("name", table.name, "a name, or prompt and output, not all of them")
        return request_named(table.name)
    for key, value in (("prompt", table.prompt), ("output", table.output)):
        if value is None:
            raise InvalidValueError(key, None, "a number of tokens: prompt and output come together")
    assert table.prompt is not None
    assert table.output is not None
    return Request(prompt_len=table.prompt, output_len=table.output, name=f"{table.prompt}+{table.output}")


def _each_once(source: Source, key: str, count: int, load: Callable[[int], Named]) -> tuple[Named, ...]:
    """What `load` gives for each place; one named twice counts once, two of one name are an error.

    Rows tell models and GPUs by their names alone.
    """
    found: dict[str, Named] = {}
    for place in range(count):
        with located(source.label, f"{key}[{place}]"):
            loaded = load(place)
        known = found.setdefault(loaded.name, loaded)
        if known is not loaded and fingerprint(known) != fingerprint(loaded):
            expected = f"another name: a {key} of this one, which differs, comes before"
            raise FileContentError(source.label, f"{key}[{place}].name", loaded.name, expected)
    return tuple(found.values())


SweepPlan = str | Path | Mapping[str, object]
"""A plan's file, the name of a shipped one, or its tables as they would be in a file."""


def read_sweep_plan(plan: SweepPlan) -> Source:
    """The plan's tables, what they name not yet looked up; errors as in `resolve_sweep`."""
    if isinstance(plan, Mapping):
        tables = checked_tables(plan, "plan", SweepTables, NESTED)
        return Source(label="plan", folder=Path(), tables=tables)
    file = Path(plan)
    if isinstance(plan, str) and not plan.endswith(".toml"):
        shipped = shipped_sweeps()
        if plan not in shipped:
            raise UnknownNameError("sweep (a .toml file, or one that infersim ships)", plan, shipped)
        file = shipped[plan]
    tables = tables_from_file(file, "plan", SweepTables, NESTED)
    return Source(label=str(file), folder=file.parent, tables=tables)


def shipped_sweeps() -> dict[str, Path]:
    """Files of the plans that travel with infersim, by name."""
    return {file.stem: file for file in sorted((data_folder("calibration") / "sweeps").glob("*.toml"))}
