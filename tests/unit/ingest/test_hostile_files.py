"""Files that are built to run, read, fill or hang something: each is refused with a sentence, and soon."""

import os
import re
import struct
import time
import zlib
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from deidpose.errors import UserError
from deidpose.ingest import screening
from deidpose.runtime import sandbox
from fixtures import container_parts
from fixtures.video_files import write_video

#: Seconds within which a small hostile file is refused: less than the guard gives anything, so that none waits for it.
SOON_S = 30

MDHD, STBL = [b"moov", b"trak", b"mdia", b"mdhd"], [b"moov", b"trak", b"mdia", b"minf", b"stbl"]

Examine = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def small(pictures: list[np.ndarray]) -> list[np.ndarray]:
    return [cv2.resize(picture, (320, 180), interpolation=cv2.INTER_AREA) for picture in pictures[:12]]


@pytest.fixture(scope="module")
def mp4(small: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a plain MP4 without sound, its index last."""
    return write_video(tmp_path_factory.mktemp("plain") / "plain.mp4", small, sound=None, tags={}).read_bytes()


@pytest.fixture(scope="module")
def mkv(small: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_video(tmp_path_factory.mktemp("plain") / "plain.mkv", small, sound=None, tags={}).read_bytes()


@pytest.fixture
def reason(config: dict[str, Any], tmp_path: Path) -> Callable[..., str]:
    """Return a function (content or path, **limits) -> why the file is rejected, empty when it is accepted."""

    def why(given: bytes | Path, **limits: float) -> str:
        path = given if isinstance(given, Path) else tmp_path / "Erika.mp4"
        if isinstance(given, bytes):
            path.write_bytes(given)
        scratch = tmp_path / "scratch.mkv"
        scratch.unlink(missing_ok=True)
        begin = time.monotonic()
        try:
            found = screening.examine(path, config["screen"] | limits, scratch, 1)
            sentence = str(found["facts"].get("reason", ""))
        except UserError as error:
            sentence = str(error)
        assert time.monotonic() - begin < SOON_S
        assert not sentence or (sentence.endswith(".") and "Erika" not in sentence and str(tmp_path) not in sentence)
        assert bool(sentence) == (not scratch.exists())
        assert not list(tmp_path.glob("*.partial"))
        return sentence

    return why


def test_the_plain_files_that_are_made_hostile_below_are_accepted(
    mp4: bytes, mkv: bytes, reason: Callable[..., str]
) -> None:
    assert reason(mp4) == ""
    assert reason(mkv) == ""


# ------------------------------------------------------------------------------------------------------ other files

PLAYLISTS = {
    "ffconcat": "ffconcat version 1.0\nfile '{0}'\n",
    "concat": "file '{0}'\nfile '{0}'\n",
    "HLS": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\nfile://{0}\n#EXT-X-ENDLIST\n",
    "HLS over HTTP": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
    "DASH": "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><BaseURL>{0}</BaseURL></MPD>",
    "SMIL": "<smil><body><video src='{0}'/></body></smil>",
    "IMF": "<?xml version='1.0'?><CompositionPlaylist xmlns='http://www.smpte-ra.org/schemas/2067-3/2016'/>",
    "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "subtitles": "# VobSub index file, v7 (do not modify this line!)\nsize: 720x576\n",
    "QuickTime link": "<?xml version='1.0'?><?quicktime type='application/x-quicktime-media-link'?><embed src='{0}'/>",
    "AviSynth": 'AVISource("{0}")\n',
    "metadata": ";FFMETADATA1\ntitle=x\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_no_playlist_is_followed(kind: str, mp4: bytes, reason: Callable[..., str], tmp_path: Path) -> None:
    # Whoever opened the file that it names would wait for a writer for ever.
    os.mkfifo(tmp_path / "target.mp4")
    text = PLAYLISTS[kind].format(tmp_path / "target.mp4")
    assert "is not a video that can be read" in reason(text.encode() * 500)


@pytest.mark.parametrize("kind", [b"url ", b"urn ", b"alis", b"rsrc"])
def test_pictures_in_another_file_are_not_fetched(kind: bytes, mp4: bytes, reason: Callable[..., str]) -> None:
    entry = container_parts.full_box(kind, b"file:///etc/passwd\0")
    hostile = container_parts.edit_box(mp4, [*STBL[:-1], b"dinf", b"dref"], lambda inside: inside[:8] + entry)
    assert "refers to another file" in reason(hostile)


def test_linked_segments_of_matroska_are_not_followed_and_never_reach_the_copy(
    mkv: bytes, reason: Callable[..., str], tmp_path: Path
) -> None:
    info = [container_parts.SEGMENT, b"\x15\x49\xa9\x66"]
    linked = container_parts.add_element(
        mkv,
        info,
        container_parts.element(0x3EB923, b"Erikas next file"),
        container_parts.element(0x3E83BB, b"Erika2.mkv"),
    )
    assert reason(linked) == ""
    copy = (tmp_path / "scratch.mkv").read_bytes()
    assert b"Erika" in linked
    assert b"Erika" not in copy


@pytest.mark.parametrize("what", ["ordered chapters", "chapters of another file"])
def test_chapters_that_a_player_would_play_in_another_order_are_refused(
    what: str, mkv: bytes, reason: Callable[..., str]
) -> None:
    flag = container_parts.element(0x45DD, b"\1" if what == "ordered chapters" else b"\0")
    atom = container_parts.element(
        0xB6, *([] if what == "ordered chapters" else [container_parts.element(0x6E67, bytes(16))])
    )
    chapters = container_parts.element(0x1043A770, container_parts.element(0x45B9, flag, atom))
    assert "in an order of its own" in reason(container_parts.add_element(mkv, [container_parts.SEGMENT], chapters))


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_picture_that_is_mostly_cropped_away_is_refused(
    container: str, mp4: bytes, mkv: bytes, reason: Callable[..., str]
) -> None:
    if container == "mp4":
        aperture = struct.pack(">8I", 160, 1, 180, 1, 0, 1, 0, 1)
        hostile = container_parts.add_box(mp4, [*STBL, b"stsd", b"avc1"], container_parts.box(b"clap", aperture))
        border = container_parts.add_box(
            mp4, [*STBL, b"stsd", b"avc1"], container_parts.box(b"clap", struct.pack(">I", 312), aperture[4:])
        )
    else:
        way = [container_parts.SEGMENT, container_parts.TRACKS, container_parts.TRACK, container_parts.VIDEO]
        hostile = container_parts.add_element(mkv, way, container_parts.element(0x54DD, struct.pack(">H", 160)))
        border = container_parts.add_element(mkv, way, container_parts.element(0x54DD, struct.pack(">H", 8)))
    assert "cropping" in reason(hostile)
    assert reason(border) == ""


def test_a_compressed_header_is_refused(mp4: bytes, reason: Callable[..., str]) -> None:
    bomb = zlib.compress(bytes(50_000_000))
    packed = container_parts.box(
        b"moov",
        container_parts.box(
            b"cmov",
            container_parts.box(b"dcom", b"zlib"),
            container_parts.box(b"cmvd", struct.pack(">I", 50_000_000), bomb),
        ),
    )
    assert "compressed" in reason(container_parts.box(b"ftyp", b"qt  ", bytes(4)) + packed)


def test_a_hidden_track_is_never_taken_for_the_one_that_is_shown(
    small: list[np.ndarray], reason: Callable[..., str], tmp_path: Path
) -> None:
    path = tmp_path / "two.mp4"
    with av.open(str(path), "w") as output:
        for width, height in ((320, 180), (640, 360)):  # of two, a player shows the first, and the second is larger
            stream = output.add_stream("mpeg4", rate=30)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in small:
            for stream in output.streams:
                resized = cv2.resize(picture, (stream.width, stream.height))
                output.mux(stream.encode(av.VideoFrame.from_ndarray(resized, format="rgb24")))
        for stream in output.streams:
            output.mux(stream.encode(None))
    assert reason(path) == ""
    with av.open(str(tmp_path / "scratch.mkv")) as copy:
        assert [(stream.width, stream.height) for stream in copy.streams.video] == [(320, 180)]


# ------------------------------------------------------------------------------------------------- memory and disk


def sps(width: int, height: int) -> bytes:
    """Return a sequence parameter set of H.264 for a size in pixels (ITU-T H.264, 7.3.2.1.1)."""

    def exp_golomb(value: int) -> str:
        digits = f"{value + 1:b}"
        return "0" * (len(digits) - 1) + digits

    numbers = [0, 0, 2, 1]  # set, frame number, order of output, reference frames
    bits = "".join(map(exp_golomb, numbers)) + "0" + exp_golomb(width // 16 - 1) + exp_golomb(height // 16 - 1)
    bits += "1" + "0" + "0" + "0" + "1"  # frames only, no direct inference, no cropping, no usability information
    bits += "0" * (-len(bits) % 8)
    return b"\x67\x42\x00\x28" + int(bits, 2).to_bytes(len(bits) // 8, "big")


def with_sps(mp4: bytes, unit: bytes) -> bytes:
    def replace(header: bytes) -> bytes:
        length = int.from_bytes(header[6:8], "big")
        return header[:6] + struct.pack(">H", len(unit)) + unit + header[8 + length :]

    return container_parts.edit_box(mp4, [*STBL, b"stsd", b"avc1", b"avcC"], replace)


def test_a_container_that_claims_an_enormous_picture_is_refused(
    mp4: bytes, mkv: bytes, small: list[np.ndarray], reason: Callable[..., str], tmp_path: Path
) -> None:
    huge = struct.pack(">HH", 60000, 60000)
    assert "3600.0 megapixels" in reason(
        container_parts.edit_box(mp4, [*STBL, b"stsd", b"avc1"], lambda inside: inside[:24] + huge + inside[28:])
    )
    way = [container_parts.SEGMENT, container_parts.TRACKS, container_parts.TRACK, container_parts.VIDEO]
    sides = [container_parts.element(identifier, huge[:2]) for identifier in (0xB0, 0xBA)]
    assert "megapixels" in reason(container_parts.add_element(mkv, way, *sides))
    avi = bytearray(write_video(tmp_path / "a.avi", small, codec="mpeg4", sound=None).read_bytes())
    struct.pack_into("<ii", avi, avi.index(b"strf") + 12, 60000, -60000)
    assert "megapixels" in reason(bytes(avi))


def test_a_stream_that_claims_an_enormous_picture_is_refused(mp4: bytes, reason: Callable[..., str]) -> None:
    assert reason(with_sps(mp4, sps(60000, 60000)))
    assert "megapixels" in reason(with_sps(mp4, sps(8192, 4096)))


def test_a_picture_that_grows_beyond_the_limit_on_the_way_is_refused(
    small: list[np.ndarray], reason: Callable[..., str], tmp_path: Path
) -> None:
    huge = [np.full((4320, 7680, 3), 90, np.uint8)] * 2
    parts = [
        write_video(tmp_path / f"{name}.h264", chosen, container="h264", sound=None, options={"g": "3"}, tags={})
        for name, chosen in (("a", small[:4]), ("b", huge))
    ]
    (tmp_path / "raw.h264").write_bytes(b"".join(part.read_bytes() for part in parts))
    with av.open(str(tmp_path / "raw.h264"), format="h264") as given, av.open(str(tmp_path / "a.mkv"), "w") as output:
        stream = output.add_stream_from_template(given.streams.video[0])
        for index, packet in enumerate(given.demux(video=0)):
            if packet.size:
                packet.pts = packet.dts = index * 40
                packet.time_base, packet.stream = Fraction(1, 1000), stream
                output.mux(packet)
    assert "33.2 megapixels" in reason(tmp_path / "a.mkv")


@pytest.mark.parametrize("handler", [b"vide", b"meta"])
def test_an_index_of_billions_of_samples_is_refused(handler: bytes, mp4: bytes, reason: Callable[..., str]) -> None:
    billions = 2**31 - 1
    other = container_parts.edit_box(
        mp4, [b"moov", b"trak", b"mdia", b"hdlr"], lambda inside: inside.replace(b"vide", handler)
    )
    for name, table in (
        (b"stsz", struct.pack(">III", 0, 1, billions)),
        (b"stsz", struct.pack(">III", 0, 0, billions) + bytes(4_100_000)),
        (b"stts", struct.pack(">IIII", 0, 1, billions, 1)),
        (b"ctts", struct.pack(">IIII", 0, 1, billions, 1)),
    ):
        hostile = container_parts.edit_box(other, [*STBL, name], lambda _, table=table: table)
        assert "screen.max_frames" in reason(hostile)


def test_samples_that_all_lie_at_the_same_place_are_refused(mp4: bytes, reason: Callable[..., str]) -> None:
    sizes = struct.pack(">III", 0, 2000, 900_000)
    hostile = container_parts.edit_box(mp4, [*STBL, b"stsz"], lambda _: sizes)
    assert "claims more bytes than the file has" in reason(hostile)


def test_fragments_that_all_lie_at_the_same_place_are_refused(
    small: list[np.ndarray], reason: Callable[..., str], tmp_path: Path
) -> None:
    options = {"g": "1"}
    path = write_video(
        tmp_path / "a.mp4", small, sound=None, options=options, muxer={"movflags": "+frag_keyframe+empty_moov"}
    )
    content = path.read_bytes()
    first = content.index(b"moof") - 4
    # An absolute offset for the data of every fragment (ISO 14496-12, 8.8.7), and the fragment a thousand times.
    size = struct.unpack_from(">I", content, first)[0]
    fragment = content[first : first + size]
    data = content[first + size : first + size + struct.unpack_from(">I", content, first + size)[0]]

    def absolute(header: bytes) -> bytes:
        flags = struct.unpack(">I", header[:4])[0]
        if flags & 1:
            return header[:8] + struct.pack(">Q", first) + header[16:]
        return struct.pack(">I", (flags | 1) & ~0x20000) + header[4:8] + struct.pack(">Q", first) + header[8:]

    traf = fragment.index(b"tfhd") - 4
    length = struct.unpack_from(">I", fragment, traf)[0]
    header = container_parts.box(b"tfhd", absolute(fragment[traf + 8 : traf + length]))
    grown = len(header) - length
    fragment = bytearray(fragment[:traf] + header + fragment[traf + length :])
    for name in (b"moof", b"traf"):
        at = fragment.index(name) - 4
        struct.pack_into(">I", fragment, at, struct.unpack_from(">I", fragment, at)[0] + grown)
    run = fragment.index(b"trun") + 12
    struct.pack_into(">i", fragment, run, size)
    hostile = content[:first] + content[first : first + size] + data + bytes(fragment) * 3000
    assert reason(hostile)


def test_a_block_that_unpacks_to_a_thousand_times_its_size_is_refused(mkv: bytes, reason: Callable[..., str]) -> None:
    packed = zlib.compress(bytes(8_000_000), 9)
    block = container_parts.element(0xA3, b"\x81\0\0\x80", packed)
    clusters = [
        container_parts.element(
            container_parts.CLUSTER, container_parts.element(0xE7, struct.pack(">H", 40 * index)), block
        )
        for index in range(40)
    ]
    compression = container_parts.element(
        0x6D80, container_parts.element(0x6240, container_parts.element(0x5034, container_parts.element(0x4254, b"\0")))
    )
    hostile = container_parts.add_element(
        mkv, [container_parts.SEGMENT, container_parts.TRACKS, container_parts.TRACK], compression
    )
    hostile = container_parts.edit_element(
        hostile,
        [container_parts.SEGMENT],
        lambda inside: inside[: inside.index(container_parts.CLUSTER)] + b"".join(clusters),
    )
    assert reason(hostile)


CHAPTER = container_parts.element(0xB6, container_parts.element(0x73C4, b"\1"), container_parts.element(0x91, b"\0"))
TAG = container_parts.element(
    0x67C8, container_parts.element(0x45A3, b"KEY"), container_parts.element(0x4487, b"value")
)
ATTACHED = container_parts.element(0x61A7, container_parts.element(0x466E, b"a"), container_parts.element(0x465C, b"a"))
STREAM = container_parts.element(
    container_parts.TRACK,
    container_parts.element(0xD7, b"\2"),
    container_parts.element(0x73C5, b"\2"),
    container_parts.element(0x83, b"\x11"),
)
#: Parts of a Matroska file, many of each: where they go, what is put around them, and one of them.
MANY: dict[str, tuple[list[bytes], list[int], bytes]] = {
    "chapters": ([], [0x1043A770, 0x45B9], CHAPTER),
    "tags": ([], [0x1254C367, 0x7373], TAG),
    "attachments": ([], [0x1941A469], ATTACHED),
    "streams": ([container_parts.TRACKS], [], STREAM),
}


def with_many(mkv: bytes, what: str, count: int) -> bytes:
    way, around, one = MANY[what]
    added = one * count
    for identifier in reversed(around):
        added = container_parts.element(identifier, added)
    return container_parts.add_element(mkv, [container_parts.SEGMENT, *way], added)


@pytest.mark.parametrize("what", MANY)
def test_a_header_of_many_parts_is_refused(what: str, mkv: bytes, reason: Callable[..., str]) -> None:
    assert re.search("more than 100000 parts|more than 100 streams", reason(with_many(mkv, what, 200_000)))


@pytest.mark.parametrize("what", ["chapters", "tags", "attachments"])
def test_as_many_parts_as_are_taken_are_read_soon(what: str, mkv: bytes, reason: Callable[..., str]) -> None:
    reason(with_many(mkv, what, 24_000))


def test_an_mp4_of_many_boxes_is_refused(mp4: bytes, reason: Callable[..., str]) -> None:
    boxes = container_parts.box(b"udta", container_parts.box(b"name") * 200_000)
    assert "more than 100000 parts" in reason(container_parts.add_box(mp4, [b"moov", b"trak"], boxes))


def test_boxes_and_elements_in_one_another_without_end_are_refused(
    mp4: bytes, mkv: bytes, reason: Callable[..., str]
) -> None:
    box, tag = b"", TAG
    for _ in range(5000):
        box, tag = (
            container_parts.box(b"udta", box),
            container_parts.element(0x67C8, container_parts.element(0x45A3, b"KEY"), tag),
        )
    assert "deep" in reason(container_parts.add_box(mp4, [b"moov"], box))
    tags = container_parts.element(0x1254C367, container_parts.element(0x7373, tag))
    assert "deep" in reason(container_parts.add_element(mkv, [container_parts.SEGMENT], tags))


def test_more_streams_than_any_recording_has_are_refused(mkv: bytes, reason: Callable[..., str]) -> None:
    entry = container_parts.element(
        0xAE,
        container_parts.element(0xD7, b"\2"),
        container_parts.element(0x73C5, b"\2"),
        container_parts.element(0x83, b"\x11"),
    )
    assert reason(container_parts.add_element(mkv, [container_parts.SEGMENT, container_parts.TRACKS], entry * 500))


def test_an_enormous_attachment_is_refused_before_it_is_read(
    mkv: bytes, reason: Callable[..., str], tmp_path: Path
) -> None:
    path = tmp_path / "sparse.mkv"
    n_bytes = 3_000_000_000
    head, tail = mkv[: mkv.index(container_parts.CLUSTER)], mkv[mkv.index(container_parts.CLUSTER) :]
    data = b"\x46\x5c" + (1 << 56 | n_bytes).to_bytes(8, "big")
    file = b"\x61\xa7" + (1 << 56 | len(data) + n_bytes).to_bytes(8, "big")
    attached = b"\x19\x41\xa4\x69" + (1 << 56 | len(file) + len(data) + n_bytes).to_bytes(8, "big") + file + data
    at = head.index(container_parts.SEGMENT) + 4
    grown = len(head) - at - 8 + len(attached) + n_bytes + len(tail)
    head = head[:at] + (1 << 56 | grown).to_bytes(8, "big") + head[at + 8 :]
    with path.open("wb") as file_:
        file_.write(head + attached)
        file_.seek(n_bytes, os.SEEK_CUR)
        file_.write(tail)
    assert "3000 MB" in reason(path)


def test_an_enormous_index_is_refused_before_it_is_read(mp4: bytes, reason: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "sparse.mp4"
    with path.open("wb") as file:
        file.write(container_parts.box(b"ftyp", b"isom", bytes(4)) + struct.pack(">I4s", 2_000_000_000, b"moov"))
        file.truncate(2_000_000_000 + 16)
    assert "2000 MB" in reason(path)


def test_memory_beyond_the_limit_ends_in_a_sentence() -> None:
    bounds = sandbox.Bounds(1, 2 * 10**9, 10**6)
    with pytest.raises(UserError, match=r"more than 2 GB of memory, the limit screen\.max_memory_gb"):
        sandbox.run("numpy:ones", {"shape": [10**10]}, bounds)


# ------------------------------------------------------------------------------------------------------------- time


@pytest.mark.parametrize(("name", "days"), [("a.mp4", 1), ("a.mkv", 1), ("a.mkv", 5 * 365)])
def test_timestamps_that_jump_by_days_and_years_are_refused(
    name: str, days: int, small: list[np.ndarray], reason: Callable[..., str], tmp_path: Path
) -> None:
    pts = [40 * index for index in range(11)] + [days * 86_400_000]
    path = write_video(tmp_path / name, small, sound=None, time_base=Fraction(1, 1000), pts=pts)
    assert "max_duration_minutes" in reason(path)


def test_a_pause_that_mp4_cannot_store_is_refused(mkv: bytes, reason: Callable[..., str]) -> None:
    """A clock that counts nanoseconds, and three seconds from frame to frame: more than 32 bits hold."""
    info = [container_parts.SEGMENT, b"\x15\x49\xa9\x66"]
    hostile = container_parts.add_element(mkv, info, container_parts.element(0x2AD7B1, b"\1"))
    starts = [_header_of_frame(hostile, index) for index in range(5)]
    clusters = []
    for index, (start, end) in enumerate(pairwise(starts)):
        block = hostile[start:end]
        at = len(block) - len(block.partition(b"\x81")[2])
        block = block[:at] + b"\0\0" + block[at + 2 :]  # its time is that of the cluster
        time = container_parts.element(0xE7, (3_000_000_000 * index).to_bytes(8, "big"))
        clusters.append(container_parts.element(container_parts.CLUSTER, time, block))
    hostile = container_parts.edit_element(
        hostile,
        [container_parts.SEGMENT],
        lambda inside: inside[: inside.index(container_parts.CLUSTER)] + b"".join(clusters),
    )
    assert "cannot be stored as H.264 in MP4" in reason(hostile)


def test_what_never_returns_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_START_S", 2.0)
    begin = time.monotonic()
    with pytest.raises(UserError, match=r"screen\.max_seconds_per_frame"):
        sandbox.run("subprocess:call", {"args": ["sleep", "600"]}, sandbox.Bounds(1, 10**10, 10**6))
    assert time.monotonic() - begin < 10


def test_a_pipe_and_a_device_are_refused_without_waiting(reason: Callable[..., str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    os.symlink("/dev/zero", tmp_path / "endless.mp4")
    for name in ("pipe.mp4", "endless.mp4"):
        assert "cannot be read" in reason(tmp_path / name)


# ----------------------------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "live.webm", "a.avi"])
@pytest.mark.parametrize("damage", ["lost", "zeros", "noise"])
def test_damage_that_ffmpeg_passes_over_in_silence_is_found(
    name: str, damage: str, small: list[np.ndarray], reason: Callable[..., str], tmp_path: Path
) -> None:
    options: dict[str, Any] = {"sound": None}
    if name.endswith("webm"):
        options |= {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}}
        options["muxer"] = {"live": "1"} if name.startswith("live") else {}
    if name.endswith("avi"):
        options["codec"] = "mpeg4"
    path = write_video(tmp_path / name, small, **options)
    assert reason(path) == ""
    content = path.read_bytes()
    # The header of a coded frame in the middle: of a block, or of a chunk.
    at = _header_of_frame(content, 6)
    noise = np.random.default_rng(1).integers(128, 256, 40).astype(np.uint8).tobytes()
    path.write_bytes(content[:at] + {"lost": b"", "zeros": bytes(40), "noise": noise}[damage] + content[at + 40 :])
    assert "copy it again" in reason(path)


def _header_of_frame(content: bytes, index: int) -> int:
    """Return where the header of a coded frame begins: a chunk of AVI, or a block in the first cluster."""
    if content.startswith(b"RIFF"):
        at = content.index(b"movi")
        for _ in range(index + 1):
            at = content.index(b"00dc", at + 4)
        return at
    at = content.index(container_parts.CLUSTER) + 4
    at += 9 - content[at].bit_length()
    while True:
        width = 9 - content[at + 1].bit_length()
        size = int.from_bytes(content[at + 1 : at + 1 + width], "big") & ((1 << 7 * width) - 1)
        index -= content[at] == 0xA3
        if index < 0:
            return at
        at += 1 + width + size


def test_a_checksum_of_matroska_that_does_not_fit_is_damage(mkv: bytes, reason: Callable[..., str]) -> None:
    content = bytearray(mkv)
    content[len(content) * 2 // 3] ^= 1  # one bit, in the middle of a coded frame
    assert "damaged" in reason(bytes(content))


def test_a_varying_rate_is_no_damage(small: list[np.ndarray], reason: Callable[..., str], tmp_path: Path) -> None:
    pts = [0, 33, 66, 150, 400, 433, 2466, 2500, 2533, 2900, 2933, 2966]
    for name, codec in (("a.mkv", "libx264"), ("a.webm", "libvpx"), ("a.mp4", "libx264")):
        assert (
            reason(write_video(tmp_path / name, small, codec=codec, sound=None, time_base=Fraction(1, 1000), pts=pts))
            == ""
        )
