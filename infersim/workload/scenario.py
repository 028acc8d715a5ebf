"""A scenario: what is run at once, how the runtime lays it out, and which sizes are plausible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from infersim.domain.arrays import Numeric, as_array
from infersim.domain.dtypes import PRECISIONS, DType, Precision
from infersim.domain.errors import InvalidValueError
from infersim.domain.numbers import whole_numbers
from infersim.domain.shapes import Phase


class Layout(StrEnum):
    """FUSED: one QKV GEMM, one gate-up GEMM, fused SwiGLU, norms and rotary. SEPARATE: each apart, eager."""

    FUSED = "fused"
    SEPARATE = "separate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fusion:
    """Which small kernels run as one: what engines and hand-written code differ in.

    `residual`: the add inside the norm that follows; `rotary`: of q and k, in place; `activation`: with the
    product of gate and up; `kv_write`: K and V together.
    """

    residual: bool
    rotary: bool
    activation: bool
    kv_write: bool


FUSIONS: Mapping[Layout, Fusion] = {
    Layout.FUSED: Fusion(residual=True, rotary=True, activation=True, kv_write=True),
    Layout.SEPARATE: Fusion(residual=False, rotary=False, activation=False, kv_write=False),
}
"""What each layout fuses; an engine that fuses otherwise is one entry more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How kernels are laid out, numbers stored, and the model shared.

    `precision` is that of the block linears; embeddings, LM head and attention stay in 16 bit when it is
    quantised. `kv_dtype` None: the attention's own type. `explicit`: somebody asked for the precision, so
    that a checkpoint which states another one contradicts. `gpus` of one node share each layer (tensor
    parallel); `expert_parallel`: each has whole experts instead of a share of each one, and tokens are sent
    to the GPUs of their experts, or where `stays`, results of all experts are added up. `exchanges` is the
    library by which they exchange (None: the engine's own kernels, and NCCL where it has none; the name of a
    kernel set: that engine's where they are faster). `norms_with_sums`: a norm runs in the sum before it.
    `skew` is how uneven a model's routers are: 0, or the exponent of a power law of its experts' shares.
    `narrow_activations`: experts stored in mxfp4 multiply activations of 8 bit, not of 16.
    `popularity` is that of Zipf's law by which tokens draw them (None: what the layer states).
    """

    layout: Layout = Layout.FUSED
    cuda_graph: bool = True
    precision: Precision = field(default_factory=lambda: PRECISIONS["bf16"])
    kv_dtype: DType | None = None
    explicit: bool = False
    gpus: int = 1
    expert_parallel: bool = False
    stays: bool = False
    exchanges: str | None = None
    norms_with_sums: bool = False
    narrow_activations: bool = False
    skew: float = 0.0
    popularity: float | None = None

    @property
    def sends_tokens(self) -> bool:
        """Whether tokens go to the GPUs of their experts and back."""
        return self.gpus > 1 and self.expert_parallel and not self.stays

    @property
    def fusion(self) -> Fusion:
        """Which small kernels run as one."""
        return FUSIONS[self.layout]

    @property
    def attention_dtype(self) -> DType:
        """The type attention multiplies in: the math type if it is 16 or 32 bit, else bf16."""
        math = self.precision.math
        return math if math in (DType.BF16, DType.FP16, DType.FP32, DType.TF32) else DType.BF16

    @property
    def activation_bytes(self) -> float:
        """Bytes of a value of the residual stream and of every intermediate between kernels."""
        return self.attention_dtype.bytes

    @property
    def cache_dtype(self) -> DType:
        """The type of cached K and V."""
        return self.kv_dtype or self.attention_dtype

    @property
    def head_precision(self) -> Precision:
        """Precision of embedding and LM head: unquantised."""
        return PRECISIONS[self.attention_dtype.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One forward pass: arrays over the scenario axis, broadcast together.

    Prefill reads `batch` prompts of `context` tokens, the first `cached` of which are in the KV cache
    already. Decode makes one token for each of `batch` sequences at a context of `context` tokens, the
    current one included.
    """

    phase: Phase
    batch: Numeric
    context: Numeric
    execution: Execution = field(default_factory=Execution)
    cached: Numeric = 0

    @property
    def gpus(self) -> int:
        """GPUs of one node that share the model."""
        return self.execution.gpus

    @property
    def tokens(self) -> Numeric:
        """M of the block GEMMs: batch x new tokens of the prompt in prefill, batch in decode."""
        # As floats: byte counts of a narrow integer type would overflow.
        return as_array(self.batch) * (as_array(self.query_len) if self.phase is Phase.PREFILL else 1.0)

    @property
    def query_len(self) -> Numeric:
        """New tokens for each sequence."""
        return self.context - self.cached if self.phase is Phase.PREFILL else 1


MAX_BATCH = 2**20
MAX_CONTEXT = 2**27
MAX_GPUS = 1024
"""Beyond any served batch, any published context length and any node: a larger number is a slip."""


def check_scenario(scenario: Scenario) -> None:
    """Raise InvalidValueError for a batch or context that is no array of positive, plausible integers.

    Batch and context must broadcast together, and hold at least one scenario.
    """
    whole_numbers("batch", scenario.batch, MAX_BATCH)
    whole_numbers("context", scenario.context, MAX_CONTEXT)
    batch, context = np.shape(scenario.batch), np.shape(scenario.context)
    try:
        np.broadcast_shapes(batch, context)
    except ValueError:
        raise InvalidValueError(
            "context", f"array of shape {context}", f"a shape that broadcasts with batch's, {batch}"
        ) from None
