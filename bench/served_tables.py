"""Served models that others measured, each row beside what is predicted of it.

One frame of rows: `source group quantity measured predicted lower upper other` (`other`: another predictor's
figure, where the table has one). Nothing of it is written; only means leave. Services are cases: answers that
`bench/served_fit.py` asks again with other constants of engines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import infersim as sim
from accuracy import MEASURED
from infersim.domain.arrays import Array
from infersim.engines.engine import Engine
from infersim.engines.reading import load_engine
from infersim.pruning.plan import Plan
from infersim.simulation.serving.answers import Answer, answered
from infersim.simulation.serving.closed_form import Steady
from infersim.simulation.serving.service import Service
from infersim.simulation.speedups.resolving import as_plan
from infersim.workload.transformer import Transformer
from served_models import PRESETS, format_of, model_of

SERVICES, WHOLE = MEASURED / "serving" / "serving.csv", MEASURED / "whole_models"
SPARSE = MEASURED / "sparse_models" / "sparse_models.csv"

SMALL = {"qwen2.5-0.5b": 312.0, "qwen2.5-1.5b": 183.0, "qwen2.5-7b": 84.0, "qwen2.5-14b": 46.0}
"""Tokens per second of one request on an A100 under vLLM, as Qwen's own page of speeds states them."""

WAVE = 256
"""Requests that ran at once in `sparse_models`, whatever was asked for: twice as many took twice as long."""

QUEUED = {"gpt-oss-120b": 512}
"""Concurrency at which a model's first tokens took 20 to 460 s: by Little's law about 100 requests ran at
once, by a limit that the table does not state, some faster than weights are read. They are told apart."""

CACHED_PROMPT = 4000
"""Services that were asked with prompts of this length read them faster than the GPU multiplies: the prompts
were cached. They are told apart."""

COLUMNS = ("source", "group", "quantity", "measured", "predicted", "lower", "upper", "other")

Record = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """A service with several concurrencies, and its rows of a steady state of it."""

    answer: Answer
    rows: Callable[[Steady], list[Record]]


def served_rows() -> pd.DataFrame:
    """All rows that are there."""
    found = [*rows_of(cases()), *whole_models()]
    return pd.DataFrame([*found, *speedups(found)], columns=list(COLUMNS))


def rows_of(several: list[Case]) -> list[Record]:
    """Of cases as they were answered."""
    return [row for case in several for row in case.rows(case.answer.steady)]


def cases() -> list[Case]:
    """All services."""
    return [*services(), *sparse_models(), *small_models()]


def services() -> Iterator[Case]:
    """TTFT and TPOT of models on GPUs that share each layer, or whole experts."""
    table = pd.read_csv(SERVICES)
    apart = table["pp_size"] * table["attention_dp_size"].fillna(1)
    table = table[(apart == 1) & (table["mode"] == "agg") & table["model_path"].isin(PRESETS)]
    experts = table["moe_ep_size"].fillna(1).clip(lower=1)
    table = table[experts.isin([1]) | (experts == table["tp_size"])]
    keys = ["gpu", "backend", "model_path", "gemm_quant_mode", "isl", "osl", "tp_size", "moe_ep_size"]
    for _, rows in table.groupby(keys, dropna=False):
        yield _service(rows)


def _service(rows: pd.DataFrame) -> Case:
    """Of rows that differ in the concurrency alone."""
    first = rows.iloc[0]
    name, prompt, gpus = PRESETS[first["model_path"]], int(first["isl"]), int(first["tp_size"])
    whole, dtype = bool(first["moe_ep_size"] > 1), format_of(name, str(first["gemm_quant_mode"]))
    answer = _answer(
        model_of(name),
        first["gpu"],
        prompt=prompt,
        output=int(first["osl"]),
        concurrency=rows["batch_size"].astype(int).tolist(),
        engine=first["backend"],
        dtype=dtype,
        gpus=gpus,
        expert_parallel=whole,
    )
    said = f"{first['gpu']}, {answer.service.engine.name}, {name}, {dtype or 'as stored'}"
    said += f", {gpus} GPUs" if gpus > 1 else ""
    said += ", whole experts" if whole else ""
    said += ", prompts cached" if prompt == CACHED_PROMPT else ""
    queued = rows["batch_size"].to_numpy() >= QUEUED.get(name, np.inf)
    groups = [f"{said}, queued" if waits else said for waits in queued]

    def records(steady: Steady) -> list[Record]:
        spreads = np.exp(steady.log_half_width[0]), np.exp(answer.service.engine.spread.ttft)
        return [
            _record("services", *of)
            for quantity, predicted, spread in zip(
                ("TPOT", "TTFT"), (steady.tpot_s[0] * 1e3, steady.ttft_s[0] * 1e3), spreads, strict=True
            )
            for of in zip(
                groups,
                [quantity] * len(groups),
                rows[f"silicon_{quantity.lower()}_ms"],
                predicted,
                predicted / spread,
                predicted * spread,
                strict=True,
            )
        ]

    return Case(answer=answer, rows=records)


def _answer(model: Transformer | Plan, gpu: str, **options: Any) -> Answer:
    return answered(as_plan(model), sim.load_profile(gpu), Service.of(**options))


