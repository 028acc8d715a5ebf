"""Which of PyTorch's attention kernels run on a GPU: in samples and in models the same.

Whole prompts take PyTorch's own order (cuDNN first on Hopper and data-centre Blackwell, FlashAttention
elsewhere). Decode steps take FlashAttention first, which splits the KV cache over the SMs: cuDNN builds a
plan for each shape, some 0.4 s, and a decode step has a context length that none had before.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

STREAMING = [SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]
"""Kernels that never write the scores to memory: those that serving uses, and the cost model is of."""


def streaming(*, decode: bool) -> AbstractContextManager[None]:
    """Inside, only the kernels of `STREAMING` run."""
    return sdpa_kernel(STREAMING, set_priority=decode)


def decoding(query: torch.Tensor) -> AbstractContextManager[None]:
    """Inside, decode steps take the same kernels as in `streaming`, and any other where none of them can.

    A CPU has one kernel, and nothing is chosen.
    """
    if not query.is_cuda:
        return nullcontext()
    return sdpa_kernel([*STREAMING, SDPBackend.MATH], set_priority=True)
