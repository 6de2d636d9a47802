"""The look of the study everywhere: colours, markers and words for methods, angles and verdicts.

Nothing here draws, so that the page can share it. No method is ever told by its colour alone: each has a mark and a
pattern of dashes of its own as well.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from deidpose.labels import CONTROL

#: Colours that stay apart for colour-blind readers (Okabe & Ito 2008, Color Universal Design).
COLOURS: dict[str, str] = {
    "original": "#000000",
    CONTROL: "#606060",  # lighter greys come too near to the green for those who lack green cones
    "blur": "#0072B2",
    "block": "#D55E00",
    "pixelate": "#009E73",
}

#: Marks, in Matplotlib's letters: circle, square, triangle, diamond.
MARKERS: dict[str, str] = {CONTROL: "D", "blur": "o", "block": "s", "pixelate": "^"}

#: Dashes of lines over time: lengths of stroke and hole in turn, in widths of the line; none for a whole line.
DASHES: dict[str, tuple[float, ...]] = {
    "original": (),
    CONTROL: (1.0, 1.0),
    "blur": (),
    "block": (4.0, 1.5),
    "pixelate": (5.0, 1.2, 1.2, 1.2),
}

#: What methods of other names take in turn, from the same palette.
_FURTHER_COLOURS = ("#CC79A7", "#E69F00", "#56B4E9", "#8C6D00")
_FURTHER_MARKERS = ("v", "P", "X", "<", ">", "*", "p")
_FURTHER_DASHES: tuple[tuple[float, ...], ...] = ((2.0, 1.0), (6.0, 2.0), (3.0, 1.0, 1.0, 1.0, 1.0, 1.0))

#: The two angles that lead: those of the one-video prototype that this workflow replaces.
LEADING = ("left_knee", "left_elbow")

#: Verdict of the tests for equivalence -> the sign that stands for it wherever there is no room for the word.
VERDICTS: dict[str, str] = {"equivalent": "=", "different": "≠", "undecided": "?"}

#: Upper end of each band of agreement of an intraclass correlation, and its word (Koo & Li 2016, Journal of
#: Chiropractic Medicine 15:155-163): below 0.5, to 0.75, to 0.9, above.
AGREEMENT_BANDS: tuple[tuple[float, str], ...] = ((0.5, "poor"), (0.75, "moderate"), (0.9, "good"), (1.0, "excellent"))

#: Figure of the study, as `study_figures.STUDY` names it -> its heading.
FIGURES: dict[str, str] = {
    "tradeoff": "Privacy against kinematic cost",
    "accuracy": "Mean absolute difference by joint",
    "equivalence": "Equivalence with the original",
    "heatmap": "Additional mean absolute difference by angle",
    "raincloud": "Distribution over videos by joint",
    "bland_altman": "Bland–Altman plots of the leading joints",
    "bland_altman_joints": "Bland–Altman plots of every joint",
    "agreement": "Agreement by angle",
    "lost_frames": "Frames lost and gained by joint",
    "confidence": "Change of confidence by joint",
    "keypoints": "Keypoints: share within reach and displacement",
    "identities": "People: changes of identity and of number",
}


class Look(NamedTuple):
    """How one method is drawn: a colour, a mark and dashes as in `COLOURS`, `MARKERS` and `DASHES`."""

    colour: str
    marker: str
    dashes: tuple[float, ...]


def looks(methods: Iterable[str]) -> dict[str, Look]:
    """Return the look of each method: its own, or for names that have none those of the palette that are left, in turn.

    Methods of other names may come in any number. The first four have colours of their own, the first twelve pairs of
    colour and mark that no other has.
    """
    chosen: dict[str, Look] = {}
    others = 0
    for method in dict.fromkeys(methods):
        if method in COLOURS:
            chosen[method] = Look(COLOURS[method], MARKERS.get(method, "o"), DASHES[method])
            continue
        chosen[method] = Look(
            _FURTHER_COLOURS[others % len(_FURTHER_COLOURS)],
            _FURTHER_MARKERS[others % len(_FURTHER_MARKERS)],
            _FURTHER_DASHES[others % len(_FURTHER_DASHES)],
        )
        others += 1
    return chosen


def words(name: str) -> str:
    """Return the name of an angle, a keypoint or a method as a reader sees it.

    ``left_knee`` becomes ``Left knee``, ``LBigToe`` becomes ``Left big toe``, ``MidHip`` becomes ``Mid hip`` and the
    control ``Control``.
    """
    if name == CONTROL:
        return "Control"
    side = {"L": "left ", "R": "right "}
    text = re.sub(r"^([LR])(?=[A-Z])", lambda match: side[match[1]], name)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).replace("_", " ").strip()
    return text[:1].upper() + text[1:].lower()


def agreement_band(icc: float) -> str:
    """Return the word for an intraclass correlation, as in `AGREEMENT_BANDS`; empty where it is NaN.

    A value on a boundary belongs below 0.9 to the higher band and at 0.9 to ``good``: poor is *less than* 0.5 and
    excellent *greater than* 0.9.
    """
    if icc != icc:  # NaN
        return ""
    if icc > AGREEMENT_BANDS[2][0]:
        return AGREEMENT_BANDS[3][1]
    return AGREEMENT_BANDS[sum(icc >= end for end, _ in AGREEMENT_BANDS[:2])][1]
