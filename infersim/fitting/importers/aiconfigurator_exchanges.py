"""aiconfigurator's tables of exchanges: `nccl_perf` (nccl-tests) and `custom_allreduce_perf` (engines).

Facts of that format: `message_size` counts elements of the whole buffer; NCCL's tables name the exchange in
`op_name`; `backend` says where a vLLM row was timed eagerly, with a copy of the buffer beside it.
"""

from __future__ import annotations

import pandas as pd

from infersim.cost.collectives.parameters import NCCL
from infersim.domain.shapes import Exchange
from infersim.fitting.importers.source import SourceFile, unknown_words
from infersim.fitting.samples.converted import Converted, leave_out
from infersim.fitting.samples.schema import Kind, Timed

NCCL_COLUMNS = ("nccl_dtype", "op_name", "num_gpus", "message_size", "latency")
CUSTOM_COLUMNS = ("allreduce_dtype", "num_gpus", "message_size", "latency")

ELEMENT_BYTES = {"half": 2, "float16": 2, "bfloat16": 2, "int8": 1, "uint8": 1, "float": 4, "float32": 4}
EXCHANGES = {
    "all_reduce": Exchange.ALL_REDUCE.value,
    "all_gather": Exchange.ALL_GATHER.value,
    "reduce_scatter": Exchange.REDUCE_SCATTER.value,
    "alltoall": Exchange.ALL_TO_ALL.value,
}
EAGER = "eager"


def exchanges(file: SourceFile, common: pd.DataFrame) -> Converted:
    """The rows of a table of exchanges, with the columns that all tables of the source have in common."""
    frame = file.frame
    of_nccl = file.has(NCCL_COLUMNS)
    dtype = "nccl_dtype" if of_nccl else "allreduce_dtype"
    reasons = unknown_words(frame[dtype], ELEMENT_BYTES, dtype)
    if of_nccl:
        reasons |= unknown_words(frame["op_name"], EXCHANGES, "op_name")
    reasons["one GPU"] = frame["num_gpus"] < 2
    kept = leave_out(frame, reasons)
    rows = kept.samples
    exchange = rows["op_name"].map(EXCHANGES) if of_nccl else Exchange.ALL_REDUCE.value
    samples = common.loc[rows.index].assign(
        kind=Kind.COLLECTIVE.value,
        exchange=exchange,
        gpus=rows["num_gpus"],
        message_bytes=rows["message_size"] * rows[dtype].map(ELEMENT_BYTES),
        library=NCCL if of_nccl else None,
    )
    if "backend" in rows:
        eager = rows["backend"].astype(str).str.endswith(EAGER)
        samples = samples.assign(timed=eager.map({True: Timed.HOST.value}))
    return Converted(samples=samples, left_out=kept.left_out)
