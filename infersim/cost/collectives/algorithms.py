"""How long each algorithm of an exchange takes, in microseconds: what it waits for and what it sends.

Which of them is the fastest depends on the bytes, the GPUs and the link. No size stands here at which
libraries and engines change from one to the next: the crossover is where the times are equal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from infersim.cost.collectives.parameters import NCCL
from infersim.cost.collectives.volumes import hops, one_shot_bytes, ring_bytes, switch_bytes, two_shot_bytes
from infersim.domain.arrays import Array, as_array
from infersim.domain.interconnect import Link
from infersim.domain.profile import MEGA
from infersim.domain.shapes import Collective, Exchange

ALGORITHMS: tuple[str, ...] = ("ring", "one-shot", "two-shot", "switch")
RING, ONE_SHOT, TWO_SHOT, SWITCH = range(4)


def link_us(sent_bytes: Array, link: Link, share: float) -> Array:
    """Microseconds to send bytes at a share of the link's bandwidth, which is 1 at most."""
    us: Array = sent_bytes / (link.bytes_per_s * min(share, 1.0)) * MEGA
    return us


def ring_us(p: Mapping[str, float], shape: Collective, link: Link) -> Array:
    """NCCL's ring of n GPUs, whose steps wait for each other, by the faster of two protocols.

    One sends flags beside the data, so that nobody waits for a buffer to be full, at a share of the rate;
    the other fills buffers, at all of it, and takes longer for a step (NCCL's LL and Simple).
    """
    doublings = math.log2(shape.gpus) - 1
    waited_us = hops(shape.exchange, shape.gpus) * p["hop_us"]
    sent = ring_bytes(shape.exchange, shape.message_bytes, shape.gpus)
    sent_us = link_us(sent, link, p["efficiency"] * p["doubling"] ** doublings)
    flagged_us = waited_us + sent_us / p["flagged_share"]
    filled_us = waited_us * p["filled_steps"] + sent_us
    us: Array = p["launch_us"] + np.minimum(flagged_us, filled_us)
    return us


def one_shot_us(p: Mapping[str, float], shape: Collective, link: Link) -> Array:
    """All GPUs wait for each other once, and each reads the buffers of all."""
    waited_us = p["own_us"] + p["barrier_us"] * math.log2(shape.gpus)
    return waited_us + link_us(one_shot_bytes(shape.message_bytes, shape.gpus), link, p["one_shot"])


def two_shot_us(p: Mapping[str, float], shape: Collective, link: Link) -> Array:
    """All GPUs wait for each other, add up their parts, wait again and read each other's sums."""
    sent = two_shot_bytes(shape.message_bytes, shape.gpus)
    return _twice_waited_us(p, shape) + link_us(sent, link, p["two_shot"])


def switch_us(p: Mapping[str, float], shape: Collective, link: Link) -> Array:
    """The same where the switch adds up: an engine's own kernel, or NCCL's where the node allows it."""
    sent = switch_bytes(shape.message_bytes, shape.gpus)
    return _twice_waited_us(p, shape) + link_us(sent, link, p["switch_efficiency"])


def _twice_waited_us(p: Mapping[str, float], shape: Collective) -> float:
    return p["own_us"] + p["second_us"] + 2 * p["barrier_us"] * math.log2(shape.gpus)


def candidates(p: Mapping[str, float], shape: Collective, link: Link) -> dict[int, Array]:
    """Microseconds of each algorithm that is there for an exchange over a link, launch included."""
    found = {RING: ring_us(p, shape, link)}
    if shape.exchange is not Exchange.ALL_REDUCE or shape.library == NCCL:
        return found
    if link.direct:
        found |= {ONE_SHOT: one_shot_us(p, shape, link), TWO_SHOT: two_shot_us(p, shape, link)}
    if link.reduces:
        found[SWITCH] = switch_us(p, shape, link)
    return found


def fastest(p: Mapping[str, float], shape: Collective, link: Link) -> tuple[npt.NDArray[np.int8], Array]:
    """The algorithm that is done first, and its microseconds."""
    times = candidates(p, shape, link)
    extent = np.shape(as_array(shape.message_bytes))
    table = np.stack([np.broadcast_to(us, extent) for us in times.values()])
    best = np.argmin(table, axis=0)
    codes = np.array(list(times), dtype=np.int8)[best]
    return codes, np.asarray(np.min(table, axis=0))
