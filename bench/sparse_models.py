"""Speedups of whole models in 2:4 under vLLM: predicted against measured, by GPU and number format.

Reads SlideSparse's throughputs (github.com/bcacdwk/vllmbench @92a8ca4, vLLM 0.13, CUDA 12.9: dense by
cuBLASLt, 2:4 by cuSPARSELt 0.8.1) from a folder beside the checkout, and says so where there is none. Its
linear layers are three kernels, which quantise, multiply and scale back: the last, which serving engines
fuse, takes as long on both sides and is added here. Two tables of errors:

- **kernels**: what `compare` predicts, where the GPU is what is waited for;
- **service**: all rows, with the step that the host takes: a forward pass of the fewest tokens of the dense
  runs of a model, below which no step gets in prefill. Nothing of the sparse runs enters.

Left out: runs that failed, and those that ran out of cache, of which a token takes more than 1.5 times as
long as in the run of half the tokens.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from infersim import compare, load_model, prune
from infersim.cli.printing import print_for_people
from infersim.cost.kernels import kernel_cost
from infersim.domain.shapes import MemoryBound
from infersim.profile_files.profiles import load_profile
from infersim.pruning.plan import Plan
from infersim.report.core import rounding
from infersim.report.core.table import Column, Table, number_column, text_column
from infersim.workload.transformer import Transformer

MEASURED = Path(__file__).parents[2] / "shared" / "data" / "sparse_models" / "sparse_models.csv"
DENSE, SPARSE = "cublaslt", "cusparselt/2_4"
BITNET: Mapping[str, object] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 2560,
    "intermediate_size": 6912,
    "num_hidden_layers": 30,
    "num_attention_heads": 20,
    "num_key_value_heads": 5,
    "vocab_size": 128256,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": True,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-5,
}
"""microsoft/bitnet-b1.58-2B-4T as a Llama, which is how it was run."""

PRESETS = {"Llama3.2-1B": "llama-3.2-1b", "Llama3.2-3B": "llama-3.2-3b", "Qwen2.5-7B": "qwen2.5-7b"}
DECODE_STEPS = 256
PRODUCT_BYTES, RESULT_BYTES = 4, 2
"""Of a product before it is scaled back, 32 bit, and after."""

FUSED_MATRICES = 4
"""Of a block: q, k and v in one, o, gate and up in one, down."""

OUT_OF_CACHE, BUSY, GOAL = 1.5, 1.25, 0.08


def main(data: Annotated[Path, typer.Option(help="The table of throughputs.")] = MEASURED) -> None:
    """Score speedups of whole models against the measured ones."""
    if not data.is_file():
        print(f"sparse models: skipped, there are no measurements in {data}")
        return
    rows = predicted(measured_steps(pd.read_csv(data)))
    print_for_people(None, _speedup_table(rows), _error_table(rows))


def measured_steps(table: pd.DataFrame) -> pd.DataFrame:
    """Dense and 2:4 milliseconds of a step: rows of GPU, format, phase, model and tokens in flight."""
    done = table[(table["elapsed_time_s"] > 0) & table["backend"].isin([DENSE, SPARSE])]
    name, _, number_format = (done["model"].str.rpartition("-")[place] for place in range(3))
    prefill = done["phase"] == "prefill"
    steps = np.where(prefill, done["num_prompts"] / done["max_num_seqs"], DECODE_STEPS)
    said = done.assign(
        model=name,
        dtype=number_format.str.lower(),
        tokens=done["M_decode"].fillna(done["M_prefill"]).astype(int),
        step_ms=1e3 * done["elapsed_time_s"] / steps,
    )
    keys = ["gpu", "dtype", "phase", "model", "tokens", "prompt_len"]
    wide = said.pivot_table(index=keys, columns="backend", values="step_ms").dropna().reset_index()
    wide = wide[~_ran_out(wide, DENSE) & ~_ran_out(wide, SPARSE)]
    return wide.assign(measured=wide[DENSE] / wide[SPARSE]).reset_index(drop=True)


def _ran_out(rows: pd.DataFrame, backend: str) -> pd.Series[bool]:
    """Runs of which a token takes far longer than in the run of half the tokens."""
    each = rows[backend] / rows["tokens"]
    return (
        each > OUT_OF_CACHE * each.groupby([rows[key] for key in ("gpu", "dtype", "phase", "model")]).shift()
    )


def predicted(rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` with what is predicted: kernels alone, and with the host's step."""
    parts = []
    for (gpu, _, phase, name), part in rows.groupby(["gpu", "dtype", "phase", "model"]):
        model = _model(str(name))
        plan = prune(model, "static-k-2:4", 0.5)
        scaling_ms = np.array([_scaling_ms(model, str(gpu), tokens) for tokens in part["tokens"]])
        found = pd.concat([_compared(model, plan, row) for row in part.to_dict("records")])
        dense_ms, plan_ms = (found[side].to_numpy() + scaling_ms for side in ("dense_ms", "latency_ms"))
        # One host serves all steps: its own is the shortest of the dense runs.
        host_ms = float(part[DENSE].min()) if phase == "prefill" else 0.0
        parts.append(
            part.assign(
                kernels=dense_ms / plan_ms,
                service=np.maximum(dense_ms, host_ms) / np.maximum(plan_ms, host_ms),
                busy=part[DENSE] > BUSY * host_ms,
            )
        )
    return pd.concat(parts, ignore_index=True)


