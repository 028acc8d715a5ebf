"""Where infersim's data folders lie: inside the package when installed, beside it in a checkout."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from infersim.domain.errors import InfersimError

_PACKAGE = Path(__file__).resolve().parents[1]


@cache
def data_folder(name: str) -> Path:
    """The folder `name` (`hw_profiles` or `calibration`); InfersimError where the installation lacks it.

    The installed place comes first: beside an installed package lie other packages, not our data.
    """
    places = (_PACKAGE / "data" / name, _PACKAGE.parent / name)
    for place in places:
        if place.is_dir():
            return place
    looked = " or ".join(map(str, places))
    raise InfersimError(f"this installation of infersim lacks its data folder {name!r}; expected {looked}")