def whole_models() -> Iterator[Record]:
    """Prefill of a batch and a decode step under vLLM, on one GPU."""
    table = pd.read_csv(WHOLE / "whole_models.csv")
    table = table[(table["TP"] == 1) & table["Model"].isin(PRESETS)]
    # Batches are given whole, without a server: vLLM then reads 8,192 tokens a step on smaller GPUs too. On
    # others it may read 16,384, which moves these prefills by 0.1 %.
    offline = load_engine("vllm").model_copy(update={"smaller_gpus": None})
    for row in table.to_dict("records"):
        requests = pd.read_csv(WHOLE / f"workload_{row['Workload']}.csv")
        read = requests["num_prefill_tokens"].to_numpy(dtype=float)
        seen = (read + requests["num_decode_tokens"].to_numpy()).mean()
        model = model_of(PRESETS[str(row["Model"])])
        service = Service.of(prompt=1, output=2, concurrency=1, engine=offline)
        plan = Plan(base=model, transformer=model)
        served = answered(plan, sim.load_profile(str(row["gpu"])), service).served
        step = served.decode(np.array([float(len(read))]), np.array([seen]))
        prompts = served.prefill(read, _read_together(read, service.engine))
        for name, seconds, width in (
            ("prefill", prompts.seconds.sum(), prompts.log_half_width.mean()),
            ("decode", step.seconds[0], step.log_half_width[0]),
        ):
            spread = np.exp(np.hypot(width, service.engine.spread.tpot))
            value, other = row[f"real_{name}_ms"], row[f"pred_{name}_ms"]
            of = f"{row['gpu']}, vllm, {PRESETS[str(row['Model'])]}, bf16"
            ms = float(seconds) * 1e3
            yield _record("whole models", of, name, value, ms, ms / spread, ms * spread, other)


def _read_together(read: Array, engine: Engine) -> Array:
    """Prompts of such a length that fill the engine's budget of a step; no more than there are."""
    fitting = engine.scheduler.batched_tokens / read
    return np.clip(fitting, 1.0, len(read))


def sparse_models() -> Iterator[Case]:
    """Tokens per second of generating, dense and 2:4."""
    table = pd.read_csv(SPARSE)
    table = table[(table["phase"] == "decode") & table["backend"].isin(["cublaslt", "cusparselt/2_4"])]
    table = table[table["model"].str.rsplit("-", n=1).str[0].isin(PRESETS) & (table["elapsed_time_s"] > 0)]
    for (gpu, name, backend), rows in table.groupby(["gpu", "model", "backend"]):
        base, dtype = str(name).rsplit("-", 1)
        model: Transformer | Plan = model_of(PRESETS[base])
        if backend != "cublaslt":
            model = sim.prune(model, "static-k-2:4")
        answer = _answer(
            model,
            str(gpu),
            prompt=int(rows["prompt_len"].iloc[0]),
            output=int(rows["output_len"].iloc[0]),
            concurrency=rows["M_decode"].clip(upper=WAVE).astype(int).tolist(),
            engine="vllm",
            dtype=dtype.lower(),
            kv_dtype="bf16",
        )
        quantity = f"tokens/s, {'dense' if backend == 'cublaslt' else '2:4'}"
        group = f"{gpu}, vllm, {PRESETS[base]}, {dtype.lower()}"
        measured = dict(zip(rows["M_decode"], rows["tokens_per_s"].astype(float), strict=True))
        yield _rates(answer, "2:4", group, quantity, measured, read=True)


def speedups(rows: list[Record]) -> Iterator[Record]:
    """What 2:4 gains at each load."""
    rates: dict[tuple[object, object], dict[object, tuple[float, float]]] = {}
    for row in rows:
        if row["source"] == "2:4":
            pair = float(str(row["measured"])), float(str(row["predicted"]))
            rates.setdefault((row["group"], row["load"]), {})[row["quantity"]] = pair
    for (group, _), kinds in rates.items():
        if len(kinds) == 2:
            dense, sparse = kinds["tokens/s, dense"], kinds["tokens/s, 2:4"]
            yield _record("2:4", str(group), "speedup of 2:4", sparse[0] / dense[0], sparse[1] / dense[1])


def small_models() -> Iterator[Case]:
    """One request at a time."""
    for name, rate in SMALL.items():
        answer = _answer(model_of(name), "a100-sxm-80gb", prompt=1, output=2048, concurrency=1, engine="vllm")
        group = f"a100-sxm-80gb, vllm, {name}, bf16"
        yield _rates(answer, "one request", group, "tokens/s", {1: rate})


def _rates(
    answer: Answer, source: str, group: str, quantity: str, measured: dict[Any, float], *, read: bool = False
) -> Case:
    """Tokens written, or `read` and written, a second, at each load."""
    lengths = answer.service.lengths[0]
    tokens = lengths.output + (lengths.prompt if read else 0)

    def records(steady: Steady) -> list[Record]:
        rates, spreads = steady.requests_per_s[0] * tokens, np.exp(steady.log_half_width[0])
        return [
            _record(source, group, quantity, value, rate, rate / spread, rate * spread) | {"load": load}
            for (load, value), rate, spread in zip(measured.items(), rates, spreads, strict=True)
        ]

    return Case(answer=answer, rows=records)


def _record(
    source: str,
    group: str,
    quantity: str,
    measured: float,
    predicted: float,
    lower: float = float("nan"),
    upper: float = float("nan"),
    other: float = float("nan"),
) -> Record:
    values = (source, group, quantity, measured, predicted, lower, upper, other)
    return dict(zip(COLUMNS, values, strict=True))
