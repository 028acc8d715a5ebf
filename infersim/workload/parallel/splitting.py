"""Weight matrices in shares: by their outputs (N), or by their inputs (K), one share for each GPU.

Both factors of a low-rank pair are split, so that no GPU does the work of another: by outputs each has a
share of the ranks and then gathers all of them; by inputs each has a part of every rank's sum, of which it
gets its share whole. Ranks are rounded up to whole shares of `RANK_STEP`: zeros in new columns change
nothing.
"""

from __future__ import annotations

from dataclasses import replace

from infersim.workload.transformer import Linear

RANK_STEP = 8
"""A GPU's share of the ranks is a multiple of it: rows of 16 bytes, which kernels read fast."""


def share(width: int, gpus: int, step: int = 1) -> int:
    """A GPU's part of a width, rounded up to whole `step`s."""
    return -(-width // (gpus * step)) * step


def by_outputs(linear: Linear, gpus: int, outputs: int | None = None, *, step: int = 1) -> Linear:
    """The share of a matrix whose N is split: heads, FFN channels. `outputs`: how many, where it is no even
    share (KV heads of which each GPU keeps a copy). `step` is what shares are rounded up to.
    """
    n = share(linear.out_features, gpus, step) if outputs is None else outputs
    if linear.rank is None:
        return replace(linear, out_features=n)
    rank = share(linear.rank, gpus, RANK_STEP)
    return replace(linear, out_features=n, rank=rank, inner=rank * gpus, fused_pair=False)


def by_inputs(linear: Linear, gpus: int, *, step: int = 1) -> Linear:
    """The share of a matrix whose K is split; its results are parts of sums."""
    k = share(linear.in_features, gpus, step)
    if linear.rank is None:
        return replace(linear, in_features=k)
    inner = share(linear.rank, gpus, RANK_STEP)
    return replace(linear, in_features=k, rank=inner * gpus, inner=inner, fused_pair=False)
