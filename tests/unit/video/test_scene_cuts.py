"""Cuts in real pictures: those that were put together, and none where a scene changes in another way."""

import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from deidpose import tables
from deidpose.video import scene_cuts
from deidpose.video.frames import Frame


def decoded(path: Path, first: int, last: int) -> list[np.ndarray]:
    """Return the luma of some frames of a clip as floating-point numbers."""
    chosen = []
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for index, frame in enumerate(container.decode(video=0)):
            if index >= first:
                chosen.append(frame.to_ndarray(format="gray").astype(float))
            if index == last:
                break
    return chosen


def as_frames(luma: Iterable[np.ndarray]) -> Iterator[Frame]:
    for index, picture in enumerate(luma):
        height, width = picture.shape
        chroma = np.full((-(-height // 2), -(-width // 2)), 128, np.uint8)
        plane = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        yield Frame(index, index / 30, (plane, chroma, chroma), False)


def cuts(luma: Iterable[np.ndarray]) -> list[int]:
    return list(scene_cuts.find_cuts(as_frames(luma))["frame"])


@pytest.fixture(scope="module")
def park(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """Return 30 pictures of two people who walk, luma alone."""
    return [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(float) for picture in pictures]


@pytest.fixture(scope="module")
def lab(demo: Path) -> dict[str, list[np.ndarray]]:
    """Return the first 15 pictures of clips filmed in one room."""
    return {name: decoded(demo / f"lab/{name}.mp4", 0, 14) for name in ("several1", "several2", "alone")}


def crop(luma: Sequence[np.ndarray], x: int, y: int, width: int = 320, height: int = 180) -> list[np.ndarray]:
    return [picture[y : y + height, x : x + width] for picture in luma]


def test_cuts_between_clips_are_found_at_the_first_frame_of_each_shot(
    park: list[np.ndarray], lab: dict[str, list[np.ndarray]]
) -> None:
    def sized(luma: list[np.ndarray]) -> list[np.ndarray]:
        return [cv2.resize(picture, (540, 540)) for picture in luma]

    together = [*sized(lab["alone"]), *sized(park[:12]), *sized(lab["several1"]), *sized(park[12:])]
    assert cuts(together) == [15, 27, 42]


def test_a_cut_within_one_room_between_two_cameras_is_found(lab: dict[str, list[np.ndarray]]) -> None:
    assert cuts([*lab["several1"], *crop(lab["alone"], 0, 0, 1080, 1920)]) == [15]


@pytest.mark.parametrize("to", [(560, 20), (300, 300), (20, 300)])
def test_a_cut_between_two_views_of_one_scene_is_found(to: tuple[int, int], park: list[np.ndarray]) -> None:
    assert cuts([*crop(park[:10], 240, 20), *crop(park[10:22], *to), *crop(park[22:], 240, 20)]) == [10, 22]


@pytest.mark.parametrize("at", [1, 2, 3, 27, 28, 29])
def test_a_cut_next_to_the_ends_of_a_video_is_found(at: int, park: list[np.ndarray]) -> None:
    assert cuts([*crop(park[:at], 240, 20), *crop(park[at:], 560, 300)]) == [at]


@pytest.mark.parametrize("length", [3, 5, 6])
def test_short_shots_are_found(length: int, park: list[np.ndarray]) -> None:
    views = [crop(park, x, y) for x, y in ((240, 20), (560, 300), (0, 300), (560, 0))]
    assert cuts([picture for view in views for picture in view[:length]]) == [length, 2 * length, 3 * length]


def test_people_who_walk_are_no_cut(park: list[np.ndarray], lab: dict[str, list[np.ndarray]]) -> None:
    assert cuts(park) == []
    for luma in lab.values():
        assert cuts(luma) == []


def test_the_sun_that_goes_behind_a_cloud_and_comes_back_is_no_cut(demo: Path) -> None:
    outdoors = decoded(demo / "park/walk.mp4", 165, 190)
    light = np.array([picture.mean() for picture in outdoors])
    assert np.abs(np.diff(light)).max() > 15  # from one frame to the next
    assert cuts(outdoors) == []


def test_a_flash_of_one_frame_is_no_cut(park: list[np.ndarray]) -> None:
    for share, level in ((0.2, 220), (0, 255), (0, 0)):
        assert cuts([*park[:15], park[15] * share + level, *park[16:]]) == []


def test_a_picture_of_another_scene_for_one_frame_is_no_cut(park: list[np.ndarray]) -> None:
    shown = crop(park, 240, 20)
    shown[15] = crop(park, 560, 300)[15]
    assert cuts(shown) == []


def test_a_slow_change_of_brightness_is_no_cut(park: list[np.ndarray]) -> None:
    level = np.concatenate([np.linspace(1, 0.15, 15), np.linspace(0.15, 1, 15)])
    assert cuts([picture * share for picture, share in zip(park, level, strict=True)]) == []


def test_light_that_is_switched_on_is_no_cut(park: list[np.ndarray]) -> None:
    assert cuts([*(picture * 0.4 for picture in park[:15]), *park[15:]]) == []


@pytest.mark.parametrize("pixels", [3, 8, 20])
def test_a_camera_that_pans_fast_is_no_cut(pixels: int, park: list[np.ndarray]) -> None:
    assert cuts([picture[100:280, index * pixels :][:, :300] for index, picture in enumerate(park[:28])]) == []


def test_a_camera_that_sways_is_no_cut(park: list[np.ndarray]) -> None:
    ways = (20 * np.sin(np.arange(30) * 0.9)).round().astype(int) + 20
    assert cuts([picture[way : way + 400, way : way + 700] for way, picture in zip(ways, park, strict=True)]) == []


@pytest.mark.parametrize("strength", [5, 25])
def test_noise_is_no_cut_in_a_scene_or_on_a_wall(strength: float, park: list[np.ndarray]) -> None:
    random = np.random.default_rng(1)
    for scene in ([park[0]] * 20, [np.full((360, 640), 120.0)] * 20):
        assert cuts([picture + random.normal(0, strength, picture.shape) for picture in scene]) == []


def test_a_cut_is_found_in_a_noisy_video(park: list[np.ndarray]) -> None:
    random = np.random.default_rng(1)
    together = [*crop(park[:15], 240, 20), *crop(park[15:], 560, 300)]
    assert cuts([picture + random.normal(0, 15, picture.shape) for picture in together]) == [15]


def test_a_still_is_no_cut(park: list[np.ndarray]) -> None:
    assert cuts([park[0]] * 20) == []
    assert cuts([park[0] * 0] * 20) == []


def test_a_cut_between_stills_and_from_black_is_found(park: list[np.ndarray]) -> None:
    one, other = crop(park[:1], 240, 20), crop(park[:1], 560, 300)
    assert cuts(one * 10 + other * 10) == [10]
    assert cuts([one[0] * 0] * 10 + one * 10) == [10]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_shortest_videos_have_no_cut(count: int, park: list[np.ndarray]) -> None:
    table = scene_cuts.find_cuts(as_frames(park[:count]))
    assert table.empty
    tables.check(table, "cuts")


def test_frames_and_all_but_a_few_thumbnails_are_let_go(
    park: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    planes: list[weakref.ref[np.ndarray]] = []
    thumbnails: list[weakref.ref[np.ndarray]] = []
    most = {"planes": 0, "thumbnails": 0}
    thumbnail = scene_cuts._thumbnail

    def alive(references: list[weakref.ref[np.ndarray]]) -> int:
        return sum(reference() is not None for reference in references)

    def kept(frame: Frame) -> np.ndarray:
        made = thumbnail(frame)
        thumbnails.append(weakref.ref(made))
        return made

    def counted() -> Iterator[Frame]:
        for frame in as_frames(park):
            planes.append(weakref.ref(frame.planes[0]))
            most["planes"] = max(most["planes"], alive(planes))
            most["thumbnails"] = max(most["thumbnails"], alive(thumbnails))
            yield frame

    monkeypatch.setattr(scene_cuts, "_thumbnail", kept)
    scene_cuts.find_cuts(counted())
    assert len(thumbnails) == len(planes) == 30
    assert most["planes"] <= 3
    assert most["thumbnails"] <= 6
