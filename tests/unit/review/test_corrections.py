"""What a person has decided: how it is read, and what it does to the masks."""

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose import tables
from deidpose.boxes import under_ellipse
from deidpose.errors import UserError
from deidpose.review import apply_corrections
from deidpose.workflow import corrections

VIDEOS = ["v1f0c99a2b3d4", "park-walk"]
HEADER = "\t".join(corrections.COLUMNS)
SIZE, N_FRAMES = (640, 480), 100
BOX = ["x_px", "y_px", "width_px", "height_px"]


def table(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "corrections.tsv"
    path.write_text("".join(f"{line}\n" for line in (header, *lines)), encoding="utf-8")
    return path


def row(**fields: object) -> str:
    values = {"video": "park-walk", "first_frame": 3, "last_frame": 9, "x": 10, "y": 20, "width": 30, "height": 40,
              "action": "mask", "reviewer": "EM", "note": ""}  # fmt: skip
    return "\t".join(str(value) for value in (values | fields).values())


def decision(action: str, first: int, last: int, *box: float) -> dict[str, Any]:
    return {"action": action, "first_frame": first, "last_frame": last, **dict(zip(BOX, box, strict=True))}


def masks(*rows: tuple[float, ...], origin: str = "detected") -> pd.DataFrame:
    """Return the table ``faces`` from frame, track and box."""
    columns = ["frame", "track", *BOX]
    faces = pd.DataFrame(rows, columns=columns).assign(person=-1, score=0.9, origin=origin)
    return tables.check(faces, "faces")


# ----------------------------------------------------------------------------------------------------------- reading


def test_a_row_is_read_with_its_region_and_its_note_is_dropped(tmp_path: Path) -> None:
    path = table(tmp_path, row(x=10.5, note="Erika blinks"), row(action="accept", x="", y="", width="", height=""))
    read = corrections.read(path, VIDEOS)
    assert [correction._asdict() for correction in read] == [
        {"line": 2, "video": "park-walk", "first_frame": 3, "last_frame": 9, "box": (10.5, 20, 30, 40),
         "action": "mask", "reviewer": "EM"},
        {"line": 3, "video": "park-walk", "first_frame": 3, "last_frame": 9, "box": None,
         "action": "accept", "reviewer": "EM"},
    ]  # fmt: skip
    assert "Erika" not in repr(read)


def test_no_path_is_no_corrections() -> None:
    assert corrections.read("", VIDEOS) == []


def test_a_table_may_come_from_a_spreadsheet_program(tmp_path: Path) -> None:
    path = tmp_path / "corrections.tsv"
    head = "\t".join(f'"{column}"' for column in corrections.COLUMNS)
    fields = row(action='"mask"', note='"says ""no"""')
    path.write_bytes(f"\ufeff{head}\t\t\r\n\r\n{fields}\t\r\n\t\t\t\r\n".encode())
    (read,) = corrections.read(path, VIDEOS)
    assert read.action == "mask"
    assert read.line == 3


def test_columns_may_stand_in_any_order_and_the_note_may_be_missing(tmp_path: Path) -> None:
    order = ["reviewer", "action", *corrections.COLUMNS[:7]]
    path = table(tmp_path, "EM\tunmask\tpark-walk\t3\t9\t10\t20\t30\t40", header="\t".join(order))
    (read,) = corrections.read(path, VIDEOS)
    assert (read.action, read.reviewer, read.box) == ("unmask", "EM", (10, 20, 30, 40))


def test_a_stray_quotation_mark_swallows_no_row(tmp_path: Path) -> None:
    path = table(tmp_path, row(note='"left'), row(first_frame=5), row(note='right"'))
    assert len(corrections.read(path, VIDEOS)) == 3


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (row(video="park-wlak"), "the video 'park-wlak', which is not in the study. Did you mean 'park-walk'?"),
        (row(video=""), "must name its video: the id of a video of the study."),
        (row(action="unmsk"), "'unmsk' as action, but it must be one of mask, unmask, accept, exclude_video. "
                              "Did you mean 'unmask'?"),
        (row(action="Mask"), "Did you mean 'mask'?"),
        (row(action=""), "must name its action: one of mask, unmask, accept, exclude_video."),
        (row(reviewer=""), "must name its reviewer: initials or a role, at most 20 letters"),
        (row(reviewer="x" * 21), "at most 20 letters"),
        (row(reviewer="a@b"), "has 'a@b' as reviewer, but it must be initials or a role"),
        (row(first_frame=10), "begins at frame 10, after its end at frame 9"),
        (row(first_frame=""), "hides a region, so it needs the number of a frame as first_frame."),
        (row(last_frame="9.5"), "has '9.5' as last_frame, but it must be the number of a frame, counted from 0."),
        (row(first_frame="-1"), "has '-1' as first_frame"),
        (row(x="", width=""), "hides a region, so it needs a value of x, width."),
        (row(action="unmask", x="", y="", width="", height=""), "needs a value of x, y, width, height."),
        (row(action="accept", x=""), "needs a value of x, or of all four for the whole picture."),
        (row(x="10,5"), "has '10,5' as x, but it must be a number of pixels, such as 120.5."),
        (row(y="nan"), "has 'nan' as y"),
        (row(height="1e3"), "has '1e3' as height"),
        (row(width=0), "a region without extent"),
        (row(width=-5), "has '-5' as width, but it must be a number of pixels above 0"),
        (row(action="accept", first_frame="", last_frame=""), "a frame as first_frame and as last_frame."),
        (row(action="exclude_video"), "leaves out the whole video, so first_frame, last_frame, x, y, width, height"),
        (row() + "\tmore", "has 11 fields, but the first line names 10 columns"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_meant_is_told_with_its_line_in_a_sentence(
    tmp_path: Path, line: str, sentence: str
) -> None:
    path = table(tmp_path, row(), "", line)
    with pytest.raises(UserError) as caught:
        corrections.read(path, VIDEOS)
    assert str(caught.value).startswith(f"Line 4 of the table of corrections {path} ")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (
            HEADER.replace("reviewer", "reviwer").encode(),
            "Line 1 .*'reviwer', which is unknown. Did you mean 'reviewer'",
        ),
        (HEADER.replace("\t", ",").encode(), "which is unknown"),
        (HEADER.replace("\treviewer", "").encode(), "must name the column reviewer as well"),
        (f"{HEADER}\tx".encode(), "names the column 'x' twice"),
        (f"{HEADER}\n{row()}\n{row(note='caf')}\xe9".encode("latin-1"), "Line 3 .* is not UTF-8 text"),
    ],
)
def test_a_table_that_is_none_is_told_in_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "corrections.tsv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        corrections.read(path, VIDEOS)


