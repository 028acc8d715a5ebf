"""Which profile a user means: its canonical name, the one that its device reports, or a short one."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

from infersim.domain.errors import UnknownNameError
from infersim.files.locations import data_folder
from infersim.files.opening import read_text

_LINE = "rtx-"
"""What people leave out of a name: "4090" is the RTX 4090."""

LONGEST = 60
"""Characters of a name that may be a file's: systems refuse to look for one of more than 255 bytes."""


def shipped_files() -> dict[str, Path]:
    """The profile files that come with infersim, by canonical name, sorted."""
    files = {path.stem: path for path in data_folder("hw_profiles").glob("*.toml")}
    return dict(sorted(files.items()))


def shipped_file(name: str) -> Path:
    """The file of the GPU called `name`; raises UnknownNameError with the closest names first.

    Names are compared whole: a GPU that only resembles a known one ("NVIDIA A100-SXM4-40GB") is unknown,
    because its numbers are others. Left out may be RTX, and all separators ("4090", "h100sxm"). The end of a
    name may not: "H100" is three boards, and a 4070 is no 4070 Ti SUPER, even where only one has a profile.
    """
    direct = data_folder("hw_profiles") / f"{name}.toml"  # without a look at all the others
    if Path(name).name == name and len(name) <= LONGEST and direct.is_file():
        return direct
    files = shipped_files()
    if name in files:
        return files[name]
    spellings = _spellings(files)
    by_plain_name = {plain_name(spelling): known for spelling, known in spellings.items()}
    by_plain_name |= {plain_name(known): known for known in files}
    known = by_plain_name.get(plain_name(name))
    known = known or _short_names(files).get(plain_name(name))
    if known is None:
        spellings |= {known[len(_LINE) :]: known for known in files if known.startswith(_LINE)}
        raise UnknownNameError("GPU", name, files, spellings=spellings)
    return files[known]


def plain_name(name: str) -> str:
    """`name` without case, spacing and the vendor that newer drivers put in front, as names are compared."""
    return "-".join(name.casefold().replace("-", " ").replace("_", " ").split()).removeprefix("nvidia-")


def _short_names(files: Iterable[str]) -> dict[str, str]:
    """Shorter ways to type the names of single boards, each with the canonical name.

    A name without its line that another one goes on from ("pro-6000", "pro-6000-server") is left out: the
    words say a chip, not a board.
    """
    ends = {known.removeprefix(_LINE): known for known in files}
    short = {
        end: known for end, known in ends.items() if not any(other.startswith(f"{end}-") for other in ends)
    }
    return {known.replace("-", ""): known for known in files} | short


def _spellings(files: dict[str, Path]) -> dict[str, str]:
    """All aliases in the shipped files, each with the canonical name it stands for."""
    return {
        alias: name
        for name, path in files.items()
        for alias in tomllib.loads(read_text(path)).get("aliases", [])
    }
