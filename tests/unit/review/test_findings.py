"""The findings that a person should look at, and their pictures."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from deidpose import tables
from deidpose.keypoints import poses
from deidpose.review import apply_corrections, thumbnails
from deidpose.review.findings import KINDS, collect_findings
from deidpose.video.frames import Frame

BOX = ["x_px", "y_px", "width_px", "height_px"]
WHITE_SQUARE = (100.0, 60.0, 40.0, 40.0)
TIMES = tables.check(
    pd.DataFrame({"frame": range(100)}).assign(
        pts=0, time_base_numerator=1, time_base_denominator=1, time_s=lambda t: t["frame"] / 25, container_ms=0
    ),
    "timestamps",
)


def listed(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return the table ``review`` from what differs from a mask that no body supports."""
    base = dict(zip(BOX, WHITE_SQUARE, strict=True)) | {
        "kind": "unsupported", "first_frame": 5, "last_frame": 9, "frame": 7, "track": 0, "person": -1, "score": 0.5,
        "reason": "look",
    }  # fmt: skip
    return tables.check(pd.DataFrame([base | row for row in rows], columns=list(tables.TABLES["review"])), "review")


def masks(
    frames: range, box: tuple[float, ...] = WHITE_SQUARE, track: int = 0, origin: str = "detected"
) -> pd.DataFrame:
    faces = pd.DataFrame({"frame": frames}).assign(track=track, person=-1, score=0.9, origin=origin)
    return tables.check(faces.assign(**dict(zip(BOX, box, strict=True))), "faces")


def audit(method: str, *findings: dict[str, Any]) -> dict[str, Any]:
    base = dict(zip(BOX, WHITE_SQUARE, strict=True)) | {
        "first_frame": 5, "last_frame": 9, "frame": 7, "score": 0.6, "source": "CenterFace", "kind": "leak",
        "accepted": False,
    }  # fmt: skip
    return {"method": method, "verdict": "fail", "findings": [base | finding for finding in findings]}


def collect(
    review: pd.DataFrame | None = None, audits: list[dict[str, Any]] | None = None, faces: pd.DataFrame | None = None
) -> list[dict[str, Any]]:
    return collect_findings(
        listed() if review is None else review,
        audits or [],
        masks(range(100)) if faces is None else faces,
        TIMES,
    )


# ---------------------------------------------------------------------------------------------------------- the list


def test_a_finding_says_when_where_and_why() -> None:
    (finding,) = collect(listed({}))
    assert finding == {
        "kind": "unsupported", "first_frame": 5, "last_frame": 9, "frame": 7, "first_s": 0.2, "last_s": 0.36,
        "box": WHITE_SQUARE, "score": 0.5, "reason": "look", "methods": [], "track": 0, "person": -1,
        "region": WHITE_SQUARE, "alone": True, "settled": "",
    }  # fmt: skip


def test_the_worst_comes_first() -> None:
    review = listed(
        *[{"kind": kind, "track": -1} for kind in KINDS[::-1] if kind not in ("leak", "not_applied", "residual")]
    )
    found = [{"kind": kind} for kind in ("residual", "leak", "not_applied")]
    assert [finding["kind"] for finding in collect(review, [audit("blur", *found)])] == list(KINDS)


def test_of_faces_that_may_be_seen_the_surest_comes_first_and_of_masks_the_longest() -> None:
    faces = collect(listed(*[{"kind": "not_masked", "score": score} for score in (0.3, 0.9, 0.5)]))
    assert [finding["score"] for finding in faces] == [0.9, 0.5, 0.3]
    unsure = collect(listed(*[{"kind": "unsure", "last_frame": last} for last in (9, 30, 12)]))
    assert [finding["last_frame"] for finding in unsure] == [30, 12, 9]


def test_a_kind_that_is_not_known_is_taken_for_the_worst() -> None:
    found = collect(listed({"kind": "not_masked"}), [audit("blur", {"kind": "new", "score": 0.9})])
    assert found[0]["kind"] == "new"


