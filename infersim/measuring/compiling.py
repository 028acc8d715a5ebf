"""Compiling functions for a GPU: one kernel in the place of several, for tensors of all shapes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

MOST_VERSIONS = 1024
"""Beyond its limit of versions (axes of length 1, other strides, equal axes), 8 unless told, PyTorch
gives a function up and runs it uncompiled without a word."""


@cache
def compiled(work: Callable[P, T], *, dynamic: bool | None = True) -> Callable[P, T]:
    """`work` compiled once for all shapes: compiling each anew would take longer than measuring it."""
    import torch
    from torch._dynamo import config

    config.recompile_limit = MOST_VERSIONS
    config.accumulated_recompile_limit = MOST_VERSIONS
    result: Callable[P, T] = torch.compile(work, dynamic=dynamic)
    return result
