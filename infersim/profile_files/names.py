"""Which profile a user means: a canonical name, or the name that the device reports, however it is spelt."""

from __future__ import annotations

import tomllib
from pathlib import Path

from infersim.domain.errors import UnknownNameError
from infersim.files.locations import data_folder
from infersim.files.opening import read_text


def shipped_files() -> dict[str, Path]:
    """The profile files that come with infersim, by canonical name, sorted."""
    files = {path.stem: path for path in data_folder("hw_profiles").glob("*.toml")}
    return dict(sorted(files.items()))


def shipped_file(name: str) -> Path:
    """The file of the GPU called `name`; raises UnknownNameError with the closest names first.

    Names are compared whole: a GPU that only resembles a known one ("NVIDIA A100-SXM4-40GB") is unknown,
    because its numbers are others.
    """
    direct = data_folder("hw_profiles") / f"{name}.toml"  # without a look at all the others
    if Path(name).name == name and direct.is_file():
        return direct
    files = shipped_files()
    if name in files:
        return files[name]
    spellings = _spellings(files)
    by_plain_name = {plain_name(spelling): known for spelling, known in spellings.items()}
    by_plain_name |= {plain_name(known): known for known in files}
    known = by_plain_name.get(plain_name(name))
    if known is None:
        raise UnknownNameError("GPU", name, files, spellings=spellings)
    return files[known]


def plain_name(name: str) -> str:
    """`name` without case, spacing and the vendor that newer drivers put in front, as names are compared."""
    return "-".join(name.casefold().replace("-", " ").replace("_", " ").split()).removeprefix("nvidia-")


def _spellings(files: dict[str, Path]) -> dict[str, str]:
    """All aliases in the shipped files, each with the canonical name it stands for."""
    return {
        alias: name
        for name, path in files.items()
        for alias in tomllib.loads(read_text(path)).get("aliases", [])
    }
