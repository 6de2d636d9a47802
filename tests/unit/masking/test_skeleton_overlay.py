import cv2
import numpy as np
import pandas as pd
import pytest

from deidpose import skeleton
from deidpose.keypoints import poses
from deidpose.masking import skeleton_overlay
from deidpose.masking.masks import Planes
from deidpose.video.frames import Frame, to_bgr


def grey(index: int = 0, odd: bool = False, full_range: bool = False) -> Frame:
    half = (240, 320) if odd else (120, 160)
    return Frame(index, 0.0, (np.full((240, 320), 90, np.uint8), *[np.full(half, 128, np.uint8)] * 2), full_range)


def table(
    positions: dict[str, tuple[float, float]],
    frame: int = 0,
    person: int = 0,
    names: tuple[str, ...] = skeleton.KEYPOINTS,
) -> pd.DataFrame:
    seen = [positions.get(name, (np.nan, np.nan)) for name in names]
    return pd.DataFrame(
        {
            "frame": frame,
            "time_s": 0.0,
            "person": person,
            "keypoint": names,
            "x_px": [x for x, _ in seen],
            "y_px": [y for _, y in seen],
            "confidence": 1.0,
        }
    )


def drawn_on(frames: list[Frame], keypoints: pd.DataFrame) -> list[Planes]:
    return list(skeleton_overlay.draw_skeletons(frames, poses(keypoints)))


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("name", skeleton.BODY_25)
def test_every_keypoint_has_the_colour_of_openpose(name: str, odd: bool) -> None:
    (planes,) = drawn_on([grey(odd=odd)], table({name: (160.0, 120.0)}))
    picture = cv2.cvtColor(to_bgr(grey()._replace(planes=planes)), cv2.COLOR_BGR2RGB)
    # A picture of odd size is turned into colours as if its luma spanned 0..255.
    np.testing.assert_allclose(picture[120, 160], skeleton.COLOURS[skeleton.INDEX[name]], atol=22 if odd else 6)


def test_a_limb_joins_its_two_keypoints_and_nothing_else_changes() -> None:
    (planes,) = drawn_on([grey()], table({"RKnee": (60.0, 50.0), "RAnkle": (260.0, 50.0)}))
    changed = planes[0] != 90
    assert changed[50, 60:261].all()
    assert not changed[60:].any()
    assert not changed[:40].any()


def test_a_limb_with_a_keypoint_unseen_is_not_drawn() -> None:
    (planes,) = drawn_on([grey()], table({"RKnee": (60.0, 50.0), "LAnkle": (260.0, 50.0)}))
    assert (planes[0][:, 100:220] == 90).all()


def test_everyone_in_the_frame_and_nobody_of_another_frame_is_drawn() -> None:
    people = pd.concat(
        [
            table({"LWrist": (50.0, 50.0)}),
            table({"LWrist": (250.0, 50.0)}, person=1),
            table({"LWrist": (150.0, 200.0)}, frame=1),
        ]
    )
    first, second = (planes[0] != 90 for planes in drawn_on([grey(0), grey(1)], people))
    assert first[50, 50]
    assert first[50, 250]
    assert not first[200, 150]
    assert second[200, 150]
    assert not second[50].any()


def test_knuckles_are_not_drawn() -> None:
    shown = {"LWrist": (50.0, 50.0), "RWrist": (250.0, 50.0)}
    hands = {"LIndex": (50.0, 200.0), "RIndex": (250.0, 200.0)}
    with_hands = pd.concat([table(shown | hands), table(shown | hands, person=1)])
    without = pd.concat([table(shown, names=skeleton.BODY_25), table(shown, person=1, names=skeleton.BODY_25)])
    (drawn,), (expected,) = (drawn_on([grey()], keypoints) for keypoints in (with_hands, without))
    for plane, other in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(plane, other)


def test_frames_are_left_as_they_are_and_those_without_people_pass_untouched() -> None:
    frame, empty = grey(0), grey(1)
    drawn, passed = drawn_on([frame, empty], table({"LWrist": (50.0, 50.0)}))
    assert (frame.planes[0] == 90).all()
    assert (drawn[0] != 90).any()
    assert passed is empty.planes


def test_red_is_red_in_full_range_too() -> None:
    (planes,) = drawn_on([grey(full_range=True)], table({"Neck": (160.0, 120.0)}))
    # ITU-T T.871: R = Y + 1.402 (Cr - 128)
    luma, chroma_b, chroma_r = planes[0][120, 160], planes[1][60, 80], planes[2][60, 80]
    assert luma + 1.402 * (chroma_r - 128.0) == pytest.approx(255, abs=3)
    assert luma + 1.772 * (chroma_b - 128.0) == pytest.approx(0, abs=3)


def test_keypoints_outside_the_picture_are_no_trouble() -> None:
    (planes,) = drawn_on([grey()], table({"RKnee": (-50.0, -20.0), "RAnkle": (900.0, 800.0)}))
    assert planes[0].shape == (240, 320)
