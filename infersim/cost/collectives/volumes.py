"""What a GPU sends over its links in an exchange, by algorithm, and the least that it must.

S bytes lie in the whole buffer of each of n GPUs: what an all-reduce adds up, what an all-gather ends with,
what a reduce-scatter and an all-to-all begin with.
"""

from __future__ import annotations

from infersim.domain.arrays import Array, Numeric, as_array
from infersim.domain.interconnect import Link
from infersim.domain.shapes import Collective, Exchange


def ring_bytes(exchange: Exchange, message_bytes: Numeric, gpus: int) -> Array:
    """What each GPU sends in a ring, and in pairwise exchanges of an all-to-all: (n - 1) / n of S.

    An all-reduce is a reduce-scatter and an all-gather, so twice that (Patarasuk and Yuan, 2009).
    """
    passes = 2.0 if exchange is Exchange.ALL_REDUCE else 1.0
    return passes * as_array(message_bytes) * (gpus - 1) / gpus


def one_shot_bytes(message_bytes: Numeric, gpus: int) -> Array:
    """Each GPU reads the buffers of all others whole, and adds up all by itself: (n - 1) S."""
    return as_array(message_bytes) * (gpus - 1)


def two_shot_bytes(message_bytes: Numeric, gpus: int) -> Array:
    """Each GPU adds up its own part of all buffers and then reads the others' sums: as in a ring."""
    return ring_bytes(Exchange.ALL_REDUCE, message_bytes, gpus)


def switch_bytes(message_bytes: Numeric, gpus: int) -> Array:
    """The switch adds up: a GPU's whole buffer goes there, and its part of the sums to all: S + S / n."""
    return as_array(message_bytes) * (1.0 + 1.0 / gpus)


def hops(exchange: Exchange, gpus: int) -> int:
    """Steps of a ring that wait for each other, and messages that a GPU of an all-to-all sends."""
    return (2 if exchange is Exchange.ALL_REDUCE else 1) * (gpus - 1)


def least_bytes(shape: Collective, link: Link) -> Array:
    """What each GPU must send, however it goes about it.

    In an all-reduce without help all must be sent twice but for a GPU's own part, as in a ring. Where the
    switch adds up, what others need of a GPU is its buffer, once: S, of which its own part as sums.
    """
    ring = ring_bytes(shape.exchange, shape.message_bytes, shape.gpus)
    if shape.exchange is Exchange.ALL_REDUCE and link.reduces:
        return ring.clip(max=as_array(shape.message_bytes))
    return ring
