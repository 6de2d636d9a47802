"""What identifies is in the source, is found there, and is in nothing that is made from it."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
import pytest

from deidpose.ingest import examine, remux
from deidpose.metadata import verification
from deidpose.metadata.inventory import inventory
from deidpose.release.verdicts import apply_proofs
from deidpose.video import decode, encode
from fixtures import container_parts
from fixtures.video_files import write_video

SECRET = b"Erika Mustermann 12.3.1953"
TEXT = SECRET.decode()
LIMITS = examine.Limits(file_bytes=10**9, pixels=10**7, duration_s=60, frames=1000)
STBL = [b"moov", b"trak", b"mdia", b"minf", b"stbl"]
ENTRY = [*STBL, b"stsd", b"avc1"]

#: A case makes a source: (folder, pictures) -> its path.
Case = Callable[[Path, list[np.ndarray]], Path]


@pytest.fixture(scope="module")
def small(pictures: list[np.ndarray]) -> list[np.ndarray]:
    return [cv2.resize(picture, (320, 180), interpolation=cv2.INTER_AREA) for picture in pictures[:6]]


def plain(folder: Path, small: list[np.ndarray], name: str = "plain.mp4", **options: Any) -> Path:
    return write_video(folder / name, small, **({"sound": None, "tags": {}} | options))


def in_box(*way: bytes, added: bytes) -> Case:
    """Return a case: boxes put into an MP4."""

    def make(folder: Path, small: list[np.ndarray]) -> Path:
        path = plain(folder, small)
        path.write_bytes(container_parts.add_box(path.read_bytes(), list(way), added))
        return path

    return make


def in_element(*way: bytes, added: bytes) -> Case:
    """Return a case: elements put into a Matroska file."""

    def make(folder: Path, small: list[np.ndarray]) -> Path:
        path = plain(folder, small, "plain.mkv")
        path.write_bytes(container_parts.add_element(path.read_bytes(), [container_parts.SEGMENT, *way], added))
        return path

    return make


def in_packets(edit: Callable[[bytes], bytes], name: str = "plain.mp4", to: str = "edited.mkv", **options: Any) -> Case:
    """Return a case: bytes put into every coded picture."""

    def make(folder: Path, small: list[np.ndarray]) -> Path:
        return container_parts.edit_packets(plain(folder, small, name, **options), folder / to, edit)

    return make


def tagged(name: str, **tags: str) -> Case:
    return lambda folder, small: plain(folder, small, name, tags=tags)


# ------------------------------------------------------------------------------------------------- boxes of MP4


def user_data(name: bytes) -> bytes:
    """Return an entry of QuickTime's user data: length, language and text (QuickTime File Format)."""
    return container_parts.box(b"udta", container_parts.box(name, struct.pack(">HH", len(SECRET), 0x15C7), SECRET))


def metadata(*keys: bytes) -> bytes:
    """Return QuickTime's metadata with named keys, the secret the value of each."""
    names = b"".join(container_parts.box(b"mdta", key) for key in keys)
    items = b"".join(
        container_parts.box(struct.pack(">I", index), container_parts.box(b"data", struct.pack(">II", 1, 0), SECRET))
        for index, _ in enumerate(keys, 1)
    )
    handler = container_parts.full_box(b"hdlr", bytes(4), b"mdta", bytes(13))
    listed = container_parts.full_box(b"keys", struct.pack(">I", len(keys)), names)
    return container_parts.box(b"meta", handler, listed, container_parts.box(b"ilst", items))


def itunes(name: bytes, *content: bytes) -> bytes:
    """Return a tag as iTunes stores it."""
    handler = container_parts.full_box(b"hdlr", bytes(4), b"mdirappl", bytes(9))
    return container_parts.box(
        b"udta",
        container_parts.full_box(b"meta", handler, container_parts.box(b"ilst", container_parts.box(name, *content))),
    )


def data_track(handler: bytes, entry: bytes, name: bytes = b"") -> Case:
    """Return a case: a track of one sample, the secret, as action cameras store their sensors."""

    def make(folder: Path, small: list[np.ndarray]) -> Path:
        path = plain(folder, small)
        content = path.read_bytes()
        track = b""
        for _ in range(2):  # the second time the offset of the sample is known
            at = len(content) + len(track) + 8
            table = container_parts.box(
                b"stbl",
                container_parts.full_box(b"stsd", struct.pack(">I", 1), entry),
                container_parts.full_box(b"stts", struct.pack(">III", 1, 1, 1000)),
                container_parts.full_box(b"stsc", struct.pack(">IIII", 1, 1, 1, 1)),
                container_parts.full_box(b"stsz", struct.pack(">II", len(SECRET), 1)),
                container_parts.full_box(b"stco", struct.pack(">II", 1, at)),
            )
            address = container_parts.box(
                b"dinf",
                container_parts.full_box(b"dref", struct.pack(">I", 1), container_parts.box(b"url ", b"\0\0\0\1")),
            )
            information = container_parts.box(b"minf", container_parts.full_box(b"nmhd"), address, table)
            times = container_parts.full_box(b"mdhd", bytes(8), struct.pack(">IIHH", 1000, 1000, 0x55C4, 0))
            kind = container_parts.full_box(b"hdlr", bytes(4), handler, bytes(12), name, b"\0")
            header = container_parts.full_box(b"tkhd", bytes(8), struct.pack(">III", 9, 0, 1000), bytes(60))
            track = container_parts.box(b"trak", header, container_parts.box(b"mdia", times, kind, information))
        path.write_bytes(container_parts.add_box(content, [b"moov"], track) + container_parts.box(b"mdat", SECRET))
        return path

    return make


