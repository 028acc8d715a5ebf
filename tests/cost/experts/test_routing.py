"""Where tokens go: pairs, experts that are hit and rows of tiles, against drawing and counting."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.cost.experts.routing import Loads, Routing, loads_of
from infersim.cost.experts.routing_names import NamedRouting, routing_named


def loads(
    tokens: float,
    experts: int,
    top_k: int,
    gpus: int = 1,
    skew: float = 0.0,
    *,
    dealt: bool = False,
    popularity: float = 0.0,
) -> Loads:
    sizes = (np.array([size], dtype=np.float32) for size in (tokens, experts, experts / gpus, top_k))
    of_tokens, of_experts, local, of_top_k = sizes
    routing = Routing(
        tokens=of_tokens,
        num_experts=of_experts,
        local=local,
        top_k=of_top_k,
        skew=skew,
        dealt=dealt,
        popularity=popularity,
    )
    return loads_of(routing)


def drawn(tokens: int, experts: int, top_k: int, gpus: int) -> np.ndarray:
    """Loads of the experts on the fullest GPU, over draws."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(40):
        chosen = np.concatenate([rng.choice(experts, top_k, replace=False) for _ in range(tokens)])
        on_gpus = np.bincount(chosen, minlength=experts).reshape(gpus, -1)
        found.append(on_gpus[on_gpus.sum(axis=1).argmax()])
    return np.array(found)


@pytest.mark.parametrize(
    ("tokens", "experts", "top_k"), [(1, 128, 8), (4, 128, 8), (16, 8, 2), (64, 64, 6), (256, 512, 10)]
)
def test_random_tokens_hit_the_expected_experts(tokens: int, experts: int, top_k: int) -> None:
    found = loads(tokens, experts, top_k)
    assert found.pairs[0] == pytest.approx(tokens * top_k, rel=1e-3)
    assert found.hits[0] == pytest.approx(experts * (1 - (1 - top_k / experts) ** tokens), rel=0.02)


@pytest.mark.parametrize("gpus", [1, 4, 8])
def test_rows_of_tiles_and_the_fullest_gpu_are_those_of_draws(gpus: int) -> None:
    found, counted = loads(96, 64, 6, gpus), drawn(96, 64, 6, gpus)
    assert found.pairs[0] == pytest.approx(counted.sum(axis=1).mean(), rel=0.05)
    for tile_m in (16, 64):
        rows = np.ceil(counted / tile_m).sum(axis=1).mean()
        assert found.rows_of_tiles(tile_m)[0] == pytest.approx(rows, rel=0.1)


@pytest.mark.parametrize(("tokens", "hits"), [(1, 8), (2, 16), (16, 128), (1000, 128)])
def test_dealt_tokens_hit_as_many_experts_as_they_can(tokens: int, hits: int) -> None:
    assert loads(tokens, 128, 8, dealt=True).hits[0] == pytest.approx(hits)


def test_dealt_tokens_leave_no_gpu_idle_where_one_expert_stands_on_each() -> None:
    found = loads(1, 128, 8, gpus=128, dealt=True)
    assert (found.pairs[0], found.hits[0]) == pytest.approx((1, 1))


def test_a_power_law_fills_few_experts_with_many_tokens() -> None:
    even, uneven = loads(2048, 128, 8), loads(2048, 128, 8, skew=1.2)
    assert uneven.pairs[0] == pytest.approx(even.pairs[0], rel=1e-3)
    assert uneven.values.max() > 4 * even.values.max()
    assert uneven.rows_of_tiles(128)[0] > even.rows_of_tiles(128)[0]


def test_popular_experts_are_hit_by_hand() -> None:
    # Of 4 experts with shares 12, 6, 4 and 3 of 25, each of two tokens draws one.
    missed = [(1 - share / 25) ** 2 for share in (12, 6, 4, 3)]
    found = loads(2, 4, 1, popularity=1.0)
    assert found.hits[0] == pytest.approx(4 - sum(missed), rel=1e-3)
    assert found.pairs[0] == pytest.approx(2, rel=1e-3)