def _compared(model: Transformer, plan: Plan, row: Mapping[Any, Any]) -> pd.DataFrame:
    prefill = row["phase"] == "prefill"
    prompt, tokens = int(row["prompt_len"]), int(row["tokens"])
    return compare(
        model,
        [plan],
        str(row["gpu"]),
        phase=str(row["phase"]),
        batch=tokens // prompt if prefill else tokens,
        context=prompt if prefill else prompt + DECODE_STEPS // 2,
        dtype=str(row["dtype"]),
    )


def _scaling_ms(model: Transformer, gpu: str, tokens: int) -> float:
    """Milliseconds in which all products of the blocks are scaled back, by a kernel for each fused matrix."""
    profile, total_s = load_profile(gpu), 0.0
    for block, blocks in model.grouped_blocks():
        values = tokens * sum(linear.out_features for linear in block.linears)
        shape = MemoryBound(
            read_bytes=values * PRODUCT_BYTES, write_bytes=values * RESULT_BYTES, kernels=FUSED_MATRICES
        )
        cost = kernel_cost(shape, profile)
        total_s += blocks * float(cost.kernel_s + cost.launch_s)
    return total_s * 1e3


def _model(name: str) -> Transformer:
    if name in PRESETS:
        return load_model(PRESETS[name])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        file.write_text(json.dumps(BITNET), encoding="utf-8")
        return load_model(file)


def _errors(rows: pd.DataFrame) -> Iterator[Mapping[str, object]]:
    for (gpu, dtype), part in rows.groupby(["gpu", "dtype"]):
        busy = part[part["busy"]]
        yield {
            "gpu": gpu,
            "dtype": dtype,
            "rows": len(part),
            "service": _mean_error(part, "service"),
            "prefill": _mean_error(part[part["phase"] == "prefill"], "service"),
            "decode": _mean_error(part[part["phase"] == "decode"], "service"),
            "busy": len(busy),
            "kernels": _mean_error(busy, "kernels"),
            "bias": float(np.exp(np.log(part["service"] / part["measured"]).mean()) - 1),
        }


def _mean_error(rows: pd.DataFrame, column: str) -> float:
    return float((rows[column] / rows["measured"] - 1).abs().mean())


def _error_table(rows: pd.DataFrame) -> Table:
    frame = pd.DataFrame(list(_errors(rows)))
    columns: list[Column] = [text_column("GPU", "gpu"), text_column("format", "dtype")]
    columns += [
        number_column("rows", "rows", rounding.count),
        number_column("service\nmean", "service", _percent),
        number_column("prefill", "prefill", _percent),
        number_column("decode", "decode", _percent),
        number_column("bias", "bias", _percent),
        number_column("busy\nrows", "busy", rounding.count),
        number_column("kernels\nmean", "kernels", _percent),
    ]
    worst = float(frame["service"].max())
    verdict = "reached" if worst <= GOAL else "MISSED"
    return Table(
        title=f"Errors of speedups of models in 2:4 (goal {GOAL:.0%} for each, worst {worst:.1%}: {verdict})",
        frame=frame,
        columns=tuple(columns),
    )


def _speedup_table(rows: pd.DataFrame) -> Table:
    """Means of measured and predicted speedups by GPU, format, phase and tokens."""
    keys = ["gpu", "dtype", "phase", "tokens"]
    frame = rows.groupby(keys)[["measured", "service", "kernels"]].mean().reset_index()
    columns: list[Column] = [
        text_column(title, key) for title, key in (("GPU", "gpu"), ("format", "dtype"), ("phase", "phase"))
    ]
    columns.append(number_column("tokens", "tokens", rounding.count))
    columns += [number_column(name, name, _times) for name in ("measured", "service", "kernels")]
    return Table(title="Speedups of models in 2:4, means over models", frame=frame, columns=tuple(columns))


def _times(value: float) -> str:
    return f"{value:.2f}x"


def _percent(value: float) -> str:
    return rounding.UNKNOWN if pd.isna(value) else f"{100 * value:.1f} %"


if __name__ == "__main__":
    typer.run(main)