def test_the_example_of_the_readme_is_a_table_of_corrections(root: Path, tmp_path: Path) -> None:
    example = (
        (root / "config/README.md").read_text(encoding="utf-8").split("```\nvideo\tfirst_frame")[1].split("```")[0]
    )
    path = tmp_path / "corrections.tsv"
    path.write_text(f"video\tfirst_frame{example}", encoding="utf-8")
    read = corrections.read(path, ["park-walk", "lab-alone", "lab-several-2"])
    assert {row.action for row in read} == set(corrections.ACTIONS)


def test_a_missing_table_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        corrections.read(tmp_path / "none.tsv", VIDEOS)


def test_the_snakefile_can_read_corrections_without_heavy_packages(root: Path) -> None:
    code = "import sys; import deidpose.workflow.corrections; print({'pandas', 'numpy', 'cv2'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(root / "scripts")}, capture_output=True, text=True
    )
    assert done.stdout == "set()\n", done.stderr


# ------------------------------------------------------------------------------------------------ what rules get of it


def screened(status: str = "accepted") -> dict[str, dict[str, str]]:
    facts = {"width": "640", "height": "480", "n_frames": "100"}
    rejected = {"status": "rejected", "width": "", "height": "", "n_frames": ""}
    return {"park-walk": {"status": status, **facts}, VIDEOS[0]: {"status": "accepted", **facts}, "v9": rejected}


def test_videos_that_a_reviewer_leaves_out_and_rejected_ones_are_not_used(tmp_path: Path) -> None:
    empty = dict.fromkeys(("first_frame", "last_frame", "x", "y", "width", "height"), "")
    rows = corrections.read(table(tmp_path, row(action="exclude_video", **empty)), VIDEOS)
    assert corrections.usable(rows, screened()) == [VIDEOS[0]]
    assert corrections.usable([], screened()) == ["park-walk", VIDEOS[0]]
    assert corrections.excluded(rows) == {"park-walk": "EM"}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"last_frame": 100}, "its last frame is 100, but the video has the frames 0 to 99"),
        ({"x": 640}, "its region lies outside the picture of 640 x 480 pixels"),
        ({"y": -40}, "its region lies outside"),
    ],
)
def test_a_row_that_does_not_fit_its_video_is_told_once_the_video_is_known(
    tmp_path: Path, fields: dict[str, int], sentence: str
) -> None:
    rows = corrections.read(table(tmp_path, row(**fields)), VIDEOS)
    with pytest.raises(UserError, match=f"Line 2 .*{sentence}"):
        corrections.usable(rows, screened())
    with pytest.raises(UserError, match=sentence):
        apply_corrections.correct_masks(masks(), corrections.of_masks(rows, "park-walk"), SIZE, N_FRAMES)
    assert corrections.usable(rows, screened("rejected")) == [VIDEOS[0]]


