"""Which tokens a router keeps: decided before the pass, so that exactly the predicted number is kept.

A router with random weights would keep some other share. It still runs; its scores are then outvoted.

- Prefill: each sequence keeps `round(tokens (1 - rate))` tokens at random places, at least one.
- Decode: each of B sequences is kept with probability 1 - rate, and a pass shows one draw for each sublayer.
  The draws are the evenly spaced quantiles of the binomial distribution over the sublayers of one kind and
  rate, so that one pass is as near to the expectation as whole sequences allow. The sequences of a sublayer
  are neighbours: their cache can be attended to where it lies, as a paged kernel would do for any.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from infersim.domain.shapes import Phase
from infersim.measuring.model.execution.matrices import Gemm, Pairs
from infersim.measuring.model.execution.stream import Probe
from infersim.workload.transformer import Attention, FeedForward, TokenSkip, Transformer

VOTE = 1e4
"""Far above any score of a random router."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decision:
    """What a router will decide for `sequences` x `tokens` tokens.

    `rows` are the kept tokens' places among all of them, ascending; `votes[M]` outvote the router's scores.
    """

    sequences: int
    tokens: int
    rows: tuple[int, ...]
    votes: torch.Tensor

    def kept_sequences(self) -> slice:
        """In decode: the neighbours that are kept."""
        return slice(self.rows[0], self.rows[-1] + 1) if self.rows else slice(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDecisions:
    """Of one block; None where no router is."""

    attention: Decision | None
    ffn: Decision | None


def decide(
    transformer: Transformer,
    phase: Phase,
    *,
    batch: int,
    tokens: int,
    device: torch.device,
    dtype: torch.dtype,
    seed: int = 0,
) -> list[BlockDecisions]:
    """Decisions for all blocks in order; `tokens` are the new ones of each of `batch` sequences."""
    random = np.random.default_rng(seed)
    skips = [_skips(block.attention, block.ffn) for block in transformer.blocks]
    quantiles = _quantiles([pair[0] for pair in skips]), _quantiles([pair[1] for pair in skips])

    def decision(skip: TokenSkip | None, quantile: float) -> Decision | None:
        if skip is None:
            return None
        if phase is Phase.PREFILL:
            rows = _prefill_rows(skip.rate, batch, tokens, random)
        else:
            rows = _decode_rows(skip.rate, batch, quantile, random)
        votes = torch.full((batch * tokens,), -VOTE, device=device, dtype=dtype)
        votes[torch.tensor(rows, dtype=torch.int64, device=device)] = VOTE
        return Decision(sequences=batch, tokens=tokens, rows=rows, votes=votes)

    return [
        BlockDecisions(attention=decision(attention, at_attention), ffn=decision(ffn, at_ffn))
        for (attention, ffn), at_attention, at_ffn in zip(skips, *quantiles, strict=True)
    ]


def _skips(attention: object, ffn: object) -> tuple[TokenSkip | None, TokenSkip | None]:
    return (
        attention.skip if isinstance(attention, Attention) else None,
        ffn.skip if isinstance(ffn, FeedForward) else None,
    )


def _quantiles(kinds: Sequence[Hashable]) -> list[float]:
    """For each entry its place among equal ones: (i + 1/2) / count."""
    places: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, kind in enumerate(kinds):
        places[kind].append(index)
    quantiles = [0.5] * len(kinds)
    for indices in places.values():
        for place, index in enumerate(indices):
            quantiles[index] = (place + 0.5) / len(indices)
    return quantiles


def _prefill_rows(rate: float, batch: int, tokens: int, random: np.random.Generator) -> tuple[int, ...]:
    kept = max(1, round(tokens * (1 - rate)))
    chosen = [
        sequence * tokens + np.sort(random.choice(tokens, kept, replace=False)) for sequence in range(batch)
    ]
    return tuple(np.concatenate(chosen).tolist())


def _decode_rows(rate: float, batch: int, quantile: float, random: np.random.Generator) -> tuple[int, ...]:
    from scipy.stats import binom

    kept = int(binom.ppf(quantile, batch, 1 - rate))
    first = int(random.integers(batch - kept + 1))
    return tuple(range(first, first + kept))


def kept_rows(value: torch.Tensor, router: Gemm | Pairs, decision: Decision, probe: Probe) -> torch.Tensor:
    """Rows of the tokens `value[M, hidden]` that the router keeps, ascending.

    The scores are computed and then outvoted. On a GPU the number of rows is taken from the decision, so
    that the host does not wait for the GPU to count them, which a CUDA graph could not capture.
    """
    (scores,) = router(value, probe)
    keep = scores[:, 1] - scores[:, 0] + decision.votes > 0
    if value.device.type == "cpu":
        return keep.nonzero().squeeze(1)
    return torch.nonzero_static(keep, size=len(decision.rows)).squeeze(1)
