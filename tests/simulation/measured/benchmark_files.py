"""Result files in the shape of PruningInferSim's, written as its own program writes them: by pandas."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

COLUMNS = [
    "Batch Size",
    "Seq Len",
    "Sparsity",
    "Throughput (token/s)",
    "Max Throughput (token/s)",
    "Min Throughput (token/s)",
]


def block(
    rows: Iterable[tuple[int, int, float, float]],
    *,
    config: str = "wrapper/static/static_m.yaml",
    metric: str = "ttft",
    model: str = "llama3.1-8b",
) -> str:
    """One run: rows of batch, sequence length, sparsity and tokens per second."""
    lines = [
        [batch, length, f"{sparsity:.2f}", rate, rate * 1.02, rate * 0.98]
        for batch, length, sparsity, rate in rows
    ]
    frame = pd.DataFrame(lines, columns=COLUMNS)
    return f"[INFO] Model: {model}, Config: {config}, {metric} results:\n{frame.to_string()}\n"


def results(folder: Path, *blocks: str, name: str = "ttft_1_1024_static_x_y_0.5_True.txt") -> Path:
    """A result folder with one file of several runs."""
    path = folder / "metric_results"
    path.mkdir(exist_ok=True)
    (path / name).write_text("".join(blocks), encoding="utf-8")
    return path
