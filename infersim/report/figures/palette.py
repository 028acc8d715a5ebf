"""Colours of all figures: eight hues that colour-blind people tell apart, on paper and on a dark screen.

The hues are near those of Okabe and Ito ("Color Universal Design", 2008), moved until each stands out from
the panel of its theme by at least 3 to 1 (WCAG 2.1, 1.4.11), and until every two of them stay apart for
protanopes, deuteranopes and tritanopes too: the tests compute both. Figures are made in the colours of paper;
the page puts those of a dark screen in their place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import NamedTuple

from infersim.domain.ops import Part
from infersim.pruning.families.registry import find_family
from infersim.simulation.timing.timeline import LAUNCH

BLUE, VERMILION, GREEN, PURPLE = "#395997", "#B73D00", "#65956A", "#B16688"
ORANGE, SKY, YELLOW, GREY = "#D9710A", "#0497C6", "#939049", "#535353"

BY_NAME = MappingProxyType(
    {
        "blue": BLUE,
        "vermilion": VERMILION,
        "green": GREEN,
        "purple": PURPLE,
        "orange": ORANGE,
        "sky": SKY,
        "yellow": YELLOW,
        "grey": GREY,
    }
)
"""The colours by the names that families choose theirs by."""

DARK = MappingProxyType(
    {
        BLUE: "#4E6BB4",
        VERMILION: "#B84C16",
        GREEN: "#1DB163",
        PURPLE: "#826383",
        ORANGE: "#CC9E01",
        SKY: "#A6C9FE",
        YELLOW: "#F5F57F",
        GREY: "#AAAAAA",
    }
)
"""Each colour's place on a dark screen."""

PANELS = MappingProxyType({"light": "#F6F7F9", "dark": "#1C2129"})
"""What figures stand on."""

INK = "#010101"
"""The colour of text: near black, and a colour of its own so that a dark page can put its own ink there."""

NEUTRAL = "#8C8C8C"
"""Lines that help to read and are no data; the same on both panels."""

PART_COLOURS = {
    Part.QKVO.value: BLUE,
    Part.FFN.value: ORANGE,
    Part.ATTENTION.value: GREEN,
    Part.LM_HEAD.value: SKY,
    Part.ELEMENTWISE.value: PURPLE,
    Part.EXTRA.value: VERMILION,
    Part.COMMUNICATION.value: YELLOW,
    LAUNCH: GREY,
}

_MARKERS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "star", "hexagon")
MARKERS = (*_MARKERS, "x", "pentagon", "triangle-left", "triangle-right", "bowtie", "hourglass")
"""All that legends can draw: the first eight for series one after the other, the others for more families."""

_DASHES = ("solid", "dash", "dot")


class Look(NamedTuple):
    """How a series is drawn: no two are told apart by colour alone."""

    colour: str
    marker: str
    dash: str


SERIES = tuple(
    Look(colour=colour, marker=marker, dash=_DASHES[place % 2])
    for place, (colour, marker) in enumerate(zip(DARK, _MARKERS, strict=True))
)
"""Looks of one series after the other."""


def series(index: int) -> Look:
    """The look of a series."""
    return SERIES[index % len(SERIES)]


def family_look(family: str, nth: int = 0) -> Look:
    """The look that a family states, the same on every page; `nth` tells several series of it apart.

    Plans of several families are drawn in ink: they belong to none.
    """
    found = find_family(family)
    if found is None:
        return Look(colour=INK, marker=_MARKERS[nth % len(_MARKERS)], dash=_DASHES[nth % len(_DASHES)])
    place = MARKERS.index(found.marker)
    marker = found.marker if nth == 0 else _MARKERS[(place + 3 * nth) % len(_MARKERS)]
    dash = _DASHES[(place % 2 + nth) % len(_DASHES)]
    return Look(colour=BY_NAME[found.colour], marker=marker, dash=dash)


def look_lists(names: Iterable[object]) -> dict[str, list[str]]:
    """Colours and symbols of the markers of points that belong to families."""
    looks = [family_look(str(family)) for family in names]
    return {"color": [look.colour for look in looks], "symbol": [look.marker for look in looks]}


def family_looks(owners: Sequence[tuple[str, str]]) -> dict[str, Look]:
    """Looks of series by name, of pairs of a series and its family."""
    seen: dict[str, int] = {}
    looks = {}
    for name, family in dict.fromkeys(owners):
        looks[name] = family_look(family, seen.get(family, 0))
        seen[family] = seen.get(family, 0) + 1
    return looks


def faded(colour: str, opacity: float = 0.25) -> str:
    """`colour` as the fill of an interval."""
    return f"rgba({', '.join(map(str, _channels(colour)))}, {opacity})"


def palette_css() -> str:
    """The colours of both themes as the custom properties that `css_name` names."""
    light = " ".join(f"{css_name(colour)}: {colour};" for colour in DARK)
    dark = " ".join(f"{css_name(colour)}: {other};" for colour, other in DARK.items())
    return (
        f":root {{ --panel: {PANELS['light']}; {light} }}\n"
        "@media screen and (prefers-color-scheme: dark) {\n"
        f"  :root:not([data-printing]) {{ --panel: {PANELS['dark']}; {dark} }}\n}}"
    )


def css_name(colour: str) -> str:
    """`--colour-395997`; text has the page's own ink."""
    return "--ink" if colour == INK else f"--colour-{colour.lstrip('#')}"


def _channels(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue
