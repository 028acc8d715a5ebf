"""The GPUs that sources name, as canonical profile names."""

from __future__ import annotations

from collections.abc import Set
from functools import cache

from infersim.domain.errors import InfersimError, UnknownNameError
from infersim.profile_files.names import shipped_file


@cache
def known_gpu(name: str | None) -> str | None:
    """The canonical name of the GPU that `name` means; None if it means none, or more than one."""
    if not name:
        return None
    try:
        return shipped_file(name).stem
    except UnknownNameError:
        return None


def canonical_gpus(said: Set[str], gpu: str | None, path: object) -> dict[str, str]:
    """The canonical name for each name that a source's files at `path` say ("" where they say none).

    `gpu` stands for a GPU that they do not say, or say in a way that is not known; it cannot stand for two
    different ones. InfersimError where a name is left without a meaning.
    """
    names = {name: known_gpu(name) for name in said}
    strange = sorted(name for name, known in names.items() if known is None)
    given = known_gpu(gpu) or gpu
    if strange and given is None:
        listed = " and ".join(repr(name) for name in strange if name)
        what = f"names the GPU {listed}" if listed else "does not name the GPU"
        raise InfersimError(f"{path}: {what}; expected a known name, or one given with gpu=... (--gpu)")
    if len(strange) > 1:
        listed = ", ".join(name or "unsaid" for name in strange)
        raise InfersimError(
            f"{path}: names several GPUs that are not known ({listed}); expected one, so that {given} can "
            "stand for it: import the files of one GPU at a time"
        )
    return {name: known or str(given) for name, known in names.items()}
