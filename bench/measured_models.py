"""Predicted against measured speedups of small models on this very CPU: the whole loop, three times.

Each round measures the ceilings and the kernels, fits them, times dense and pruned models, and compares.
One thread and its own processor time, so that what else runs on the machine counts little; `--wall` takes all
cores and the wall clock, for a machine that does nothing else. `--rounds N` for more or fewer rounds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

import pandas as pd

FAMILIES = "static-m,static-nk,static-k-lowrank,dynamic-m/execution=gather"
SIZES = {512: 8, 1024: 4}
"""Layers by hidden size: dense weights of more than 100 MB, which no cache holds."""

GOAL = 0.15
BELOW_FLOOR = 1.02
"""A measured time this far below its floor is no longer noise."""

CONTEXT = ["--context", "256"]


def main() -> None:
    """The rounds' figures as they come, then all together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wall", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    cpu = ["--device", "cpu"] if arguments.wall else ["--device", "cpu", "--threads", "1", "--clock", "cpu"]
    rounds = []
    for number in range(1, arguments.rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            rows = one_round(Path(folder), cpu)
        print(f"round {number}: {figures(rows)}", flush=True)
        rounds.append(rows)
    rows = pd.concat(rounds)
    print(f"{arguments.rounds} rounds on {rows['gpu'].iloc[0]}: {figures(rows)} (goal {GOAL:.0%})")
    by_plan = rows.assign(error=errors(rows)).groupby(["plan", "phase"])
    print(by_plan[["predicted", "measured", "error"]].median().round(3).to_string(), flush=True)


def one_round(folder: Path, cpu: list[str]) -> pd.DataFrame:
    """From nothing to a comparison of all sizes."""
    profile, log, fit = folder / "this-cpu.toml", folder / "kernels.jsonl", folder / "this-cpu.fit.json"
    infersim("measure", "machine", *cpu, "--out", profile, "--name", "this-cpu")
    infersim("measure", "kernels", *cpu, "--out", log, "--gpu", profile)
    infersim("calibrate", profile, log, "--out", fit)
    return pd.concat([compared(folder, profile, cpu, *size) for size in SIZES.items()])


def compared(folder: Path, profile: Path, cpu: list[str], hidden: int, layers: int) -> pd.DataFrame:
    """Measured and predicted speedups of one model, with what was measured beside them."""
    model, out = folder / f"hidden-{hidden}.json", folder / f"measured-{hidden}.csv"
    model.write_text(json.dumps(llama(hidden, layers)), encoding="utf-8")
    plans = ["--model", model, "--families", FAMILIES, "--sparsity", "0.5", "--batch", "1", *CONTEXT]
    infersim("measure", "model", *plans, *cpu, "--gpu", profile, "--out", out, "--seconds", "4")
    execution = ["--dtype", "fp32", "--no-cuda-graph"]
    printed = infersim("compare", *plans, *execution, "--gpu", profile, "--measured", out, "--csv")
    measured = pd.read_csv(out)[["plan", "phase", "batch", "context", "pruned_ms"]]
    joined = pd.read_csv(StringIO(printed)).merge(measured, on=["plan", "phase", "batch", "context"])
    if joined["measured"].isna().any():
        raise SystemExit(f"{joined['measured'].isna().sum()} speedups were not joined")
    return joined


def errors(rows: pd.DataFrame) -> pd.Series[float]:
    """How far each predicted speedup is off."""
    return (rows["predicted"] / rows["measured"] - 1).abs()


def figures(rows: pd.DataFrame) -> str:
    """The median and the largest error, and how many measured times are below their floors."""
    found = errors(rows)
    below = int((rows["pruned_ms"] * BELOW_FLOOR < rows["floor_ms"]).sum())
    latency = (rows["latency_ms"] / rows["pruned_ms"] - 1).abs().median()
    return (
        f"predicted speedups of {len(rows)} pruned models are {found.median():.1%} off measured ones "
        f"in the median, {found.max():.1%} at most, latencies {latency:.0%}; {below} measured times are "
        "below their floors"
    )


def llama(hidden: int, layers: int) -> dict[str, object]:
    """A small Llama: the FFN 2.75 times as wide as the hidden size, heads of 64 in groups of two."""
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": hidden,
        "intermediate_size": hidden * 11 // 4,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // 64,
        "num_key_value_heads": hidden // 128,
        "vocab_size": 4096,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
    }


def infersim(*arguments: object) -> str:
    """What `infersim ARGUMENTS` prints; where it fails, its errors too."""
    command = [sys.executable, "-c", "from infersim.cli.main import run; run()", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"infersim {' '.join(map(str, arguments))}:\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