def test_no_token_chooses_an_expert_twice() -> None:
    # The first of 8 would get 1.38 of 2 choices: it gets one, the others share the second one.
    others = [1 / rank**2 for rank in range(2, 9)]
    missed = [(1 - share / sum(others)) ** 3 for share in others]
    found = loads(3, 8, 2, popularity=2.0)
    assert found.hits[0] == pytest.approx(8 - sum(missed), rel=0.01)
    assert found.values.max() == 3


@pytest.mark.parametrize("gpus", [1, 8])
def test_the_least_popularity_is_a_random_draw(gpus: int) -> None:
    flat, drawn = loads(64, 128, 4, gpus, popularity=1e-6), loads(64, 128, 4, gpus)
    np.testing.assert_allclose(flat.values, drawn.values, rtol=1e-3, atol=1e-3)


def test_the_more_popular_some_experts_are_the_fewer_are_hit() -> None:
    hits = [loads(64, 128, 4, popularity=exponent).hits[0] for exponent in (0.0, 0.3, 0.9, 2.0, 4.0)]
    assert all(more > fewer for more, fewer in itertools.pairwise(hits))


@pytest.mark.parametrize(("tokens", "gpus"), [(64, 1), (512, 1), (512, 8), (512, 128)])
def test_popular_experts_are_those_of_draws(tokens: int, gpus: int) -> None:
    share = np.arange(1, 129.0) ** -0.9
    rng, found = np.random.default_rng(0), loads(tokens, 128, 4, gpus, popularity=0.9)
    counted = []
    for _ in range(100):
        on_gpus = rng.permutation(rng.binomial(tokens, 4 * share / share.sum())).reshape(gpus, -1)
        counted.append(on_gpus[on_gpus.sum(axis=1).argmax()])
    rows = np.ceil(np.array(counted) / 64).sum(axis=1).mean()
    assert found.pairs[0] == pytest.approx(np.sum(counted, axis=1).mean(), rel=0.1)
    assert found.rows_of_tiles(64)[0] == pytest.approx(rows, rel=0.2)


@settings(max_examples=40, deadline=None)
@given(
    tokens=st.integers(1, 5000),
    experts=st.sampled_from([8, 16, 64, 128, 384]),
    top_k=st.integers(1, 8),
    gpus=st.sampled_from([1, 2, 8]),
    skew=st.sampled_from([0.0, 0.5, 1.01, 1.2, 2.0]),
    dealt=st.booleans(),
    popularity=st.sampled_from([0.0, 0.9, 4.0]),
)
def test_counts_are_consistent(
    tokens: int, experts: int, top_k: int, gpus: int, skew: float, dealt: bool, popularity: float
) -> None:
    found = loads(tokens, experts, top_k, gpus, skew, dealt=dealt, popularity=popularity)
    pairs, hits, tiles = found.pairs[0], found.hits[0], found.rows_of_tiles(64)[0]
    assert 0 < hits <= min(experts / gpus, pairs) * 1.001
    assert pairs >= tokens * top_k / gpus * 0.999
    assert found.values.max() <= tokens
    assert hits * 0.999 <= tiles <= pairs / 64 + experts / gpus + 0.001


def test_names_of_routings() -> None:
    assert routing_named("balanced") == NamedRouting(skew=0.0, dealt=True)
    assert routing_named("random") == NamedRouting(skew=0.0, dealt=False)
    assert routing_named("power_law_1.2") == NamedRouting(skew=1.2, dealt=False)
    assert routing_named("zipf_0.9") == NamedRouting(popularity=0.9)
    for name in (
        "zipf_",
        "zipf_0",
        "zipf_5",
        "even",
        "power_law_",
        "power_law_x",
        "power_law_-1",
        "power_law_9",
        "power_law_nan",
    ):
        assert routing_named(name) is None
