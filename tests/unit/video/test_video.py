import gc
import itertools
import os
import re
import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose.errors import UserError
from deidpose.ingest import examine, remux
from deidpose.video import decode, encode
from deidpose.video.frames import Frame, chunks, frame_rate, to_bgr
from fixtures import container_parts
from fixtures.video_files import TAGS, write_video

LIMITS = examine.Limits(file_bytes=10**9, pixels=10**7, duration_s=60, frames=1000)
ENCODING = encode.Encoding(crf=10, preset="ultrafast")

#: What a file may be -> how it is written. Names as `write_video` takes them.
FORMS: dict[str, dict[str, Any]] = {
    "phone.mp4": {},
    "camera.mov": {"rate": Fraction(60000, 1001)},
    "lossless.mkv": {"codec": "ffv1"},
    "browser.webm": {"codec": "libvpx-vp9", "sound": "libopus", "options": {"cpu-used": "8", "deadline": "realtime"}},
    "xvid.avi": {"codec": "mpeg4", "options": {"bf": "2"}, "sound": "libmp3lame"},
    "surveillance.avi": {"sound": "pcm_s16le"},
    "webcam.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p", "full_range": True, "sound": "pcm_s16le"},
    "newer phone.mp4": {"codec": "libx265"},
    "high dynamic range.mp4": {"codec": "libx265", "pixel_format": "yuv420p10le"},
    "newest.mp4": {"codec": "libsvtav1", "options": {"preset": "12"}},
    "broadcast.mkv": {"codec": "mpeg2video", "options": {"bf": "2"}},
    "studio.mov": {"codec": "prores_ks", "pixel_format": "yuv422p10le"},
}


@pytest.fixture(scope="module")
def small(pictures: list[np.ndarray]) -> list[np.ndarray]:
    return [cv2.resize(picture, (320, 180), interpolation=cv2.INTER_AREA) for picture in pictures[:12]]


