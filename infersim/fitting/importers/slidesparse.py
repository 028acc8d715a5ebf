"""SlideSparse's GEMM latencies (vllmbench, `benchmark_kernel`): dense by cuBLASLt, 2:4 by cuSPARSELt.

Facts of that format: microseconds; `alg_search_*.csv` names GPU, data type and sparsity in comment lines and
ranks algorithms (`lat_us_1` is the fastest); `latency_*.csv` holds dense and sparse side by side, its folders
name GPU and data type. Calls follow each other on the same operands, so small weights stay in L2. Sparsity
`2_4` is 2:4; the others run 2:4 kernels on a lengthened K, of which infersim knows `6_8`.
"""

from __future__ import annotations

import re
from collections import Counter

import pandas as pd

from infersim.fitting.importers.source import Importer, SourceFile
from infersim.fitting.samples.converted import Converted, leave_out
from infersim.fitting.samples.schema import Kind

SEARCH = ("M", "N", "K", "lat_us_1")
SIDE_BY_SIDE = ("M", "N", "K", "cuBLAS")
DTYPES = {"fp16": "fp16", "bf16": "bf16", "int8": "int8", "fp8": "fp8", "fp8e4m3": "fp8"}
SPARSE = "cuSPARSE_"
SPARSITIES = {"2_4": "2:4", "6_8": "6:8"}

_HARDWARE_FOLDER = re.compile(r"(?P<gpu>.+?)_cc\d+_")
_GEFORCE = re.compile(r"RTX(\d{4})")


def _convert(file: SourceFile) -> Converted:
    if file.has(SEARCH) and {"GPU", "dtype"} <= set(file.comments):
        return _search(file)
    if file.has(SIDE_BY_SIDE):
        return _side_by_side(file)
    search = f"{', '.join(SEARCH)} below comment lines `# GPU:` and `# dtype:`"
    raise file.refuse(f"those of SlideSparse: {search}; or {', '.join(SIDE_BY_SIDE)}")


def _search(file: SourceFile) -> Converted:
    sparsity = file.comments.get("Sparsity", "").split(" ")[0]
    dtype = file.comments["dtype"].split("->")[0].strip().lower()
    samples = _samples(file.frame, file.comments["GPU"], dtype, file.frame["lat_us_1"], sparsity)
    if "torch" in file.comments:
        samples = samples.assign(version="torch " + file.comments["torch"])
    return _supported(samples, dtype, sparsity)


def _side_by_side(file: SourceFile) -> Converted:
    """One sample a row for dense and one for each sparsity that was timed."""
    gpu, dtype = _folders(file)
    frame = file.frame
    columns = {"cuBLAS": ""} | {
        name: name.removeprefix(SPARSE) for name in frame.columns if name.startswith(SPARSE)
    }
    samples: list[pd.DataFrame] = []
    left_out: Counter[str] = Counter()
    for name, sparsity in columns.items():
        timed = frame[frame[name].notna()]
        part = _supported(_samples(timed, gpu, dtype, timed[name], sparsity), dtype, sparsity)
        samples.append(part.samples)
        left_out.update(part.left_out)
        left_out["not timed"] += len(frame) - len(timed)
    return Converted(samples=pd.concat(samples), left_out=+left_out)


def _samples(
    frame: pd.DataFrame, gpu: str, dtype: str, latency_us: pd.Series[float], sparsity: str
) -> pd.DataFrame:
    kind = Kind.SPARSE_GEMM if sparsity else Kind.GEMM
    return pd.DataFrame(
        {
            "gpu": gpu,
            "kind": kind.value,
            "dtype": DTYPES.get(dtype),
            "m": frame["M"],
            "n": frame["N"],
            "k": frame["K"],
            "sparsity": SPARSITIES.get(sparsity),
            "weight_copies": 1,
            "includes_act_quant": False,
            "latency_us": latency_us,
        },
        index=frame.index,
    )


def _supported(samples: pd.DataFrame, dtype: str, sparsity: str) -> Converted:
    every = pd.Series(True, index=samples.index)
    reasons = {}
    if sparsity and sparsity not in SPARSITIES:
        reasons[f"sparsity {sparsity}"] = every
    if dtype not in DTYPES:
        reasons[f"dtype {dtype}"] = every
    return leave_out(samples, reasons)


def _folders(file: SourceFile) -> tuple[str, str]:
    """GPU and data type as the folders `<gpu>_cc<nn>_.../latency/<dtype>` name them."""
    path = file.path.resolve()
    hardware = next((match for part in path.parts if (match := _HARDWARE_FOLDER.match(part))), None)
    if hardware is None:
        raise file.refuse("a place in folders <gpu>_cc<nn>_.../latency/<dtype>, which name GPU and data type")
    return _GEFORCE.sub(r"RTX \1", hardware["gpu"]), path.parent.name.lower()


SLIDESPARSE = Importer(
    name="slidesparse",
    title="SlideSparse's GEMM latencies",
    patterns=(("alg_search_*.csv",), ("latency_*.csv",)),
    convert=_convert,
)
