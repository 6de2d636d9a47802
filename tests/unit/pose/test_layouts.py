import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose.errors import UserError
from deidpose.pose import layouts
from deidpose.skeleton import BODY_25, INDEX
from fixtures import openpose_output
from fixtures.foreign_skeletons import BODY, people


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


# ------------------------------------------------------------------------------- what is told, and what is never wrong

TWENTY_FIVE = ("BODY_25", "BODY_25B")
ARMS = ("RElbow", "RWrist", "LElbow", "LWrist")
LEGS = ("RKnee", "LKnee", "RAnkle", "LAnkle", "LBigToe", "LHeel", "RBigToe", "RHeel", "LSmallToe", "RSmallToe")
FACE = ("Nose", "REye", "LEye", "REar", "LEar")


@st.composite
def crowds(draw: st.DrawFn) -> dict[str, np.ndarray]:
    """Draw some people who bend arms and legs, turn, lie, are small or large, and of whom parts are hidden."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(5, 12))
    names = sorted(BODY)
    bodies = np.repeat(np.array([BODY[name] for name in names], float)[None], n, axis=0)
    bodies[..., 0] *= rng.choice([-1, 1]) * draw(st.floats(0.1, 1))  # from the front to almost the side, or from behind
    for group, most in ((ARMS, draw(st.floats(0, 35))), (LEGS, draw(st.floats(0, 25)))):
        for name in group:
            bodies[:, names.index(name)] += rng.uniform(-most, most, (n, 2))
    angle = draw(st.floats(0, 2 * np.pi))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    bodies = bodies @ turn.T * draw(st.floats(0.2, 4)) + rng.uniform(1000, 2000, (n, 1, 2))
    bodies += rng.normal(0, draw(st.floats(0, 2)), bodies.shape)
    found = np.concatenate([bodies, np.full((n, len(names), 1), 0.8)], axis=2)
    found[rng.uniform(size=found.shape[:2]) < draw(st.floats(0, 0.5))] = 0
    for group in draw(st.lists(st.sampled_from([FACE, ARMS, LEGS]), max_size=2)):
        found[:, [names.index(name) for name in group]] = 0
    return {
        layout: found[:, [names.index(name) for name in layouts.LAYOUTS[layout]]] for layout in layouts.LAYOUTS
    }  # fmt: skip


@given(crowds())
def test_a_layout_is_told_right_or_not_at_all(crowd: dict[str, np.ndarray]) -> None:
    for layout in TWENTY_FIVE:
        try:
            told = layouts.recognize(crowd[layout])
        except UserError:
            continue
        assert told == layout


@given(crowds(), st.sampled_from(TWENTY_FIVE))
def test_the_layout_that_is_named_is_taken_unless_it_is_the_other(crowd: dict[str, np.ndarray], named: str) -> None:
    for layout in TWENTY_FIVE:
        try:
            told = layouts.recognize(crowd[layout], named)
        except UserError:
            assert layout != named
        else:
            assert told == named


@given(crowds(), st.sampled_from(["COCO-18", "HALPE-26"]))
def test_bodies_in_their_own_order_are_never_refused(crowd: dict[str, np.ndarray], layout: str) -> None:
    assert layouts.recognize(crowd[layout]) == layout


def test_an_elbow_between_wrist_and_hip_does_not_make_it_the_middle_of_the_hips() -> None:
    bodies = people("BODY_25B", 20)
    names = layouts.LAYOUTS["BODY_25B"]
    wrist, hip, elbow = (names.index(name) for name in ("LWrist", "RHip", "RElbow"))
    bodies[:, elbow, :2] = (bodies[:, wrist, :2] + bodies[:, hip, :2]) / 2
    with pytest.raises(UserError, match="can not be told"):
        layouts.recognize(bodies)
    assert layouts.recognize(bodies, "BODY_25B") == "BODY_25B"


@pytest.mark.parametrize(
    ("layout", "hidden"),
    # Without legs, BODY_25B has nothing but the ends of the head to compare a face with.
    [("BODY_25", FACE), ("BODY_25", LEGS), ("BODY_25B", FACE)],
)
def test_without_a_face_the_feet_tell_and_without_feet_the_face(layout: str, hidden: tuple[str, ...]) -> None:
    bodies = people(layout, 12)
    bodies[:, [layouts.LAYOUTS[layout].index(name) for name in hidden]] = 0
    assert layouts.recognize(bodies) == layout


@pytest.mark.parametrize("layout", ["BODY_25", "BODY_25B", "COCO-18", "HALPE-26"])
def test_real_people_are_recognised_in_every_layout(keypoints: pd.DataFrame, layout: str) -> None:
    found = np.concatenate(openpose_output.bodies(keypoints, 30))
    assert len(found) > 30
    bodies = openpose_output.in_layout(found, layouts.LAYOUTS[layout])
    assert layouts.recognize(bodies) == layout
    mapped = layouts.to_body_25(bodies, layout)
    knees = [INDEX["LKnee"], INDEX["RKnee"]]
    assert np.array_equal(np.nan_to_num(mapped[:, knees]), found[:, knees])


@pytest.mark.parametrize(
    ("named", "layout", "sentence"),
    [
        ("BODY_25", "BODY_25B", "the keypoints are BODY_25B"),
        ("BODY_25B", "BODY_25", "the keypoints are BODY_25,"),
        ("HALPE-26", "COCO-18", "18 points a person, as COCO-18 has"),
    ],
)
def test_another_layout_than_the_one_that_is_named_is_refused(named: str, layout: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        layouts.recognize(people(layout), named)


#: Other orders with as many points: the 17 of COCO with a neck behind them, BODY_25 and one more, and BODY_25 with
#: hands and a face.
STRANGE = {
    18: (*layouts.LAYOUTS["HALPE-26"][:17], "Neck"),
    26: (*BODY_25, "HeadTop"),
    135: (*BODY_25, *["Nose"] * 110),
}


@pytest.mark.parametrize("count", STRANGE)
def test_as_many_points_in_another_order_are_refused(count: int) -> None:
    rng = np.random.default_rng(1)
    one = np.array([(*BODY[name], 0.9) for name in STRANGE[count]])
    bodies = np.repeat(one[None], 20, axis=0)
    bodies[..., :2] += 300 + rng.normal(0, 2, (20, count, 2))
    with pytest.raises(UserError, match="do not lie as those of a body"):
        layouts.recognize(bodies)
