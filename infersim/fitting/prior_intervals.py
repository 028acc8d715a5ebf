"""Intervals of a fit that leans on other GPUs: from theirs to its own as samples come in."""

from __future__ import annotations

import numpy as np

from infersim.domain.fit import IntervalFit

PRIOR_ROWS = 20.0
"""The widths of a prior count like those of so many own samples."""


def blended(own: IntervalFit, prior: IntervalFit, rows: int) -> IntervalFit:
    """Half-widths between those of the prior and of `rows` own samples, which count the more they are.

    In quadrature, as variances of the same errors; regimes that only one of the two knows keep its width.
    """
    weight = rows / (rows + PRIOR_ROWS)

    def between(mine: float, theirs: float) -> float:
        return float(np.sqrt(weight * mine**2 + (1 - weight) * theirs**2))

    names = {**prior.by_regime, **own.by_regime}
    return IntervalFit(
        by_regime={
            name: between(own.by_regime.get(name, width), prior.by_regime.get(name, width))
            for name, width in names.items()
        },
        pair=between(own.pair, prior.pair),
        outside=between(own.outside, prior.outside),
    )
