"""Measuring plans: each pruned model beside its dense one, scenario by scenario, each row kept at once."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import torch

from infersim.domain.errors import InfersimError, UnsupportedError
from infersim.domain.shapes import Phase
from infersim.measuring.devices.device import Device, DeviceLostError, is_lost
from infersim.measuring.devices.timing import Budget, Call
from infersim.measuring.devices.torch_tools import set_float32
from infersim.measuring.kernel_runs.supervision import CRASHED
from infersim.measuring.model.alternation import Alternation, alternate
from infersim.measuring.model.breakdown import OpTime, break_down, by_part
from infersim.measuring.model.execution.executor import ModelExecutor, build
from infersim.measuring.model.measurable import check_measurable
from infersim.measuring.model.memory import added_bytes, held_bytes
from infersim.measuring.model.result_file import ResultFile, Row
from infersim.pruning.plan import Plan
from infersim.workload.scenario import Execution
from infersim.workload.transformer import Transformer

OK, OUT_OF_MEMORY = "ok", "out of memory"

MS, GIB = 1e-3, 2.0**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One pass to measure."""

    phase: Phase
    batch: int
    context: int

    def __str__(self) -> str:
        return f"{self.phase}, batch {self.batch}, context {self.context}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementRun:
    """What is to be measured: plans of one dense model, each in all scenarios, in one execution."""

    model: Transformer
    plans: tuple[Plan, ...]
    passes: tuple[Pass, ...]
    execution: Execution
    budget: Budget

    def setting(self, device: Device) -> Row:
        """What all rows have in common."""
        return {
            "gpu": device.gpu,
            "device": device.title,
            "threads": device.threads,
            "clock": device.clock,
            "torch": torch.__version__,
            "model": self.model.name,
            "model_id": fingerprint(self.model),
            "dtype": self.execution.precision.name,
            "execution": self.execution.layout.value,
            "cuda_graph": self.execution.cuda_graph,
        }

    def plan_ids(self) -> Mapping[str, str]:
        """Fingerprints of the pruned models by the plans' titles."""
        return {plan.title: fingerprint(plan.transformer) for plan in self.plans}

    def missing(self, results: ResultFile) -> list[tuple[Plan, list[Pass]]]:
        """Plans with the scenarios that there is no row of."""
        left = [
            (plan, [each for each in self.passes if not results.has(_key(plan, each))]) for plan in self.plans
        ]
        return [(plan, passes) for plan, passes in left if passes]


def fingerprint(transformer: Transformer) -> str:
    """Twelve hexadecimal digits that two models share only if every layer has the same shape."""
    # What a model does not have is written as before there was any: rows of older files stay known.
    content = repr(transformer)
    for field in ("added=()", "in_features=None", "format=None", "kv_dtype=None"):
        content = content.replace(f", {field}", "")
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def measure_run(
    run: MeasurementRun, device: Device, results: ResultFile, tell: Callable[[Row], None]
) -> None:
    """Measure what `results` lacks; `tell` hears of each row once it is in the file.

    The dense model stays in memory, the pruned ones come and go. What cannot be run, or does not fit, becomes
    a row that says so. Raises UnsupportedError for TF32 on a CPU, InfersimError where the dense model cannot
    be built or a kernel took the device with it, and what `results.append` raises.
    """
    missing = run.missing(results)
    if not missing:
        return
    set_float32(run.execution.precision.math.value, device.torch_device)
    with device:
        dense = _dense(run, device)
        for plan, passes in missing:
            for row in _plan_rows(plan, passes, dense, run, device):
                results.append(row)
                tell(row)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Subject:
    """A built model, and the bytes that building it took (None: unknown)."""

    executor: ModelExecutor
    weights_bytes: float | None

    @classmethod
    def build(cls, transformer: Transformer, execution: Execution, device: Device) -> _Subject:
        before = held_bytes(device)
        executor = build(transformer, execution, device.torch_device)
        after = held_bytes(device)
        return cls(
            executor=executor, weights_bytes=None if before is None or after is None else after - before
        )


def _dense(run: MeasurementRun, device: Device) -> _Subject:
    """The dense model; InfersimError where it cannot be built: without it there is nothing to measure."""
    try:
        return _Subject.build(run.model, run.execution, device)
    except UnsupportedError:
        raise
    except Exception as error:
        trouble = _trouble(error, device)
    raise InfersimError(f"{run.model.name}, dense, cannot be built: {trouble}; fewer --layers may help")


