"""Rebuild the shipped fits from the kernel tables that NVIDIA publishes in aiconfigurator.

    python calibration/fit_published_tables.py FOLDER [PROFILE ...] [--kernels SET] [--processes 2]

FOLDER holds `gemm`, `gemm_formats`, `engine_gemm`, `attention` and `engine_attention`, each with a table for
each GPU (see `TABLES`), and the small kernels of `small_kernel_tables`. The kernels of every engine are
fitted apart and stand in one file. What is done is kept in the work folder, one file for each GPU and engine,
and taken from there when the command is given again: remove a file to fit it anew. The rows themselves are
not part of this project; `hw_profiles/SOURCES.md` names their source and licence.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

import infersim
from collective_tables import collective_samples
from infersim.domain.fit import Fit
from infersim.profile_files import read_fit, write_fit
from infersim.profile_files.profiles import datasheet_alone
from small_kernel_tables import small_kernel_samples

PROFILES = Path(__file__).parent.parent / "hw_profiles"
FILES = {
    "a100-sxm-80gb": "a100_sxm",
    "l40s": "l40s",
    "h100-sxm": "h100_sxm",
    "b200-sxm": "b200_sxm",
    "rtx-pro-6000-server": "rtx_pro_6000_server",
}
"""GPUs of the tables, and their files' names where those are not the profile's."""

SOURCE = (
    "NVIDIA ai-dynamo/aiconfigurator @095f58a, aic-core/src/aiconfigurator_core/systems/data (Apache-2.0)"
)
DEFAULT = {gpu: "sglang" if gpu == "a100-sxm-80gb" else "vllm" for gpu in FILES}
"""The kernel set that is used where nobody chooses one: that of `gemm` and `attention`."""

WEIGHT_COPIES = {"vllm": 6, "sglang": 6, "tensorrt-llm": 5}
"""Weights that the collectors of the tables rotate over (`WEIGHT_COPIES` of the importer)."""

# TensorRT-LLM's fp8 has static scales: its two tables of it agree within 1 % (L40S).
QUANTISES = ("fp8", "fp8_static", "fp8_block", "nvfp4")
"""Formats whose timings include quantising the activations; int8's are of its GEMM plugin alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Rows of one table: those whose engine's name starts with `engine`, of some formats or all."""

    table: str
    version: str
    engine: str | None = None
    formats: tuple[str, ...] | None = None
    gpus: tuple[str, ...] = tuple(FILES)


TABLES: Mapping[str, tuple[Part, ...]] = {
    "vllm": (
        Part(table="gemm", version="vLLM 0.24.0", gpus=tuple(FILES)[1:]),
        Part(table="gemm_formats", version="vLLM 0.24.0", engine="vllm"),
        Part(table="attention", version="vLLM 0.24.0", gpus=tuple(FILES)[1:]),
    ),
    "sglang": (
        Part(table="gemm", version="SGLang 0.5.10", gpus=("a100-sxm-80gb",)),
        Part(table="attention", version="SGLang 0.5.10", gpus=("a100-sxm-80gb",)),
        Part(table="engine_gemm", version="SGLang 0.5.14", engine="sglang"),
        Part(table="engine_attention", version="SGLang 0.5.14", engine="sglang"),
    ),
    "tensorrt-llm": (
        Part(table="engine_gemm", version="TensorRT-LLM 1.3.0rc20", engine="trtllm"),
        Part(table="engine_attention", version="TensorRT-LLM 1.3.0rc20", engine="trtllm"),
        Part(
            table="gemm_formats",
            version="TensorRT-LLM 1.0.0 (w4a16, w8a16, int8), 1.2.0rc5, 1.3.0rc15 (fp8_static), 1.3.0rc20",
            engine="trtllm",
            formats=("w4a16", "w8a16", "int8", "fp8_static", "fp8_block"),
        ),
        Part(
            table="gemm_formats",
            version="TensorRT-LLM 1.0.0",
            engine="trtllm",
            formats=("bf16",),
            gpus=("a100-sxm-80gb",),
        ),
    ),
    "torch-2.1": (),
}
"""What each engine's kernels are fitted on; no kind of kernel has rows of two versions."""


def published_samples(folder: Path, gpu: str, kernels: str) -> pd.DataFrame:
    """All published rows of one GPU and engine in the samples format; empty where there are none."""
    frames = [
        rows for part in TABLES[kernels] if gpu in part.gpus for rows in _rows(folder, gpu, kernels, part)
    ]
    further = (small_kernel_samples(folder, gpu, kernels), collective_samples(folder, gpu, kernels))
    frames += [rows for rows in further if len(rows)]
    return pd.concat(frames, ignore_index=True).assign(gpu=gpu) if frames else pd.DataFrame()


