"""One row of a plan measured: the columns of its sample, or why there is none."""

from __future__ import annotations

import gc
from typing import Any

import torch

from infersim.cost.kernels import kernel_kind
from infersim.domain.errors import InfersimError
from infersim.fitting.sample_schema import MEASURED
from infersim.fitting.sample_shapes import kernel_shapes
from infersim.measuring.device import DeviceLostError, is_lost
from infersim.measuring.kernels.bench import Bench, Row
from infersim.measuring.kernels.preparing import prepare
from infersim.measuring.telemetry import Telemetry
from infersim.measuring.timing import Timing, not_captured, time_calls

OUT_OF_MEMORY, UNSUPPORTED, FAILED = "out of memory", "unsupported", "failed"
"""How the `status` of a row without a latency begins."""

MOST_TRIES = 3
"""A throttled sample is measured so often before it is kept and marked."""

USABLE_SHARE = 0.8
"""Of the free memory; libraries and graphs need the rest."""


def measure_kernel(row: Row, bench: Bench, telemetry: Telemetry) -> dict[str, Any]:
    """The columns that measuring adds to `row`: latency, spread, raw repeats, telemetry, and the status.

    A row that does not fit or that there is no kernel for has a status and no latency. Raises DeviceLostError
    where the device cannot go on.
    """
    measured = _tried(row, bench, telemetry)
    if measured["status"] == OUT_OF_MEMORY and bench.data.holds_buffers:
        # What earlier rows left may have been in the way.
        _clear(bench)
        measured = _tried(row, bench, telemetry)
    if measured["status"] != MEASURED:
        _clear(bench)
    return measured


def check_memory(row: Row, bench: Bench) -> None:
    """Raise MemoryError for operands that cannot fit: a CPU's system would kill the process for them."""
    if _operand_bytes(row) > USABLE_SHARE * bench.device.free_bytes():
        raise MemoryError


def _tried(row: Row, bench: Bench, telemetry: Telemetry) -> dict[str, Any]:
    """The columns, or a status alone. No error is alive any more when it returns, nor what it refers to."""
    try:
        check_memory(row, bench)
        return {**_measured(row, bench, telemetry), "status": MEASURED}
    except (torch.OutOfMemoryError, MemoryError):
        return {"status": OUT_OF_MEMORY}
    except (InfersimError, NotImplementedError) as error:
        return {"status": f"{UNSUPPORTED}: {_first_line(error)}"}
    except RuntimeError as error:
        text = _first_line(error)
        if "allocate memory" in text:
            return {"status": OUT_OF_MEMORY}
        if is_lost(bench.device):
            raise DeviceLostError(text) from error
        return {"status": f"{FAILED}: {text}"}


def _measured(row: Row, bench: Bench, telemetry: Telemetry) -> dict[str, Any]:
    prepared = prepare(row, bench)
    device = bench.device
    for tries in range(1, MOST_TRIES + 1):
        timing = time_calls(
            device.stopwatch,
            prepared.calls,
            budget=device.budget,
            capture=device.capture if prepared.captured else not_captured,
            whole_rounds=bench.is_cuda,
        )
        # Clocks take milliseconds to fall: what is read now held while the last repeat ran.
        reading = telemetry.read()
        if not reading.throttled or tries == MOST_TRIES or not bench.cooling.pause():
            break
    measured = {
        **_timed(timing),
        **reading.columns(),
        "rotating_buffers": prepared.rotating_buffers,
        "weight_copies": prepared.weight_copies,
        "includes_act_quant": prepared.includes_act_quant,
        "implementation": prepared.implementation,
        "tries": tries,
    }
    return {name: value for name, value in measured.items() if value is not None}


def _timed(timing: Timing) -> dict[str, Any]:
    return {
        "latency_us": timing.latency_us,
        "median_us": timing.median_us,
        "spread_us": timing.spread_us,
        "settled": timing.settled,
        "calls_per_repeat": timing.calls_per_repeat,
        "raw_us": [round(value, 4) for value in timing.raw_us],
    }


def _clear(bench: Bench) -> None:
    """Give back all memory that is kept for later."""
    bench.data.forget()
    gc.collect()
    bench.device.release()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _operand_bytes(row: Row) -> float:
    import pandas as pd

    shapes = [shape for _, shape in kernel_shapes(pd.DataFrame([row]))]
    return float(kernel_kind(shapes[0]).operand_bytes(shapes[0]).sum()) if shapes else 0.0
