"""The data of a video for the report: what goes in comes out, within a step, and nothing that was not put in."""

import base64
import gzip
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from deidpose import tables
from deidpose.errors import UserError
from deidpose.keypoints import poses
from deidpose.kinematics.angles import angle_arrays
from deidpose.report import packing, video_data
from deidpose.skeleton import INDEX, KEYPOINTS
from fixtures.bodies import body, together
from fixtures.random_tables import table
from fixtures.report_inputs import SIZE, angles_of, payload_script, timestamps

FACTS = {"width": SIZE[0], "height": SIZE[1]}
NOBODY = tables.empty("matches")


def people(*numbers: int, patient: int = 0) -> pd.DataFrame:
    return table("people", {"person": numbers}, patient=[number == patient for number in numbers])


def opened(text: str, video: str = "v1") -> tuple[dict[str, Any], list[np.ndarray]]:
    return packing.unpack(video_data.data_of_script(text, video))


def summed(deltas: np.ndarray, n: int) -> np.ndarray:
    """Undo the differences as the page does: 16-bit sums that wrap."""
    return np.cumsum(deltas.reshape(-1, n), axis=1, dtype=np.int16)


def positions(text: str, source: str, person: int) -> np.ndarray:
    """Return the positions of somebody, shape (27, 2, n), in pixels."""
    header, found = opened(text)
    index = next(i for i, one in enumerate(header["series"]) if (one["source"], one["person"]) == (source, person))
    whole = summed(found[1 + 2 * index], header["series"][index]["n"]).astype(float)
    whole[whole == video_data.MISSING] = np.nan
    return (whole * header["pixels"]).reshape(len(KEYPOINTS), 2, -1)


def degrees(text: str, source: str, person: int) -> np.ndarray:
    """Return the angles of somebody, shape (2, 28, n)."""
    header, found = opened(text)
    index = next(i for i, one in enumerate(header["series"]) if (one["source"], one["person"]) == (source, person))
    whole = summed(found[2 + 2 * index], header["series"][index]["n"]).astype(float)
    whole[whole == video_data.MISSING] = np.nan
    return (whole * header["degrees"]).reshape(2, len(video_data.ANGLES), -1)


def script(
    n_frames: int,
    keypoints: Mapping[str, pd.DataFrame],
    angles: Mapping[str, pd.DataFrame],
    matches: pd.DataFrame,
    known: pd.DataFrame,
) -> str:
    """Return the data of video v1 for tables ``keypoints`` and ``angles``."""
    bodies = {source: poses(found) for source, found in keypoints.items()}
    measured = {source: angle_arrays(found) for source, found in angles.items()}
    return video_data.script("v1", FACTS, timestamps(n_frames), bodies, measured, matches, known)


def one_person(frames: range, **changes: Any) -> str:
    keypoints = {"original": body(frames, 300, 240, **changes)}
    angles = {"original": angles_of(keypoints["original"])}
    return script(frames.stop, keypoints, angles, NOBODY, people(0))


@given(
    st.lists(
        arrays.arrays(
            st.sampled_from([np.float64, np.int32, np.int16, np.uint8, np.uint32]),
            st.integers(0, 40),
            elements={"allow_nan": False},
        ),
        max_size=5,
    ),
    st.text(max_size=20),
)
def test_what_is_packed_is_what_comes_out(packed: list[np.ndarray], text: str) -> None:
    header, found = packing.unpack(packing.pack({"text": text}, packed))
    assert header == {"text": text}
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(packed, found, strict=True))


def test_every_array_begins_at_a_multiple_of_eight_bytes_as_browsers_want_it() -> None:
    packed = packing.pack({"odd": "x"}, [np.zeros(3, np.uint8), np.ones(2), np.zeros(1, np.int16), np.ones(1)])
    data = gzip.decompress(base64.b64decode(packed))
    length = int.from_bytes(data[:4], "little")
    assert (4 + length) % 8 == 0
    offsets = re.search(rb'"arrays":(\[\[.*?\]\])', data[4 : 4 + length])
    assert offsets
    assert all(offset % 8 == 0 for _, offset, _ in json.loads(offsets[1]))


def test_the_same_tables_give_the_same_bytes_and_no_time_of_making() -> None:
    assert payload_script("v1", 30) == payload_script("v1", 30)
    packed = base64.b64decode(video_data.data_of_script(payload_script("v1", 30), "v1"))
    assert packed[4:8] == bytes(4)  # RFC 1952: MTIME


def test_positions_come_back_to_a_tenth_of_a_pixel_and_missing_ones_stay_missing() -> None:
    text = one_person(range(40), unseen=("LKnee",), step=3.37)
    found = positions(text, "original", 0)
    assert np.isnan(found[INDEX["LKnee"]]).all()
    assert np.isnan(found[INDEX["LIndex"]]).all()
    neck = found[INDEX["Neck"]]
    assert np.abs(neck[0] - (300 + 3.37 * np.arange(40))).max() <= 0.0501
    assert np.abs(neck[1] - (240 - 65)).max() <= 0.0501


def test_positions_too_large_for_sixteen_bits_are_kept_in_longer_steps() -> None:
    text = one_person(range(5), step=2000.0)
    header, _ = opened(text)
    assert header["pixels"] > video_data.PIXELS
    assert (
        np.abs(positions(text, "original", 0)[INDEX["Neck"], 0] - (300 + 2000 * np.arange(5))).max() < header["pixels"]
    )


