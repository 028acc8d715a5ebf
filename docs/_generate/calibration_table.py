"""What stands behind each kind of kernel on each GPU, from the shipped profiles."""

from __future__ import annotations

from typing import Any

import infersim
from _generate.markdown import markdown_table
from infersim.domain.dtypes import DType
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.profile_files.names import shipped_files

_KINDS = {
    "GEMM 16 bit": "gemm.bf16",
    "GEMM fp8": "gemm.fp8",
    "GEMM int8": "gemm.int8",
    "2:4": "sparse_gemm.bf16",
    "attention, prefill": "attention.prefill",
    "attention, decode": "attention.decode",
    "memory-bound": "memory",
    "host launches": "launch",
}
_NEEDED = {
    "bf16": (DType.BF16, DType.FP16),
    "fp8": (DType.FP8,),
    "int8": (DType.INT8,),
}
"""Tensor rates that a GPU needs for a kind, any of them; fp16 leans on the fit of bf16."""

_NOTHING = "defaults"


def calibrations(_: dict[str, Any]) -> str:
    """A row for each shipped profile, a column for each kind."""
    profiles = [infersim.load_profile(name) for name in shipped_files()]
    rows = [[profile.name, *(_standing(profile, kind) for kind in _KINDS.values())] for profile in profiles]
    return markdown_table(["GPU", *_KINDS], rows, numeric=[False] * (len(_KINDS) + 1))


def _standing(profile: HardwareProfile, kind: str) -> str:
    dtype = kind.partition(".")[2]
    if dtype in _NEEDED and not any(needed in profile.matrix for needed in _NEEDED[dtype]):
        return "–"
    kinds = {} if profile.fit is None else profile.fit.kinds
    if kind not in kinds:
        return _NOTHING
    if kinds[kind].transferred:
        return Calibration.TRANSFERRED.value
    return (
        profile.calibration.value if profile.calibration is Calibration.BORROWED else Calibration.FITTED.value
    )