@pytest.fixture(scope="module")
def forms(small: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("forms")
    return {name: write_video(folder / name, small, **options) for name, options in FORMS.items()}


def sanitize(source: Path, folder: Path) -> tuple[Path, pd.DataFrame]:
    facts, timestamps = examine.decode_source(source, LIMITS)
    assert "reason" not in facts, facts["reason"]
    copy = folder / "sanitized.mkv"
    return copy, remux.remux(source, timestamps, copy)


def shown(path: Path) -> list[np.ndarray]:
    """Return the luma that a player shows, by PyAV alone and without turning it."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray()[: frame.height] for frame in container.decode(video=0)]


def luma(path: Path, timestamps: pd.DataFrame | None = None) -> list[np.ndarray]:
    return [frame.planes[0] for frame in decode.read_frames(path, timestamps)]


def presentation_times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return sorted(p.pts * p.time_base for p in container.demux(video=0) if p.pts is not None)


def table(pts: Sequence[int], time_base: Fraction) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "frame": range(len(pts)),
            "pts": pts,
            "time_base_numerator": time_base.numerator,
            "time_base_denominator": time_base.denominator,
            "time_s": [float(p * time_base) for p in pts],
            "container_ms": decode.IN_ORDER,
        }
    )


def look(width: int = 320, height: int = 180, full_range: bool = False) -> encode.Layout:
    odd = width % 2 or height % 2
    return encode.Layout(width, height, "yuv444p" if odd else "yuv420p", 1, 1, 1, 2 if full_range else 1, Fraction(1))


def planes(count: int, width: int = 320, height: int = 180, seed: int = 1) -> list[tuple[np.ndarray, ...]]:
    """Return pictures that no two are alike, smooth so that they survive encoding."""
    half = (height, width) if width % 2 or height % 2 else (height // 2, width // 2)
    random = np.random.default_rng(seed)

    def plane(shape: tuple[int, int]) -> np.ndarray:
        return cv2.resize(random.integers(30, 220, (4, 5)).astype(np.uint8), shape[::-1])

    return [(plane((height, width)), plane(half), plane(half)) for _ in range(count)]


# ------------------------------------------------------------------------------------------------------ stream copy


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_file_is_copied_with_exactly_the_pictures_a_player_shows(
    form: str, forms: dict[str, Path], small: list[np.ndarray], tmp_path: Path
) -> None:
    copy, timestamps = sanitize(forms[form], tmp_path)
    frames = list(decode.read_frames(copy, timestamps))
    assert [frame.index for frame in frames] == list(range(len(small)))
    for frame, picture in zip(frames, small, strict=True):
        expected = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(float)
        if not frame.full_range:
            expected = 16 + expected * 219 / 255
        assert np.abs(frame.planes[0] - expected).mean() < 8


@pytest.mark.parametrize("form", FORMS)
def test_the_copy_holds_one_stream_and_no_tag_of_the_source(form: str, forms: dict[str, Path], tmp_path: Path) -> None:
    copy, _ = sanitize(forms[form], tmp_path)
    with av.open(str(copy)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        # The container's own name of its writer, the length of the stream, and nothing else.
        assert {key.lower() for key in container.metadata} <= {"encoder"}
        assert {key.lower() for key in container.streams[0].metadata} <= {"duration"}
    content = copy.read_bytes()
    for text in (*TAGS.values(), "x264 - core", "x265 (build", "2019", "VideoHandler", "Lavc"):
        if (form, text) == ("studio.mov", "Lavc"):
            continue  # four letters in the header of every ProRes picture name its encoder
        assert text.encode() not in content, text


@pytest.mark.parametrize("form", ["phone.mp4", "surveillance.avi", "newer phone.mp4"])
def test_the_encoder_had_left_its_settings_in_the_source(form: str, forms: dict[str, Path]) -> None:
    content = forms[form].read_bytes()
    assert b"x264 - core" in content or b"x265 (build" in content


@pytest.mark.parametrize(
    ("form", "kept"),
    [("phone.mp4", {1, 5}), ("surveillance.avi", {1, 5, 7, 8}), ("newer phone.mp4", {0, 1, 2, 19, 20, 21, 32, 33, 34})],
)
def test_the_coded_pictures_stay_and_every_message_between_them_goes(
    form: str, kept: set[int], forms: dict[str, Path], tmp_path: Path
) -> None:
    hevc = form == "newer phone.mp4"
    before = list(_units(forms[form], hevc))
    copy, _ = sanitize(forms[form], tmp_path)
    after = list(_units(copy, hevc))
    pictures = set(range(32)) if hevc else {1, 5}
    assert {kind for kind, _ in after} <= kept
    assert [unit for kind, unit in after if kind in pictures] == [unit for kind, unit in before if kind in pictures]


def test_the_unit_that_carries_messages_was_there_before(forms: dict[str, Path]) -> None:
    assert 6 in {kind for kind, _ in _units(forms["phone.mp4"], False)}


def test_comments_and_exif_of_a_motion_jpeg_go_and_its_pictures_stay(forms: dict[str, Path], tmp_path: Path) -> None:
    source = tmp_path / "camera.mkv"
    with av.open(str(forms["webcam.avi"])) as given, av.open(str(source), "w") as output:
        stream = output.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.size:
                exif = b"Exif\0\0 Erika 48.1372 N"
                data = bytes(packet)
                tagged = av.Packet(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
                tagged.pts, tagged.dts, tagged.time_base = packet.pts, packet.dts, packet.time_base
                tagged.is_keyframe, tagged.stream = True, stream
                output.mux(tagged)
    assert b"Erika" in source.read_bytes()
    copy, timestamps = sanitize(source, tmp_path)
    assert b"Erika" not in copy.read_bytes()
    for plane, expected in zip(luma(copy, timestamps), shown(forms["webcam.avi"]), strict=True):
        np.testing.assert_array_equal(plane, expected)


def _units(path: Path, hevc: bool) -> Iterator[tuple[int, bytes]]:
    """Yield type and bytes of every unit of an H.264 or H.265 stream (ITU-T H.264 7.3.1, H.265 7.3.1)."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        with_lengths = bytes(stream.codec_context.extradata or b"")[:1] == b"\x01"
        for packet in container.demux(stream):
            data, units = bytes(packet), []
            if with_lengths:
                while data:
                    length = int.from_bytes(data[:4], "big")
                    units.append(data[4 : 4 + length])
                    data = data[4 + length :]
            else:
                units = [unit.rstrip(b"\0") for unit in data.split(b"\0\0\1")[1:]]
            for unit in units:
                yield (unit[0] >> 1 & 63 if hevc else unit[0] & 31), unit.rstrip(b"\0")


def test_chapters_subtitles_attachments_and_cover_pictures_stay_behind(small: list[np.ndarray], tmp_path: Path) -> None:
    source = tmp_path / "visit.mkv"
    plain = write_video(tmp_path / "plain.mkv", small)
    with av.open(str(plain)) as given, av.open(str(source), "w") as output:
        stream = output.add_stream_from_template(given.streams.video[0])
        output.add_attachment("consent of Erika.txt", "text/plain", b"signed by Erika Mustermann")
        output.set_chapters(
            [{"id": 1, "start": 0, "end": 300, "time_base": Fraction(1, 1000), "metadata": {"title": "Erika walks"}}]
        )
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    facts, timestamps = examine.decode_source(source, LIMITS)
    assert facts["n_other_streams"] == 1
    remux.remux(source, timestamps, tmp_path / "copy.mkv")
    assert b"Erika" in source.read_bytes()
    assert b"Erika" not in (tmp_path / "copy.mkv").read_bytes()
    with av.open(str(tmp_path / "copy.mkv")) as container:
        assert container.chapters() == []


def test_the_same_source_gives_the_same_copy_byte_for_byte(forms: dict[str, Path], tmp_path: Path) -> None:
    first, _ = sanitize(forms["phone.mp4"], tmp_path)
    content = first.read_bytes()
    second, _ = sanitize(forms["phone.mp4"], tmp_path)
    assert second.read_bytes() == content


def test_of_two_video_streams_the_larger_is_taken(small: list[np.ndarray], tmp_path: Path) -> None:
    source = tmp_path / "two.mkv"
    with av.open(str(source), "w") as output:
        streams = []
        for width, height in ((160, 90), (320, 180)):
            stream = output.add_stream("mpeg4", rate=30)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            streams.append(stream)
        for picture in small:
            for stream in streams:
                resized = cv2.resize(picture, (stream.width, stream.height))
                output.mux(stream.encode(av.VideoFrame.from_ndarray(resized, format="rgb24")))
        for stream in streams:
            output.mux(stream.encode(None))
    facts, _ = examine.decode_source(source, LIMITS)
    assert (facts["width"], facts["height"], facts["n_other_streams"]) == (320, 180, 1)


# ------------------------------------------------------------------------------------------------ turned and mirrored


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize(
    ("turn", "make_upright", "degrees"),
    [
        ("clockwise", lambda plane: np.rot90(plane, -1), 90),
        ("upside down", lambda plane: np.rot90(plane, 2), 180),
        ("counter-clockwise", np.rot90, 270),
        ("mirrored", np.fliplr, 0),
        ("flipped", np.flipud, 180),
        ("transposed", np.transpose, 90),
    ],
)
def test_a_turned_or_mirrored_file_reads_upright(
    container: str,
    turn: str,
    make_upright: Callable[[np.ndarray], np.ndarray],
    degrees: int,
    small: list[np.ndarray],
    tmp_path: Path,
) -> None:
    source = write_video(tmp_path / f"turned.{container}", small[:4], turn=turn)
    stored = shown(write_video(tmp_path / f"stored.{container}", small[:4]))
    facts, _ = examine.decode_source(source, LIMITS)
    copy, timestamps = sanitize(source, tmp_path)
    read = luma(copy, timestamps)
    for plane, expected in zip(read, map(make_upright, stored), strict=True):
        np.testing.assert_array_equal(plane, expected)
    assert (facts["height"], facts["width"]) == read[0].shape
    assert facts["rotation_deg"] == degrees
    assert encode.layout(copy)[:2] == read[0].shape[::-1]


def test_an_encoded_video_is_upright_without_a_display_matrix(small: list[np.ndarray], tmp_path: Path) -> None:
    copy, timestamps = sanitize(write_video(tmp_path / "turned.mp4", small[:4], turn="clockwise"), tmp_path)
    frames = list(decode.read_frames(copy, timestamps))
    encode.encode((f.planes for f in frames), timestamps, encode.layout(copy), ENCODING, tmp_path / "out.mp4")
    again = shown(tmp_path / "out.mp4")
    assert again[0].shape == (320, 180)
    assert np.abs(again[0].astype(float) - frames[0].planes[0]).mean() < 2
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert next(container.decode(video=0)).side_data.get("DISPLAYMATRIX") is None


# --------------------------------------------------------------------------------------------------- hidden frames


def test_frames_that_an_edit_list_hides_never_surface(small: list[np.ndarray], tmp_path: Path) -> None:
    source = write_video(tmp_path / "cut.mp4", small, first_shown=5, sound=None)
    visible = shown(source)
    assert len(visible) == len(small) - 5
    facts, timestamps = examine.decode_source(source, LIMITS)
    assert facts["n_frames"] == len(visible)
    copy, timestamps = sanitize(source, tmp_path)
    read = luma(copy, timestamps)
    assert len(read) == len(visible)
    for plane, expected in zip(read, visible, strict=True):
        np.testing.assert_array_equal(plane, expected)


def test_frames_that_an_edit_list_hides_at_the_end_never_surface(small: list[np.ndarray], tmp_path: Path) -> None:
    source = write_video(tmp_path / "cut.mp4", small, sound=None)
    content = bytearray(source.read_bytes())
    entry = content.index(b"elst") + 12  # after version, flags and the number of entries: the duration in ms
    assert struct.unpack_from(">I", content, entry)[0] == 400
    struct.pack_into(">I", content, entry, 200)
    source.write_bytes(content)
    visible = shown(source)
    assert len(visible) < len(small)
    copy, timestamps = sanitize(source, tmp_path)
    read = luma(copy, timestamps)
    assert len(read) == len(visible)
    for plane, expected in zip(read, visible, strict=True):
        np.testing.assert_array_equal(plane, expected)


@pytest.mark.parametrize("keyframes", ["1", "12"])
@pytest.mark.parametrize(
    "edits",
    [[(4, 0), (4, 8)], [(4, 0), (4, 0)], [(4, 8), (4, 0)], [(6, None), (12, 0)], [(2, 0), (2, 4), (2, 8)]],
    ids=["middle hidden", "repeated", "in another order", "delayed", "two parts hidden"],
)
def test_what_an_edit_list_shows_is_copied_frame_by_frame_or_refused(
    edits: list[tuple[int, int | None]], keyframes: str, tmp_path: Path
) -> None:
    pictures = [np.full((96, 160, 3), 20 + 18 * index, np.uint8) for index in range(12)]
    source = write_video(
        tmp_path / "cut.mp4", pictures, sound=None, tags={}, options={"g": keyframes, "bf": "0", "crf": "5"}
    )
    # Duration in milliseconds, first sample in ticks of 1/15360 s (-1: nothing is shown), rate.
    entries = [
        struct.pack(">Iihh", count * 1000 // 30, -1 if first is None else first * 512, 1, 0) for count, first in edits
    ]
    table = bytes(4) + struct.pack(">I", len(entries)) + b"".join(entries)
    source.write_bytes(
        container_parts.edit_box(source.read_bytes(), [b"moov", b"trak", b"edts", b"elst"], lambda _: table)
    )
    visible = shown(source)
    facts, timestamps = examine.decode_source(source, LIMITS)
    try:
        assert "reason" not in facts
        read = luma(tmp_path / "copy.mkv", remux.remux(source, timestamps, tmp_path / "copy.mkv"))
    except UserError:
        assert keyframes == "12"
        return
    assert len(read) == len(visible) == sum(count for count, first in edits if first is not None)
    for plane, expected in zip(read, visible, strict=True):
        np.testing.assert_array_equal(plane, expected[:96])


# ------------------------------------------------------------------------------------------------------- timestamps


def test_a_varying_rate_is_read_to_the_tick_and_said_so(small: list[np.ndarray], tmp_path: Path) -> None:
    pts = [0, 3000, 6100, 9000, 14000, 17000, 20000, 23300, 26000, 29001, 40000, 41000]
    source = write_video(tmp_path / "phone.mp4", small, time_base=Fraction(1, 90000), pts=pts)
    facts, timestamps = examine.decode_source(source, LIMITS)
    assert facts["variable_frame_rate"]
    np.testing.assert_allclose(timestamps["time_s"], np.array(pts) / 90000, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_a_constant_rate_is_not_called_varying(form: str, forms: dict[str, Path]) -> None:
    facts, timestamps = examine.decode_source(forms[form], LIMITS)
    rate = float(FORMS[form].get("rate", 30))
    assert not facts["variable_frame_rate"]
    assert facts["fps"] == pytest.approx(rate, rel=0.003)
    # Matroska and WebM count whole milliseconds, the others exactly.
    np.testing.assert_allclose(timestamps["time_s"], np.arange(12) / rate, atol=0.0011 if "m" in form[-4:] else 1e-9)


@pytest.mark.parametrize(
    ("pts", "time_base"),
    [
        pytest.param(range(9), Fraction(1, 25), id="constant"),
        pytest.param([0, 3000, 6100, 9000, 14000, 17001], Fraction(1, 90000), id="varying"),
        pytest.param(range(9), Fraction(1001, 30000), id="television of America"),
        pytest.param(range(9), Fraction(333667, 10_000_000), id="old recorder"),
        pytest.param(range(9), Fraction(33367, 1_000_000), id="older recorder"),
        pytest.param([5000, 5033, 5067, 5100], Fraction(1, 1000), id="late start"),
        pytest.param([-40, 0, 41, 80], Fraction(1, 1000), id="early start"),
        pytest.param([7], Fraction(1, 30), id="one frame"),
        pytest.param([0, 1, 90000 * 3600], Fraction(1, 90000), id="a pause of an hour"),
    ],
)
def test_encoding_keeps_every_timestamp_exactly(pts: Sequence[int], time_base: Fraction, tmp_path: Path) -> None:
    encode.encode(planes(len(pts)), table(list(pts), time_base), look(), ENCODING, tmp_path / "out.mp4")
    assert presentation_times(tmp_path / "out.mp4") == [p * time_base for p in pts]


def test_the_times_of_read_frames_are_those_of_the_source_and_not_of_the_container(
    forms: dict[str, Path], tmp_path: Path
) -> None:
    copy, timestamps = sanitize(forms["camera.mov"], tmp_path)
    times = [frame.time_s for frame in decode.read_frames(copy, timestamps)]
    np.testing.assert_allclose(times, np.arange(12) * 1001 / 60000, atol=1e-9)


def test_a_sanitized_video_that_has_lost_its_end_is_refused(forms: dict[str, Path], tmp_path: Path) -> None:
    copy, timestamps = sanitize(forms["phone.mp4"], tmp_path)
    longer = pd.concat([timestamps, timestamps.tail(1)], ignore_index=True)
    with pytest.raises(UserError, match="ends at frame 12 of 13"):
        list(decode.read_frames(copy, longer))


# ----------------------------------------------------------------------------------------------------------- encode


def test_an_encoded_file_holds_one_stream_without_sound_tags_or_traces_of_the_encoder(
    clip: Path, tmp_path: Path
) -> None:
    copy, timestamps = sanitize(clip, tmp_path)
    result = tmp_path / "out.mp4"
    pictures = (frame.planes for frame in decode.read_frames(copy, timestamps))
    encode.encode(pictures, timestamps, encode.layout(copy), encode.Encoding(20, "superfast"), result)
    with av.open(str(result)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert set(container.metadata) <= {"major_brand", "minor_version", "compatible_brands"}
        assert set(container.streams[0].metadata) <= {"language", "handler_name", "vendor_id"}
        assert container.streams.video[0].frames == 30
    assert {kind for kind, _ in _units(result, False)} <= {1, 5, 7, 8}
    content = result.read_bytes()
    for text in (*TAGS.values(), "x264", "Lavf", "Lavc", "VideoHandler", "clip"):
        assert text.encode() not in content, text


def test_an_encoded_file_has_no_clock_time_in_it(tmp_path: Path) -> None:
    encode.encode(planes(3), table(range(3), Fraction(1, 25)), look(), ENCODING, tmp_path / "out.mp4")
    content = (tmp_path / "out.mp4").read_bytes()
    for box in (b"mvhd", b"tkhd", b"mdhd"):  # ISO 14496-12, 8.2.2: creation and modification time
        start = content.index(box) + 8
        assert content[start : start + 8] == bytes(8)


def test_encoding_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first.mp4", "second.mp4"):
        encode.encode(planes(8), table(range(8), Fraction(1, 25)), look(), ENCODING, tmp_path / name)
    assert (tmp_path / "first.mp4").read_bytes() == (tmp_path / "second.mp4").read_bytes()


@pytest.mark.parametrize(("width", "height"), [(317, 181), (318, 181), (317, 180), (320, 180), (16, 16), (1, 1)])
def test_every_size_of_picture_is_kept(width: int, height: int, tmp_path: Path) -> None:
    given = planes(4, width, height)
    encode.encode(given, table(range(4), Fraction(1, 25)), look(width, height), ENCODING, tmp_path / "out.mp4")
    frames = list(decode.read_frames(tmp_path / "out.mp4"))
    for frame, picture in zip(frames, given, strict=True):
        for after, before in zip(frame.planes, picture, strict=True):
            assert after.shape == before.shape
            assert np.abs(after.astype(float) - before).mean() < 6


def test_a_source_of_odd_size_keeps_its_size_and_its_colours(small: list[np.ndarray], tmp_path: Path) -> None:
    odd = [picture[:181, :317] for picture in [cv2.resize(p, (320, 182)) for p in small[:4]]]
    copy, timestamps = sanitize(write_video(tmp_path / "odd.mkv", odd, pixel_format="yuv444p"), tmp_path)
    frames = list(decode.read_frames(copy, timestamps))
    assert [plane.shape for plane in frames[0].planes] == [(181, 317)] * 3
    colours = cv2.cvtColor(to_bgr(frames[0]), cv2.COLOR_BGR2RGB)
    assert np.abs(colours.astype(float) - odd[0]).mean() < 12


def test_colours_of_a_read_frame_are_those_of_the_picture(forms: dict[str, Path], small: list[np.ndarray]) -> None:
    first = next(decode.read_frames(forms["lossless.mkv"]))
    colours = cv2.cvtColor(to_bgr(first), cv2.COLOR_BGR2RGB)
    assert np.abs(colours.astype(float) - small[0]).mean() < 6


def test_full_range_stays_full_range(tmp_path: Path) -> None:
    halves = np.zeros((64, 64, 3), np.uint8)
    halves[:, 32:] = 255
    source = write_video(
        tmp_path / "webcam.avi", [halves] * 3, codec="mjpeg", pixel_format="yuvj420p", full_range=True, sound=None
    )
    copy, timestamps = sanitize(source, tmp_path)
    encode.encode(luma_and_chroma(copy, timestamps), timestamps, encode.layout(copy), ENCODING, tmp_path / "out.mp4")
    for path in (copy, tmp_path / "out.mp4"):
        frame = next(decode.read_frames(path))
        assert frame.full_range
        assert frame.planes[0][32, 8] <= 1
        assert frame.planes[0][32, 56] >= 254


def luma_and_chroma(path: Path, timestamps: pd.DataFrame) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    return (frame.planes for frame in decode.read_frames(path, timestamps))


def test_pixels_that_are_not_square_stay_so(small: list[np.ndarray], tmp_path: Path) -> None:
    plain = write_video(tmp_path / "plain.mp4", small[:3], sound=None)
    copy, timestamps = sanitize(plain, tmp_path)
    given = encode.layout(copy)._replace(sample_aspect_ratio=Fraction(4, 3))
    encode.encode(luma_and_chroma(copy, timestamps), timestamps, given, ENCODING, tmp_path / "out.mp4")
    assert encode.layout(tmp_path / "out.mp4").sample_aspect_ratio == Fraction(4, 3)


@pytest.mark.parametrize("count", [0, 3, 7])
def test_the_wrong_number_of_pictures_leaves_no_file(count: int, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pictures"):
        encode.encode(planes(count), table(range(5), Fraction(1, 25)), look(), ENCODING, tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


def test_an_exception_while_pictures_are_made_leaves_no_file_and_the_older_one_alone(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[np.ndarray, ...]]:
        yield from planes(3)
        raise RuntimeError("the disk of the source has gone")

    (tmp_path / "out.mp4").write_bytes(b"older")
    with pytest.raises(RuntimeError, match="the disk"):
        encode.encode(broken(), table(range(5), Fraction(1, 25)), look(), ENCODING, tmp_path / "out.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"older"


# ----------------------------------------------------------------------------------------------------------- screen


def rejection(path: Path | str | bytes, limits: examine.Limits = LIMITS) -> str:
    facts, timestamps = examine.decode_source(path, limits)
    assert len(timestamps) == 0
    reason = str(facts["reason"])
    assert reason.endswith(".")
    assert os.fsdecode(os.path.basename(path)) not in reason
    return reason


def test_a_text_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("not a video\n" * 100)
    assert "is not a video" in rejection(tmp_path / "a.mp4")


@pytest.mark.parametrize("kind", [".png", ".jpg", ".gif", ".bmp", ".webp"])
def test_a_photo_is_no_video_whatever_its_name(kind: str, small: list[np.ndarray], tmp_path: Path) -> None:
    photo = tmp_path / f"photo{kind}"
    assert cv2.imwrite(str(photo), small[0])
    assert "is not a video" in rejection(photo.rename(tmp_path / "photo.mp4"))


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    assert "empty" in rejection(tmp_path / "a.mp4")


def test_a_directory_a_dangling_link_and_a_missing_file_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "link.mp4").symlink_to(tmp_path / "nothing")
    for name in ("folder.mp4", "link.mp4", "missing.mp4"):
        assert "read" in rejection(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("index last.mp4", {}),
        ("index first.mp4", {"muxer": {"movflags": "+faststart"}}),
        ("fragments.mp4", {"muxer": {"movflags": "+frag_keyframe+empty_moov"}, "options": {"g": "3"}}),
        ("a.mov", {}),
        ("a.mkv", {}),
        ("a.webm", {"codec": "libvpx-vp9", "sound": "libopus"}),
        ("a.avi", {"codec": "mpeg4", "sound": "libmp3lame"}),
    ],
)
@pytest.mark.parametrize("share", [0.6, 0.97])
def test_a_copy_that_was_cut_short_is_rejected(
    name: str, options: dict[str, object], share: float, small: list[np.ndarray], tmp_path: Path
) -> None:
    path = write_video(tmp_path / name, small, **options)
    facts, _ = examine.decode_source(path, LIMITS)
    assert "reason" not in facts
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert re.search("copy|no frames that decode", rejection(path))


def test_damage_in_the_middle_is_rejected(forms: dict[str, Path], tmp_path: Path) -> None:
    content = bytearray(forms["phone.mp4"].read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = bytes(4000)
    (tmp_path / "a.mp4").write_bytes(content)
    assert "damaged" in rejection(tmp_path / "a.mp4")


def test_sound_alone_is_no_video(clip: Path, tmp_path: Path) -> None:
    with av.open(str(clip)) as given, av.open(str(tmp_path / "a.mp4"), "w") as output:
        stream = output.add_stream_from_template(given.streams.audio[0])
        for packet in given.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    assert rejection(tmp_path / "a.mp4") == "The file has no video stream."


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ({"file_bytes": 1000}, "max_file_gb"),
        ({"pixels": 320 * 180 - 1}, "max_megapixels"),
        ({"duration_s": 0.3}, "max_duration_minutes"),
        ({"frames": 11}, "max_frames"),
    ],
)
def test_a_video_over_a_limit_is_rejected_by_the_name_of_the_limit(
    limit: dict[str, float], words: str, forms: dict[str, Path]
) -> None:
    assert words in rejection(forms["phone.mp4"], LIMITS._replace(**limit))


def test_a_video_at_the_limits_is_taken(forms: dict[str, Path]) -> None:
    limits = examine.Limits(forms["phone.mp4"].stat().st_size, 320 * 180, 0.4001, 12)
    assert "reason" not in examine.decode_source(forms["phone.mp4"], limits)[0]


@pytest.mark.parametrize(
    "script",
    [
        "ffconcat version 1.0\nfile '{}'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n",
        "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><Period><BaseURL>{}</BaseURL></Period></MPD>",
    ],
)
def test_a_playlist_never_opens_the_file_it_names(script: str, forms: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text(script.format(forms["phone.mp4"]))
    assert "is not a video" in rejection(tmp_path / "a.mp4")


def test_a_change_of_size_within_a_video_is_rejected(small: list[np.ndarray], tmp_path: Path) -> None:
    parts = [
        write_video(tmp_path / f"{name}.h264", chosen, container="h264", sound=None, options={"g": "3"}, tags={})
        for name, chosen in (("a", small[:4]), ("b", [cv2.resize(p, (160, 96)) for p in small[:4]]))
    ]
    (tmp_path / "raw.h264").write_bytes(b"".join(part.read_bytes() for part in parts))
    with av.open(str(tmp_path / "raw.h264"), format="h264") as given, av.open(str(tmp_path / "a.mkv"), "w") as output:
        stream = output.add_stream_from_template(given.streams.video[0])
        for index, packet in enumerate(given.demux(video=0)):
            if packet.size:
                packet.pts = packet.dts = index * 40
                packet.time_base = Fraction(1, 1000)
                packet.stream = stream
                output.mux(packet)
    assert "size of the picture changes at frame 4" in rejection(tmp_path / "a.mkv")


@pytest.mark.parametrize(
    "name",
    [
        b"-i.mp4",
        b"two\nlines.mp4",
        b'it\'s "quoted".mp4',
        b"a&b;$(touch x) `y`.mp4",
        b"what?.mp4",
        b"50%d.mp4",
        "Ärztin Müller.mp4".encode(),
        b"http:x.mp4",
        b"concat:a|b.mp4",
        b"caf\xe9.mp4",
        b"[glob]*.mp4",
        b"#fragment.mp4",
    ],
)
def test_any_name_that_a_file_system_allows_is_read(
    name: bytes, forms: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = os.fsdecode(name)
    os.link(forms["phone.mp4"], path)
    facts, timestamps = examine.decode_source(path, LIMITS)
    assert facts.get("reason") is None
    assert len(remux.remux(path, timestamps, "copy.mkv")) == 12


def test_screening_counts_what_will_be_left_behind(clip: Path) -> None:
    facts, _ = examine.decode_source(clip, LIMITS)
    assert facts["n_audio_streams"] == 1
    assert facts["n_metadata_tags"] >= len(TAGS)
    assert facts["codec"] == "h264"


def test_the_codec_has_its_own_name_and_not_that_of_a_decoder(forms: dict[str, Path]) -> None:
    assert examine.decode_source(forms["newest.mp4"], LIMITS)[0]["codec"] == "av1"


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("full_range", [False, True])
def test_black_and_white_are_black_and_white_whatever_the_range_and_the_size(odd: bool, full_range: bool) -> None:
    low, high = (0, 255) if full_range else (16, 235)
    luma = np.full((40, 60), low, np.uint8)
    luma[:, 30:] = high
    chroma = np.full((40, 60) if odd else (20, 30), 128, np.uint8)
    picture = to_bgr(Frame(0, 0.0, (luma, chroma, chroma), full_range))
    assert np.abs(picture[:, :28].astype(int)).max() <= 2
    assert np.abs(picture[:, 32:].astype(int) - 255).max() <= 2


@pytest.mark.parametrize("name", ["camcorder.mp4", "camcorder.mkv", "camcorder.mov", "camcorder.avi"])
@pytest.mark.parametrize("turn", [None, "clockwise"])
@pytest.mark.parametrize("pixel_aspect", [Fraction(4, 3), Fraction(16, 15), Fraction(99, 100)])
def test_pixels_that_are_not_square_are_rejected(
    name: str, turn: str | None, pixel_aspect: Fraction, small: list[np.ndarray], tmp_path: Path
) -> None:
    reason = rejection(write_video(tmp_path / name, small, pixel_aspect=pixel_aspect, turn=turn, sound=None))
    assert reason.startswith(f"The pixels are not square ({pixel_aspect.numerator}:{pixel_aspect.denominator})")
    assert reason.endswith("export the video with square pixels.")


@pytest.mark.parametrize("pixel_aspect", [None, Fraction(1), Fraction(640, 639), Fraction(1280, 1281)])
def test_pixels_that_are_square_but_for_rounding_are_accepted(
    pixel_aspect: Fraction | None, small: list[np.ndarray], tmp_path: Path
) -> None:
    path = write_video(tmp_path / "phone.mp4", small, pixel_aspect=pixel_aspect)
    assert "reason" not in examine.decode_source(path, LIMITS)[0]


def slowed_down(source: Path, destination: Path, factor: int) -> Path:
    """Stretch the times of the packets of a video without encoding it again, all shown in the order of decoding."""
    with av.open(str(source)) as given, av.open(str(destination), "w") as output:
        stream = output.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.size:
                packet.pts = packet.dts = (packet.dts or 0) * factor
                packet.stream = stream
                output.mux(packet)
    return destination


def test_a_video_whose_frames_are_not_counted_alike_in_its_copy_is_rejected(
    pictures: list[np.ndarray], tmp_path: Path
) -> None:
    source = write_video(tmp_path / "phone.mp4", pictures, options={"bf": "2"}, sound=None)
    slow = slowed_down(source, tmp_path / "slow.mp4", 8)
    with av.open(str(slow)) as container:
        assert sum(packet.is_discard for packet in container.demux(video=0)) > 0
    facts, timestamps = examine.decode_source(slow, LIMITS)
    assert "reason" not in facts
    with pytest.raises(UserError):
        list(decode.read_frames(tmp_path / "copy.mkv", remux.remux(slow, timestamps, tmp_path / "copy.mkv")))
    found = examine.examine(str(slow), LIMITS, str(tmp_path / "scratch.mkv"), 1)
    assert found["facts"]["reason"].startswith("The frames of the video cannot be counted reliably")
    assert found["timestamps"] == {}
    assert not (tmp_path / "scratch.mkv").exists()
    assert "reason" not in examine.examine(str(source), LIMITS, str(tmp_path / "scratch.mkv"), 1)["facts"]


def test_timestamps_that_begin_with_a_date_are_refused(variant: Callable[..., Path]) -> None:
    begin = 1_715_932_800_000
    path = variant("camera.mkv", time_base=Fraction(1, 1000), pts=[begin + 33 * index for index in range(10)])
    facts, timestamps = examine.decode_source(path, LIMITS)
    assert "date" in facts["reason"] or "lasts" in facts["reason"]
    assert timestamps.empty


def test_a_first_frame_at_a_fraction_of_a_millisecond_keeps_its_time(tmp_path: Path) -> None:
    timestamps = pd.DataFrame(
        {
            "frame": range(12),
            "pts": [6000 + 3003 * index for index in range(12)],
            "time_base_numerator": 1,
            "time_base_denominator": 90_000,
        }
    )
    planes = (np.full((180, 320), 90, np.uint8), *[np.full((90, 160), 128, np.uint8)] * 2)
    encode.encode([planes] * 12, timestamps, look(), encode.Encoding(30, "veryfast"), tmp_path / "late.mp4")
    assert next(decode.read_frames(tmp_path / "late.mp4")).time_s == pytest.approx(6000 / 90_000, abs=1e-9)


# --------------------------------------------------------------------------------------------------- frames in order


def numbered(count: int) -> Iterator[Frame]:
    plane = np.zeros((2, 2), np.uint8)
    return (Frame(index, index / 30, (plane, plane, plane), False) for index in range(count))


@given(st.integers(0, 40), st.integers(1, 12), st.sets(st.integers(0, 45), max_size=6))
def test_chunks_hold_every_frame_once_and_end_where_a_shot_ends(count: int, length: int, cuts: set[int]) -> None:
    lists = [[frame.index for frame in chunk] for chunk in chunks(numbered(count), length, cuts)]
    assert [index for chunk in lists for index in chunk] == list(range(count))
    for chunk, following in itertools.pairwise([*lists, [count]]):
        assert 1 <= len(chunk) <= length
        assert not cuts & set(chunk[1:])
        # None is shorter than it need be.
        assert len(chunk) == length or following[0] in {*cuts, count}


def test_chunks_are_read_as_they_are_needed() -> None:
    source = numbered(100)
    first = next(chunks(source, 10))
    assert [frame.index for frame in first] == list(range(10))
    assert next(source).index <= 11


def test_the_frame_rate_is_the_mean_over_the_video() -> None:
    assert frame_rate(table(range(31), Fraction(1, 30))) == pytest.approx(30)
    assert frame_rate(table([0, 1001, 2002], Fraction(1, 30000))) == pytest.approx(30000 / 1001)
    assert frame_rate(table([0, 10, 20, 50], Fraction(1, 100))) == pytest.approx(6)
    assert frame_rate(table([700, 704], Fraction(1, 100))) == pytest.approx(25)


def test_a_single_frame_counts_as_one_of_25_in_a_second() -> None:
    assert frame_rate(table([7], Fraction(1, 30))) == 25


def test_a_frame_is_given_back_as_soon_as_nobody_holds_it(clip: Path) -> None:
    """With a cycle through it, it would wait for the collector of cycles, and hundreds of others with it."""
    held: deque[Frame] = deque(maxlen=3)
    gc.collect()
    gc.disable()
    try:
        before = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
        for frame in decode.read_frames(clip):
            held.append(frame)
        left = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects()) - before
    finally:
        gc.enable()
    assert frame.index == 29
    assert left <= len(held)
