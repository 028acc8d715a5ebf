"""How many tokens reach a kernel, and how often it runs, when routers let tokens skip sublayers."""

from __future__ import annotations

from dataclasses import dataclass

from infersim.domain.arrays import Numeric, as_array
from infersim.workload.transformer import SkipExecution, TokenSkip


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """`tokens` are those of one run of a kernel, `runs` how often it runs in a pass (at most once here).

    `generated`: no library kernel can work on these tokens, as they lie among others that were skipped.
    """

    tokens: Numeric
    runs: Numeric = 1.0
    generated: bool = False

    @property
    def expected_tokens(self) -> Numeric:
        """Tokens of a pass, runs without any token included."""
        return self.tokens * self.runs

    def kept_by(self, skip: TokenSkip | None) -> Flow:
        """The flow behind a router that skips each of M tokens independently at `skip.rate`.

        A kernel runs, and reads its weights, if any token is kept: with probability 1 - rate^M. Given that
        it runs, it sees M (1 - rate) / (1 - rate^M) tokens, so that the expected tokens are M (1 - rate).
        In prefill M is so large that it always runs; in decode M is the batch.
        """
        if skip is None:
            return self
        runs = 1.0 - skip.rate ** as_array(self.tokens)
        return Flow(
            tokens=self.tokens * (1.0 - skip.rate) / runs,
            runs=self.runs * runs,
            generated=skip.execution is SkipExecution.BLOCKS,
        )
