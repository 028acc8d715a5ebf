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

    @property
    def eager_kernels(self) -> int:
        """Kernels in eager PyTorch, each of which reads and writes the whole width.

        GELU_BY_PARTS is `0.5 * x * (1 + tanh(c * (x + 0.044715 * x^3)))` written out: eight kernels. A fused
        layout runs any activation as one kernel.
        """
        return {Activation.GELU_BY_PARTS: 8, Activation.RELU_SQUARED: 2}.get(self, 1)
