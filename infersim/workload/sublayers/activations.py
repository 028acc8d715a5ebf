"""Activation functions of feed-forward sublayers, by the kernels that eager PyTorch runs for them."""

from __future__ import annotations

from enum import StrEnum


class Activation(StrEnum):
    """Names by what is computed; a config's spellings are read in `workload.hf`."""

    SILU = "silu"
    GELU = "gelu"
    GELU_TANH = "gelu_tanh"
    GELU_BY_PARTS = "gelu_by_parts"
    RELU = "relu"
    RELU_SQUARED = "relu2"
    XIELU = "xielu"

    @property
    def eager_kernels(self) -> int:
        """Kernels in eager PyTorch, each of which reads and writes the whole width.

        GELU_BY_PARTS is `0.5 * x * (1 + tanh(c * (x + 0.044715 * x^3)))` written out: eight kernels. XIELU is
        `a x^2 + b x` above 0, `a' (exp(min(x, e)) - 1 - x) + b x` below: twelve. A fused layout runs any
        activation as one kernel.
        """
        written_out = {Activation.GELU_BY_PARTS: 8, Activation.RELU_SQUARED: 2, Activation.XIELU: 12}
        return written_out.get(self, 1)

    @property
    def learned(self) -> int:
        """Numbers that it learns in each sublayer: the a and a' of XIELU."""
        return 2 if self is Activation.XIELU else 0