def sample_entry(name: bytes, *content: bytes) -> bytes:
    return container_parts.box(name, bytes(6), b"\0\1", *content)


def dated(folder: Path, small: list[np.ndarray]) -> Path:
    """A time of creation of four bytes that can be searched for, in all three headers."""
    path = plain(folder, small)
    content = path.read_bytes()
    for way in ([b"moov", b"mvhd"], [b"moov", b"trak", b"tkhd"], [b"moov", b"trak", b"mdia", b"mdhd"]):
        content = container_parts.edit_box(content, way, lambda box: box[:4] + DATE + DATE + box[12:])
    path.write_bytes(content)
    return path


def named_handler(folder: Path, small: list[np.ndarray]) -> Path:
    path = plain(folder, small)
    way = [b"moov", b"trak", b"mdia", b"hdlr"]
    path.write_bytes(container_parts.edit_box(path.read_bytes(), way, lambda box: box[:24] + SECRET + b"\0"))
    return path


def named_compressor(folder: Path, small: list[np.ndarray]) -> Path:
    path = plain(folder, small)
    name = bytes([len(SECRET)]) + SECRET.ljust(31, b"\0")
    path.write_bytes(container_parts.edit_box(path.read_bytes(), ENTRY, lambda box: box[:42] + name + box[74:]))
    return path


def unused_media(folder: Path, small: list[np.ndarray]) -> Path:
    path = plain(folder, small)
    path.write_bytes(path.read_bytes() + container_parts.box(b"mdat", SECRET))
    return path


DATE = struct.pack(">I", 0xD96A5B3C)
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + SECRET + b"</x:xmpmeta>"
JPEG = b"\xff\xd8\xff\xfe" + struct.pack(">H", len(SECRET) + 2) + SECRET + bytes.fromhex(
    "ffdb004300" + "01" * 64 + "ffc0000b080001000101011100ffc40014000100000000000000000000000000000009"
    "ffc4001410010000000000000000000000000000000000ffda0008010100003f00d2cf20ffd9"
)  # fmt: skip
MASTERING = bytes(range(0x61, 0x61 + 24))  # primaries and luminances of a screen: 24 bytes that can be searched for


# ---------------------------------------------------------------------------------------- streams and their messages


def two_picture_streams(folder: Path, small: list[np.ndarray]) -> Path:
    """A second, smaller video stream, with the secret in a comment of each of its pictures."""
    path = folder / "two.mkv"
    with av.open(str(path), "w") as output:
        for width, height, codec, pixels in ((320, 180, "mpeg4", "yuv420p"), (64, 48, "mjpeg", "yuvj420p")):
            stream = output.add_stream(codec, rate=30)
            stream.width, stream.height, stream.pix_fmt = width, height, pixels
        for picture in small:
            for stream in output.streams:
                resized = cv2.resize(picture, (stream.width, stream.height))
                frame = av.VideoFrame.from_ndarray(resized, format="rgb24").reformat(format=stream.pix_fmt)
                for packet in stream.encode(frame):
                    output.mux(_with_comment(packet, stream) if stream.index else packet)
        for stream in output.streams:
            for packet in stream.encode(None):
                output.mux(_with_comment(packet, stream) if stream.index else packet)
    return path


def _with_comment(packet: "av.Packet[Any]", stream: Any) -> "av.Packet[Any]":
    data = bytes(packet)
    copy = av.Packet(data[:2] + b"\xff\xfe" + struct.pack(">H", len(SECRET) + 2) + SECRET + data[2:])
    copy.pts, copy.dts, copy.time_base, copy.stream = packet.pts, packet.dts, packet.time_base, stream
    copy.is_keyframe = True
    return copy


def subtitles(folder: Path, small: list[np.ndarray]) -> Path:
    source, path = plain(folder, small), folder / "subtitles.mkv"
    with av.open(str(source)) as given, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(given.streams.video[0], opaque=True)
        text = output.add_mux_stream("subrip", time_base=Fraction(1, 1000))
        line = av.Packet(SECRET)
        line.pts = line.dts = 0
        line.duration, line.time_base, line.stream = 100, Fraction(1, 1000), text
        output.mux(line)
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    return path


