"""Fitting what a kernel costs the host that issues it: the median of timed empty kernels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from infersim.domain.fit import IntervalFit, KindFit
from infersim.fitting.intervals import conformal_quantile


def fit_launch(samples: pd.DataFrame) -> KindFit:
    """`host_us` from empty kernels issued one after the other without a CUDA graph.

    `latency_us` covers `kernels` of them (one where not said).
    """
    kernels = samples["kernels"].fillna(1.0) if "kernels" in samples.columns else 1.0
    each_us = (samples["latency_us"] / kernels).to_numpy(dtype=np.float64)
    median = float(np.median(each_us))
    errors = np.log(each_us / median)
    width = conformal_quantile(errors)
    return KindFit(
        kind="launch",
        parameters={"host_us": median},
        uncertainties={
            "host_us": float(np.std(each_us) / np.sqrt(len(each_us))) if len(each_us) > 1 else None
        },
        at_bound=(),
        residuals=(),
        interval=IntervalFit(by_regime={"all": width}, pair=width, outside=width),
        ranges={},
        rows=len(samples),
    )