def test_what_the_audits_of_several_methods_found_is_listed_once_with_the_surest_of_them() -> None:
    audits = [
        audit("blur", {}),
        audit("block", {"x_px": 104, "frame": 8, "last_frame": 12, "score": 0.9}),
        audit("pixelate", {"x_px": 300}, {"first_frame": 50, "frame": 50, "last_frame": 50}),
    ]
    found = collect(audits=audits)
    assert [(finding["first_frame"], finding["last_frame"], finding["methods"]) for finding in found] == [
        (5, 12, ["blur", "block"]),
        (5, 9, ["pixelate"]),
        (50, 50, ["pixelate"]),
    ]
    assert (found[0]["frame"], found[0]["score"], found[0]["box"]) == (8, 0.9, (104, 60, 40, 40))
    assert found[0]["region"] == (100, 60, 44, 40)  # around both, so that one decision is about both


def test_two_faces_that_one_audit_tells_apart_stay_two() -> None:
    assert len(collect(audits=[audit("blur", {}, {"x_px": 102})])) == 2


def test_a_finding_without_a_region_is_about_the_whole_picture() -> None:
    nowhere = dict.fromkeys(BOX)
    (finding,) = collect(audits=[audit("blur", nowhere), audit("block", nowhere)])
    assert finding["box"] is None
    assert finding["methods"] == ["blur", "block"]


def test_an_audit_that_lists_nothing_is_no_finding() -> None:
    assert collect(audits=[{"method": "blur", "verdict": "pass"}]) == []


def test_what_is_said_of_one_mask_twice_is_one_finding_of_the_worse_kind() -> None:
    twice = [{"reason": "no body"}, {"kind": "unsure", "reason": "never sure"}]
    (finding,) = collect(listed(*twice))
    assert (finding["kind"], finding["reason"]) == ("unsure", "never sure; no body")
    assert len(collect(listed(*twice, {"last_frame": 20}, {"track": 1}))) == 3
    assert len(collect(listed(*[{"kind": "not_masked", "track": -1}] * 2))) == 2


def test_the_region_of_a_mask_is_that_which_takes_it_away_and_no_other() -> None:
    moving = pd.concat([masks(range(frame, frame + 1), (20.0 * frame, 60, 40, 40), 3) for frame in range(100)])
    (finding,) = collect(listed({"track": 3}), faces=moving)
    assert finding["region"] == (100, 60, 120, 40)
    row = {"action": "unmask", "first_frame": 5, "last_frame": 9, **dict(zip(BOX, finding["region"], strict=True))}
    left = apply_corrections.correct_masks(moving, [row], (2000, 240), 100)
    assert left["frame"].tolist() == [*range(5), *range(10, 100)]


@pytest.mark.parametrize(
    ("other", "region", "alone"),
    [
        ((150.0, 85.0, 40.0, 60.0), (100, 60, 120, 40), True),  # it touches
        ((150.0, 60.0, 40.0, 40.0), WHITE_SQUARE, False),  # it lies in the way
        ((102.0, 62.0, 38.0, 38.0), WHITE_SQUARE, False),  # it lies under it
    ],
)
def test_a_region_that_would_take_another_mask_away_is_not_one_to_unmask(
    other: tuple[float, ...], region: tuple[float, ...], alone: bool
) -> None:
    moving = [masks(range(frame, frame + 1), (20.0 * frame, 60, 40, 40), 3) for frame in range(100)]
    (finding,) = collect(listed({"track": 3}), faces=pd.concat([*moving, masks(range(5, 10), other, 4)]))
    assert (finding["region"], finding["alone"]) == (region, alone)


# ------------------------------------------------------------------------------------------------------ what is settled


