import itertools
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.corpus import build, measure, peers, run, truth
from benchmarks.corpus.truth import Face
from benchmarks.docs_pages import markers
from deidpose.boxes import intersection_over_union
from deidpose.video import decode, encode

SIZES = {build.WALK: (994, 1768), build.ALONE: (1920, 1080), build.SEVERAL: (1920, 1088), build.PAIR: (1920, 1088)}
LENGTHS = {build.WALK: 230, build.ALONE: 100, build.SEVERAL: 100, build.PAIR: 100}

#: Quarter turns that make the people of a clip stand upright.
UPRIGHT = {"rotated-90": 3, "rotated-180": 2, "rotated-270": 1}

#: Clips in whose first frames YuNet sees no face.
UNSEEN = {"tilted"}

#: Backs, hands and hair have looked like faces to YuNet, but never with this score.
SURE = 0.85

number = st.floats(-300, 300).map(lambda value: round(value, 2))
side = st.floats(4, 200).map(lambda value: round(value, 2))
box = st.tuples(number, number, side, side).map(np.array)


def boxes_of(faces: Sequence[Face], size: tuple[int, ...]) -> np.ndarray:
    """Return the boxes of the faces that can be seen, as far as they are in a picture of (height, width)."""
    boxes = np.array([face.box for face in faces if face.visible == "face"]).reshape(-1, 4)
    low = np.clip(boxes[:, :2], 0, size[1::-1])
    return np.hstack([low, np.clip(boxes[:, :2] + boxes[:, 2:], 0, size[1::-1]) - low])


# --------------------------------------------------------------------------------------------------------------- truth


@pytest.mark.parametrize("clip", SIZES)
def test_every_key_frame_is_in_its_clip(clip: str) -> None:
    faces = truth.of_clip(clip)
    assert min(faces) >= 0
    assert max(faces) < LENGTHS[clip]
    for found in faces.values():
        assert len({face.face for face in found}) == len(found)
        assert all(face.visible in ("face", "behind", "pixelated") for face in found)
        assert all(truth.share_in_picture(face.box, SIZES[clip]) > 0 for face in found)


@pytest.mark.parametrize("clip", SIZES)
def test_no_face_jumps(clip: str) -> None:
    faces = truth.of_clip(clip)
    for frame in range(1, LENGTHS[clip]):
        before = {face.face: face for face in faces.get(frame - 1, [])}
        for face in faces.get(frame, []):
            last = before.get(face.face)
            if last and last.visible == face.visible:
                step = np.abs(face.box[:2] + face.box[2:] / 2 - last.box[:2] - last.box[2:] / 2)
                assert (step <= 1.25 * face.box[2:].max()).all(), (face.face, frame)


def test_boxes_move_in_straight_lines_between_key_frames() -> None:
    keys = pd.read_csv(truth.KEY_FRAMES, sep="\t")
    man = keys[(keys["clip"] == build.PAIR) & (keys["face"] == "man")].iloc[:2]
    assert man["frame"].tolist() == [0, 3]
    expected = man[truth.BOX].to_numpy(float).T @ [1 / 3, 2 / 3]
    np.testing.assert_allclose(truth.box_of(build.PAIR, "man", 2), expected)


def seen_by_yunet(picture: np.ndarray, model: Path, score: float) -> np.ndarray:
    """Return the boxes of the faces in a picture, shape (n, 4)."""
    detector = cv2.FaceDetectorYN.create(str(model), "", picture.shape[1::-1], score)
    _, found = detector.detect(np.ascontiguousarray(picture))
    return np.empty((0, 4)) if found is None else found[:, :4]


