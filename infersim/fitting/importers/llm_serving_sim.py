"""LLMServingSim's layer times: `profiler/perf/<hardware>/<owner>/<model>/<variant>/tp<N>/dense.csv`.

Facts of that format: one decoder layer under vLLM without a CUDA graph, GPU time of each kind of module, the
mean over its calls, in microseconds. The first layer's norm is plain and its second adds the residual, as the
final norm does; tensor parallelism divides heads and widths. Layers follow each other, so weights are cold.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from infersim.domain.errors import FileContentError, UnknownNameError
from infersim.fitting.importers.source import Importer, SourceFile
from infersim.fitting.samples.converted import Converted, leave_out
from infersim.fitting.samples.schema import Kind
from infersim.workload.presets import load_model
from infersim.workload.transformer import Attention, FeedForward

COLUMNS = ("layer", "tokens", "time_us")
DTYPES = {"bf16": "bf16", "fp16": "fp16"}
VALUE_BYTES = 2

FIRST_GATHERED = 20
"""Up to 16 tokens PyTorch gathers rows by another kernel, which takes them one after the other."""


def _convert(file: SourceFile) -> Converted:
    if not file.has(COLUMNS):
        raise file.refuse(f"those of LLMServingSim's dense.csv: {', '.join(COLUMNS)}")
    gpu, model, variant, workers = _place(file.path)
    gemms, moved = _sizes(file.path, model, workers)
    rows = file.frame
    known = rows["layer"].isin([*gemms, *moved])
    gathered = rows["layer"].eq("embedding") & (rows["tokens"] < FIRST_GATHERED)
    kept = leave_out(
        rows,
        {
            f"number format {variant}": pd.Series(variant not in DTYPES, index=rows.index),
            "layers that the format has no kind for": ~known,
            "rows gathered one after the other": gathered,
        },
    )
    samples = [
        pd.DataFrame(
            {
                "gpu": gpu,
                "latency_us": group["time_us"],
                **_dimensions(str(layer), group["tokens"], gemms, moved, DTYPES[variant]),
            },
            index=group.index,
        )
        for layer, group in kept.samples.groupby("layer")
    ]
    frame = pd.concat(samples).sort_index() if samples else kept.samples
    return Converted(samples=frame, left_out=kept.left_out)


def _dimensions(
    layer: str,
    tokens: pd.Series[int],
    gemms: dict[str, tuple[int, int]],
    moved: dict[str, tuple[str, float, float, float]],
    dtype: str,
) -> dict[str, object]:
    """The samples' own columns of one layer's rows."""
    if layer in gemms:
        n, k = gemms[layer]
        return {"kind": Kind.GEMM.value, "dtype": dtype, "m": tokens, "n": n, "k": k}
    op, read, written, rows = moved[layer]
    return {
        "kind": Kind.MEMORY.value,
        "op": op,
        "read_bytes": VALUE_BYTES * read * tokens,
        "write_bytes": VALUE_BYTES * written * tokens,
        "rows": np.maximum(np.round(rows * tokens), 1),
    }


def _place(path: Path) -> tuple[str, str, str, int]:
    """Hardware, model, variant and tensor-parallel degree, as the folders say."""
    folders = path.resolve().parts[-6:-1]
    if len(folders) == 5 and folders[4].startswith("tp") and folders[4][2:].isdecimal():
        hardware, owner, model, variant, degree = folders
        return hardware.replace("RTX", "RTX-"), f"{owner}/{model}", variant, int(degree[2:])
    raise FileContentError(path, "folders", "/".join(folders), "HARDWARE/OWNER/MODEL/VARIANT/tpN")


def _sizes(
    path: Path, model: str, workers: int
) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[str, float, float, float]]]:
    """(N, K) of the GEMMs, and op, values read and written and rows a token of the small kernels."""
    try:
        transformer = load_model(model)
    except UnknownNameError as error:
        raise FileContentError(path, "model", model, f"a model that infersim knows ({error})") from None
    block = transformer.blocks[0]
    heads, ffn, hidden = block.attention, block.ffn, transformer.hidden
    if not isinstance(heads, Attention) or not isinstance(ffn, FeedForward):
        raise FileContentError(path, "model", model, "a dense model with attention of heads")
    q, k = heads.q.out_features // workers, heads.k.out_features // workers
    width, gates = ffn.width // workers, 1 if ffn.gate is None else 2
    rows = (q + k) / heads.head_dim / 2
    gemms = {
        "qkv_proj": (q + 2 * k, hidden),
        "o_proj": (hidden, q),
        "gate_up_proj": (gates * width, hidden),
        "down_proj": (hidden, width),
    }
    moved = {
        # The mean of 1 + 1 and 2 + 2.
        "layernorm": ("layer_norms", 1.5 * hidden, 1.5 * hidden, 1.0),
        "final_layernorm": ("add_norm", 2.0 * hidden, 2.0 * hidden, 1.0),
        # The mean of a call on q and one on k.
        "qk_norm": ("qk_norm", (q + k) / 2, (q + k) / 2, rows),
        "rotary_emb": ("rotary", q + k + heads.head_dim, float(q + k), 1.0),
        "act_fn": ("activation", float(gates * width), float(width), 1.0),
        "embedding": ("embedding", float(hidden), float(hidden), 1.0),
    }
    return gemms, moved


LLM_SERVING_SIM = Importer(
    name="llm-serving-sim",
    title="LLMServingSim's layer times",
    patterns=(("dense.csv",),),
    convert=_convert,
    numbers=("tokens", "time_us"),
)
