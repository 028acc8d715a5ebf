"""`all_reduce_latency` and `exchange_latency`: what the GPUs of a node take to exchange their buffers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from infersim.cost.collectives.parameters import NCCL
from infersim.domain.arguments import Rule, checked, flag, one_of, optional
from infersim.domain.costs import Latency
from infersim.domain.numbers import count, whole
from infersim.domain.shapes import Collective, Exchange
from infersim.profile_files.profiles import a_profile, kernels_named
from infersim.simulation.speedups.stretches import shapes_latency

if TYPE_CHECKING:
    from infersim.simulation.speedups.resolving import Dimension, Gpu

MAX_MESSAGE_BYTES = 2**44
MAX_GPUS = 2**12
"""Far beyond any buffer and any node: a larger number is a slip."""

_RULES: Mapping[str, Rule] = {
    "gpu": a_profile,
    "message_bytes": whole(MAX_MESSAGE_BYTES),
    "gpus": count(MAX_GPUS),
    "library": optional(one_of("library", (NCCL,))),
    "cuda_graph": flag,
    "kernels": kernels_named,
}
"""What both ask of their arguments."""


@checked(**_RULES)
def all_reduce_latency(
    gpu: Gpu,
    *,
    message_bytes: Dimension,
    gpus: int,
    library: str | None = None,
    cuda_graph: bool = True,
    kernels: str | None = None,
) -> Latency:
    """Latency of adding up a buffer of `message_bytes` over `gpus` GPUs of one node; arrays broadcast.

    What tensor parallel layers do with their activations.

    Parameters
    ----------
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile.
    message_bytes
        The buffer of each GPU: tokens x hidden size x 2 in 16 bit.
    gpus
        GPUs of one node.
    library
        None is what an engine runs: its own kernels (one-shot, two-shot, sums in the switch) as far as they
        are faster, else NCCL. `"nccl"` is NCCL alone.
    cuda_graph
        False: the host issues it.
    kernels
        The engine whose kernels are predicted, as in `load_profile`.

    Returns
    -------
    Latency
        As in `gemm_latency`.

    Raises
    ------
    InvalidValueError
        For fewer than two GPUs, and for more than a node of this GPU has.
    UnsupportedError
        Where nobody says how they are connected.

    References
    ----------
    .. [1] P. Patarasuk, X. Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations",
       Journal of Parallel and Distributed Computing 69(2), 2009: `floor_s` and the ring.
    .. [2] docs/cost-model.md: the whole formula.

    Examples
    --------
    >>> import infersim as sim
    >>> small, large = sim.all_reduce_latency("h100-sxm", message_bytes=[2**16, 2**26], gpus=8).latency_s
    >>> bool(small < large)
    True
    """
    return exchange_latency(
        gpu,
        Exchange.ALL_REDUCE.value,
        message_bytes=message_bytes,
        gpus=gpus,
        library=library,
        cuda_graph=cuda_graph,
        kernels=kernels,
    )


@checked(exchange=one_of("exchange", list(Exchange)), **_RULES)
def exchange_latency(
    gpu: Gpu,
    exchange: str,
    *,
    message_bytes: Dimension,
    gpus: int,
    library: str | None = None,
    cuda_graph: bool = True,
    kernels: str | None = None,
) -> Latency:
    """Latency of an exchange (`all_reduce`, `all_gather`, `reduce_scatter`, `all_to_all`) inside a node.

    Parameters
    ----------
    gpu
        As in `all_reduce_latency`.
    exchange
        `all_reduce`, `all_gather`, `reduce_scatter` or `all_to_all`.
    message_bytes
        The whole buffer of one GPU: what an all-gather ends with, what a reduce-scatter and an all-to-all
        begin with.
    gpus, library, cuda_graph, kernels
        As in `all_reduce_latency`.

    Returns
    -------
    Latency
        As in `gemm_latency`.

    Raises
    ------
    InvalidValueError, UnsupportedError
        As in `all_reduce_latency`.

    References
    ----------
    .. [1] R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of collective communication operations in
       MPICH", International Journal of High Performance Computing Applications 19(1), 2005: steps that wait,
       and bytes that are sent.
    .. [2] docs/cost-model.md: the whole formula.

    Examples
    --------
    >>> import infersim as sim
    >>> latency = sim.exchange_latency("h100-sxm", "all_gather", message_bytes=2**20, gpus=8)
    >>> bool(latency.latency_s >= latency.floor_s)
    True
    """
    shape = Collective(
        message_bytes=np.asarray(message_bytes, dtype=np.float64),
        gpus=gpus,
        exchange=Exchange(exchange),
        library=library,
    )
    profile = a_profile("gpu", gpu).with_kernels(kernels)
    return shapes_latency(shape, profile, cuda_graph=cuda_graph)