def test_each_rule_gets_what_it_uses_and_nothing_that_would_rerun_it_in_vain(tmp_path: Path) -> None:
    lines = [row(), row(action="unmask"), row(action="accept"), row(video=VIDEOS[0])]
    rows = corrections.read(table(tmp_path, *lines), VIDEOS)
    others = corrections.read(table(tmp_path, *[line.replace("EM", "therapist") for line in ["", *lines]]), VIDEOS)
    assert corrections.of_masks(rows, "park-walk") == corrections.of_masks(others, "park-walk")
    assert [given["action"] for given in corrections.of_masks(rows, "park-walk")] == ["mask", "unmask"]
    assert corrections.accepted(rows, "park-walk") == [
        {"first_frame": 3, "last_frame": 9, "x_px": 10, "y_px": 20, "width_px": 30, "height_px": 40}
    ]
    assert corrections.accepted(rows, VIDEOS[0]) == []


def test_the_manifest_gets_the_action_the_frames_and_the_reviewer_alone(tmp_path: Path) -> None:
    rows = corrections.read(table(tmp_path, row(note="Erika")), VIDEOS)
    assert corrections.released(rows) == [
        {"video": "park-walk", "first_frame": 3, "last_frame": 9, "action": "mask", "reviewer": "EM"}
    ]


def test_a_video_that_was_left_out_says_so_in_place_of_accepted_and_without_a_note() -> None:
    facts = [dict.fromkeys(tables.TABLES["screening"]) | {"video": v, "status": s, "reason": "as it was"}
             for v, s in (("a", "accepted"), ("b", "accepted"), ("c", "rejected"))]  # fmt: skip
    screening = tables.check(pd.DataFrame(facts), "screening")
    before = screening.copy()
    after = tables.check(apply_corrections.leave_out(screening, {"b": "EM", "c": "EM"}), "screening")
    assert after["status"].tolist() == ["accepted", "left out", "rejected"]
    assert after["reason"].tolist() == ["as it was", "Left out by a reviewer (EM).", "as it was"]
    pd.testing.assert_frame_equal(screening, before)


# ------------------------------------------------------------------------------------------------ what masks become


def test_without_decisions_the_table_is_the_same() -> None:
    faces = masks((0, 0, 10, 10, 20, 20))
    assert apply_corrections.correct_masks(faces, [], SIZE, N_FRAMES) is faces


def test_a_marked_region_is_hidden_to_its_corners_in_every_frame_of_the_range_by_a_track_of_its_own() -> None:
    faces = masks((0, 4, 10, 10, 20, 20), (5, 4, 10, 10, 20, 20))
    after = apply_corrections.correct_masks(faces, [decision("mask", 3, 9, 100, 200, 30, 40)], SIZE, N_FRAMES)
    manual = after[after["origin"] == "manual"]
    assert manual["frame"].tolist() == [3, 4, 5, 6, 7, 8, 9]
    assert manual["track"].unique().tolist() == [5]
    assert manual["person"].unique().tolist() == [-1]
    assert manual["score"].unique().tolist() == [1.0]
    assert under_ellipse(np.array([[100.01, 200.01, 29.98, 39.98]]), manual[BOX].to_numpy()).all()
    pd.testing.assert_frame_equal(tables.check(after[after["origin"] != "manual"], "faces"), faces)
    assert after["frame"].is_monotonic_increasing


def test_a_mask_can_be_the_first_of_a_video() -> None:
    after = apply_corrections.correct_masks(
        tables.empty("faces"), [decision("mask", 0, 1, 0, 0, 10, 10)], SIZE, N_FRAMES
    )
    assert after["frame"].tolist() == [0, 1]


def test_a_false_alarm_is_unmasked_in_the_range_and_only_there() -> None:
    lamp = masks(*[(frame, 0, 100, 100, 40, 40) for frame in range(10)])
    after = apply_corrections.correct_masks(lamp, [decision("unmask", 2, 5, 95, 95, 50, 50)], SIZE, N_FRAMES)
    assert after["frame"].tolist() == [0, 1, 6, 7, 8, 9]


