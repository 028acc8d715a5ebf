"""Tables of ZipLM's kind, in SPDY's text, and of HALP's, a pickled dictionary.

**SPDY** (github.com/IST-DASLab/spdy@099a32f, timings/*.txt and spdy.py): lines `base` and the seconds of the
model, `prunable` and those of its layers, then each layer's name and below it `seconds level` for each level.
ZipLM (arXiv 2302.04089) searches with SPDY over heads and intermediate sizes; its public repository
(github.com/IST-DASLab/ZipLM@895cfba) holds no code, so that this, of the same authors, is the format that is
known of it. A level is the share of the sublayer that is gone; names are those of Hugging Face's Llama.

**HALP** (github.com/NVlabs/HALP@dfee297, prune/cost.py): a dictionary from
`{batch}_{cin}_{cout}_{feature size}_{kernel}_{stride}_{groups}` to a latency. A matrix is a convolution of
kernel 1 on one position, with the tokens of the pass as the batch (`lut_bs`): cin is K, cout is N. Values are
milliseconds of the GEMM alone: norms, attention and activations are in no convolution.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping

import numpy as np

from infersim.cost.kernels import checked_cost
from infersim.domain.arrays import Array
from infersim.domain.errors import UnsupportedError
from infersim.domain.shapes import Gemm, WeightForm
from infersim.simulation.search.settings.costs import Quantity
from infersim.simulation.search.settings.scenarios import InScenarios
from infersim.simulation.search.spaces.choices import Choice, Sublayer
from infersim.simulation.search.table import LatencyTable
from infersim.simulation.speedups.columns import MS
from infersim.workload.formats import as_stored
from infersim.workload.transformer import Attention, FeedForward, ReplacedSublayer

_NAMES = {Sublayer.ATTENTION: "self_attn", Sublayer.FFN: "mlp"}


def spdy_timings(found: LatencyTable) -> bytes:
    """The text of one scenario; UnsupportedError where there are several."""
    quantities = _only(found)
    time, parameters = quantities.get("latency_ms") or quantities["tpot_ms"], quantities["parameters"]
    kept = found.entries.kept
    lines = ["base", _seconds(float(time.total(kept))), "prunable", _seconds(float(time.values[kept].sum()))]
    for index, slot in enumerate(found.space.slots):
        lines.append(f"model.layers.{slot.layer}.{_NAMES[slot.sublayer]}")
        levels: dict[str, str] = {}
        start = int(found.entries.starts[index])
        for place, choice in enumerate(slot.choices):
            if _is_level(choice):
                level = 1 - float(parameters.values[start + place] / parameters.values[start])
                levels.setdefault(f"{level:.4f}", _seconds(float(time.values[start + place])))
        lines += [f"{seconds} {level}" for level, seconds in sorted(levels.items())]
    return ("\n".join(lines) + "\n").encode()


def _is_level(choice: Choice) -> bool:
    """Whether it is fewer heads or channels, all of them or none: what a level of ZipLM is."""
    sizes = Choice(
        removed=choice.removed,
        num_heads=choice.num_heads,
        num_kv_heads=choice.num_kv_heads,
        ffn_width=choice.ffn_width,
    )
    return sizes == choice


def _seconds(ms: float) -> str:
    return f"{ms / MS:.9f}"


def halp_table(found: LatencyTable) -> bytes:
    """The pickled dictionary of one scenario, tokens of the pass as the batch."""
    _only(found)
    if not isinstance(found.setting, InScenarios) or len(found.setting.cases[0].passes) > 1:
        raise UnsupportedError("HALP's table is of one pass: expected phase prefill or decode")
    scenario = found.setting.cases[0].passes[0].scenario
    tokens = int(np.ravel(scenario.tokens)[0])
    precision = as_stored(scenario.execution, found.model).precision
    plain = (Attention, FeedForward, ReplacedSublayer)
    shapes = list(
        dict.fromkeys(
            (linear.in_features, linear.out_features)
            for slot in found.space.slots
            for became in slot.made
            if isinstance(became, plain)
            for linear in became.linears
            if linear.rank is None and linear.format is None and linear.form is WeightForm.DENSE
        )
    )
    if not shapes:
        raise UnsupportedError("HALP's table is of plain matrices, and there are none")
    ins, outs = (np.array([shape[place] for shape in shapes], dtype=np.float64) for place in (0, 1))
    cost = checked_cost(Gemm(m=float(tokens), n=outs, k=ins, precision=precision), found.profile)
    times: Array = (cost.kernel_s + cost.launch_s) * MS
    table = {
        f"{tokens}_{k}_{n}_1_1_1_1": float(ms)
        for (k, n), ms in zip(shapes, np.broadcast_to(times, ins.shape), strict=True)
    }
    return pickle.dumps(table, protocol=2)


def _only(found: LatencyTable) -> Mapping[str, Quantity]:
    """The quantities of the one scenario."""
    if len(found.scenarios) > 1:
        raise UnsupportedError(
            f"spdy and halp have one scenario in a file, the table has {len(found.scenarios)}: expected one "
            "phase (--phase prefill or decode), one batch and one context"
        )
    return found.scenarios[0][1]
