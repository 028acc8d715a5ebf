"""Columns of the frame of `serve`: lengths outside, concurrencies inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from infersim.cost.energy import power_law
from infersim.domain.arrays import Array
from infersim.domain.profile import Calibration
from infersim.simulation.serving.answers import Answer
from infersim.simulation.serving.fitting_in import missing_text
from infersim.simulation.speedups.columns import GIB, MS
from infersim.workload.formats import as_stored, dtype_name
from infersim.workload.ops.experts import narrows
from infersim.workload.ops.indexer import NOT_MEASURED
from infersim.workload.transformer import chooses_tokens

if TYPE_CHECKING:
    import pandas as pd

MILLION, HOUR_S = 1e6, 3600.0

Columns: TypeAlias = dict[str, Any]


def answer_frame(answer: Answer) -> pd.DataFrame:
    """The rows of an answer."""
    import pandas as pd

    shape = answer.steady.running.shape
    arrays = {
        name: np.broadcast_to(values, shape).ravel()
        for name, values in {
            **_load_columns(answer),
            **_time_columns(answer),
            **_rate_columns(answer),
            **_memory_columns(answer),
            **_energy_columns(answer),
        }.items()
    }
    law = power_law(answer.profile)
    said = {
        "energy_calibration": (Calibration.NONE if law is None else law.calibration).value,
        "runs": answer.support.answer,
        "notes": _notes(answer, shape[1]),
    }
    return pd.DataFrame({**_subject(answer), **arrays, **said})


def _subject(answer: Answer) -> Columns:
    transformer, execution = answer.plan.transformer, answer.service.execution
    return {
        "model": answer.plan.base.name,
        "plan": answer.plan.title,
        "engine": answer.service.engine.name,
        "gpu": answer.profile.name,
        "gpus": answer.service.gpus,
        "calibration": answer.profile.calibration.value,
        "kernels": answer.profile.kernels or "",
        "dtype": dtype_name(transformer, execution),
        "kv_dtype": as_stored(execution, transformer).cache_dtype.value,
    }


def _load_columns(answer: Answer) -> Columns:
    steady, lengths = answer.steady, answer.service.lengths
    return {
        "prompt": np.array([each.prompt for each in lengths])[:, np.newaxis],
        "output": np.array([each.output for each in lengths])[:, np.newaxis],
        "cached": np.array([each.cached for each in lengths])[:, np.newaxis],
        "concurrency": answer.load.concurrency.astype(np.int64),
        "running": steady.running,
        "fits_memory": ~np.isnan(steady.running),
        "max_concurrency": answer.most[:, np.newaxis],
        "max_sequences": np.array([[answer.service.engine.scheduler.max_sequences]]),
    }


def _time_columns(answer: Answer) -> Columns:
    steady = answer.steady
    ttft, tpot = steady.ttft_s * MS, steady.tpot_s * MS
    ttft_spread = np.exp(answer.service.engine.spread.ttft)
    tpot_spread = np.exp(steady.log_half_width)
    fits = ~np.isnan(steady.running)
    return {
        "ttft_ms": ttft,
        "ttft_lower_ms": ttft / ttft_spread,
        "ttft_upper_ms": ttft * ttft_spread,
        "tpot_ms": tpot,
        "tpot_lower_ms": tpot / tpot_spread,
        "tpot_upper_ms": tpot * tpot_spread,
        "queue_ms": steady.waiting_s * MS,
        "step_ms": np.where(fits, steady.step.seconds * MS, np.nan),
        "host_ms": np.where(fits, steady.step.host_s * MS, np.nan),
        "prefill_ms": steady.prefill_s * MS,
        "prefill_share": np.where(fits, steady.prefill_share, np.nan),
    }


def _rate_columns(answer: Answer) -> Columns:
    output = np.array([each.output for each in answer.service.lengths])[:, np.newaxis]
    rate: Array = answer.steady.requests_per_s * output
    service = answer.service
    price = None if service.price_per_hour is None else service.gpus * service.price_per_hour
    return {
        "tokens_per_s": rate,
        "tokens_per_s_per_gpu": rate / service.gpus,
        "requests_per_s": answer.steady.requests_per_s,
        "price_per_million": np.full_like(rate, np.nan) if price is None else price / HOUR_S / rate * MILLION,
    }


def _memory_columns(answer: Answer) -> Columns:
    memory = answer.memory
    used = memory.weights_bytes + memory.activations_bytes + memory.reserve_bytes
    cached = answer.steady.running * memory.cache_of(answer.load.context)
    return {
        "memory_gib": (used + cached) / GIB,
        "weights_gib": memory.weights_bytes / GIB,
        "activations_gib": memory.activations_bytes / GIB,
        "cache_gib": max(0.0, memory.cache_bytes) / GIB,
        "kv_blocks": memory.blocks,
    }


def _energy_columns(answer: Answer) -> Columns:
    """Joules of all boards for each token that is written, and each request, and mean watts."""
    steady, law = answer.steady, power_law(answer.profile)
    output = np.array([each.output for each in answer.service.lengths])[:, np.newaxis]
    token = steady.joules / output
    spread = np.exp(
        steady.log_half_width if law is None else np.hypot(steady.log_half_width, law.log_half_width)
    )
    return {
        "energy_j_per_token": token,
        "energy_lower_j_per_token": token / spread,
        "energy_upper_j_per_token": token * spread,
        "energy_j_per_request": steady.joules,
        "watts": steady.joules * steady.requests_per_s,
    }


STANDS_IN = "experts in mxfp4 with activations of 8 bit are timed as nvfp4: their own kernel was not measured"


def _notes(answer: Answer, concurrencies: int) -> list[str]:
    """One text a row."""
    service, transformer = answer.service, answer.plan.transformer
    notes: list[str] = []
    narrow = any(narrows(block.ffn, answer.served.execution) for block, _ in transformer.grouped_blocks())
    stands_in = [STANDS_IN] if narrow else []
    if chooses_tokens(transformer):
        stands_in.append(NOT_MEASURED)
    for row, lengths in enumerate(service.lengths):
        tokens = sum(lengths.longest())
        said = [*answer.support.notes, *stands_in]
        if answer.most[row] < 1:
            said.insert(0, missing_text(transformer, answer.profile, service, tokens))
        if tokens > transformer.max_position:
            said.append(f"context beyond the model's {transformer.max_position} positions")
        notes += ["; ".join(said)] * concurrencies
    return notes
