"""The name that samples bear: the profile of a known GPU, or one made of what the hardware calls itself."""

from __future__ import annotations

import re

from infersim.domain.errors import UnknownNameError
from infersim.profile_files.names import shipped_file


def profile_name(title: str) -> str:
    """The canonical name of the GPU that reports `title`; for others `title` in the spelling of such names.

    `NVIDIA H100 80GB HBM3` -> `h100-sxm`; `AMD EPYC 2-thread` -> `amd-epyc-2-thread`.
    """
    try:
        return shipped_file(title).stem
    except UnknownNameError:
        return re.sub(r"[^a-z0-9.]+", "-", title.lower()).strip("-")
