"""2:4 GEMMs: weights of which two in four are kept, in the format of the sparse tensor cores."""

from __future__ import annotations

from functools import partial

import torch
from torch.nn import functional

from infersim.domain.errors import UnsupportedError
from infersim.measuring.devices.torch_tools import compressed
from infersim.measuring.kernels.bench import Bench, Prepared, Row, stored_as

SIXTEEN_BIT = ("bf16", "fp16")
"""Data types that `linear` takes 2:4 weights in."""

MOST_COMPRESSED = 64
"""Compressed weights that are made for one kernel: each has to be compressed, which takes its time."""

TOKENS = 8
"""The kernels take multiples of so many tokens; buffers of that size cost a serving engine nothing."""

STORED_SHARE = 9 / 16
"""Bytes of compressed 16-bit weights over dense ones: half the values, and two bits of place for each."""


def prepare_sparse_gemm(row: Row, bench: Bench) -> Prepared:
    """`O[m,n] = A[m,k] @ W[n,k]^T` with a 2:4 W, by cuSPARSELt where PyTorch has it, else by CUTLASS.

    Tokens are rounded up to what the kernels take, as PyTorch would copy A and O to do it.

    Raises UnsupportedError off the GPU, and for data types and shapes that there is no such kernel for.
    """
    m, n, k, dtype = int(row["m"]), int(row["n"]), int(row["k"]), str(row["dtype"])
    if not bench.is_cuda:
        raise UnsupportedError("2:4 GEMMs need a GPU with sparse tensor cores")
    if dtype not in SIXTEEN_BIT:
        raise UnsupportedError(f"2:4 GEMMs are measured in {' and '.join(SIXTEEN_BIT)}")
    stored = stored_as(dtype)
    rotation = bench.rotation(n * k * stored.itemsize * STORED_SHARE, most_copies=MOST_COMPRESSED)
    dense = bench.data.tensor(n, k, dtype=stored)
    pruned = dense.where(kept_two_of_four(dense), 0)
    weights = [compressed(pruned) for _ in range(rotation.copies)]
    activations = bench.data.tensor(-(-m // TOKENS) * TOKENS, k, dtype=stored)
    return Prepared(
        calls=tuple(partial(functional.linear, activations, weight) for weight in weights),
        implementation=type(weights[0]).__name__,
        rotating_buffers=rotation.copies,
        weight_copies=None if rotation.is_cold else rotation.copies,
    )


def kept_two_of_four(weight: torch.Tensor) -> torch.Tensor:
    """Mask [n, k] of the two largest magnitudes in each group of four along k (a multiple of 4)."""
    groups = weight.abs().reshape(-1, 4)
    mask = torch.zeros_like(groups, dtype=torch.bool)
    return mask.scatter_(1, groups.topk(2, dim=1).indices, True).reshape(weight.shape)