def test_somebody_who_walks_through_a_region_that_is_unmasked_stays_masked(caplog: pytest.LogCaptureFixture) -> None:
    walker = masks(*[(frame, 0, 20 * frame, 100, 40, 40) for frame in range(10)])
    with caplog.at_level(logging.WARNING):
        after = apply_corrections.correct_masks(walker, [decision("unmask", 0, 9, 95, 95, 50, 50)], SIZE, N_FRAMES)
    pd.testing.assert_frame_equal(after, walker)
    assert caplog.messages == ["The correction unmask of frames 0 to 9 takes no mask away."]


def test_a_mask_that_lies_in_the_region_by_less_than_half_stays() -> None:
    faces = masks((0, 0, 100, 100, 40, 40))
    kept = apply_corrections.correct_masks(faces, [decision("unmask", 0, 0, 121, 100, 40, 40)], SIZE, N_FRAMES)
    gone = apply_corrections.correct_masks(faces, [decision("unmask", 0, 0, 119, 100, 40, 40)], SIZE, N_FRAMES)
    assert (len(kept), len(gone)) == (1, 0)


def test_what_one_person_has_masked_another_cannot_unmask() -> None:
    decisions = [decision("mask", 0, 4, 100, 100, 40, 40), decision("unmask", 0, 9, 0, 0, *SIZE)]
    faces = masks(*[(frame, 0, 130, 100, 40, 40) for frame in range(10)])
    for rows in (decisions, decisions[::-1]):
        after = apply_corrections.correct_masks(faces, rows, SIZE, N_FRAMES)
        assert (after["origin"] == "manual").sum() == 5
        assert after.loc[after["origin"] != "manual", "frame"].tolist() == [0, 1, 2, 3, 4]


boxes = st.tuples(*[st.integers(0, 400)] * 2, *[st.integers(1, 200)] * 2)
ranges = st.tuples(st.integers(0, 19), st.integers(0, 19)).map(sorted)
faces_tables = st.lists(
    st.tuples(st.integers(0, 19), st.integers(0, 3), boxes), max_size=30, unique_by=lambda f: f[:2]
).map(lambda rows: masks(*sorted((frame, track, *box) for frame, track, box in rows)))
decisions = st.lists(
    st.tuples(st.sampled_from(["mask", "unmask"]), ranges, boxes).map(lambda d: decision(d[0], *d[1], *d[2])),
    max_size=5,
)


@given(faces_tables, decisions)
def test_a_place_that_a_person_has_masked_is_never_uncovered(faces: pd.DataFrame, rows: list[dict[str, Any]]) -> None:
    after = apply_corrections.correct_masks(faces, rows, SIZE, 20)
    for given_row in rows:
        if given_row["action"] != "mask":
            continue
        x, y, width, height = (given_row[name] for name in BOX)
        region = np.array([[x + 1e-6, y + 1e-6, width - 2e-6, height - 2e-6]])
        for frame in range(given_row["first_frame"], given_row["last_frame"] + 1):
            masked = after.loc[after["frame"] == frame, BOX].to_numpy(float)
            assert under_ellipse(region, masked).any()


@given(faces_tables, decisions)
def test_nothing_is_added_but_masks_of_a_person_and_nothing_taken_away_without_an_unmask(
    faces: pd.DataFrame, rows: list[dict[str, Any]]
) -> None:
    before = faces.copy()
    after = apply_corrections.correct_masks(faces, rows, SIZE, 20)
    pd.testing.assert_frame_equal(faces, before)
    kept = after[after["origin"] != "manual"]
    as_rows = set(map(tuple, faces.astype(str).to_numpy()))
    assert set(map(tuple, kept.astype(str).to_numpy())) <= as_rows
    outside = faces[
        ~faces["frame"].isin(
            {f for r in rows if r["action"] == "unmask" for f in range(r["first_frame"], r["last_frame"] + 1)}
        )
    ]
    assert len(kept[kept["frame"].isin(outside["frame"])]) == len(outside)
    pd.testing.assert_frame_equal(after, apply_corrections.correct_masks(faces, rows, SIZE, 20))


def test_the_demands_of_exclude_video_and_of_accept_do_not_reach_the_masks(tmp_path: Path) -> None:
    rows = corrections.read(table(tmp_path, row(action="accept")), VIDEOS)
    assert corrections.of_masks(rows, "park-walk") == []
