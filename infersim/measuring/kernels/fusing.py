"""Several elementwise operations as one kernel, as serving engines have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch

from infersim.measuring.compiling import compiled

P = ParamSpec("P")
T = TypeVar("T")

_REFUSED: set[Any] = set()
"""What could not be compiled in this process: trying again for each row would take seconds each time."""


def fused(work: Callable[P, T], *example: P.args, **named: P.kwargs) -> Callable[P, T] | None:
    """`work` compiled to one kernel and tried on an example; None where there is no GPU or no compiler.

    A lack of memory is raised: it says nothing of the compiler.
    """
    if work in _REFUSED or not any(isinstance(value, torch.Tensor) and value.is_cuda for value in example):
        return None
    kernel = compiled(work)
    try:
        kernel(*example, **named)
    except torch.OutOfMemoryError:
        raise
    except Exception:
        # Whatever a compiler lacks on this machine, the kernel can still be had unfused, or be left out.
        _REFUSED.add(work)
        return None
    return kernel
