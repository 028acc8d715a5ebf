"""Served models that others measured, each row beside what is predicted of it.

One frame of rows: `source group quantity measured predicted lower upper other` (`other`: another predictor's
figure, where the table has one). Nothing of it is written; only means leave.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import infersim as sim
from accuracy import MEASURED
from infersim.domain.arrays import Array
from infersim.engines.engine import Engine
from infersim.engines.reading import load_engine
from infersim.pruning.plan import Plan
from infersim.simulation.serving.answers import answered
from infersim.simulation.serving.service import Service
from infersim.workload.transformer import Transformer

SERVICES, WHOLE = MEASURED / "serving" / "serving.csv", MEASURED / "whole_models"
SPARSE = MEASURED / "sparse_models" / "sparse_models.csv"

PRESETS = {
    "Qwen/Qwen3-32B": "qwen3-32b",
    "meta-llama/Llama-3.1-8B-Instruct": "llama-3.1-8b",
    "meta-llama/Llama-3.1-70B": "llama-3.1-70b",
    "MiniMaxAI/MiniMax-M2.5": "minimax-m2.5",
    "Qwen/Qwen3-235B-A22B-FP8": "qwen3-235b-a22b",
    "openai/gpt-oss-120b": "gpt-oss-120b",
    "moonshotai/Kimi-K2.5": "kimi-k2",
    "Llama3.2-1B": "llama-3.2-1b",
    "Llama3.2-3B": "llama-3.2-3b",
    "Qwen2.5-7B": "qwen2.5-7b",
    "Qwen2.5-14B": "qwen2.5-14b",
}
FORMATS = {"fp8": "fp8", "nvfp4": "nvfp4", "fp8_block": "fp8_block", "int4_wo": "w4a16"}
"""`gemm_quant_mode` -> dtype; empty: 16 bit."""

OWN_FORMATS = {"gpt-oss-120b": None, "qwen3-235b-a22b": "fp8_block"}
BLOCKS_OF_8_BIT = ("minimax-m2.5",)
"""What checkpoints state, whatever the table calls it; models whose fp8 is that of blocks."""

SMALL = {"qwen2.5-0.5b": 312.0, "qwen2.5-1.5b": 183.0, "qwen2.5-7b": 84.0, "qwen2.5-14b": 46.0}
"""Tokens per second of one request on an A100 under vLLM, as Qwen's own page of speeds states them."""

QWEN_SIZES = {
    "qwen2.5-0.5b": (896, 4864, 24, 14, 2),
    "qwen2.5-1.5b": (1536, 8960, 28, 12, 2),
}
"""Hidden size, FFN width, layers, heads, KV heads."""

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


