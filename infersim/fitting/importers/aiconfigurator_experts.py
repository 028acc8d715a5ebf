"""aiconfigurator's tables of expert layers: `moe_perf`.

Facts of that format: `inter_size` is that of a whole expert and `num_experts` of the whole layer; the GPU
that was measured is the fullest of `moe_ep_size`. Loops come back to the weights of one layer. Whether an
expert has a gate stands nowhere; those of Nemotron's models have none.
"""

from __future__ import annotations

import pandas as pd

from infersim.cost.experts.routing_names import routing_named
from infersim.fitting.importers.source import SourceFile, unknown_words
from infersim.fitting.samples.converted import Converted, leave_out
from infersim.fitting.samples.schema import Kind

MOE_COLUMNS = ("moe_dtype", "num_tokens", "hidden_size", "inter_size", "topk", "num_experts", "latency")
MOE_DTYPES = {
    "bfloat16": "bf16",
    "float16": "fp16",
    "fp8": "fp8",
    "fp8_block": "fp8_block",
    "nvfp4": "nvfp4",
    "int4_wo": "w4a16",
    "w4a16_mxfp4": "mxfp4a16",
}

WITHOUT_GATE = ((2688, 1856), (2048, 5120), (1024, 2688))
"""Hidden size and width of the experts of Nemotron's models, which square what ReLU leaves of one matrix."""


def expert_layers(file: SourceFile, common: pd.DataFrame) -> Converted:
    """The rows of a table of expert layers, with the columns that all tables of the source have in common."""
    frame = file.frame
    reasons = unknown_words(frame["moe_dtype"], MOE_DTYPES, "moe_dtype")
    if "distribution" in frame:
        known = {name: name for name in frame["distribution"].astype(str).unique() if routing_named(name)}
        reasons |= unknown_words(frame["distribution"], known, "distribution")
    kept = leave_out(frame, reasons)
    rows = kept.samples
    sizes = pd.Series(list(zip(rows["hidden_size"], rows["inter_size"], strict=True)), index=rows.index)
    samples = common.loc[rows.index].assign(
        kind=Kind.MOE.value,
        dtype=rows["moe_dtype"].map(MOE_DTYPES),
        tokens=rows["num_tokens"],
        hidden_size=rows["hidden_size"],
        ffn_width=rows["inter_size"],
        num_experts=rows["num_experts"],
        top_k=rows["topk"],
        tensor_parallel=rows.get("moe_tp_size", 1),
        expert_parallel=rows.get("moe_ep_size", 1),
        gated=~sizes.isin(WITHOUT_GATE),
        weight_copies=1,
    )
    if "distribution" in rows:
        samples = samples.assign(routing=rows["distribution"].astype(str).astype(object))
    return Converted(samples=samples, left_out=kept.left_out)
