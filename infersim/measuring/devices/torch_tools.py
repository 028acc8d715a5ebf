"""What PyTorch is asked for in measurements: compiled functions, 2:4 storage, TF32, and attention kernels.

Whole prompts take PyTorch's own order of attention kernels (cuDNN first on Hopper and data-centre
Blackwell, FlashAttention elsewhere). Decode steps take FlashAttention first, which splits the KV cache over
the SMs: cuDNN builds a plan for each shape, some 0.4 s, and a decode step has a context length that none
had before.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import ParamSpec, TypeVar

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from infersim.domain.errors import UnsupportedError

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


CUTLASS_MAJOR = 8
"""PyTorch's CUTLASS kernels are those of compute capability 8.x; cuSPARSELt has 8.0 and all later ones."""


def compressed(weight: torch.Tensor) -> torch.Tensor:
    """`weight[n, k]`, of which two in four are zero along k, as a tensor that `linear` multiplies by.

    Raises UnsupportedError where PyTorch has no kernel for this GPU, type or shape.
    """
    kind = _kind(torch.cuda.get_device_capability(weight.device))
    try:
        with warnings.catch_warnings():
            # That its interface is a prototype.
            warnings.simplefilter("ignore", UserWarning)
            result: torch.Tensor = kind.from_dense(weight.contiguous())
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, NotImplementedError) as error:
        raise UnsupportedError(f"2:4 matrices cannot be run here: {str(error).splitlines()[0]}") from error
    return result


def _kind(capability: tuple[int, int]) -> type[torch.sparse.SparseSemiStructuredTensor]:
    if capability >= (8, 0) and torch.backends.cusparselt.is_available():
        return torch.sparse.SparseSemiStructuredTensorCUSPARSELT
    if capability[0] == CUTLASS_MAJOR:
        return torch.sparse.SparseSemiStructuredTensorCUTLASS
    raise UnsupportedError(
        f"2:4 GEMMs: this PyTorch has no kernels for compute capability {capability[0]}.{capability[1]}"
        + ("" if capability < (8, 0) else ": it is built without cuSPARSELt")
    )


def set_float32(dtype: str, device: torch.device) -> None:
    """Multiply 32-bit values in TF32 if `dtype` is tf32, else in FP32; UnsupportedError off a GPU."""
    if dtype == "tf32" and device.type != "cuda":
        raise UnsupportedError("tf32 needs a GPU")
    torch.set_float32_matmul_precision("high" if dtype == "tf32" else "highest")


P = ParamSpec("P")
T = TypeVar("T")

MOST_VERSIONS = 1024
"""Beyond its limit of versions (axes of length 1, other strides, equal axes), 8 unless told, PyTorch
gives a function up and runs it uncompiled without a word."""


@cache
def compiled(work: Callable[P, T], *, dynamic: bool | None = True) -> Callable[P, T]:
    """`work` compiled once for all shapes: compiling each anew would take longer than measuring it."""
    import torch
    from torch._dynamo import config

    config.recompile_limit = MOST_VERSIONS
    config.accumulated_recompile_limit = MOST_VERSIONS
    result: Callable[P, T] = torch.compile(work, dynamic=dynamic)
    return result
