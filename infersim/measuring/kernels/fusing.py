"""Several elementwise operations as one kernel, as serving engines have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch

from infersim.measuring.devices.torch_tools import compiled

P = ParamSpec("P")
T = TypeVar("T")

_REFUSED: dict[Any, str] = {}
"""What could not be compiled in this process, and why: trying again for each row would take seconds each."""

MOST_CHARACTERS = 300
"""Of what a compiler says; what it lacks comes first."""


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
    except Exception as error:
        # Whatever a compiler lacks on this machine, the kernel can still be had unfused, or be left out.
        _REFUSED[work] = " ".join(str(error).split())[:MOST_CHARACTERS]
        return None
    return kernel


def why_not_fused(work: Callable[..., Any]) -> str:
    """What the compiler said, or that there is no GPU to compile for."""
    return _REFUSED.get(work, "no GPU")
