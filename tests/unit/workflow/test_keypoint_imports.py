"""Which videos have keypoints from before, by the folders that are there."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deidpose.errors import UserError
from deidpose.workflow import keypoint_imports
from fixtures import openpose_output


def settings(folder: Path | str) -> dict[str, Any]:
    return {"import": {"folder": str(folder), "layout": "auto"}}


def place(top: Path, *folders: str) -> None:
    for folder in folders:
        (top / folder).mkdir(parents=True)
        (top / folder / "walk_000000000000_keypoints.json").write_text("{}")


def find(tmp_path: Path, *sources: str) -> dict[str, str]:
    videos = {f"v{number}": str(tmp_path / "data" / source) for number, source in enumerate(sources)}
    return keypoint_imports.find(settings(tmp_path / "before"), videos, tmp_path / "data")


def test_without_the_setting_nothing_is_imported(tmp_path: Path) -> None:
    assert keypoint_imports.find(settings(""), {"v": str(tmp_path / "a.mp4")}, tmp_path) == {}
    assert keypoint_imports.within(settings(""), tmp_path) == []


@pytest.mark.parametrize("folder", ["a/b/walk", "a/b/walk.mp4", "a/b/walk_json"])
def test_the_files_of_a_video_are_in_a_folder_with_its_name_and_other_videos_have_none(
    tmp_path: Path, folder: str
) -> None:
    place(tmp_path / "before", folder)
    assert find(tmp_path, "a/b/walk.mp4", "walk.mp4", "a/walk.mp4") == {"v0": folder}


def test_a_folder_that_is_there_because_videos_are_in_it_is_not_of_a_video_beside_it(tmp_path: Path) -> None:
    place(tmp_path / "before", "a/walk")
    assert find(tmp_path, "a.mp4", "a/walk.mp4") == {"v1": "a/walk"}


def test_what_could_be_of_two_videos_or_twice_of_one_is_refused(tmp_path: Path) -> None:
    place(tmp_path / "before", "walk")
    with pytest.raises(UserError, match=r"walk can be of the videos walk\.avi and walk\.mp4"):
        find(tmp_path, "walk.avi", "walk.mp4")
    place(tmp_path / "before", "walk.mp4")
    with pytest.raises(UserError, match=r"can both be of the video walk\.mp4"):
        find(tmp_path, "walk.mp4")


def test_a_folder_that_is_not_there_or_of_no_video_is_refused_by_the_name_of_the_setting(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"pose\.import\.folder .* not a directory"):
        find(tmp_path, "walk.mp4")
    place(tmp_path / "before", "run")
    with pytest.raises(UserError, match=r"pose\.import\.folder .* of no video"):
        find(tmp_path, "walk.mp4")


def test_a_folder_inside_the_dataset_is_not_searched_for_videos(tmp_path: Path) -> None:
    place(tmp_path, "before/walk")
    inside = settings(tmp_path / "before")
    assert keypoint_imports.within(inside, tmp_path) == [os.path.realpath(tmp_path / "before")]
    assert keypoint_imports.within(inside, tmp_path / "data") == []
    assert keypoint_imports.within(settings(tmp_path), tmp_path) == []


def test_the_fingerprint_goes_by_names_and_content_and_not_by_place(tmp_path: Path) -> None:
    for top in ("before", "copy"):
        (tmp_path / top / "a").mkdir(parents=True)
        for number in range(40):
            (tmp_path / top / "a" / f"walk_{number:012d}_keypoints.json").write_text("{}")

    def fingerprint(top: str) -> str:
        return keypoint_imports.fingerprint(settings(tmp_path / top), "a")

    first = fingerprint("before")
    assert fingerprint("copy") == first
    (tmp_path / "copy/a/notes.txt").write_text("something else")
    assert fingerprint("copy") == first
    last = tmp_path / "copy/a" / f"walk_{39:012d}_keypoints.json"
    last.write_text("[]")
    assert fingerprint("copy") != first
    last.write_text("{}")
    assert fingerprint("copy") == first
    last.unlink()
    assert fingerprint("copy") != first


def test_what_may_be_released_of_the_settings_is_no_path(tmp_path: Path) -> None:
    assert keypoint_imports.public_settings(settings(tmp_path)) == {"layout": "auto"}


def test_names_of_every_kind_are_found(tmp_path: Path) -> None:
    source = "ward 7/-Jane {video} \"knee\" 'left'? *\nüber.mp4"
    place(tmp_path / "before", source.removesuffix(".mp4"))
    assert find(tmp_path, source) == {"v0": source.removesuffix(".mp4")}


@pytest.mark.parametrize(
    ("folder", "sources"),
    [("walk_json", ["walk.mp4", "walk_json.mp4"]), ("walk.mp4", ["walk.mp4", "walk.mp4.mov"])],
)
def test_a_folder_that_two_names_lead_to_is_refused(tmp_path: Path, folder: str, sources: list[str]) -> None:
    place(tmp_path / "before", folder)
    with pytest.raises(UserError, match=f"{folder} can be of the videos"):
        find(tmp_path, *sources)


def test_two_videos_that_differ_in_their_ending_have_folders_with_it(tmp_path: Path) -> None:
    place(tmp_path / "before", "walk.mov", "walk.mp4")
    assert find(tmp_path, "walk.mov", "walk.mp4") == {"v0": "walk.mov", "v1": "walk.mp4"}


def test_files_may_lie_beside_the_videos_and_links_are_followed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    place(tmp_path, "elsewhere")
    (data / "walk_json").symlink_to(tmp_path / "elsewhere")
    assert keypoint_imports.find(settings(data), {"v": str(data / "walk.mp4")}, data) == {"v": "walk_json"}
    assert keypoint_imports.within(settings(data), data) == []


def test_the_fingerprint_waits_for_no_pipe_and_is_empty_without_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a/walk_000000000000_keypoints.json")
    assert keypoint_imports.fingerprint(settings(tmp_path), "a").startswith("1-")
    assert keypoint_imports.fingerprint(settings(tmp_path), "b") == ""


def test_the_fingerprint_changes_when_every_file_was_written_anew(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    paths = openpose_output.write(tmp_path / "a", rng.uniform(0, 900, (100, 1, 25, 3)))
    first = keypoint_imports.fingerprint(settings(tmp_path), "a")
    for path in paths:
        os.utime(path, (1, 1))
    assert keypoint_imports.fingerprint(settings(tmp_path), "a") == first
    openpose_output.write(tmp_path / "a", rng.uniform(0, 900, (100, 1, 25, 3)))
    assert keypoint_imports.fingerprint(settings(tmp_path), "a") != first


def test_a_folder_that_cannot_be_read_is_told_of_without_its_name(tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        keypoint_imports._has_results(str(tmp_path), "patient-7")
    assert "cannot be read" in str(told.value)
    assert "patient-7" not in str(told.value)
