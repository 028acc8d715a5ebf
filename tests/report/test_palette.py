"""The palette: it stands out from its panel, and colour-blind people tell its colours apart."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest

from infersim.domain.arrays import Array
from infersim.pruning.registry import families
from infersim.report.figures.palette import (
    BY_NAME,
    DARK,
    INK,
    MARKERS,
    NEUTRAL,
    PANELS,
    PART_COLOURS,
    SERIES,
    css_name,
    faded,
    family_look,
    family_looks,
    palette_css,
)
from infersim.report.legend import SHAPES, legend_entries

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency"
# (2009), severity 1.0, on linear RGB.
SIGHT = {
    "all colours": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
THEMES = {"light": tuple(DARK), "dark": tuple(DARK.values())}
APART = 15.0
"""CIE 1976 colour difference; about 2 is just seen."""

PAGE_TEXT = {"light": ("#1b1f24", "#57606a", "#0063a0"), "dark": ("#e8ebef", "#a4adb8", "#7cc0f0")}
"""Ink, quiet ink and links of page.css."""


def linear(colour: str) -> Array:
    channels = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG 2.1 contrast ratio."""
    dark, light = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab(rgb: Array) -> Array:
    """CIE L*a*b* (D65) of linear RGB."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21.0)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
def test_every_colour_stands_out_from_its_panel(theme: str) -> None:
    for colour in (*THEMES[theme], NEUTRAL):
        assert contrast(colour, PANELS[theme]) >= 3.0, colour


@pytest.mark.parametrize("theme", THEMES)
def test_text_stands_out_from_page_and_panel(theme: str) -> None:
    for paper in (PANELS[theme], {"light": "#ffffff", "dark": "#14171c"}[theme]):
        for colour in PAGE_TEXT[theme]:
            assert contrast(colour, paper) >= 4.5, (colour, paper)


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("theme", THEMES)
def test_colours_are_told_apart(theme: str, sight: str) -> None:
    for one, other in combinations(THEMES[theme], 2):
        seen = [lab(SIGHT[sight] @ linear(colour)) for colour in (one, other)]
        assert float(np.linalg.norm(seen[0] - seen[1])) >= APART, (one, other)


def test_families_have_looks_of_their_own_in_colour_and_in_marker() -> None:
    """There are no more colours than these that all people tell apart; beyond them markers have to do."""
    looks = [family_look(family.name) for family in families()]
    assert len({look.marker for look in looks}) == len(looks)
    assert len({look.colour for look in looks}) == min(len(looks), len(BY_NAME))
    assert [(look.colour, look.marker) for look in looks] == [
        (BY_NAME[family.colour], family.marker) for family in families()
    ]
    assert family_look("static-m + static-nk").colour == INK


def test_the_colours_that_families_choose_from_are_the_palette() -> None:
    assert set(BY_NAME.values()) == set(DARK)


def test_legends_can_draw_every_marker_each_in_its_own_way() -> None:
    shapes = [SHAPES[marker] for marker in MARKERS]
    assert len(set(shapes)) == len(MARKERS) == len(set(MARKERS))
    assert {family.marker for family in families()} <= set(MARKERS)


def test_curves_of_one_family_share_its_colour_and_differ_in_marker_and_dash() -> None:
    looks = family_looks([("dynamic-m", "dynamic-m"), ("dynamic-m (target=ffn)", "dynamic-m")])
    plain, other = looks.values()
    assert plain == family_look("dynamic-m")
    assert plain.colour == other.colour
    assert plain.marker != other.marker
    assert plain.dash != other.dash


def test_both_themes_have_every_colour_by_name() -> None:
    light, dark = palette_css().split("@media")
    for colour, other in DARK.items():
        assert f"{css_name(colour)}: {colour};" in light
        assert f"{css_name(colour)}: {other};" in dark
    assert {look.colour for look in SERIES} | set(PART_COLOURS.values()) == set(DARK)
    assert faded("#395997") == "rgba(57, 89, 151, 0.25)"


def test_a_legend_takes_colours_by_name_and_leaves_out_those_that_differ() -> None:
    import plotly.graph_objects as go

    def drawn(colour: str) -> go.Figure:
        return go.Figure(
            [
                go.Scatter(x=[1], y=[1], mode="lines", line={"color": colour}, legendgroup="own"),
                go.Bar(x=[1], y=[1], marker={"color": "#395997"}, legendgroup="shared"),
            ]
        )

    own, shared = legend_entries([drawn("#395997"), drawn("#B73D00")])
    assert "currentColor" in own.swatch
    assert re.search(r'fill="var\(--colour-395997\)"', shared.swatch)
