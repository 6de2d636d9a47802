import numpy as np
import pytest

from bodies import STANDING
from deidpose.errors import UserError
from deidpose.pose import layouts
from deidpose.skeleton import BODY_25, INDEX

FEET = {"LBigToe": (20, 104), "LSmallToe": (24, 103), "LHeel": (12, 102), "RBigToe": (-20, 104)}
BODY: dict[str, tuple[float, float]] = {
    **STANDING, **FEET, "RSmallToe": (-24, 103), "RHeel": (-12, 102), "HeadTop": (0, -105), "UpperNeck": (0, -75),
}  # fmt: skip


def people(layout: str, n: int = 8, noise: float = 2.0) -> np.ndarray:
    """Return n people in a layout, shape (n, points, 3)."""
    rng = np.random.default_rng(1)
    names = layouts.LAYOUTS[layout]
    one = np.array([(*BODY[name], 0.9) for name in names], dtype=float)
    bodies = np.repeat(one[None], n, axis=0)
    bodies[..., :2] += rng.uniform(200, 800, (n, 1, 2)) + rng.normal(0, noise, (n, len(names), 2))
    if layout == "BODY_135":
        bodies = np.concatenate([bodies, rng.uniform(100, 900, (n, 110, 3))], axis=1)
    return bodies


@pytest.mark.parametrize("layout", layouts.LAYOUTS)
def test_a_layout_is_recognised_and_every_point_finds_its_place(layout: str) -> None:
    bodies = people(layout, noise=0)
    assert layouts.recognize(bodies) == layout
    mapped = layouts.to_body_25(bodies, layout)
    origin = mapped[:, INDEX["LKnee"], :2] - BODY["LKnee"]
    for name in BODY_25:
        here = mapped[:, INDEX[name], :2] - origin
        assert np.isnan(here).all() or np.allclose(here, BODY[name]), name
    seen = {name for name in BODY_25 if np.isfinite(mapped[0, INDEX[name], 0])}
    assert seen >= {"Neck", "MidHip", "LWrist"} if layout != "COCO-18" else seen >= {"Neck", "MidHip"}


def test_the_two_layouts_of_25_points_are_told_apart_when_points_are_missing() -> None:
    for layout in ("BODY_25", "BODY_25B"):
        bodies = people(layout, 40)
        bodies[::2, 5:9] = 0
        bodies[1::3, 12] = 0
        assert layouts.recognize(bodies) == layout


def test_what_cannot_be_told_is_refused_and_never_read_in_the_wrong_order() -> None:
    with pytest.raises(UserError, match="can not be told"):
        layouts.recognize(people("BODY_25", 1))
    with pytest.raises(UserError, match="17 points"):
        layouts.recognize(np.zeros((3, 17, 3)))
    half = np.concatenate([people("BODY_25"), people("BODY_25B")])
    with pytest.raises(UserError, match="can not be told"):
        layouts.recognize(half)


def test_a_point_that_was_not_found_stays_missing() -> None:
    bodies = people("HALPE-26")
    bodies[:, layouts.LAYOUTS["HALPE-26"].index("LKnee")] = 0
    bodies[:, layouts.LAYOUTS["HALPE-26"].index("RKnee"), 2] = 0
    mapped = layouts.to_body_25(bodies, "HALPE-26")
    for name in ("LKnee", "RKnee"):
        assert np.isnan(mapped[:, INDEX[name], :2]).all()
        assert (mapped[:, INDEX[name], 2] == 0).all()
    no_shoulder = people("BODY_25B")
    no_shoulder[:, 5] = 0
    assert np.isnan(layouts.to_body_25(no_shoulder, "BODY_25B")[:, INDEX["Neck"], 0]).all()
