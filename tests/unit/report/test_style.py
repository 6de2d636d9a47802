"""The looks of the study: every method can be told from the others, by colour-blind readers too."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from deidpose.labels import CONTROL
from deidpose.report import style
from deidpose.skeleton import KEYPOINTS

#: What a reader sees who lacks one kind of cone, in linear sRGB: Machado, Oliveira & Fernandes 2009, IEEE Transactions
#: on Visualization and Computer Graphics 15:1291-1298, table of the matrices, severity 1.0.
COLOUR_BLINDNESS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
#: Linear sRGB to CIE XYZ, D65 (IEC 61966-2-1).
TO_XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def linear(colour: str) -> NDArray[np.float64]:
    channels = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE 1976 L*a*b* of linear sRGB (ISO/CIE 11664-4)."""
    xyz = np.array(TO_XYZ) @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_the_matrices_leave_white_white_and_the_colour_space_is_right() -> None:
    for matrix in COLOUR_BLINDNESS.values():
        assert np.array(matrix) @ np.ones(3) == pytest.approx(np.ones(3), abs=2e-5)
    assert lab(linear("#ffffff")) == pytest.approx([100, 0, 0], abs=0.02)
    assert lab(linear("#ff0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.05)


@pytest.mark.parametrize("vision", [None, *COLOUR_BLINDNESS])
def test_colours_of_methods_stay_apart_for_every_kind_of_colour_vision(vision: str | None) -> None:
    matrix = np.array(COLOUR_BLINDNESS[vision]) if vision else np.eye(3)
    seen = {method: lab(matrix @ linear(colour)) for method, colour in style.COLOURS.items()}
    apart = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in itertools.combinations(seen, 2)}
    # 2.3 is just noticeable (Mahy et al. 1994, Color Research & Application 19:105-121), and the marks are small.
    assert min(apart.values()) > 15, min(apart, key=lambda pair: apart[pair])


def test_no_two_methods_share_a_mark_or_a_line() -> None:
    methods = [method for method in style.COLOURS if method != "original"]
    assert len({style.MARKERS[method] for method in methods}) == len(methods)
    assert len({style.DASHES[method] for method in methods}) == len(methods)
    assert style.COLOURS.keys() == style.DASHES.keys()


def test_methods_of_other_names_get_looks_of_their_own_and_keep_those_of_the_known() -> None:
    given = style.looks(["swap", "blur", *(f"method{index}" for index in range(11)), "swap"])
    assert given["blur"] == style.Look(style.COLOURS["blur"], "o", ())
    assert len(given) == 13
    assert len({(look.colour, look.marker) for look in given.values()}) == 13
    first = ["swap", "method0", "method1", "method2"]
    assert len({given[name].colour for name in [*first, "blur"]}) == 5
    assert style.looks([]) == {}


def test_words_are_those_of_a_reader() -> None:
    names = ["left_knee", "reencode", "blur", "LBigToe", "MidHip", "Neck", "RIndex", "trunk", ""]
    expected = ["Left knee", "Control", "Blur", "Left big toe", "Mid hip", "Neck", "Right index", "Trunk", ""]
    assert [style.words(name) for name in names] == expected
    assert len({style.words(name) for name in KEYPOINTS}) == len(KEYPOINTS)
    assert CONTROL == "reencode"


@pytest.mark.parametrize(
    ("icc", "band"),
    [
        (-0.3, "poor"),
        (0.499, "poor"),
        (0.5, "moderate"),
        (0.749, "moderate"),
        (0.75, "good"),
        (0.9, "good"),
        (0.901, "excellent"),
        (1.0, "excellent"),
        (float("nan"), ""),
    ],
)
def test_bands_of_agreement_are_those_of_koo_and_li(icc: float, band: str) -> None:
    assert style.agreement_band(icc) == band
