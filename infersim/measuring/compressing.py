"""2:4 matrices in the format of the sparse tensor cores, by cuSPARSELt or by CUTLASS."""

from __future__ import annotations

import warnings

import torch

from infersim.domain.errors import UnsupportedError

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