def _rows(folder: Path, gpu: str, kernels: str, part: Part) -> Iterator[pd.DataFrame]:
    """The rows of a part, none where the GPU has no such table."""
    found = [
        path for name in (gpu, FILES[gpu]) if (path := folder / part.table / f"{name}.parquet").is_file()
    ]
    if not found:
        return
    table = pd.read_parquet(found[0])
    names = table.get("engine", table.get("framework"))
    if part.engine is not None and names is not None:
        table = table[names.str.startswith(part.engine)]
    if "format" in table:
        table = table.rename(columns={"format": "dtype"})
    if part.formats is not None:
        table = table[table["dtype"].isin(part.formats)]
    if len(table):
        yield _attention(table) if "attention" in part.table else _gemms(table, WEIGHT_COPIES[kernels])


def _gemms(table: pd.DataFrame, copies: int) -> pd.DataFrame:
    rows = table[["dtype", "m", "n", "k", "latency_us"]]
    return rows.assign(
        kind="gemm", weight_copies=copies, includes_act_quant=rows["dtype"].isin(QUANTISES).to_numpy()
    )


ATTENTION = ["phase", "batch", "query_len", "context_len", "num_heads", "num_kv_heads", "head_dim"]
KV_DTYPES = ("bf16", "fp8")
"""Formats of the KV cache whose attention is fitted."""


def _attention(table: pd.DataFrame) -> pd.DataFrame:
    """Attention in bf16; timing loops run over one KV cache."""
    rows = table[[*ATTENTION, "latency_us"]].assign(kind="attention", dtype="bf16", weight_copies=1)
    if "kv_dtype" not in table:
        return rows
    rows = rows.assign(kv_dtype=table["kv_dtype"].where(table["kv_dtype"] != "bf16"))
    return rows[table["kv_dtype"].isin(KV_DTYPES)]


def fit_one(folder: Path, gpu: str, kernels: str, path: Path) -> str:
    """Fit the kernels of one engine on one GPU into the file `path`; what is to be said of it."""
    samples = published_samples(folder, gpu, kernels)
    if samples.empty:
        return f"{gpu} {kernels}: no rows"
    started = time.perf_counter()
    # From the datasheet alone, so that fits do not depend on the pool that is made of them.
    bare = datasheet_alone(infersim.load_profile(gpu))
    versions = [part.version for part in TABLES[kernels] if gpu in part.gpus]
    fit = infersim.calibrate(
        bare, samples, kernels=kernels, source=SOURCE, framework=versions, driver=None
    ).fit
    assert fit is not None
    write_fit(fit, path)
    lines = [f"{gpu} {kernels}: {len(samples):,} rows in {time.perf_counter() - started:.0f} s"]
    lines += [
        f"  {kind.kind}: {kind.rows:,} rows, left-out MAPE {kind.held_out['mape']:.1%}"
        for kind in fit.kinds.values()
    ]
    return "\n".join(lines)


def joined(fits: Sequence[Fit], default: str) -> Fit:
    """The fits of one GPU's engines as one, the default's records on top."""
    first, *others = sorted(fits, key=lambda fit: fit.default_kernels != default)
    for other in others:
        name = str(other.default_kernels)
        records = {**first.provenance.get("kernel_sets", {}), name: other.provenance}
        first = first.with_kinds(other.kernel_sets[name], name)
        first = replace(first, provenance={**first.provenance, "kernel_sets": records})
    return first.run_by(None)


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of the tables.")],
    gpus: Annotated[list[str] | None, typer.Argument(metavar="PROFILE...", help="Left out: all.")] = None,
    kernels: Annotated[list[str] | None, typer.Option(help="Only these engines are fitted anew.")] = None,
    processes: Annotated[int, typer.Option(help="Fits at once.")] = 2,
    work: Annotated[Path, typer.Option(help="Where finished fits are kept.")] = Path("out/fits"),
) -> None:
    """Fit the named GPUs, or all, and write `hw_profiles/<profile>.fit.json`."""
    work.mkdir(parents=True, exist_ok=True)
    chosen = gpus or list(FILES)
    paths = {(gpu, name): work / f"{gpu}.{name}.fit.json" for gpu in chosen for name in kernels or TABLES}
    missing = {key: path for key, path in paths.items() if not path.is_file()}
    with ProcessPoolExecutor(processes) as pool:
        running = [pool.submit(fit_one, folder, *key, path) for key, path in missing.items()]
        for number, each in enumerate(running, 1):
            print(f"[{number} of {len(running)}] {each.result()}", flush=True)
    for gpu in chosen:
        fits = [read_fit(path) for name in TABLES if (path := work / f"{gpu}.{name}.fit.json").is_file()]
        path = PROFILES / f"{gpu}.fit.json"
        write_fit(joined(fits, DEFAULT[gpu]), path)
        print(f"{path.name}: {path.stat().st_size / 1024:.1f} KiB", file=sys.stderr)


if __name__ == "__main__":
    typer.run(main)