def test_what_a_reviewer_has_settled_comes_last() -> None:
    faces = pd.concat([masks(range(100)), masks(range(5, 10), (80, 40, 80, 80), 1, "manual")])
    found = collect(
        listed({"kind": "not_masked", "track": -1}, {"kind": "unsure", "track": 2}, {"kind": "no_face"}),
        [audit("blur", {"accepted": True})],
        faces,
    )
    assert [(finding["kind"], finding["settled"]) for finding in found] == [
        ("no_face", ""),
        ("not_masked", "masked by a reviewer in the frame shown"),
        ("leak", "accepted by a reviewer"),
        ("unsure", "no longer masked"),
    ]


@pytest.mark.parametrize(
    "drawn",
    [
        masks(range(5, 9), (80, 40, 80, 80), 1, "manual"),  # not to the end of the range
        masks(range(100), (110, 40, 80, 80), 1, "manual"),  # beside it
        masks(range(100), (80, 40, 80, 80), 1),  # by no person
    ],
)
def test_a_face_that_is_not_hidden_throughout_is_not_settled(drawn: pd.DataFrame) -> None:
    (finding,) = collect(listed({"kind": "not_masked", "track": -1}), faces=drawn)
    assert finding["settled"] == ""


# -------------------------------------------------------------------------------------------------------- pictures