def test_angles_come_back_to_a_hundredth_of_a_degree_unfiltered_and_filtered() -> None:
    keypoints = {"original": body(range(30), 300, 240)}
    angles = {"original": angles_of(keypoints["original"], noise=2.0)}
    text = script(30, keypoints, angles, NOBODY, people(0))
    found = degrees(text, "original", 0)
    knee = angles["original"][angles["original"]["angle"] == "left_knee"]
    at = video_data.ANGLES.index("left_knee")
    assert np.abs(found[0, at] - knee["degrees"]).max() <= 0.0051
    assert np.abs(found[1, at] - knee["degrees_filtered"]).max() <= 0.0051


def test_a_frame_in_which_somebody_is_not_seen_holds_nothing_of_them() -> None:
    seen = body(range(30), 300, 240)
    seen = seen[(seen["frame"] < 10) | (seen["frame"] > 14)]
    angles = angles_of(seen)
    text = script(30, {"original": seen}, {"original": angles}, NOBODY, people(0))
    gone = np.isnan(positions(text, "original", 0)).all(axis=(0, 1))
    assert np.flatnonzero(gone).tolist() == [10, 11, 12, 13, 14]
    assert np.isnan(degrees(text, "original", 0)[:, :, 10:15]).all()


def test_people_of_a_method_have_the_numbers_of_the_original_in_the_frames_in_which_they_are_the_same() -> None:
    original = together(body(range(20), 100, 240, 0), body(range(20), 400, 240, 1))
    copy = together(body(range(20), 400, 240, 0), body(range(20), 100, 240, 1))
    matches = pd.DataFrame(
        [("blur", 0, 1, 0, 19), ("blur", 1, 0, 0, 9)],
        columns=["method", "person", "method_person", "first_frame", "last_frame"],
    )
    keypoints = {"original": original, "blur": copy}
    angles = {source: angles_of(found) for source, found in keypoints.items()}
    text = script(20, keypoints, angles, matches, people(0, 1))
    header, _ = opened(text)
    series = {(one["source"], one["person"]): one for one in header["series"]}
    assert np.allclose(positions(text, "blur", 0)[INDEX["Neck"], 0], 100, atol=0.06)
    assert series["blur", 1] == {"source": "blur", "person": 1, "start": 0, "n": 10}
    # From frame 10 on that one is nobody of the original: shown as a skeleton, and compared with nothing.
    assert series["blur", -1] == {"source": "blur", "person": -1, "start": 10, "n": 10}
    _, found = opened(text)
    assert len(found[2 + 2 * header["series"].index(series["blur", -1])]) == 0


def test_patients_are_listed_first_then_those_who_are_seen_longest() -> None:
    header, _ = opened(payload_script("v1", 60))
    assert [(one["person"], one["patient"]) for one in header["people"]] == [(0, True), (1, False)]


@pytest.mark.parametrize(("n_frames", "step"), [(5000, 1), (5001, 2), (25_000, 5)])
def test_a_long_video_is_thinned_evenly_and_the_page_is_told(n_frames: int, step: int) -> None:
    seen = body(range(0, n_frames, 500), 300, 240)
    angles = {"original": angles_of(seen)}
    text = script(n_frames, {"original": seen}, angles, NOBODY, people(0))
    header, found = opened(text)
    assert header["step"] == step
    assert header["n_frames"] == n_frames
    assert found[0].tolist() == (np.arange(0, n_frames, step) / 30).tolist()


def test_a_crowd_is_thinned_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_data, "MAX_POSES", 100)
    crowd = together(*(body(range(50), 100 + 20 * number, 240, number) for number in range(5)))
    keypoints, angles = {"original": crowd}, {"original": angles_of(crowd)}
    text = script(50, keypoints, angles, NOBODY, people(*range(5)))
    header, found = opened(text)
    assert header["step"] == 3
    assert len(found[0]) == 17
    assert sum(one["n"] for one in header["series"]) <= 100


def test_arrays_thinned_before_give_the_same_script() -> None:
    seen = body(range(0, 12_000, 3), 300, 240)
    angles = angles_of(seen)
    whole = script(12_000, {"original": seen}, {"original": angles}, NOBODY, people(0))
    bodies = {"original": video_data.thinned(poses(seen), 12_000)}
    measured = {"original": video_data.thinned(angle_arrays(angles), 12_000)}
    assert set(bodies["original"].frame % 3) == {0}
    again = video_data.script("v1", FACTS, timestamps(12_000), bodies, measured, NOBODY, people(0))
    assert whole == again


def test_a_video_in_which_nobody_is_seen_has_its_times_all_the_same() -> None:
    nobody = {"original": tables.empty("keypoints")}
    angles = {"original": tables.empty("angles")}
    header, found = opened(script(9, nobody, angles, NOBODY, people()))
    assert header["series"] == []
    assert len(found[0]) == 9


@pytest.mark.parametrize(
    "text",
    [
        "",
        'deidposeVideo("v2","AAAA");\n',
        'deidposeVideo("v1","AAAA");alert(1);\n',
        'deidposeVideo("v1","<script>");\n',
        'deidposeVideo("v1","AAAA");\ndeidposeVideo("v1","AAAA");\n',
    ],
)
def test_a_file_that_is_not_such_a_script_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="make them again"):
        video_data.data_of_script(text, "v1")
