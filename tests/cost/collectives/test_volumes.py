"""What is sent in an exchange, by hand: rings step by step, sums in the switch, and the least there is."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from infersim.cost.collectives.volumes import (
    hops,
    least_bytes,
    one_shot_bytes,
    ring_bytes,
    switch_bytes,
    two_shot_bytes,
)
from infersim.domain.interconnect import Link, LinkKind
from infersim.domain.shapes import Collective, Exchange

S = 840.0
"""Bytes of a buffer that 2 to 8 GPUs divide evenly."""

PLAIN = Link(kind=LinkKind.NVLINK, bytes_per_s=1e9, direct=True)
ADDING = Link(kind=LinkKind.NVLINK, bytes_per_s=1e9, direct=True, reduces=True)


def simulated_ring(gpus: int) -> tuple[list[list[Fraction]], list[int]]:
    """An all-reduce run step by step: the buffers at the end, and how many parts each GPU sent."""
    buffers = [[Fraction(10**gpu + part) for part in range(gpus)] for gpu in range(gpus)]
    sent = [0] * gpus
    for step in range(2 * (gpus - 1)):
        reducing = step < gpus - 1
        moving = [((gpu - step) if reducing else (gpu + 1 - (step - gpus + 1))) % gpus for gpu in range(gpus)]
        carried = [buffers[gpu][moving[gpu]] for gpu in range(gpus)]
        for gpu in range(gpus):
            to, part = (gpu + 1) % gpus, moving[gpu]
            buffers[to][part] = buffers[to][part] + carried[gpu] if reducing else carried[gpu]
            sent[gpu] += 1
    return buffers, sent


@pytest.mark.parametrize("gpus", [2, 3, 4, 7, 8])
def test_a_ring_run_by_hand_sends_what_is_said(gpus: int) -> None:
    buffers, sent = simulated_ring(gpus)
    sums = [sum(Fraction(10**gpu + part) for gpu in range(gpus)) for part in range(gpus)]
    assert buffers == [sums] * gpus  # it is an all-reduce
    assert set(sent) == {hops(Exchange.ALL_REDUCE, gpus)}
    assert sent[0] * S / gpus == pytest.approx(float(ring_bytes(Exchange.ALL_REDUCE, S, gpus)))


def test_volumes_of_eight_gpus_by_hand() -> None:
    assert float(ring_bytes(Exchange.ALL_REDUCE, S, 8)) == 2 * 7 / 8 * S == 1470
    assert float(ring_bytes(Exchange.ALL_GATHER, S, 8)) == 7 / 8 * S == 735
    assert float(ring_bytes(Exchange.REDUCE_SCATTER, S, 8)) == 735
    assert float(ring_bytes(Exchange.ALL_TO_ALL, S, 8)) == 735
    assert float(one_shot_bytes(S, 8)) == 7 * S == 5880
    assert float(two_shot_bytes(S, 8)) == 1470
    assert float(switch_bytes(S, 8)) == S + S / 8 == 945


def test_a_layer_of_mixtral_on_eight_gpus() -> None:
    # 64 tokens x 4096 values x 2 bytes, twice a layer, 32 layers, each 7/4 of it over the links.
    buffer = 64 * 4096 * 2
    assert 2 * 32 * float(ring_bytes(Exchange.ALL_REDUCE, buffer, 8)) == 64 * 1.75 * 524288 == 58_720_256


@pytest.mark.parametrize("gpus", [2, 3, 4, 6, 8])
@pytest.mark.parametrize("exchange", list(Exchange))
def test_no_algorithm_sends_less_than_the_least(gpus: int, exchange: Exchange) -> None:
    shape = Collective(message_bytes=np.array([S]), gpus=gpus, exchange=exchange)
    for link in (PLAIN, ADDING):
        least = float(least_bytes(shape, link)[0])
        sent = [float(ring_bytes(exchange, S, gpus))]
        if exchange is Exchange.ALL_REDUCE:
            sent += [float(one_shot_bytes(S, gpus)), float(two_shot_bytes(S, gpus))]
            sent += [float(switch_bytes(S, gpus))] if link.reduces else []
        assert 0 < least <= min(sent)


def test_a_switch_that_adds_up_halves_what_many_gpus_must_send() -> None:
    shape = Collective(message_bytes=S, gpus=8)
    assert float(least_bytes(shape, PLAIN)) == 1470
    assert float(least_bytes(shape, ADDING)) == S
    pair = Collective(message_bytes=S, gpus=2)
    assert float(least_bytes(pair, PLAIN)) == float(least_bytes(pair, ADDING)) == S