def frames(n: int = 100, size: tuple[int, int] = (240, 320)) -> list[Frame]:
    luma = np.full(size, 16, np.uint8)
    luma[60:100, 100:140] = 235
    grey = np.full((size[0] // 2, size[1] // 2), 128, np.uint8)
    return [Frame(index, index / 25, (luma, grey, grey), False) for index in range(n)]


def drawn(folder: Path, found: list[dict[str, Any]], faces: pd.DataFrame, shape: str = "ellipse") -> list[np.ndarray]:
    wanted = thumbnails.pictures_of_findings(found, 100)
    thumbnails.draw_thumbnails(frames(), wanted, faces, shape, folder)
    return [read(folder / name) for finding in found for name in finding["pictures"]]


def read(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.asarray(picture).astype(int)


def cyan(picture: np.ndarray) -> np.ndarray:
    return np.asarray((picture[..., 0] > 120) & (picture[..., 1] > 120) & (picture[..., 2] < 100))


def orange(picture: np.ndarray) -> np.ndarray:
    return np.asarray((picture[..., 2] > 130) & (picture[..., 0] < 90))


def test_a_picture_shows_the_region_in_the_middle_with_room_around_and_its_outline(tmp_path: Path) -> None:
    (picture,) = drawn(tmp_path, collect(listed({})), tables.empty("faces"))
    assert picture.shape == (240, 240, 3)
    assert picture[120, 120].min() > 200
    assert picture[30, 120].max() < 60  # a side above
    assert orange(picture)[75:86].any()  # the upper edge, a third down
    assert orange(picture)[155:166].any()
    assert not cyan(picture).any()


@pytest.mark.parametrize(("shape", "corner"), [("ellipse", False), ("rectangle", True)])
def test_the_outline_of_a_mask_has_its_shape(tmp_path: Path, shape: str, corner: bool) -> None:
    found = collect(listed({}))
    (picture,) = drawn(tmp_path, found, masks(range(100), (90, 50, 60, 60)), shape)
    outline = cyan(picture)
    assert outline[115:125, 55:65].any()  # the left end of the mask
    assert outline[55:68, 55:68].any() == corner


def test_only_masks_of_the_same_frame_are_outlined(tmp_path: Path) -> None:
    (picture,) = drawn(tmp_path, collect(listed({})), masks(range(8, 100), (90, 50, 60, 60)))
    assert not cyan(picture).any()


def test_a_cut_is_shown_before_and_after_in_whole_pictures(tmp_path: Path) -> None:
    found = collect(listed({"kind": "cut", "first_frame": 30, "last_frame": 30, "frame": 30}))
    assert len(drawn(tmp_path, found, tables.empty("faces"))) == 2
    (first, second) = thumbnails.pictures_of_findings(found, 100)
    assert (first.frame, second.frame) == (29, 30)
    assert first.box is None
    picture = read(tmp_path / first.file)
    assert picture.shape == (180, 240, 3)  # as broad and high as the picture is
    assert picture[60, 90].min() > 200


def test_regions_at_the_edge_without_extent_and_larger_than_the_picture_are_shown(tmp_path: Path) -> None:
    review = listed(
        {"x_px": -20.0, "y_px": -20.0}, {"width_px": 0.0, "height_px": 0.0}, {"x_px": 5000.0},
        {"x_px": -1e6, "width_px": 1e7}, {"width_px": 320, "height_px": 240, "x_px": 0, "y_px": 0},
    )  # fmt: skip
    pictures = drawn(tmp_path, collect(review.assign(track=-1)), masks(range(100), (-1e6, 0, 1e7, 1e7)))
    assert len(pictures) == 5


def test_beyond_the_worst_findings_there_are_no_pictures(tmp_path: Path) -> None:
    found = collect(listed(*[{"score": score, "track": -1} for score in np.linspace(0, 1, 100)]))
    assert len(drawn(tmp_path, found, tables.empty("faces"))) == thumbnails.MOST_PICTURED
    assert [bool(finding["pictures"]) for finding in found] == [True] * 60 + [False] * 40


def test_no_more_frames_are_decoded_than_are_needed_and_none_for_no_pictures(tmp_path: Path) -> None:
    decoded = iter(frames())
    found = collect(listed({"frame": 7}))
    thumbnails.draw_thumbnails(
        decoded, thumbnails.pictures_of_findings(found, 100), tables.empty("faces"), "ellipse", tmp_path / "some"
    )
    assert next(decoded).index == 8
    thumbnails.draw_thumbnails(decoded, [], tables.empty("faces"), "ellipse", tmp_path / "none")
    assert next(decoded).index == 9
    assert list((tmp_path / "none").iterdir()) == []


# ---------------------------------------------------------------------------------------------------------- people


def keypoints(person: int, seen: range, x: float) -> pd.DataFrame:
    corners = pd.DataFrame({"keypoint": ["Nose", "LAnkle"], "x_px": [x, x + 40.0], "y_px": [60.0, 100.0]})
    parts = [corners.assign(frame=frame, time_s=frame / 25, person=person, confidence=0.9) for frame in seen]
    return tables.check(pd.concat(parts), "keypoints")


def people(*persons: int, patient: int) -> pd.DataFrame:
    return tables.check(
        pd.DataFrame(
            [
                {"person": p, "first_frame": 0, "last_frame": 89, "n_frames": 90 - p, "height_px": 40.0,
                 "centrality": 0.5, "patient": p == patient, "token": f"{p}-abcdef"}
                for p in persons
            ]
        ),
        "people",
    )  # fmt: skip


def test_people_are_shown_at_several_moments_the_patient_first(tmp_path: Path) -> None:
    found, pictures = thumbnails.collect_people(
        people(0, 1, 2, patient=1), poses(pd.concat([keypoints(0, range(90), 0), keypoints(1, range(30, 90), 100)]))
    )
    assert [person["person"] for person in found] == [1, 0, 2]
    assert [person["patient"] for person in found] == [True, False, False]
    assert [len(person["pictures"]) for person in found] == [3, 3, 0]
    assert [picture.frame for picture in pictures] == [40, 60, 80, 15, 45, 75]
    thumbnails.draw_thumbnails(frames(), pictures, tables.empty("faces"), "ellipse", tmp_path)
    assert read(tmp_path / found[0]["pictures"][1])[120, 120].min() > 200


def test_somebody_seen_in_one_frame_has_one_picture() -> None:
    found, _ = thumbnails.collect_people(people(0, patient=0), poses(keypoints(0, range(3, 4), 100)))
    assert len(found[0]["pictures"]) == 1
