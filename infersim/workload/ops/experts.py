"""Ops of a layer of experts: router, choice, the routed experts in one op, and the shared one beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from infersim.domain import shapes
from infersim.domain.arrays import as_array
from infersim.domain.dtypes import MXFP4_BY_8_BIT, Precision
from infersim.domain.errors import UnsupportedError
from infersim.domain.ops import Op, Part
from infersim.domain.shapes import MemoryBound, WeightForm
from infersim.domain.small_kernels import SmallKernel
from infersim.workload.ops import elementwise
from infersim.workload.ops.exchanges import gathered, sent_to_experts
from infersim.workload.ops.ffn import inward_ops
from infersim.workload.ops.flow import Flow
from infersim.workload.ops.linear import linear_ops
from infersim.workload.ops.sublayer import Surroundings, entry_ops, exit_ops
from infersim.workload.ops.token_skip import skips_in_place, zero_fill
from infersim.workload.scenario import Execution, Layout
from infersim.workload.transformer import ExpertLayer, FeedForward, Linear

EAGER_CHOICE_KERNELS = 4
"""Softmax, the greatest, their sum and the division by it; a fused layout runs one kernel."""

_WEIGHT_BYTES, _INDEX_BYTES = 4, 4
"""Of what is chosen for each token and expert: a 32-bit weight and the expert's number."""

_IN_MXFP4 = ("mxfp4", "mxfp4a16")
"""Formats of experts that engines run with narrower activations on some GPUs."""


def expert_ops(layer: ExpertLayer, around: Surroundings) -> Iterator[Op]:
    """Kernels from the norm to the residual add; behind dynamic-m's router they see kept tokens only.

    The op `experts` is all that the routed experts are: sorting tokens by expert, both GEMMs and the
    activation between them, and the weighted sum of a token's results.

    Where GPUs have whole experts and tokens are sent, each takes an equal part of the tokens through router,
    choice and shared experts, sends them to the GPUs of their experts, gets their results back, and gathers
    those of all.
    """
    execution, everyone = around.scenario.execution, Flow(tokens=around.scenario.tokens)
    kept = everyone.kept_by(layer.skip)
    passing = everyone if skips_in_place(layer.skip) else kept
    yield from entry_ops("ffn", layer, around, normed=passing)
    if skips_in_place(layer.skip):
        yield zero_fill("ffn", [layer.router.out_features, layer.router.in_features], everyone, execution)
    apart, hidden = execution.sends_tokens, layer.router.in_features
    own = replace(kept, tokens=np.ceil(as_array(kept.tokens) / execution.gpus)) if apart else kept
    yield from linear_ops("router", Part.FFN, layer.router, own, execution.head_precision)
    yield choice(layer, own, execution)
    if apart:
        yield sent_to_experts("dispatch", kept, layer.top_k, hidden, execution)
    yield routed(layer, kept, execution)
    if apart:
        yield sent_to_experts("combine", kept, layer.top_k, hidden, execution)
    if layer.shared is not None:
        yield from _shared_ops(layer, layer.shared, own, execution)
    if apart:
        yield from gathered("ffn", kept, hidden, execution)
    yield from exit_ops("ffn", layer, replace(around, adds_up=not apart), kept=passing)


def choice(layer: ExpertLayer, flow: Flow, execution: Execution) -> Op:
    """`top_k`: from scores to the weights and numbers of each token's experts."""
    scores = flow.tokens * layer.num_experts * execution.activation_bytes
    chosen = flow.tokens * layer.top_k * (_WEIGHT_BYTES + _INDEX_BYTES)
    kernels = EAGER_CHOICE_KERNELS if execution.layout is Layout.SEPARATE else 1
    shape = MemoryBound(
        read_bytes=kernels * scores,
        write_bytes=(kernels - 1) * scores + chosen,
        rows=kernels * flow.tokens,
        kernels=kernels,
        kernel=SmallKernel.NORM,
    )
    return Op(name="top_k", part=Part.ELEMENTWISE, shape=shape, count=flow.runs)


def routed(layer: ExpertLayer, flow: Flow, execution: Execution) -> Op:
    """`experts`: the routed experts of all tokens, as far as they stand on this GPU.

    Raises UnsupportedError where their matrices are of several formats, in 2:4 form or of low rank.
    """
    shape = shapes.Experts(
        tokens=flow.tokens,
        hidden=layer.router.in_features,
        width=layer.width,
        num_experts=layer.num_experts,
        local_experts=layer.local_experts,
        top_k=layer.top_k,
        precision=_precision(layer.expert, execution),
        gated=layer.expert.gate is not None,
        skew=execution.skew,
        popularity=_popularity(layer, execution),
    )
    return Op(name="experts", part=Part.FFN, shape=shape, count=flow.runs)


def _popularity(layer: ExpertLayer, execution: Execution) -> float:
    """What is asked for, or the layer's own where nothing is."""
    return layer.popularity if execution.popularity is None else execution.popularity


def _precision(expert: FeedForward, execution: Execution) -> Precision:
    kinds = {(linear.format, linear.form, linear.rank) for linear in expert.linears}
    if len(kinds) > 1:
        raise UnsupportedError("experts whose matrices differ in format or form have no kernel here")
    ((stored, form, rank),) = kinds
    if form is not WeightForm.DENSE or rank is not None:
        state = "of low rank" if rank is not None else f"in {form.value} form"
        raise UnsupportedError(f"experts whose matrices are {state} have no kernel here")
    precision = execution.precision if stored is None else stored.precision
    return MXFP4_BY_8_BIT if execution.narrow_activations and precision.name in _IN_MXFP4 else precision


def narrows(layer: object, execution: Execution) -> bool:
    """Whether a sublayer is one of experts in mxfp4 that multiply activations of 8 bit."""
    return isinstance(layer, ExpertLayer) and _precision(layer.expert, execution) is MXFP4_BY_8_BIT


def _shared_ops(layer: ExpertLayer, shared: FeedForward, flow: Flow, execution: Execution) -> Iterator[Op]:
    """What all tokens run, its gate, and the sum with the routed experts' result."""
    hidden = layer.router.in_features
    yield from inward_ops(shared, flow, execution, "shared_")
    yield replace(elementwise.activation(shared, flow, execution), name="shared_activation")
    yield from linear_ops("shared_down", Part.FFN, shared.down, flow, execution.precision)
    if layer.shared_gate:
        score = Linear(out_features=1, in_features=hidden)
        yield from linear_ops("shared_score", Part.FFN, score, flow, execution.head_precision)
        yield replace(elementwise.scaled("shared_scale", flow.tokens, hidden, execution), count=flow.runs)
    yield replace(elementwise.residual_add("shared_add", flow, hidden, execution), count=flow.runs)