@pytest.mark.parametrize("clip", SIZES)
def test_a_detector_agrees_with_the_annotations(clip: str, demo: Path, models: dict[str, Path]) -> None:
    frames = range(4, LENGTHS[clip], 16)
    n_agreed = n_true = 0
    for frame, picture in build.read(clip, frames):
        found = seen_by_yunet(picture, models["yunet"], SURE)
        true = boxes_of(truth.of_clip(clip).get(frame, []), picture.shape)
        overlap = intersection_over_union(found, true)
        assert (overlap.max(axis=1, initial=0) > 0.5).all(), frame
        n_agreed, n_true = n_agreed + len(found), n_true + len(true)
    assert n_agreed >= 0.5 * n_true


# --------------------------------------------------------------------------------------------------------- construction


def painted(source: str, frame: int) -> np.ndarray:
    """Return a picture as large as those of a demo clip: black, with a white ellipse for every face."""
    picture = np.zeros((*SIZES[source], 3), np.uint8)
    for face in truth.of_clip(source).get(frame, []):
        if face.visible == "face":
            picture[truth.ellipse(face.box, SIZES[source])] = 255
    return picture


@pytest.fixture
def paint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clips be made of such pictures, and of every fifth frame of each shot."""

    def show(
        source: str, frames: Sequence[int], size: tuple[int, int], place: build.Place, prefix: str = ""
    ) -> build.Scenes:
        for step, frame in list(enumerate(frames))[::5]:
            yield build.placed(source, frame, painted(source, frame), size, place(step, frame), prefix)

    monkeypatch.setattr(build, "show", show)
    monkeypatch.setattr(build, "empty_park", lambda: np.zeros((*SIZES[build.WALK], 3)))


@pytest.mark.usefixtures("paint")
@pytest.mark.parametrize("name", build.CLIPS)
def test_the_true_boxes_are_where_the_faces_go(name: str) -> None:
    spoilt = name in ("bar", "hand", "noisy", "dark", "motion-blur", "low-resolution")
    n_faces = 0
    for picture, faces in build.CLIPS[name].scenes():
        size = (picture.shape[0], picture.shape[1])
        bright = picture.max(axis=2) > 60
        elsewhere = bright.copy()
        for face in faces:
            around = np.concatenate([face.box[:2] - 2, face.box[2:] + 4])
            elsewhere[truth.rectangle(around, size)] = False
            if face.visible == "face" and truth.share_in_picture(face.box, size) > truth.SMALLEST_SHARE:
                n_faces += 1
                inside = truth.ellipse(measure.shrunk(face.box, 0.8), size)
                assert bright[inside].mean() > (0.05 if spoilt else 0.9)
        assert spoilt or elsewhere.mean() < 0.002
    assert n_faces > 3


@pytest.mark.parametrize("name", sorted(set(build.CLIPS) - UNSEEN))
def test_a_detector_sees_faces_where_the_clips_have_them(name: str, demo: Path, models: dict[str, Path]) -> None:
    scenes = build.turned(build.CLIPS[name].scenes(), UPRIGHT.get(name, 0))
    n_found = 0
    for picture, faces in itertools.islice(scenes, 0, 7, 3):
        found = seen_by_yunet(picture, models["yunet"], 0.5)
        overlap = intersection_over_union(found, boxes_of(faces, picture.shape))
        n_found += int((overlap.max(axis=1, initial=0) > 0.5).sum())
    assert n_found


@given(box, st.floats(-180, 180), st.floats(0.2, 5))
def test_a_moved_box_is_that_of_the_moved_ellipse(face: np.ndarray, degrees: float, zoom: float) -> None:
    matrix = build.at(face[0], face[1], zoom, (100, 50), degrees)
    around = np.radians(np.arange(3600) / 10)
    points = face[:2] + face[2:] / 2 * (1 + np.column_stack([np.cos(around), np.sin(around)]))
    there = points @ matrix[:, :2].T + matrix[:, 2]
    expected = np.concatenate([there.min(axis=0), np.ptp(there, axis=0)])
    np.testing.assert_allclose(truth.moved(face, matrix), expected, atol=1e-3 * zoom)


def test_a_picture_is_placed_to_the_pixel() -> None:
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[40:60, 80:120] = 255
    for zoom in (0.25, 0.5, 1.0, 3.0):
        placed = build.warped(picture, build.static(20, 10, zoom)(0, 0), (400, 300))[..., 0] > 127
        rows, columns = np.flatnonzero(placed.any(axis=1)), np.flatnonzero(placed.any(axis=0))
        np.testing.assert_allclose([rows[0], rows[-1] + 1], np.array([30, 50]) * zoom, atol=0.51)
        np.testing.assert_allclose([columns[0], columns[-1] + 1], np.array([60, 100]) * zoom, atol=0.51)


def test_a_face_wholly_covered_is_a_head() -> None:
    faces = [Face("a", np.array([10.0, 10, 20, 30]), "face"), Face("b", np.array([60.0, 10, 20, 30]), "face")]
    share = np.zeros((60, 100))
    share[:, :40], share[:, 60:68] = 1, 1
    assert [face.visible for face in build.hidden(faces, share)] == ["behind", "face"]


@pytest.mark.parametrize(
    ("place", "visible"),
    [((10, 10, 20, 30), "face"), ((-10, 10, 20, 30), "face"), ((-16, 10, 20, 30), "behind"), ((9, 9, 6, 7), "behind")],
)
def test_too_little_of_a_face_counts_as_a_head(place: tuple[int, ...], visible: str) -> None:
    row = truth.row("clip", 3, Face("a", np.array(place, float), "face"), (60, 100))
    assert row is not None
    assert row[7] == visible


def test_what_lies_outside_the_picture_is_nowhere() -> None:
    assert truth.row("clip", 3, Face("a", np.array([100.0, 10, 20, 30]), "face"), (60, 100)) is None


def test_a_clip_is_the_same_whenever_it_is_built(demo: Path, tmp_path: Path) -> None:
    digests = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        table = build.build("tiny-lab", folder)
        digests.append(((folder / "tiny-lab.mp4").read_bytes(), table.to_csv()))
    assert digests[0] == digests[1]


# ------------------------------------------------------------------------------------------------------------- measure


def table_of(*rows: tuple[int, str, tuple[float, ...], str]) -> pd.DataFrame:
    cells = [("clip", frame, face, *place, visible, 1.0) for frame, face, place, visible in rows]
    return pd.DataFrame(cells, columns=truth.COLUMNS)


def region_table(*rows: tuple[int, tuple[float, ...]]) -> pd.DataFrame:
    return pd.DataFrame([(frame, *place) for frame, place in rows], columns=["frame", *truth.BOX])


SQUARE = (20.0, 20.0, 20.0, 20.0)


def test_a_face_without_a_mask_leaks_in_every_frame() -> None:
    faces = table_of(*((frame, "a", SQUARE, "face") for frame in range(5)))
    result = measure.measure(faces, measure.regions(region_table(), (60, 80)), 5, (60, 80))
    assert (result.face_frames, result.covered, result.leaked, result.recognisable) == (5, 0, 5, 5)
    assert (result.longest_leak, result.over_masked, result.leaks) == (5, 0, {"a": [0, 1, 2, 3, 4]})


def test_a_face_under_its_own_ellipse_is_covered_with_nothing_masked_besides() -> None:
    faces = table_of((0, "a", SQUARE, "face"))
    result = measure.measure(faces, measure.regions(region_table((0, SQUARE)), (60, 80)), 1, (60, 80))
    assert (result.covered, result.leaked, result.over_masked, result.face_px) == (1, 0, 0, 400)


def test_the_longest_leak_is_that_of_one_face_without_a_pause() -> None:
    faces = table_of(*((frame, face, place, "face") for frame in range(9) for face, place in PLACES.items()))
    hidden = [(frame, PLACES["a"]) for frame in (2, 3, 7, 8)] + [(frame, PLACES["b"]) for frame in (0, 1, 5)]
    result = measure.measure(faces, measure.regions(region_table(*hidden), (60, 80)), 9, (60, 80))
    assert result.leaks == {"a": [0, 1, 4, 5, 6], "b": [2, 3, 4, 6, 7, 8]}
    assert result.longest_leak == 3


PLACES = {"a": (5.0, 5.0, 20.0, 20.0), "b": (40.0, 30.0, 20.0, 20.0)}


def test_a_leak_is_recognisable_when_the_middle_is_bare() -> None:
    faces = table_of((0, "a", (20.0, 20.0, 20.0, 20.0), "face"), (1, "a", (20.0, 20.0, 20.0, 20.0), "face"))
    masks = measure.regions(region_table((0, (23, 23, 14, 14)), (1, (26, 26, 14, 14))), (60, 80), "rectangle")
    result = measure.measure(faces, masks, 2, (60, 80))
    assert (result.leaked, result.recognisable) == (2, 1)


def test_of_a_face_at_the_edge_what_is_in_the_picture_counts() -> None:
    faces = table_of((0, "a", (-10.0, 20.0, 20.0, 20.0), "face"))
    masks = measure.regions(region_table((0, (0, 20, 10, 20))), (60, 80), "rectangle")
    result = measure.measure(faces, masks, 1, (60, 80))
    assert (result.covered, result.face_px, result.masked_px) == (1, 200, 0)


def test_a_mask_over_a_head_without_a_face_is_neither_needed_nor_too_much() -> None:
    faces = table_of((0, "a", SQUARE, "face"), (0, "b", (50.0, 20.0, 20.0, 20.0), "behind"))
    both = region_table((0, SQUARE), (0, (50, 20, 20, 20)))
    for table, bare in ((both, 0), (both[:1], 1)):
        result = measure.measure(faces, measure.regions(table, (60, 80)), 1, (60, 80))
        assert (result.face_frames, result.leaked, result.over_masked) == (1, 0, 0)
        assert (result.heads, result.bare_heads) == (1, bare)


def test_the_area_masked_too_much_is_in_units_of_the_faces() -> None:
    faces = table_of((0, "a", SQUARE, "face"))
    masks = measure.regions(region_table((0, (10, 10, 40, 40)), (0, (0, 0, 20, 10))), (60, 80), "rectangle")
    result = measure.measure(faces, masks, 1, (60, 80))
    assert result.over_masked == (1600 - 400 + 200) / 400


def test_frames_without_faces_are_masked_too_much_all_the_same() -> None:
    faces = table_of((0, "a", SQUARE, "face"))
    masks = measure.regions(region_table((0, SQUARE), (1, (0, 0, 20, 20))), (60, 80), "rectangle")
    assert measure.measure(faces, masks, 2, (60, 80)).over_masked == 1


def test_totals_are_sums_and_the_longest_of_all() -> None:
    faces = table_of(*((frame, "a", SQUARE, "face") for frame in range(4)))
    bare = measure.measure(faces, measure.regions(region_table(), (60, 80)), 4, (60, 80))
    everything = region_table(*((frame, (0, 0, 80, 60)) for frame in range(4)))
    covered = measure.measure(faces, measure.regions(everything, (60, 80), "rectangle"), 4, (60, 80))
    both = measure.total([bare, covered])
    assert (both.face_frames, both.leaked, both.longest_leak) == (8, 4, 4)
    assert both.over_masked == (4800 - 400) / 800


regions_at = st.lists(st.tuples(st.integers(0, 2), box.map(lambda place: tuple(place / 4))), max_size=6)


@given(regions_at, regions_at, regions_at)
def test_more_masks_never_leave_more_bare(
    places: list[tuple[int, tuple[float, ...]]],
    some: list[tuple[int, tuple[float, ...]]],
    more: list[tuple[int, tuple[float, ...]]],
) -> None:
    size = (60, 80)
    cells = [(frame, str(number), place, "face") for number, (frame, place) in enumerate(places)]
    faces = table_of(*((frame, face, place, what) for frame, face, place, what in cells if inside(place, size)))
    less, all_of = (
        measure.measure(faces, measure.regions(region_table(*rows), size), 3, size) for rows in (some, some + more)
    )
    assert all_of.covered >= less.covered
    assert all_of.recognisable <= less.recognisable
    assert all_of.masked_px >= less.masked_px
    assert less.covered + less.leaked == less.face_frames == len(faces)


def inside(place: tuple[float, ...], size: tuple[int, int]) -> bool:
    return bool(truth.ellipse(np.array(place), size).any())


@given(box)
def test_an_ellipse_is_inside_its_rectangle_and_has_its_share_of_the_area(place: np.ndarray) -> None:
    place[:2] = np.abs(place[:2]) % 100
    ellipse, rectangle = truth.ellipse(place, (400, 400)), truth.rectangle(place, (400, 400))
    assert not (ellipse & ~rectangle).any()
    assert rectangle.sum() == pytest.approx(np.prod(place[2:]), rel=0.3)
    assert ellipse.sum() == pytest.approx(np.pi / 4 * np.prod(place[2:]), rel=0.3, abs=6)


def test_what_is_black_in_a_delivered_video_is_masked(clip: Path, tmp_path: Path) -> None:
    frames = list(decode.read_frames(clip))[:3]
    pictures = []
    for frame in frames:
        luma, blue, red = (plane.copy() for plane in frame.planes)
        luma[100:200, 300:420], blue[50:100, 150:210], red[50:100, 150:210] = 16, 128, 128
        pictures.append((luma, blue, red))
    stamps = pd.DataFrame({"pts": range(3), "time_base_numerator": 1, "time_base_denominator": 30})
    encode.encode(pictures, stamps, encode.layout(clip), encode.Encoding(20, "superfast"), tmp_path / "masked.mp4")
    masks = measure.blackened(tmp_path / "masked.mp4")
    for number in range(3):
        masked = masks(number)
        assert masked[104:196, 304:416].all()
        assert not masked[120:180, 430:500].any()
    with pytest.raises(StopIteration):
        masks(3)


def test_spans_of_frames_are_written_shortly() -> None:
    assert measure.spans([3, 4, 5, 9, 11, 12]) == "3-5, 9, 11-12"
    assert measure.longest_run([3, 4, 5, 9, 11, 12]) == 3
    assert measure.longest_run([]) == 0


# ---------------------------------------------------------------------------------------------------------------- page


def test_the_page_has_the_tables_of_every_clip(root: Path) -> None:
    page = run.PAGE.read_text("utf-8")
    begin, end = markers("make corpus")
    assert page.count(begin) == page.count(end) == 1
    between = page.partition(begin)[2].partition(end)[0]
    for name, clip in build.CLIPS.items():
        assert f"| {name} | {clip.about} |" in between
    for line in peers.REQUIREMENTS.read_text("utf-8").splitlines():
        assert line.startswith("#") or line.replace("==", " ") in between


def test_a_clip_that_there_is_not_is_named() -> None:
    command = [sys.executable, run.__file__, "edge", "egde"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no clip egde" in done.stderr


# -------------------------------------------------------------------------------------------------------- the workflow


def test_no_face_of_three_clips_is_left_bare(root: Path, demo: Path, models: dict[str, Path], tmp_path: Path) -> None:
    names = ["tiny-lab", "leaves-and-returns", "edge"]
    build.build_all(tmp_path / "corpus", names)
    run.run_workflow(tmp_path / "corpus", tmp_path / "results", names, cores=2)
    for delivered in (False, True):
        measured = measure.of_results(tmp_path / "results", tmp_path / "corpus", delivered)
        assert sorted(measured) == sorted(names)
        assert {name: result.leaks for name, result in measured.items() if result.leaks} == {}
