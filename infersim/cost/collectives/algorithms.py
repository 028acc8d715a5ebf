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
    """A ring of n GPUs: its steps wait for each other while chunks of the buffer follow each other.

    Small chunks make many steps, large ones leave links idle at both ends: with the best chunk the pipeline
    costs the geometric mean of waiting and sending on top of both (`fill` times).
    """
    doublings = math.log2(shape.gpus) - 1
    waited_us = hops(shape.exchange, shape.gpus) * p["hop_us"]
    sent = ring_bytes(shape.exchange, shape.message_bytes, shape.gpus)
    sent_us = link_us(sent, link, p["efficiency"] * p["doubling"] ** doublings)
    us: Array = p["launch_us"] + waited_us + sent_us + p["fill"] * np.sqrt(waited_us * sent_us)
    return us


def one_shot_us(p: Mapping[str, float], shape: Collective, link: Link) -> Array:
    """All GPUs wait for each other once, and each reads the buffers of all."""
    waited_us = p["own_us"] + p["barrier_us"] * math.log2(shape.gpus)
    return waited_us + link_us(one_shot_bytes(shape.message_bytes, shape.gpus), link, p["one_shot"])


def two_shot_us(p: Mapping[str, float], shape: Collective, link: Link) -> Array:
    """All GPUs wait for each other, add up their parts, wait again and read each other's sums."""
    sent = two_shot_bytes(shape.message_bytes, shape.gpus)
    return _twice_waited_us(p, shape) + link_us(sent, link, p["two_shot"])


def own_switch_us(p: Mapping[str, float], shape: Collective, link: Link) -> Array:
    """The same where the switch adds up."""
    sent = switch_bytes(shape.message_bytes, shape.gpus)
    return _twice_waited_us(p, shape) + link_us(sent, link, p["switch_efficiency"])


def _twice_waited_us(p: Mapping[str, float], shape: Collective) -> float:
    return p["own_us"] + p["second_us"] + 2 * p["barrier_us"] * math.log2(shape.gpus)


def library_switch_us(p: Mapping[str, float], shape: Collective, link: Link) -> Array:
    """NCCL where the switch adds up: two steps, whatever the number of GPUs."""
    waited_us = 2 * p["hop_us"]
    sent = switch_bytes(shape.message_bytes, shape.gpus)
    sent_us = link_us(sent, link, p["switch_efficiency"])
    us: Array = 2 * p["launch_us"] + waited_us + sent_us + p["fill"] * np.sqrt(waited_us * sent_us)
    return us


def candidates(p: Mapping[str, float], shape: Collective, link: Link) -> dict[int, Array]:
    """Microseconds of each algorithm that is there for an exchange over a link, launch included."""
    found = {RING: ring_us(p, shape, link)}
    if shape.exchange is not Exchange.ALL_REDUCE:
        return found
    own = shape.library != NCCL
    if own and link.direct:
        found |= {ONE_SHOT: one_shot_us(p, shape, link), TWO_SHOT: two_shot_us(p, shape, link)}
    if link.reduces:
        found[SWITCH] = own_switch_us(p, shape, link) if own else library_switch_us(p, shape, link)
    return found


def fastest(p: Mapping[str, float], shape: Collective, link: Link) -> tuple[npt.NDArray[np.int8], Array]:
    """The algorithm that is done first, and its microseconds."""
    times = candidates(p, shape, link)
    extent = np.shape(as_array(shape.message_bytes))
    table = np.stack([np.broadcast_to(us, extent) for us in times.values()])
    best = np.argmin(table, axis=0)
    codes = np.array(list(times), dtype=np.int8)[best]
    return codes, np.asarray(np.min(table, axis=0))
