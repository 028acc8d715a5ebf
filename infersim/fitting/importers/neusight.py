"""NeuSight's kernel tables: `dataset/{train,test}/<op>.csv`, or the files of one device they are merged from.

Facts of that format: fp32 throughout, `Latency` in milliseconds between two CUDA events around one call (its
launch included), operands the same in every call. `linear` multiplies an input of B x M x N by weights of
K x N, so its K is our N and its N our K; `bmm` multiplies B x M x N by B x N x K. Other ops work on B x H.
"""

from __future__ import annotations

import pandas as pd

from infersim.fitting.importers.source import US_PER_MS, Importer, SourceFile
from infersim.fitting.samples.converted import Converted, leave_out
from infersim.fitting.samples.schema import Kind

COMMON = ("OPName", "Latency", "Device", "B")
FP32_BYTES = 4

OPERANDS = {
    **dict.fromkeys(("add", "mul", "div", "pow"), 2),
    **dict.fromkeys(("addu", "mulu", "divu", "powu", "relu", "gelu", "tanh", "ln", "softmax"), 1),
}
"""Tensors of B x H that each elementwise or row-wise op reads; each writes one."""

PRODUCTS = ("linear", "bmm")


def _convert(file: SourceFile) -> Converted:
    frame = file.frame
    if not file.has(COMMON) or not (file.has(("M", "N", "K")) or file.has(("H",))):
        raise file.refuse(f"those of NeuSight: {', '.join(COMMON)}, and M, N, K or H")
    op = frame["OPName"]
    kept = leave_out(
        frame,
        {
            "op of no sample kind": ~op.isin([*PRODUCTS, *OPERANDS]),
            "batched matrix product": (op == "bmm") & (frame["B"] > 1),
        },
    )
    rows = kept.samples
    product = rows["OPName"].isin(PRODUCTS)
    samples = pd.concat([_products(rows[product]), _elementwise(rows[~product])])
    return Converted(samples=samples, left_out=kept.left_out)


def _products(rows: pd.DataFrame) -> pd.DataFrame:
    if rows.empty:
        return pd.DataFrame()
    return _common(rows).assign(
        kind=Kind.GEMM.value,
        m=rows["B"] * rows["M"],
        n=rows["K"],
        k=rows["N"],
        weight_copies=1,
        includes_act_quant=False,
    )


def _elementwise(rows: pd.DataFrame) -> pd.DataFrame:
    if rows.empty:
        return pd.DataFrame()
    tensor_bytes = FP32_BYTES * rows["B"] * rows["H"]
    return _common(rows).assign(
        kind=Kind.MEMORY.value,
        op=rows["OPName"],
        read_bytes=tensor_bytes * rows["OPName"].map(OPERANDS),
        write_bytes=tensor_bytes,
    )


def _common(rows: pd.DataFrame) -> pd.DataFrame:
    columns = {"gpu": rows["Device"], "dtype": "fp32", "latency_us": rows["Latency"] * US_PER_MS}
    if "Torch Version" in rows:
        columns["version"] = "torch " + rows["Torch Version"].astype(str).str.removeprefix("p")
    return pd.DataFrame(columns, index=rows.index)


NEUSIGHT = Importer(
    name="neusight",
    title="NeuSight's kernel tables",
    patterns=(tuple(f"{op}.csv" for op in ("linear", "bmm", "elem", "ln", "softmax")), ("*.csv",)),
    convert=_convert,
    numbers=("Latency", "B", "M", "N", "K", "H"),
)
