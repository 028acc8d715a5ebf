"""What the faults strike: small inputs, and every command that writes a file."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

GPU, MODEL = "a100-sxm-80gb", "llama-3.2-1b"

MEASURED = """version = 1
name = "tiny"
reason = "Rows of a millisecond, to be interrupted."
dtypes = ["fp32"]
limits = { operand_gib = 0.01, tflop = 0.001 }
[[gemm_space]]
name = "space"
reason = "Small."
rows = 400
m = [1, 64]
n = [64, 256]
k = [64, 256]
alignments = [[64, 64]]
"""
SWEPT = f"""model = "{MODEL}"
gpu = ["{GPU}", "l4"]
family = ["static-nk", "dynamic-m"]
sparsity = [0.25, 0.5]
batch = [1, 8]
context = [512, 4096]
dtype = ["bf16", "fp16"]
"""
_HEAD = "Problem,Provider,OperationKind,Operation,Disposition,Status,gemm_kind,m,n,k,A,B,C,D,Runtime,GFLOPs\n"
_TYPES = "f16:row,f16:column,f32:column,f16:column"
REPORT = _HEAD + "".join(
    f"{m},CUTLASS,gemm,x,passed,success,universal,{m},4096,4096,{_TYPES},{0.05 + m / 2e3},1\n"
    for m in range(1, 401)
)


def infersim(*arguments: object) -> list[str]:
    """The command line of infersim in this Python."""
    return [sys.executable, "-m", "infersim", *map(str, arguments)]


Writer = tuple[str, list[str], Path]


def writers(folder: Path) -> list[Writer]:
    """Every command that writes a file, and where it goes; what they read lies in `folder`."""
    report, samples = folder / "report.csv", folder / "samples.csv"
    report.write_text(REPORT)
    m = range(16, 16 + 300)
    pd.DataFrame(
        {
            "gpu": GPU,
            "kind": "gemm",
            "dtype": "bf16",
            "m": m,
            "n": 4096,
            "k": 4096,
            "latency_us": [40 + each / 2 for each in m],
        }
    ).to_csv(samples, index=False)
    plan, sweep = folder / "measure.toml", folder / "sweep.toml"
    plan.write_text(MEASURED.replace("rows = 400", "rows = 3"))
    sweep.write_text(SWEPT)
    where = ("-m", MODEL, "-g", GPU, "-c", 512)
    made = {
        "import": ("out.csv", ("import", "cutlass", report, "-g", GPU, "-o")),
        "calibrate": ("out.fit.json", ("calibrate", GPU, samples, "-o")),
        "validate": ("out.predicted.csv", ("validate", GPU, samples, "--predictions")),
        "import to Parquet": ("out.parquet", ("import", "cutlass", report, "-g", GPU, "-o")),
        "import to JSON lines": ("out.jsonl", ("import", "cutlass", report, "-g", GPU, "-o")),
        "validate to Parquet": ("predicted.parquet", ("validate", GPU, samples, "--predictions")),
        "predict --html": ("predict.html", ("predict", *where, "--html")),
        "compare --html": ("compare.html", ("compare", *where, "-f", "static-m", "-s", 0.25, "--html")),
        "calibrate --pool": ("out.pool.json", ("calibrate", "--pool", "l40s", GPU, "-o")),
        "sweep": ("sweep.parquet", ("sweep", sweep, "-o")),
        "measure kernels": (
            "log.jsonl",
            ("measure", "kernels", "--device", "cpu", "--threads", 1, "--passes", 1, "--plan", plan, "-o"),
        ),
    }
    return [(name, infersim(*words, folder / out), folder / out) for name, (out, words) in made.items()]
