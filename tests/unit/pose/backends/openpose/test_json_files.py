import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deidpose.errors import UserError
from deidpose.pose.backends.openpose import json_files

PERSON = [float(value) for value in range(75)]


def write(folder: Path, frame: int, *people: list[float], stem: str = "walk", text: str = "") -> None:
    folder.mkdir(exist_ok=True)
    content: dict[str, Any] = {
        "version": 1.3,
        "people": [{"person_id": [-1], "pose_keypoints_2d": one, "face_keypoints_2d": []} for one in people],
    }
    path = folder / f"{stem}_{frame:012d}_keypoints.json"
    path.write_text(text or json.dumps(content), errors="surrogateescape")


def test_each_frame_is_read_with_everybody_in_it(tmp_path: Path) -> None:
    write(tmp_path / "a", 0, PERSON, PERSON[::-1])
    write(tmp_path / "a", 1)
    write(tmp_path / "a", 2, PERSON)
    (tmp_path / "a/notes.txt").write_text("something else")
    found = list(json_files.read_folder(tmp_path / "a", 3))
    assert [len(bodies) for bodies in found] == [2, 0, 1]
    assert found[0][1, 0].tolist() == [74, 73, 72]
    assert found[2].shape == (1, 25, 3)


def test_a_frame_without_its_file_is_an_error_and_no_shift(tmp_path: Path) -> None:
    for frame in (0, 1, 3, 999_999_999_999):
        write(tmp_path / "a", frame, PERSON)
    with pytest.raises(UserError, match="no file for frame 2,"):
        json_files.frames(tmp_path / "a", 4)


@pytest.mark.parametrize("n_frames", [2, 4])
def test_decoders_that_count_other_frames_are_an_error(tmp_path: Path, n_frames: int) -> None:
    for frame in range(3):
        write(tmp_path / "a", frame, PERSON)
    with pytest.raises(UserError, match=f"of 3 frames, but the video has {n_frames}"):
        json_files.frames(tmp_path / "a", n_frames)


def test_results_of_two_videos_in_one_folder_are_an_error(tmp_path: Path) -> None:
    write(tmp_path / "a", 0, PERSON)
    write(tmp_path / "a", 1, PERSON, stem="run")
    with pytest.raises(UserError, match="several videos"):
        json_files.frames(tmp_path / "a", 2)


def test_a_folder_of_something_else_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "keypoints.csv").write_text("x,y")
    with pytest.raises(UserError, match="--write_json"):
        json_files.frames(tmp_path, 1)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"people": 3}', '{"people": [{}]}', '{"people": [{"pose_keypoints_2d": [1, 2]}]}',
        '{"people": [{"pose_keypoints_2d": ["1", "2", "3"]}]}', '{"people": [{"pose_keypoints_2d": [1, NaN, 1]}]}',
        '{"people": [{"pose_keypoints_2d": [1, 1e400, 1]}]}', '{"people": [{"pose_keypoints_2d": []}]}',
        '{"people": [{"pose_keypoints_2d": [1, 2, 3]}, {"pose_keypoints_2d": [1, 2, 3, 4, 5, 6]}]}',
        '{"people": [{"pose_keypoints_2d": [true, 2, 3]}]}', "[" * 100_000,
        '{"people": [{"pose_keypoints_2d": [1' + "0" * 4000 + ", 2, 3]}]}", '{"people": {"a": 1}}', '{"people": "ab"}',
        '{"people": [{"pose_keypoints_2d": [1e12, 2, 3]}]}', '{"people": [{"pose_keypoints_2d": {"a": 1}}]}',
        '{"people": [' + ", ".join(['{"pose_keypoints_2d": [1, 2, 3]}'] * 1001) + "]}", " " * 6_000_000, "\udcff",
    ],
)  # fmt: skip
def test_a_file_that_openpose_would_not_write_is_refused_with_its_frame_and_without_its_name(
    tmp_path: Path, text: str
) -> None:
    write(tmp_path / "a", 7, stem="Erika Mustermann", text=text or " ")
    with pytest.raises(UserError, match="of frame 7") as refused:
        json_files.read_file(next((tmp_path / "a").iterdir()))
    assert "Mustermann" not in str(refused.value)


def test_numbers_are_read_exactly(tmp_path: Path) -> None:
    write(tmp_path / "a", 0, [582.349, 507.866, 0.845918])
    assert np.array_equal(json_files.read_file(next((tmp_path / "a").iterdir())), [[[582.349, 507.866, 0.845918]]])


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to nothing", "endless"])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "walk_000000000000_keypoints.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "endless" else tmp_path / "nothing")
    with pytest.raises(UserError, match="of frame 0 "):
        json_files.read_file(path)


def test_links_to_files_elsewhere_are_followed(tmp_path: Path) -> None:
    write(tmp_path / "a", 0, PERSON)
    (tmp_path / "b").mkdir()
    (tmp_path / "b/walk_000000000000_keypoints.json").symlink_to(next((tmp_path / "a").iterdir()))
    assert len(json_files.read_file(next((tmp_path / "b").iterdir()))) == 1


def test_files_without_end_are_not_counted_to_their_end(tmp_path: Path) -> None:
    for frame in range(1010):
        (tmp_path / f"walk_{frame:012d}_keypoints.json").touch()
    with pytest.raises(UserError, match="more than 4 frames, but the video has 2"):
        json_files.frames(tmp_path, 2)


def test_a_folder_that_is_gone_is_an_error_without_its_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read") as refused:
        json_files.frames(tmp_path / "Mustermann", 2)
    assert "Mustermann" not in str(refused.value)


@pytest.mark.parametrize(
    ("version", "told"),
    [(1.3, "1.3"), (2, "2"), ("Erika Mustermann", "unknown"), ([1.3], "unknown"), (1e30, "unknown"), (None, "unknown")],
)
def test_the_version_of_the_format_is_a_number_or_unknown(tmp_path: Path, version: object, told: str) -> None:
    write(tmp_path, 0, text=json.dumps({"version": version, "people": []}))
    assert json_files.read_version(next(tmp_path.iterdir())) == told


def test_without_a_version_it_is_unknown(tmp_path: Path) -> None:
    write(tmp_path, 0, text='{"people": []}')
    write(tmp_path, 1, text="no JSON")
    assert [json_files.read_version(path) for path in tmp_path.iterdir()] == ["unknown"] * 2
