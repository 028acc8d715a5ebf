"""Several elementwise operations as one kernel, as serving engines have them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")


def fused(work: Callable[P, T], *example: P.args, **named: P.kwargs) -> Callable[P, T] | None:
    """`work` compiled to one kernel and tried on an example; None where there is no GPU or no compiler."""
    if not any(isinstance(value, torch.Tensor) and value.is_cuda for value in example):
        return None
    compiled = _compiled(work)
    try:
        compiled(*example, **named)
    except Exception:
        # Whatever a compiler lacks on this machine, the kernel can still be had unfused, or be left out.
        return None
    return compiled


@cache
def _compiled(work: Callable[..., Any]) -> Callable[..., Any]:
    """One compiled function for all shapes: compiling each anew would take longer than measuring it."""
    return torch.compile(work, dynamic=True)
