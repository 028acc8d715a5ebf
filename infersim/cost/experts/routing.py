"""Where the tokens of an expert layer go: pairs with an expert, experts that are hit, rows of tiles.

How many tokens the experts of one GPU get is a distribution, kept as a few equally likely loads. Of the GPUs
that share a layer's experts it is the fullest one: the layer waits for it. Loads below one are the chance
that an expert gets a token at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from infersim.cost.experts.popularity import POINTS, chances
from infersim.cost.machine import F32

LOADS = 16
"""Equally likely loads that stand for the experts of a GPU."""

_MIDDLES = ((np.arange(LOADS) + 0.5) / LOADS).astype(np.float32)[:, np.newaxis]

_FROM_LAST = np.arange(LOADS - 1, -1, -1, dtype=np.float32)[:, np.newaxis]

MANY, FEW = (1.0, 0.8), (0.01, 2.0)
"""Ranges of what shares a power law's tokens out: from 1 to 0.8 of the tokens where these choose more experts
than there are, a narrow one where they choose fewer (aiconfigurator's collectors, `sample_power_law`)."""

FULLEST_SHIFT, FULLEST_FALL = 1.1, 0.45
"""How far the fullest of several GPUs lies in the tail of a power law, and how that falls with the experts on
it: sums of many differ less than single ones. Set so that the pairs of the fullest agree with draws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """An expert layer's routing; arrays of one length, in float32.

    `tokens` each choose `top_k` of `num_experts`, of which `local` stand on this GPU. `skew`, `dealt` and
    `popularity` are those of `domain.shapes.Experts`.
    """

    tokens: F32
    num_experts: F32
    local: F32
    top_k: F32
    skew: float
    dealt: bool
    popularity: float = 0.0

    def part(self, chunk: slice) -> Routing:
        """That of some of the layers."""
        return replace(
            self,
            tokens=self.tokens[chunk],
            num_experts=self.num_experts[chunk],
            local=self.local[chunk],
            top_k=self.top_k[chunk],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Loads:
    """Tokens that each of `local` experts gets: LOADS equally likely values along axis 0."""

    local: F32
    values: F32

    @property
    def pairs(self) -> F32:
        """Pairs of a token and an expert of this GPU."""
        result: F32 = self.local * self.values.mean(axis=0)
        return result

    @property
    def hits(self) -> F32:
        """Experts that at least one token chooses, whose weights are read."""
        result: F32 = self.local * np.minimum(self.values, np.float32(1)).mean(axis=0)
        return result

    def rows_of_tiles(self, tile_m: int) -> F32:
        """Tiles along M of all experts: each expert's tokens fill its own."""
        tiles = np.ceil(self.values * np.float32(1 / tile_m) - np.float32(1e-5))
        np.minimum(tiles, self.values, out=tiles, where=self.values < 1)
        result: F32 = self.local * tiles.mean(axis=0)
        return result


def loads_of(routing: Routing) -> Loads:
    """The loads of the experts on the fullest GPU."""
    if routing.skew > 0:
        values = _power_law(routing)
    elif routing.dealt:
        values = _dealt(routing)
    elif routing.popularity > 0:
        values = _popular(routing)
    else:
        values = _drawn(routing)
    return Loads(local=routing.local, values=np.minimum(values, routing.tokens))


def _dealt(routing: Routing) -> F32:
    """Tokens dealt to the experts in turn: loads differ by one at most, and the first GPU gets no fewer.

    Experts stand in `top_k` stretches of `num_experts / top_k`; a token takes one of each, and the next token
    the one after it. Tokens that do not go round once are spread evenly.
    """
    stretch = np.ceil(routing.num_experts / routing.top_k - np.float32(1e-4))
    rounds = np.floor(routing.tokens / stretch)
    rest = routing.tokens - rounds * stretch
    whole = np.floor(routing.local / stretch)
    part = routing.local - whole * stretch
    last = np.where(rounds > 0, np.minimum(part, rest), np.ceil(part * rest / stretch))
    more = (whole * rest + np.minimum(last, part)) / np.maximum(routing.local, np.float32(1e-6))
    each = np.maximum(rounds + more, routing.tokens * routing.top_k / routing.num_experts)
    return _two_values(np.floor(each), each - np.floor(each))


def _two_values(least: F32, more: F32) -> F32:
    """Loads of which the share `more` is one larger than `least`; the one in between is a chance."""
    filled = np.clip(more * np.float32(LOADS) - _FROM_LAST, 0, 1)
    result: F32 = least + filled
    return result


def _drawn(routing: Routing) -> F32:
    """Every token draws its experts at random: binomial loads, and 1 - (1 - k/E)^T of the experts are hit."""
    chance = np.minimum(routing.top_k / routing.num_experts, np.float32(1))
    mean = routing.tokens * chance
    gpus = routing.num_experts / routing.local
    pairs_spread = np.sqrt(np.maximum(mean * routing.local * (1 - 1 / gpus), 0))
    mean = mean + _largest_of(gpus) * pairs_spread / routing.local
    spread = np.sqrt(mean * np.maximum(1 - chance, 0))
    loads = np.maximum(mean + spread * _normal(_MIDDLES), 0)
    hit = -np.expm1(
        mean / np.maximum(chance, np.float32(1e-6)) * np.log1p(-np.minimum(chance, np.float32(1 - 1e-6)))
    )
    return _within(_with_hits(loads, hit, mean), routing.tokens)


def _popular(routing: Routing) -> F32:
    """Every token draws its experts by their popularity: 1 - (1 - p)^T of those of chance p are hit.

    A load is T p, and binomial about it. Popular experts stand on any GPU: the fullest has more of them, and
    no fewer pairs than the one with the most popular expert and others at the mean.
    """
    chance = chances(routing.num_experts, routing.top_k, routing.popularity)
    of_quantile = chance.reshape(LOADS, POINTS // LOADS, -1).mean(axis=1)
    mean = routing.tokens * np.minimum(routing.top_k / routing.num_experts, np.float32(1))
    drawn = routing.tokens * (chance * (1 - chance)).mean(axis=0)
    by_popularity = routing.tokens**2 * chance.var(axis=0)
    gpus = routing.num_experts / routing.local
    pairs_spread = np.sqrt(np.maximum((mean + by_popularity) * routing.local * (1 - 1 / gpus), 0))
    by_spread = mean + _largest_of(gpus) * pairs_spread / routing.local
    by_first = mean + (routing.tokens * chance[-1] - mean) / routing.local * (gpus > 1)
    fullest = np.minimum(np.maximum(by_spread, by_first), routing.tokens)
    more = fullest / np.maximum(mean, np.float32(1e-6))
    # Beside the spread of popularity that of draws adds little: variances are added, not widths.
    of_draws = np.sqrt(more**2 * by_popularity + more * drawn) - more * np.sqrt(by_popularity)
    loads = np.maximum(more * routing.tokens * of_quantile + of_draws * _normal(_MIDDLES), 0)
    missed = np.log1p(-np.minimum(chance, np.float32(1 - 1e-6)))
    hit = -np.expm1(more * routing.tokens * missed).mean(axis=0)
    return _within(_with_hits(loads, hit, fullest), routing.tokens)


def _with_hits(loads: F32, hit: F32, mean: F32) -> F32:
    """Sorted loads, the lowest of which are 0, so that the share `hit` of experts gets tokens at all."""
    reached = np.clip(hit * np.float32(LOADS) - _FROM_LAST, 0, 1)
    least = reached.sum(axis=0) / LOADS
    above = reached * np.maximum(loads - 1, 0)
    more = np.maximum(mean - least, 0)
    even = reached * more / np.maximum(least, np.float32(1e-6))
    spread = above * more / np.maximum(above.mean(axis=0), np.float32(1e-6))
    result: F32 = reached + np.where(above.mean(axis=0) > 1e-3, spread, even)
    return result


def _within(loads: F32, most: F32) -> F32:
    """No load above `most`: the others that are hit get what is beyond."""
    capped = np.minimum(loads, most)
    beyond = (loads - capped).mean(axis=0)
    room = np.where(capped >= 1, most - capped, np.float32(0))
    result: F32 = capped + room * np.minimum(beyond / np.maximum(room.mean(axis=0), np.float32(1e-6)), 1)
    return result


def _normal(probability: F32) -> F32:
    """The normal distribution's quantiles, to 0.01 (Tukey's lambda of 0.14)."""
    result: F32 = np.float32(4.91) * (probability ** np.float32(0.14) - (1 - probability) ** np.float32(0.14))
    return result


def _largest_of(count: F32) -> F32:
    """The expected largest of so many normal values (Blom)."""
    middle = (count - np.float32(0.375)) / (count + np.float32(0.25))
    return np.maximum(_normal(middle), 0)


def _power_law(routing: Routing) -> F32:
    """Experts whose shares follow a power law, in whole tokens; what is left over goes to the idlest.

    On the fullest GPU stands at least one expert that some token chooses.
    """
    gpus = routing.num_experts / routing.local
    tail = np.minimum(FULLEST_SHIFT * routing.local ** np.float32(-FULLEST_FALL), np.float32(1))
    fullest = _shares(routing, gpus**-tail)
    mean = routing.tokens * routing.top_k / routing.num_experts
    scale = mean / _shares(routing, np.ones_like(gpus)).mean(axis=0)
    wanted = np.minimum(np.maximum(fullest.mean(axis=0) * scale, 1 / routing.local), routing.tokens)
    loads = np.minimum(fullest * scale, routing.tokens)
    loads = np.where(loads < 1, np.float32(1) * (loads >= 0.5), loads)
    return _levelled(loads, wanted)


def _clear(skew: float) -> float:
    """The exponent, where it is 1 or 2 a little more: integrals of the law are logarithms there."""
    return skew + CLEARANCE if min(abs(skew - 1.0), abs(skew - 2.0)) < CLEARANCE else skew


CLEARANCE = 2e-3


def _shares(routing: Routing, tail: F32) -> F32:
    """Unrounded loads in ascending order; `tail` below 1 moves them towards the largest.

    The experts share the tokens in proportion to what each drew: E - 1 others draw the mean.
    """
    many = routing.tokens * routing.top_k > routing.num_experts
    low = np.where(many, np.float32(MANY[0]), np.float32(FEW[0]))
    high = np.where(many, np.maximum(MANY[1] * routing.tokens, np.float32(1.001)), np.float32(FEW[1]))
    power = 1.0 - _clear(routing.skew)
    first, last = low ** np.float32(power), high ** np.float32(power)
    drawn = ((last - first) * _MIDDLES**tail + first) ** np.float32(1 / power)
    above = np.float32(1 + power)
    mean = np.float32(power / (1 + power)) * (high**above - low**above) / (last - first)
    others = np.maximum(routing.num_experts - 1, 0) * mean
    result: F32 = routing.tokens * routing.top_k * drawn / (others + drawn)
    return result


def _levelled(loads: F32, wanted: F32) -> F32:
    """The lowest of the ascending loads filled up until their mean is `wanted`; too large ones are scaled."""
    counts = np.arange(1, LOADS + 1, dtype=np.float32)[:, np.newaxis]
    mean = loads.mean(axis=0)
    missing = np.maximum(wanted - mean, 0) * np.float32(LOADS)
    level = ((missing + np.cumsum(loads, axis=0)) / counts).min(axis=0)
    scale = np.minimum(wanted / np.maximum(mean, np.float32(1e-6)), np.float32(1))
    result: F32 = np.where(missing > 0, np.maximum(loads, level), loads * scale)
    return result
