"""Token skipping at run time: the router's scores, and the rows of the tokens that it keeps."""

from __future__ import annotations

import torch

from infersim.measuring.model.decisions import Decision
from infersim.measuring.model.matrices import Gemm, Pairs
from infersim.measuring.model.probe import Probe


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
