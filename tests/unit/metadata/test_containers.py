"""The parts of a file, of whole ones and of garbage."""

import io
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose.errors import UserError
from deidpose.ingest import container_checks
from deidpose.metadata import containers
from fixtures import container_parts
from fixtures.video_files import write_video

#: How files of each kind begin.
BEGINNINGS = [
    b"\0\0\0\x10ftypisom\0\0\2\0",
    b"\0\0\0\x08moov",
    b"\x1aE\xdf\xa3\x80\x18\x53\x80\x67\xff",
    b"RIFF\xff\xff\xff\x7fAVI LIST\xff\xff\xff\x7fhdrl",
]


@pytest.fixture(scope="module")
def files(pictures: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    small = [cv2.resize(picture, (160, 96)) for picture in pictures[:6]]
    fast = {"cpu-used": "8", "deadline": "realtime"}
    forms: dict[str, dict[str, Any]] = {
        "a.mp4": {},
        "fragments.mp4": {"muxer": {"movflags": "+frag_keyframe+empty_moov"}, "options": {"g": "2"}},
        "a.mkv": {},
        "live.webm": {"codec": "libvpx-vp9", "muxer": {"live": "1"}, "options": fast},
        "a.avi": {"codec": "mpeg4"},
    }
    return {name: write_video(folder / name, small, sound=None, **options) for name, options in forms.items()}


def refusal(path: Path) -> str:
    """Return the sentence with which a file is refused; empty when it is taken."""
    try:
        container_checks.check_container(path, 10**6, 100)
    except UserError as error:
        return str(error)
    return ""


def names(path: Path) -> list[str]:
    with path.open("rb") as file:
        return ["/".join((*part.inside, part.name)) for part in containers.parts(file)]


@pytest.mark.parametrize(
    ("name", "some"),
    [
        ("a.mp4", ["ftyp", "mdat", "moov/trak/mdia/minf/stbl/stsd/avc1", "moov/udta/meta/ilst/©nam"]),
        ("fragments.mp4", ["moov/mvex/trex", "moof/traf/trun", "mfra/mfro"]),
        ("a.mkv", ["EBML/DocType", "Segment/Tracks/TrackEntry/Video/PixelWidth", "Segment/Cluster/SimpleBlock"]),
        ("live.webm", ["EBML/DocType", "Segment/Info/MuxingApp", "Segment/Cluster/SimpleBlock"]),
        ("a.avi", ["AVI /hdrl/strl/strh", "AVI /movi/00dc", "AVI /idx1"]),
    ],
)
def test_a_file_is_walked_to_its_end_and_every_part_is_inside_the_one_around_it(
    name: str, some: list[str], files: dict[str, Path]
) -> None:
    found = names(files[name])
    assert set(some) <= set(found)
    assert "" not in found
    size = files[name].stat().st_size
    with files[name].open("rb") as file:
        walked = list(containers.parts(file))
    assert max(part.end for part in walked) == size
    for part in walked:
        assert 0 <= part.start <= part.body <= part.end <= part.limit <= size


@pytest.mark.parametrize("name", ["a.mkv", "live.webm", "a.avi"])
def test_the_coded_frames_are_counted(name: str, files: dict[str, Path]) -> None:
    assert sum(container_checks.check_container(files[name], 10**6, 100).n_frames.values()) == 6


@pytest.mark.parametrize("name", ["a.mp4", "fragments.mp4", "a.mkv", "live.webm", "a.avi"])
def test_a_whole_file_is_taken_and_one_cut_short_is_not(name: str, files: dict[str, Path], tmp_path: Path) -> None:
    container_checks.check_container(files[name], 10**6, 100)
    content = files[name].read_bytes()
    for share in (0.3, 0.9):
        (tmp_path / "short").write_bytes(content[: int(len(content) * share)])
        sentence = refusal(tmp_path / "short")
        # Recordings of a running camera do not say how long they are.
        assert re.search("copy it again|cut short", sentence) or name in ("live.webm", "fragments.mp4")


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_the_limits_are_those_of_the_caller(name: str, files: dict[str, Path]) -> None:
    with pytest.raises(UserError, match="max_megapixels"):
        container_checks.check_container(files[name], 160 * 96 - 1, 100)
    with pytest.raises(UserError, match="max_frames"):
        container_checks.check_container(files[name], 160 * 96, 5)
    container_checks.check_container(files[name], 160 * 96, 6)


@given(beginning=st.sampled_from(BEGINNINGS), garbage=st.binary(max_size=400))
def test_the_walk_over_garbage_ends_inside_it(beginning: bytes, garbage: bytes) -> None:
    content = beginning + garbage
    steps = 0
    for part in containers.parts(io.BytesIO(content)):
        steps += 1
        assert 0 <= part.start <= part.body <= part.end <= len(content)
        assert len(part.inside) <= 25
    assert steps <= len(content)


@given(beginning=st.sampled_from(BEGINNINGS), garbage=st.binary(max_size=400))
def test_garbage_is_refused_with_a_sentence_or_taken(beginning: bytes, garbage: bytes, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "garbage"
    path.write_bytes(beginning + garbage)
    assert refusal(path) == "" or refusal(path).endswith(".")


@given(name=st.sampled_from(["a.mp4", "a.mkv", "a.avi"]), at=st.floats(0, 1), noise=st.binary(min_size=1, max_size=12))
def test_a_file_with_noise_anywhere_is_refused_with_a_sentence_or_taken(
    name: str, at: float, noise: bytes, files: dict[str, Path], tmp_path_factory: Any
) -> None:
    content = bytearray(files[name].read_bytes())
    start = int(at * (len(content) - len(noise)))
    content[start : start + len(noise)] = noise
    path = tmp_path_factory.getbasetemp() / "noise"
    path.write_bytes(content)
    assert refusal(path) == "" or refusal(path).endswith(".")


def test_a_box_of_64_bits_and_one_to_the_end_are_read() -> None:
    content = (
        container_parts.box(b"ftyp", b"isom")
        + b"\0\0\0\1free"
        + (20).to_bytes(8, "big")
        + b"abcd"
        + b"\0\0\0\0mdatrest"
    )
    found = list(containers.parts(io.BytesIO(content)))
    assert [(part.name, part.end - part.body) for part in found] == [("ftyp", 4), ("free", 4), ("mdat", 4)]