def _plan_rows(
    plan: Plan, passes: Sequence[Pass], dense: _Subject, run: MeasurementRun, device: Device
) -> Iterator[Row]:
    """One row for each pass, whatever happens to the plan."""
    pruned = None
    try:
        pruned = _Subject.build(plan.transformer, run.execution, device)
        trouble = ""
    except Exception as error:
        trouble = _trouble(error, device)
    for one_pass in passes:
        values: Row = {"status": trouble}
        if pruned is not None:
            try:
                check_measurable(plan.transformer, one_pass.phase)
                values = _measured(dense, pruned, one_pass, run, device)
            except Exception as error:
                values = {"status": _trouble(error, device)}
        yield {**_description(plan), **_key(plan, one_pass), **values}
        if str(values["status"]).startswith(CRASHED):
            raise InfersimError(
                f"{plan.title}, {one_pass}: {values['status']}. Nothing more can be measured in this "
                "process; the row says so, and the same command goes on after it"
            )
        _give_back(device)
    del pruned
    _give_back(device)


def _give_back(device: Device) -> None:
    gc.collect()
    device.release()


def _trouble(error: Exception, device: Device) -> str:
    """The status of a row whose plan cannot be built or run: one plan's trouble is not that of others."""
    text = (str(error).splitlines() or [""])[0]
    if isinstance(error, UnsupportedError | NotImplementedError):
        return f"unsupported: {text}"
    lacks = isinstance(error, MemoryError | torch.OutOfMemoryError)
    if lacks or "can't allocate memory" in text or "not enough memory" in text:
        return OUT_OF_MEMORY
    if isinstance(error, DeviceLostError) or is_lost(device):
        return f"{CRASHED}: {text}"
    return f"failed: {type(error).__name__}: {text}"


def _key(plan: Plan, one_pass: Pass) -> Row:
    return {
        "plan": plan.title,
        "phase": one_pass.phase.value,
        "batch": one_pass.batch,
        "context": one_pass.context,
    }


def _description(plan: Plan) -> Row:
    return {
        "family": plan.family,
        "sparsity": plan.sparsity_realised,
        "plan_id": fingerprint(plan.transformer),
        "layers": len(plan.base.blocks),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _measured(dense: _Subject, pruned: _Subject, one_pass: Pass, run: MeasurementRun, device: Device) -> Row:
    scenes = [
        subject.executor.scene(one_pass.phase, batch=one_pass.batch, context=one_pass.context)
        for subject in (dense, pruned)
    ]
    first, second = (
        partial(subject.executor.run, scene) for subject, scene in zip((dense, pruned), scenes, strict=True)
    )
    added = added_bytes(device, first), added_bytes(device, second)
    timing = _timed(first, second, run, device)
    device.release()
    once = partial(break_down, device, at=run.budget.quantile, budget_us=run.budget.budget_us / 2)
    return {
        "status": OK,
        **_timing_columns(timing),
        "dense_memory_gib": _gib(dense.weights_bytes, added[0]),
        "pruned_memory_gib": _gib(pruned.weights_bytes, added[1]),
        **_breakdown_columns("dense", timing.dense_latency_us, once(first)),
        **_breakdown_columns("pruned", timing.pruned_latency_us, once(second)),
    }


def _timed(first: Call, second: Call, run: MeasurementRun, device: Device) -> Alternation:
    """The two passes in turn. Their graphs, with all memory that their passes use, end when this returns."""
    if run.execution.cuda_graph:
        first, second = device.capture(first), device.capture(second)
    return alternate(device.stopwatch, first, second, run.budget)


def _timing_columns(timing: Alternation) -> dict[str, Any]:
    return {
        "measured_speedup": timing.speedup,
        "speedup_spread": timing.speedup_spread,
        "dense_ms": timing.dense_latency_us * MS,
        "pruned_ms": timing.pruned_latency_us * MS,
        "dense_drift": timing.drift,
        "rounds": len(timing.pruned_us),
        "quantile": timing.at,
        "dense_raw_ms": _listed(timing.dense_us),
        "pruned_raw_ms": _listed(timing.pruned_us),
    }


def _listed(times_us: Sequence[float]) -> str:
    return " ".join(f"{time * MS:.4g}" for time in times_us)


def _gib(weights_bytes: float | None, added: float | None) -> float | None:
    return None if weights_bytes is None or added is None else (weights_bytes + added) / GIB


def _breakdown_columns(side: str, latency_us: float, ops: Sequence[OpTime]) -> dict[str, Any]:
    """Milliseconds of each part, what of the latency is in none of them, and each op."""
    parts = {f"{side}_ms_{part}": time * MS for part, time in by_part(ops).items()}
    rest = latency_us * MS - sum(parts.values())
    listed = "; ".join(f"{op.name} {op.time_us * MS:.4g}" for op in ops)
    return {**parts, f"{side}_ms_rest": rest, f"{side}_ops_ms": listed}