def served_rows(engines: dict[str, Engine] | None = None) -> pd.DataFrame:
    """All rows that are there; `engines` stand for the shipped ones, by name."""
    of = engines or {}
    rows = [*services(of), *whole_models(of), *sparse_models(of), *small_models(of)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def services(engines: dict[str, Engine]) -> Iterator[Record]:
    """TTFT and TPOT of models on GPUs that share each layer, or whole experts."""
    table = pd.read_csv(SERVICES)
    apart = table["pp_size"] * table["attention_dp_size"].fillna(1)
    table = table[(apart == 1) & (table["mode"] == "agg") & table["model_path"].isin(PRESETS)]
    experts = table["moe_ep_size"].fillna(1).clip(lower=1)
    table = table[experts.isin([1]) | (experts == table["tp_size"])]
    keys = ["gpu", "backend", "model_path", "gemm_quant_mode", "isl", "osl", "tp_size", "moe_ep_size"]
    for _, rows in table.groupby(keys, dropna=False):
        gpu, backend, model, mode = (str(rows[key].iloc[0]) for key in keys[:4])
        prompt, output, gpus = (int(rows[key].iloc[0]) for key in keys[4:7])
        whole = float(rows["moe_ep_size"].iloc[0]) > 1
        engine, dtype = _engine(backend, engines), _format(PRESETS[model], mode)
        found = sim.serve(
            _model(PRESETS[model]),
            gpu,
            prompt=prompt,
            output=output,
            concurrency=rows["batch_size"].astype(int).tolist(),
            engine=engine,
            dtype=dtype,
            gpus=gpus,
            expert_parallel=whole,
        )
        queues = rows["batch_size"].to_numpy() >= QUEUED.get(PRESETS[model], np.inf)
        cached = ", prompts cached" if prompt == CACHED_PROMPT else ""
        shared = f", {gpus} GPUs" if gpus > 1 else ""
        shared += ", whole experts" if whole else ""
        group = f"{gpu}, {engine.name}, {PRESETS[model]}, {dtype or 'as stored'}{shared}{cached}"
        for name in ("tpot", "ttft"):
            measured = rows[f"silicon_{name}_ms"].to_numpy()
            shown = found[[f"{name}_ms", f"{name}_lower_ms", f"{name}_upper_ms"]].to_numpy()
            for value, (predicted, lower, upper), queued in zip(measured, shown, queues, strict=True):
                of = f"{group}, queued" if queued else group
                yield _record("services", of, name.upper(), value, predicted, lower, upper)


def whole_models(engines: dict[str, Engine]) -> Iterator[Record]:
    """Prefill of a batch and a decode step under vLLM, on one GPU."""
    table = pd.read_csv(WHOLE / "whole_models.csv")
    table = table[(table["TP"] == 1) & table["Model"].isin(PRESETS)]
    for row in table.to_dict("records"):
        requests = pd.read_csv(WHOLE / f"workload_{row['Workload']}.csv")
        read = requests["num_prefill_tokens"].to_numpy(dtype=float)
        seen = (read + requests["num_decode_tokens"].to_numpy()).mean()
        model = _model(PRESETS[str(row["Model"])])
        service = Service.of(prompt=1, output=2, concurrency=1, engine=_engine("vllm", engines))
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


def _format(model: str, mode: str) -> str | None:
    """The dtype of a row; None where the model's file states it."""
    if model in OWN_FORMATS:
        return OWN_FORMATS[model]
    dtype = FORMATS.get(mode, "bf16")
    return "fp8_block" if dtype == "fp8" and model in BLOCKS_OF_8_BIT else dtype


def _read_together(read: Array, engine: Engine) -> Array:
    """Prompts of such a length that fill the engine's budget of a step; no more than there are."""
    fitting = engine.scheduler.batched_tokens / read
    return np.clip(fitting, 1.0, len(read))


def sparse_models(engines: dict[str, Engine]) -> Iterator[Record]:
    """Tokens per second of generating, dense and 2:4, and what 2:4 gains."""
    table = pd.read_csv(SPARSE)
    table = table[(table["phase"] == "decode") & table["backend"].isin(["cublaslt", "cusparselt/2_4"])]
    table = table[table["model"].str.rsplit("-", n=1).str[0].isin(PRESETS) & (table["elapsed_time_s"] > 0)]
    rates: dict[tuple[str, str, int], dict[str, tuple[float, float]]] = {}
    for key, rows in table.groupby(["gpu", "model", "backend"]):
        gpu, name, backend = map(str, key)
        base, dtype = name.rsplit("-", 1)
        model: Transformer | Plan = _model(PRESETS[base])
        if backend != "cublaslt":
            model = sim.prune(model, "static-k-2:4")
        found = sim.serve(
            model,
            gpu,
            prompt=int(rows["prompt_len"].iloc[0]),
            output=int(rows["output_len"].iloc[0]),
            concurrency=rows["M_decode"].clip(upper=WAVE).astype(int).tolist(),
            engine=_engine("vllm", engines),
            dtype=dtype.lower(),
            kv_dtype="bf16",
        )
        whole = (found["prompt"] + found["output"]) / found["output"]
        group = f"{gpu}, vllm, {PRESETS[base]}, {dtype.lower()}"
        for row, rate, spread in zip(
            rows.to_dict("records"),
            (found["tokens_per_s"] * whole).tolist(),
            (found["tpot_upper_ms"] / found["tpot_ms"]).tolist(),
            strict=True,
        ):
            value = float(row["tokens_per_s"])
            kind = "dense" if backend == "cublaslt" else "2:4"
            yield _record("2:4", group, f"tokens/s, {kind}", value, rate, rate / spread, rate * spread)
            place = (group, str(row["M_decode"]), int(row["prompt_len"]))
            rates.setdefault(place, {})[kind] = (value, rate)
    for (group, *_), pair in rates.items():
        if len(pair) == 2:
            measured, predicted = (pair["2:4"][i] / pair["dense"][i] for i in (0, 1))
            yield _record("2:4", group, "speedup of 2:4", measured, predicted)


def small_models(engines: dict[str, Engine]) -> Iterator[Record]:
    """One request at a time."""
    for name, rate in SMALL.items():
        found = sim.serve(
            _model(name),
            "a100-sxm-80gb",
            prompt=1,
            output=2048,
            concurrency=1,
            engine=_engine("vllm", engines),
        ).iloc[0]
        spread = found["tpot_upper_ms"] / found["tpot_ms"]
        predicted = found["tokens_per_s"]
        group = f"a100-sxm-80gb, vllm, {name}, bf16"
        yield _record(
            "one request", group, "tokens/s", rate, predicted, predicted / spread, predicted * spread
        )


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


def _engine(name: str, engines: dict[str, Engine]) -> Engine:
    found = load_engine(name)
    return engines.get(found.name, found)


_MODELS: dict[str, Transformer] = {}


def _model(name: str) -> Transformer:
    if name not in _MODELS:
        _MODELS[name] = sim.load_model(name if name not in QWEN_SIZES else _config(name))
    return _MODELS[name]


def _config(name: str) -> Path:
    """The configuration of a Qwen 2.5 model that has no preset, as a file."""
    import json
    from tempfile import mkdtemp

    hidden, width, layers, heads, kv_heads = QWEN_SIZES[name]
    keys = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "vocab_size": 151936,
        "max_position_embeddings": 32768,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": True,
        "hidden_size": hidden,
        "intermediate_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
    }
    file = Path(mkdtemp()) / f"{name}.json"
    file.write_text(json.dumps(keys), encoding="utf-8")
    return file
