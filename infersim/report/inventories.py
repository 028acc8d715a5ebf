"""Tables of what infersim ships: GPUs with their calibration status, and models."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from infersim.domain.dtypes import DType
from infersim.domain.interconnect import Interconnect, Wiring
from infersim.domain.profile import GIGA, MEGA, Calibration, HardwareProfile
from infersim.report.core import rounding
from infersim.report.core.table import Column, Table, number_column, text_column
from infersim.report.core.verdict import Verdict
from infersim.workload.counts import active_parameters, parameters
from infersim.workload.transformer import Attention, ExpertLayer, FeedForward, LatentAttention, Transformer

_OTHER_DTYPES = (DType.FP8, DType.INT8, DType.FP4)


def gpus_table(profiles: Sequence[HardwareProfile]) -> Table:
    """Profiles with the numbers people choose a GPU by, and where predictions for it come from.

    Rates are the datasheet's, dense. `unverified` counts the numbers that no public table confirmed.
    """
    import pandas as pd

    rows = [
        {
            "gpu": profile.name,
            "title": profile.title,
            "calibration": profile.calibration.value,
            "fit_source": profile.fit_source or "",
            **{
                f"{dtype}_tflops": _tflops(profile, dtype)
                for dtype in (DType.BF16, DType.FP16, *_OTHER_DTYPES)
            },
            "bandwidth_gb_s": profile.memory.bandwidth_bytes_per_s / GIGA,
            "memory_gb": profile.memory.capacity_bytes / GIGA,
            "l2_mb": profile.chip.l2_bytes / MEGA,
            "sm_count": profile.chip.sm_count,
            **_links(profile.interconnect),
            "tdp_w": profile.chip.tdp_w,
            "unverified": len(profile.unverified),
        }
        for profile in profiles
    ]
    return Table(
        title=f"{len(rows)} GPU{'s' if len(rows) > 1 else ''}",
        frame=pd.DataFrame(rows),
        columns=(
            text_column("GPU", "gpu"),
            Column(
                heading="calibration",
                keys=("calibration", "fit_source"),
                text=_calibration,
                numeric=False,
                detail=2,
            ),
            Column(heading="16 bit", keys=("bf16_tflops", "fp16_tflops"), text=_sixteen_bit, detail=1),
            *(
                number_column(dtype, f"{dtype}_tflops", rounding.quantity, detail=3)
                for dtype in _OTHER_DTYPES
            ),
            number_column("GB/s", "bandwidth_gb_s", rounding.quantity, detail=1),
            number_column("GB", "memory_gb", rounding.count),
            number_column("SMs", "sm_count", rounding.count, detail=2),
            Column(heading="node", keys=("gpus_per_node", "link_gb_s"), text=_node, detail=2),
            number_column("unverified", "unverified", rounding.count, detail=3),
        ),
        caption="Datasheet TFLOP/s, dense. Node: GPUs, and the GB/s that each sends to the others. "
        "Unverified: numbers that no public table confirmed.",
    )


def gpus_verdict(profiles: Sequence[HardwareProfile]) -> Verdict:
    """How many are measured, and what the others are predicted from."""
    counted = Counter(profile.calibration for profile in profiles)
    return Verdict(
        sentences=(),
        short=(
            f"{counted[Calibration.FITTED]} of {len(profiles)} GPUs are measured, "
            f"{counted[Calibration.BORROWED]} borrow the fit of a sibling card, and the others are predicted "
            "from measurements of other cards.",
        ),
    )


def models_table(transformers: Sequence[Transformer]) -> Table:
    """Models with the sizes that decide their speed; heads and width are those of the first block.

    Active are the parameters that a token passes through; experts are those of the first layer with any.
    """
    import pandas as pd

    rows = [{"model": transformer.name, **_sizes(transformer)} for transformer in transformers]
    return Table(
        title=f"{len(rows)} models",
        frame=pd.DataFrame(rows),
        columns=(
            text_column("model", "model"),
            Column(heading="parameters", keys=("parameters",), text=_billions),
            Column(heading="active", keys=("active_parameters",), text=_billions),
            number_column("layers", "layers", rounding.count),
            number_column("hidden", "hidden", rounding.count),
            number_column("heads", "num_heads", rounding.count),
            number_column("KV\nheads", "num_kv_heads", rounding.count),
            Column(heading="FFN\nwidth", keys=("width",), text=_width),
            Column(heading="experts", keys=("experts", "top_k", "expert_width"), text=_experts),
            number_column("vocabulary", "vocab", rounding.count),
            number_column("positions", "max_position", rounding.count),
        ),
    )


def _links(interconnect: Interconnect | None) -> dict[str, object]:
    """What connects all GPUs of a node, in one direction: where a bridge joins pairs, that is PCIe."""
    if interconnect is None:
        return {"link": "", "link_gb_s": float("nan"), "gpus_per_node": 1}
    sent = interconnect.bytes_per_s
    if sent is None or interconnect.wiring is Wiring.BRIDGE:
        sent = interconnect.pcie_bytes_per_s
    if sent is None:
        sent = float("nan")
    return {
        "link": interconnect.kind.value,
        "link_gb_s": sent / GIGA,
        "gpus_per_node": interconnect.gpus_per_node,
    }


def _node(gpus: int, sent_gb_s: float) -> str:
    if gpus == 1:
        return rounding.UNKNOWN
    return f"{rounding.count(gpus)} x {rounding.quantity(sent_gb_s)}"


def _tflops(profile: HardwareProfile, dtype: DType) -> float:
    return profile.matrix[dtype].datasheet_tflops if dtype in profile.matrix else float("nan")


def _billions(value: float) -> str:
    return f"{rounding.quantity(value / GIGA)} B"


def _width(value: float) -> str:
    return rounding.count(value) if value else ""


def _experts(number: float, top_k: float, width: float) -> str:
    """Experts that a token runs, of all of a layer, and the width of each."""
    return f"{top_k:.0f} of {number:.0f} x {width:.0f}" if number else ""


def _sixteen_bit(bf16: float, fp16: float) -> str:
    """Older GPUs have no bf16."""
    return rounding.quantity(fp16 if math.isnan(bf16) else bf16)


def _calibration(status: str, source: str) -> str:
    return f"{status} from {source}" if source else status


def _sizes(transformer: Transformer) -> dict[str, float]:
    attention = next(
        (
            block.attention
            for block in transformer.blocks
            if isinstance(block.attention, Attention | LatentAttention)
        ),
        None,
    )
    width = next(
        (block.ffn.width for block in transformer.blocks if isinstance(block.ffn, FeedForward)), None
    )
    experts = next((block.ffn for block in transformer.blocks if isinstance(block.ffn, ExpertLayer)), None)
    kv_heads = attention.num_kv_heads if isinstance(attention, Attention) else int(attention is not None)
    return {
        "parameters": parameters(transformer),
        "active_parameters": active_parameters(transformer),
        "layers": len(transformer.blocks),
        "hidden": transformer.hidden,
        "num_heads": attention.num_heads if attention else 0,
        "num_kv_heads": kv_heads,
        "width": width or 0,
        "experts": experts.num_experts if experts else 0,
        "top_k": experts.top_k if experts else 0,
        "expert_width": experts.width if experts else 0,
        "vocab": transformer.vocab,
        "max_position": transformer.max_position,
    }