def chapters(container: str) -> Case:
    def make(folder: Path, small: list[np.ndarray]) -> Path:
        source, path = plain(folder, small), folder / f"chapters.{container}"
        with av.open(str(source)) as given, av.open(str(path), "w") as output:
            stream = output.add_stream_from_template(given.streams.video[0], opaque=True)
            entry = {"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000), "metadata": {"title": TEXT}}
            output.set_chapters([entry])
            for packet in given.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    output.mux(packet)
        return path

    return make


def attachment(name: str, kind: str, data: bytes) -> Case:
    def make(folder: Path, small: list[np.ndarray]) -> Path:
        source, path = plain(folder, small), folder / "attached.mkv"
        with av.open(str(source)) as given, av.open(str(path), "w") as output:
            stream = output.add_stream_from_template(given.streams.video[0], opaque=True)
            output.add_attachment(name, kind, data)
            for packet in given.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    output.mux(packet)
        return path

    return make


def block_additions(folder: Path, small: list[np.ndarray]) -> Path:
    """Data beside every coded picture, in the same block group."""

    def grouped(inside: bytes) -> bytes:
        out, offset = b"", 0
        while offset < len(inside):
            width = 9 - inside[offset + 1].bit_length()
            size = int.from_bytes(inside[offset + 1 : offset + 1 + width], "big") & ((1 << 7 * width) - 1)
            end = offset + 1 + width + size
            if inside[offset] == 0xA3:
                more = container_parts.element(
                    0xA6, container_parts.element(0xEE, b"\x04"), container_parts.element(0xA5, SECRET)
                )
                reference = [] if inside[end - size + 3] & 0x80 else [container_parts.element(0xFB, b"\xff")]
                block = container_parts.element(0xA1, inside[end - size : end])
                out += container_parts.element(0xA0, block, container_parts.element(0x75A1, more), *reference)
            else:
                out += inside[offset:end]
            offset = end
        return out

    path = plain(folder, small, "plain.mkv")
    content = container_parts.add_element(
        path.read_bytes(),
        [container_parts.SEGMENT, container_parts.TRACKS, container_parts.TRACK],
        container_parts.element(0x55EE, b"\x04"),
    )
    path.write_bytes(container_parts.edit_element(content, [container_parts.SEGMENT, container_parts.CLUSTER], grouped))
    return path


def mpeg_user_data(packet: bytes) -> bytes:
    """Put user data behind the header of the picture (ISO 13818-2, 6.2.3; start codes 00 and B6)."""
    at = packet.index(b"\0\0\1\x00") if b"\0\0\1\x00" in packet else packet.index(b"\0\0\1\xb6")
    if packet[at + 3] == 0xB6:
        return packet[:at] + b"\0\0\1\xb2" + SECRET + packet[at:]
    return packet[: at + 8] + packet[at + 8 :].replace(b"\0\0\1\x01", b"\0\0\1\xb2" + SECRET + b"\0\0\1\x01", 1)


def clocked(packet: bytes) -> bytes:
    """Set the time code of a group of pictures to 21:43:05 and 17 pictures."""
    at = packet.find(b"\0\0\1\xb8")
    if at < 0:
        return packet
    value = (
        int.from_bytes(packet[at + 4 : at + 8], "big") & 0x7F | (21 << 20 | 43 << 14 | 1 << 13 | 5 << 7 | 17 << 1) << 6
    )
    return packet[: at + 4] + value.to_bytes(4, "big") + packet[at + 8 :]


def obu(kind: int, content: bytes) -> bytes:
    return bytes([kind << 3 | 2, len(content)]) + content


def audible(folder: Path, small: list[np.ndarray]) -> Path:
    return plain(folder, small, sound="aac")


def in_header(entry: bytes, name: bytes, edit: Callable[[bytes], bytes], **options: Any) -> Case:
    """Return a case: bytes put into the header of a stream, before any picture."""

    def make(folder: Path, small: list[np.ndarray]) -> Path:
        path = plain(folder, small, **options)
        path.write_bytes(container_parts.edit_box(path.read_bytes(), [*STBL, b"stsd", entry, name], edit))
        return path

    return make


def message_in_sets(header: bytes) -> bytes:
    """Add a message to the picture parameter sets in the header of a stream of H.264 (ISO 14496-15, 5.3.3.1)."""
    message = container_parts.sei(5, bytes(16) + SECRET)[4:]
    at = 8 + int.from_bytes(header[6:8], "big")  # behind the one sequence parameter set
    return header[:at] + bytes([header[at] + 1]) + struct.pack(">H", len(message)) + message + header[at + 1 :]


def message_in_list(header: bytes) -> bytes:
    """Add a list of one message to the header of a stream of H.265 (ISO 14496-15, 8.3.3.1)."""
    message = container_parts.sei(5, bytes(16) + SECRET, hevc=True)[4:]
    added = bytes([39]) + struct.pack(">HH", 1, len(message)) + message
    return header[:22] + bytes([header[22] + 1]) + header[23:] + added


def exif(packet: bytes) -> bytes:
    """Put Exif with a maker and an orientation behind the start of a JPEG picture."""
    maker = SECRET + b"\0"
    fields = struct.pack("<HHHIIHHIHHI", 2, 0x010F, 2, len(maker), 8 + 2 + 24 + 4, 0x0112, 3, 1, 6, 0, 0)
    content = b"Exif\0\0II*\0" + struct.pack("<I", 8) + fields + maker
    return packet[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + packet[2:]


def riff(*chunks: bytes) -> Case:
    """Return a case: chunks put into the header of an AVI file, in place of its padding."""

    def make(folder: Path, small: list[np.ndarray]) -> Path:
        path = plain(folder, small, "plain.avi", codec="mpeg4")
        content = path.read_bytes()
        at = content.index(b"movi") - 8
        size = struct.unpack_from("<I", content, 4)[0] + sum(map(len, chunks))
        path.write_bytes(content[:4] + struct.pack("<I", size) + content[8:at] + b"".join(chunks) + content[at:])
        return path

    return make


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


X265 = {"codec": "libx265", "options": {"x265-params": "log-level=none"}}
PICTURE = [container_parts.TRACKS, container_parts.TRACK, container_parts.VIDEO]
JPEG_STREAM = {"codec": "mjpeg", "pixel_format": "yuvj420p", "full_range": True}

#: Case -> how it is made, the bytes to look for, and what the inventory is to find: kind, name, letter.
CASES: dict[str, tuple[Case, bytes, tuple[str, str, str]]] = {
    "place, QuickTime ©xyz": (in_box(b"moov", added=user_data(b"\xa9xyz")), SECRET, ("user data", "©xyz", "B")),
    "place, QuickTime key": (
        in_box(b"moov", added=metadata(b"com.apple.quicktime.location.ISO6709")),
        SECRET,
        ("tag", "com.apple.quicktime.location.ISO6709", "B"),
    ),
    "place, 3GPP": (tagged("a.mp4", location="+48.1372+011.5755/"), b"loci", ("user data", "loci", "B")),
    "date, headers": (dated, DATE, ("date", "mvhd", "C")),
    "date, QuickTime key": (
        in_box(b"moov", added=metadata(b"com.apple.quicktime.creationdate")),
        SECRET,
        ("tag", "com.apple.quicktime.creationdate", "C"),
    ),
    "date, Matroska": (
        in_element(b"\x15\x49\xa9\x66", added=container_parts.element(0x4461, b"\x12\x34\x56\x78\x9a\xbc\xde\xf0")),
        b"\x12\x34\x56\x78\x9a\xbc\xde\xf0",
        ("element", "DateUTC", "C"),
    ),
    "maker": (in_box(b"moov", added=user_data(b"\xa9mak")), SECRET, ("user data", "©mak", "M")),
    "model": (
        in_box(b"moov", added=metadata(b"com.apple.quicktime.model")),
        SECRET,
        ("tag", "com.apple.quicktime.model", "M"),
    ),
    "serial number": (in_box(b"moov", added=metadata(b"com.maker.serial")), SECRET, ("tag", "com.maker.serial", "M")),
    "serial number, GoPro": (
        in_box(b"moov", added=container_parts.box(b"udta", container_parts.box(b"CAME", SECRET))),
        SECRET,
        ("user data", "CAME", "M"),
    ),
    "telemetry, GoPro": (
        data_track(b"meta", sample_entry(b"gpmd", bytes(8)), b"GoPro MET"),
        SECRET,
        ("sample entry", "gpmd", "B"),
    ),
    "telemetry of another maker": (
        data_track(b"meta", sample_entry(b"djmd", bytes(8))),
        SECRET,
        ("sample entry", "djmd", "R"),
    ),
    "time code": (
        data_track(
            b"tmcd", sample_entry(b"tmcd", bytes(18), container_parts.box(b"name", struct.pack(">HH", 4, 0), SECRET))
        ),
        SECRET,
        ("sample entry", "tmcd", "C"),
    ),
    "subtitles": (subtitles, SECRET, ("subtitle stream", "subrip", "A")),
    "chapters, Matroska": (chapters("mkv"), SECRET, ("element", "ChapString", "A")),
    "chapters, MP4": (chapters("mp4"), SECRET, ("tag", "title", "A")),
    "title": (tagged("a.mp4", title=TEXT), SECRET, ("tag", "©nam", "A")),
    "tag of one's own": (tagged("a.mkv", PATIENT_ERIKA=TEXT), SECRET, ("tag", "PATIENT_ERIKA", "A")),
    "cover, iTunes": (
        in_box(b"moov", added=itunes(b"covr", container_parts.box(b"data", struct.pack(">II", 13, 0), JPEG))),
        SECRET,
        ("tag", "covr", "Q"),
    ),
    "cover, Matroska": (attachment("cover.jpg", "image/jpeg", JPEG), SECRET, ("attachment", "", "Q")),
    "attachment": (attachment(f"{TEXT}.txt", "text/plain", b"consent"), SECRET, ("element", "FileName", "R")),
    "XMP, MP4": (
        in_box(added=container_parts.box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac"), XMP)),
        SECRET,
        ("box", "XMP", "A"),
    ),
    "XMP, QuickTime": (
        in_box(b"moov", added=container_parts.box(b"udta", container_parts.box(b"XMP_", XMP))),
        SECRET,
        ("user data", "XMP_", "A"),
    ),
    "XMP, Matroska": (attachment("a.xmp", "application/rdf+xml", XMP), SECRET, ("attachment", "XMP", "A")),
    "another uuid": (
        in_box(added=container_parts.box(b"uuid", bytes(range(16)), SECRET)),
        SECRET,
        ("box", "uuid", "R"),
    ),
    "screen, MP4": (in_box(*ENTRY, added=container_parts.box(b"mdcv", MASTERING)), MASTERING, ("box", "mdcv", "")),
    "screen, Matroska": (
        in_element(
            *PICTURE,
            added=container_parts.element(
                0x55B0,
                container_parts.element(0x55BC, b"\x03\xe8"),
                container_parts.element(
                    0x55D0,
                    *(
                        container_parts.element(0x55D1 + index, struct.pack(">f", 0.101 + index / 100))
                        for index in range(8)
                    ),
                    container_parts.element(0x55D9, struct.pack(">f", 987.5)),
                    container_parts.element(0x55DA, struct.pack(">f", 0.0123)),
                ),
            ),
        ),
        struct.pack(">f", 987.5),
        ("element", "MasteringMetadata", ""),
    ),
    "Dolby Vision, configuration": (
        in_box(*ENTRY, added=container_parts.box(b"dvcC", b"\x01\x00\x10\x2d", SECRET[:20])),
        SECRET[:20],
        ("box", "dvcC", ""),
    ),
    "Dolby Vision, metadata": (
        in_packets(lambda packet: packet + container_parts.unit(b"\x7c\x01", SECRET), **X265),
        SECRET,
        ("unit", "Dolby Vision", ""),
    ),
    "HDR10+": (
        in_packets(
            lambda packet: container_parts.sei(4, b"\xb5\x00\x3c\x00\x01\x04\x01" + SECRET, True) + packet, **X265
        ),
        SECRET,
        ("SEI", "HDR10+", ""),
    ),
    "several picture streams": (two_picture_streams, SECRET, ("further picture stream", "mjpeg", "Q")),
    "voice": (audible, b"mp4a", ("sound stream", "aac", "P")),
    "message with a name, H.264": (
        in_packets(lambda packet: container_parts.sei(5, bytes(16) + SECRET) + packet),
        SECRET,
        ("SEI", "unregistered user data", "A"),
    ),
    "message with a name, H.265": (
        in_packets(lambda packet: container_parts.sei(5, bytes(16) + SECRET, True) + packet, **X265),
        SECRET,
        ("SEI", "unregistered user data", "A"),
    ),
    "settings of the encoder": (plain, b"x264 - core", ("SEI", "encoder settings", "M")),
    "camera data, AVCHD": (
        in_packets(
            lambda packet: (
                container_parts.sei(5, bytes.fromhex("17ee8c60f84d11d98cd60800200c9a66") + b"MDPM" + SECRET) + packet
            )
        ),
        SECRET,
        ("SEI", "camera data", "B"),
    ),
    "closed captions": (
        in_packets(lambda packet: container_parts.sei(4, b"\xb5\x00\x31GA94\x03" + SECRET) + packet),
        SECRET,
        ("SEI", "closed captions", "A"),
    ),
    "unit of no known type": (
        in_packets(lambda packet: packet + container_parts.unit(b"\x18", SECRET)),
        SECRET,
        ("unit", "type 24", "A"),
    ),
    "filler": (
        in_packets(lambda packet: packet + container_parts.unit(b"\x0c", SECRET)),
        SECRET,
        ("unit", "filler", "R"),
    ),
    "Exif": (in_packets(exif, "webcam.avi", **JPEG_STREAM), SECRET, ("application data", "Exif", "M")),
    "comment": (
        in_packets(
            lambda packet: packet[:2] + b"\xff\xfe" + struct.pack(">H", len(SECRET) + 2) + SECRET + packet[2:],
            "webcam.avi",
            **JPEG_STREAM,
        ),
        SECRET,
        ("comment", "comment", "A"),
    ),
    "user data, MPEG-2": (
        in_packets(mpeg_user_data, "a.mkv", codec="mpeg2video"),
        SECRET,
        ("user data", "user data", "A"),
    ),
    "user data, MPEG-4": (
        in_packets(mpeg_user_data, "a.avi", "b.avi", codec="mpeg4"),
        SECRET,
        ("user data", "user data", "A"),
    ),
    "time code, MPEG-2": (
        in_packets(clocked, "a.mkv", codec="mpeg2video"),
        ((21 << 20 | 43 << 14 | 1 << 13 | 5 << 7 | 17 << 1) << 6).to_bytes(4, "big")[:3],
        ("time code", "group of pictures", "C"),
    ),
    "metadata, AV1": (
        in_packets(
            lambda packet: packet + obu(5, b"\x04\xb5\x00\x31GA94\x03" + SECRET),
            codec="libsvtav1",
            options={"preset": "12"},
        ),
        SECRET,
        ("metadata", "closed captions", "A"),
    ),
    "metadata in the header, AV1": (
        in_header(
            b"av01",
            b"av1C",
            lambda header: header + obu(5, b"\x04\xb5\x00\x31GA94\x03" + SECRET),
            codec="libsvtav1",
            options={"preset": "12"},
        ),
        SECRET,
        ("metadata", "closed captions", "A"),
    ),
    "message in the header, H.264": (
        in_header(b"avc1", b"avcC", message_in_sets),
        SECRET,
        ("SEI", "unregistered user data", "A"),
    ),
    "message in the header, H.265": (
        in_header(b"hev1", b"hvcC", message_in_list, **X265),
        SECRET,
        ("SEI", "unregistered user data", "A"),
    ),
    "beside the pictures, Matroska": (block_additions, SECRET, ("element", "BlockAdditional", "R")),
    "name of a handler": (named_handler, SECRET, ("name", "hdlr", "M")),
    "name of an encoder": (named_compressor, SECRET, ("name", "compressorname", "M")),
    "name of a program": (
        in_element(b"\x15\x49\xa9\x66", added=container_parts.element(0x5741, SECRET)),
        SECRET,
        ("element", "WritingApp", "M"),
    ),
    "name of a track": (
        in_element(container_parts.TRACKS, container_parts.TRACK, added=container_parts.element(0x536E, SECRET)),
        SECRET,
        ("element", "Name", "A"),
    ),
    "padding, MP4": (in_box(added=container_parts.box(b"free", SECRET)), SECRET, ("padding", "free", "R")),
    "padding, Matroska": (in_element(added=container_parts.element(0xEC, SECRET)), SECRET, ("padding", "Void", "R")),
    "box of no known name": (in_box(b"moov", added=container_parts.box(b"ERIK", SECRET)), SECRET, ("box", "ERIK", "A")),
    "element of no known name": (
        in_element(b"\x15\x49\xa9\x66", added=container_parts.element(0x5F01, SECRET)),
        SECRET,
        ("element", "0x5F01", "A"),
    ),
    "media data of no track": (unused_media, SECRET, ("not read", "media data of no sample", "R")),
    "AVI, list of facts": (riff(chunk(b"LIST", b"INFO" + chunk(b"IART", SECRET))), SECRET, ("chunk", "IART", "A")),
    "AVI, date": (riff(chunk(b"IDIT", SECRET)), SECRET, ("chunk", "IDIT", "C")),
    "AVI, notes of the maker": (riff(chunk(b"JUNK", SECRET)), SECRET, ("padding", "JUNK", "R")),
    "AVI, XMP": (riff(chunk(b"_PMX", XMP)), SECRET, ("chunk", "_PMX", "A")),
}


@pytest.fixture(scope="module", params=CASES)
def case(
    request: Any, small: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Path, Path]:
    """Return a case, its source, its sanitized copy and the file that would be released."""
    folder = tmp_path_factory.mktemp("case")
    source = CASES[request.param][0](folder, small)
    copy, released = folder / "copy.mkv", folder / "released.mp4"
    facts, timestamps = examine.decode_source(source, LIMITS)
    assert "reason" not in facts, facts["reason"]
    timestamps = remux.remux(source, timestamps, copy)
    planes = (frame.planes for frame in decode.read_frames(copy, timestamps))
    encode.encode(planes, timestamps, encode.layout(copy), encode.Encoding(20, "superfast"), released)
    return request.param, source, copy, released


def test_what_identifies_is_in_the_source_and_in_nothing_made_from_it(case: tuple[str, Path, Path, Path]) -> None:
    name, source, copy, released = case
    secret = CASES[name][1]
    assert secret in source.read_bytes()
    assert secret not in copy.read_bytes()
    assert secret not in released.read_bytes()


def test_the_inventory_finds_it_in_the_source_and_says_what_it_can_be(case: tuple[str, Path, Path, Path]) -> None:
    name, source, *_ = case
    kind, key, letter = CASES[name][2]
    table = inventory(source)
    rows = table[(table["kind"] == kind) & (table["key"] == key)]
    assert len(rows), table.to_string()
    assert set(rows["n"] > 0) == {True}
    if letter:
        assert all(letter in letters.split() for letters in rows["category"])
    else:
        assert set(rows["category"]) == {""}


def test_the_copy_holds_nothing_that_identifies(case: tuple[str, Path, Path, Path]) -> None:
    _, _, copy, _ = case
    table = inventory(copy)
    assert table[table["category"] != ""].empty, table.to_string()
    assert list(table[table["kind"].str.endswith("stream")]["kind"]) == ["picture stream"]


def test_the_copy_shows_the_pictures_of_the_source(case: tuple[str, Path, Path, Path]) -> None:
    _, source, copy, _ = case
    with av.open(str(source)) as given, av.open(str(copy)) as copied:
        stream = max(given.streams.video, key=lambda s: s.codec_context.width)
        before = [frame.to_ndarray() for frame in given.decode(stream)]
        after = [frame.to_ndarray() for frame in copied.decode(video=0)]
    assert len(before) == len(after) == 6
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_file_to_be_released_is_proven_to_hold_pictures_alone(case: tuple[str, Path, Path, Path]) -> None:
    name, _, _, released = case
    assert verification.violations(released) == []
    table, proof = verification.prove(released)
    assert (proof["verdict"], proof["reason"]) == ("pass", "")
    assert set(table["category"]) == {""}
    assert CASES[name][2][:2] not in set(zip(table["kind"], table["key"], strict=True))


# -------------------------------------------------------------------------------------------------------- white list


def encoded(folder: Path, count: int = 6, size: tuple[int, int] = (320, 180), **changes: Any) -> Path:
    """Return a file as it would be released, of smooth noise."""
    width, height = size
    odd = bool(width % 2 or height % 2)
    chroma = (height, width) if odd else (height // 2, width // 2)
    random = np.random.default_rng(1)

    def plane(shape: tuple[int, int]) -> np.ndarray:
        return cv2.resize(random.integers(30, 220, (4, 5)).astype(np.uint8), shape[::-1])

    pictures = [(plane((height, width)), plane(chroma), plane(chroma)) for _ in range(count)]
    settings = {"crf": 20, "preset": "superfast"} | {
        key: changes.pop(key) for key in ("crf", "preset") if key in changes
    }
    pts = changes.pop("pts", [512 * index for index in range(count)])
    look = encode.Layout(width, height, "yuv444p" if odd else "yuv420p", 1, 1, 1, 1, Fraction(1))._replace(**changes)
    timestamps = pd.DataFrame({"pts": pts, "time_base_numerator": 1, "time_base_denominator": 15360})
    encode.encode(pictures, timestamps, look, encode.Encoding(**settings), folder / "encoded.mp4")
    return folder / "encoded.mp4"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"count": 1},
        {"count": 400, "size": (64, 48)},
        {"size": (317, 181)},
        {"crf": 0},
        {"crf": 51},
        {"preset": "placebo", "count": 30},
        {"preset": "ultrafast"},
        {"color_range": 2},
        {"colorspace": 9, "primaries": 9, "transfer": 16},
        {"colorspace": 2, "primaries": 2, "transfer": 2},
        {"sample_aspect_ratio": Fraction(4, 3)},
        {"pts": [7000, 7512, 9000, 9001, 40000, 90000]},
        {"pts": [-512, 0, 512, 1024, 1536, 2048]},
        {"pts": [0, 512, 1024, 1536, 2048, 2**30]},
    ],
    ids=str,
)
def test_whatever_is_encoded_is_on_the_white_list(changes: dict[str, Any], tmp_path: Path) -> None:
    path = encoded(tmp_path, **changes)
    assert verification.violations(path) == []
    assert verification.prove(path)[1]["verdict"] == "pass"


def edited(*way: bytes, edit: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda content: container_parts.edit_box(content, list(way), edit)


def added(*way: bytes, box: bytes) -> Callable[[bytes], bytes]:
    return lambda content: container_parts.add_box(content, list(way), box)


TRAK, MDIA = [b"moov", b"trak"], [b"moov", b"trak", b"mdia"]

#: What could be wrong with a file -> how a clean one is changed. The index comes first in it.
TAMPERED = {
    "a time of creation": edited(b"moov", b"mvhd", edit=lambda box: box[:7] + b"\1" + box[8:]),
    "a time of modification": edited(*TRAK, b"tkhd", edit=lambda box: box[:11] + b"\1" + box[12:]),
    "a time of the media": edited(*MDIA, b"mdhd", edit=lambda box: box[:5] + b"\1" + box[6:]),
    "a language": edited(*MDIA, b"mdhd", edit=lambda box: box[:20] + b"\x15\xc7" + box[22:]),
    "a longer header": edited(b"moov", b"mvhd", edit=lambda box: box + b"Erika"),
    "reserved bytes": edited(*TRAK, b"tkhd", edit=lambda box: box[:16] + b"Erik" + box[20:]),
    "a matrix": edited(*TRAK, b"tkhd", edit=lambda box: box[:40] + b"\xff\xff" + box[42:]),
    "the name of a handler": edited(*MDIA, b"hdlr", edit=lambda box: box[:24] + b"Erika\0"),
    "the name of an encoder": edited(*ENTRY, edit=lambda box: box[:42] + b"\5Erika" + box[48:]),
    "a brand": edited(b"ftyp", edit=lambda box: box + b"Erik"),
    "another entry of samples": edited(*STBL, b"stsd", edit=lambda box: box[:7] + b"\2" + box[8:] + box[8:]),
    "a reference": edited(*STBL[:-1], b"dinf", b"dref", edit=lambda box: box[:8] + container_parts.full_box(b"url ", b"http://x\0")),
    "user data": added(b"moov", box=user_data(b"\xa9xyz")),
    "tags": added(b"moov", b"udta", b"meta", b"ilst", box=container_parts.box(b"\xa9nam", SECRET)),
    "a chapter": added(b"moov", b"udta", box=container_parts.full_box(b"chpl", SECRET)),
    "a track": added(b"moov", box=container_parts.box(b"trak", SECRET)),
    "a box at the end": added(box=container_parts.box(b"uuid", bytes(16), SECRET)),
    "a box of no known name": added(*TRAK, box=container_parts.box(b"ERIK", SECRET)),
    "padding": added(box=container_parts.box(b"free", SECRET)),
    "bytes at the end": added(box=b"Erika"),
    "more media": added(box=container_parts.box(b"mdat", SECRET)),
    "a longer table": edited(*STBL, b"stts", edit=lambda box: box + SECRET),
    "a longer entry": added(*ENTRY, box=container_parts.box(b"mdcv", MASTERING)),
    "a longer edit list": edited(*TRAK, b"edts", b"elst", edit=lambda box: box + SECRET),
    "bytes behind the header of the stream": edited(*ENTRY, b"avcC", edit=lambda box: box + SECRET),
    "a message in the header of the stream": edited(
        *ENTRY, b"avcC", edit=lambda box: box[:5] + b"\xe2" + struct.pack(">H", 6) + b"\6Erika" + box[6:]
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_whatever_is_not_on_the_white_list_fails_the_file(what: str, tmp_path: Path) -> None:
    path = encoded(tmp_path)
    path.write_bytes(TAMPERED[what](path.read_bytes()))
    assert verification.violations(path)
    _, proof = verification.prove(path)
    assert proof["verdict"] == "fail"
    assert proof["reason"].startswith("metadata: ")
    for text in ("Erik", "ERIK", "Mustermann", str(tmp_path)):
        assert text not in proof["reason"]


@pytest.mark.parametrize("where", ["before", "behind"])
def test_a_message_between_the_pictures_fails_the_file(where: str, tmp_path: Path) -> None:
    """It takes the place of a picture of the same size, so that no table of the file shows it."""
    path = encoded(tmp_path, count=12)
    content = bytearray(path.read_bytes())
    first = content.index(b"mdat") + 4
    length = struct.unpack_from(">I", content, first)[0]
    if where == "before":
        content[first + 4] = content[first + 4] & 0xE0 | 6
    else:
        struct.pack_into(">I", content, first, length - 40)
        content[first + 4 + length - 40 : first + 4 + length] = container_parts.unit(b"\6", bytes(35))
    path.write_bytes(content)
    assert verification.violations(path) == ["a message between the pictures"]


def test_bytes_of_no_sample_fail_the_file(tmp_path: Path) -> None:
    path = encoded(tmp_path)
    content = path.read_bytes()
    at = content.index(b"mdat") - 4
    path.write_bytes(content[:at] + container_parts.box(b"mdat", content[at + 8 :], SECRET))
    assert verification.violations(path) == ["bytes that belong to no picture"]


@pytest.mark.parametrize("content", [b"", b"Erika", b"\0\0\0\x10ftypisom\0\0\2\0", bytes(100), b"\0\0\0\x08moov" * 20])
def test_what_is_no_video_fails_and_nothing_is_raised(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "Erika.mp4"
    path.write_bytes(content)
    table, proof = verification.prove(path)
    assert proof["verdict"] == "fail"
    assert "Erika" not in proof["reason"]
    assert table.empty


def test_a_video_with_everything_in_it_fails(small: list[np.ndarray], tmp_path: Path) -> None:
    table, proof = verification.prove(write_video(tmp_path / "phone.mp4", small))
    assert proof["verdict"] == "fail"
    assert "sound stream aac" in proof["reason"]
    assert TEXT not in proof["reason"]
    assert not table.empty


# --------------------------------------------------------------------------------------------------- before and after


def test_the_released_table_has_no_name_that_is_not_well_known(small: list[np.ndarray], tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mkv", small, tags={"PATIENT_ERIKA": TEXT, "ward 7": "1", "title": TEXT})
    before, after = inventory(source), {"blur": inventory(encoded(tmp_path))}
    inside = verification.compare_inventories("v1", before, after, released=False)
    released = verification.compare_inventories("v1", before, after, released=True)
    assert "PATIENT_ERIKA" in set(inside["key"])
    assert "PATIENT_ERIKA" not in set(released["key"])
    text = released.to_csv()
    assert "ward" not in text
    assert "Erika" not in text
    other = released[(released["key"] == "other") & (released["read_by"] == "ffmpeg")]
    assert list(other["n_before"]) == [2]
    assert released["n_before"].sum() == before["n"].sum() == inside["n_before"].sum()


def test_before_and_after_stand_side_by_side(small: list[np.ndarray], tmp_path: Path) -> None:
    before = inventory(write_video(tmp_path / "a.mp4", small))
    table = verification.compare_inventories(
        "v1", before, {"blur": inventory(encoded(tmp_path)), "sanitized": before}, released=True
    )
    assert list(table["file"].unique()) == ["blur", "sanitized"]
    blur = table[table["file"] == "blur"].set_index(["read_by", "kind", "key"])
    assert tuple(blur.loc[("ffmpeg", "sound stream", "aac"), ["category", "n_before", "n_after"]]) == ("P", 1, 0)
    assert tuple(blur.loc[("ffmpeg", "picture stream", "h264"), ["category", "n_before", "n_after"]]) == ("", 1, 1)
    assert not blur[blur["category"] != ""]["n_after"].any()
    assert blur[blur["category"] != ""]["n_before"].all()


def proofs(**verdicts: str) -> list[dict[str, Any]]:
    files = {
        label: {"sha256": f"{label} digest", "verdict": "pass", "reason": ""} for label in ("blur", "blur_skeleton")
    }
    for label, verdict in verdicts.items():
        files[label] |= {"verdict": verdict, "reason": "metadata: a language"}
    return [{"video": "v1", "files": files}]


AUDIT = {"video": "v1", "method": "blur", "verdict": "pass", "reason": "", "sha256": "blur digest"}


def test_an_audit_stays_when_both_files_are_proven() -> None:
    assert apply_proofs([AUDIT], proofs()) == [{**AUDIT, "skeleton_sha256": "blur_skeleton digest"}]


@pytest.mark.parametrize("label", ["blur", "blur_skeleton"])
def test_a_file_with_metadata_fails_its_pair(label: str) -> None:
    (judged,) = apply_proofs([AUDIT], proofs(**{label: "fail"}))
    assert (judged["verdict"], judged["reason"]) == ("fail", "metadata: a language")


def test_both_reasons_are_told_when_the_audit_has_one_too() -> None:
    (judged,) = apply_proofs([AUDIT | {"verdict": "review", "reason": "a face"}], proofs(blur="fail"))
    assert (judged["verdict"], judged["reason"]) == ("fail", "a face; metadata: a language")


def test_what_was_not_measured_or_has_changed_since_fails() -> None:
    for found in ([], [{"video": "v2", "files": {}}], [{"video": "v1", "files": {}}]):
        assert apply_proofs([AUDIT], found)[0]["verdict"] == "fail"
    (judged,) = apply_proofs([AUDIT | {"sha256": "another"}], proofs())
    assert (judged["verdict"], judged["reason"]) == ("fail", "metadata: measured on another file")
