"""Parts put into finished files byte by byte: what no encoder writes, but cameras and attackers do.

Boxes of MP4 as in ISO 14496-12, elements of Matroska as in RFC 8794 and RFC 9559. Nothing of the library under test.
"""

import struct
from collections.abc import Callable
from pathlib import Path

import av

#: Boxes that hold boxes, with the bytes before the first of them.
_OF_BOXES = dict.fromkeys((b"moov", b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl", b"udta"), 0)
_OF_BOXES |= {b"stsd": 8, b"dref": 8, b"avc1": 78, b"hvc1": 78, b"hev1": 78, b"av01": 78, b"meta": 4}

#: Elements of Matroska that hold elements: the ways that the tests go.
SEGMENT, TRACKS, TRACK, VIDEO, CLUSTER = b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\xae", b"\xe0", b"\x1f\x43\xb6\x75"


def box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), name) + body


def full_box(name: bytes, *content: bytes) -> bytes:
    """Return a box with its four bytes of version and flags, which are zero."""
    return box(name, bytes(4), *content)


def edit_box(content: bytes, path: list[bytes], edit: Callable[[bytes], bytes]) -> bytes:
    """Return an MP4 file in which the content of the first box at ``path`` went through ``edit``.

    The index of the file must come last, as `clips.write_video` writes it: then no offset changes.
    """
    offset = 0
    while offset + 8 <= len(content):
        size, name = struct.unpack_from(">I4s", content, offset)
        end = offset + size
        if name == path[0]:
            inside = content[offset + 8 : end]
            if len(path) == 1:
                inside = edit(inside)
            else:
                head = _OF_BOXES[name]
                inside = inside[:head] + edit_box(inside[head:], path[1:], edit)
            return content[:offset] + box(name, inside) + content[end:]
        offset = end
    raise KeyError(path)


def add_box(content: bytes, path: list[bytes], *added: bytes) -> bytes:
    """Return an MP4 file with boxes appended to the one at ``path``; without a path at the end of the file."""
    if not path:
        return content + b"".join(added)
    return edit_box(content, path, lambda inside: inside + b"".join(added))


def element(identifier: bytes | int, *content: bytes) -> bytes:
    """Return an element of Matroska, its length in eight bytes."""
    if isinstance(identifier, int):
        identifier = identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")
    body = b"".join(content)
    return identifier + (1 << 56 | len(body)).to_bytes(8, "big") + body


def edit_element(content: bytes, path: list[bytes], edit: Callable[[bytes], bytes]) -> bytes:
    """Return a Matroska file in which the content of the first element at ``path`` went through ``edit``.

    Checksums of the elements on the way are turned into nothing, for they would be wrong.
    """
    offset = 0
    while offset < len(content):
        id_width = 9 - content[offset].bit_length()
        identifier = content[offset : offset + id_width]
        size_width = 9 - content[offset + id_width].bit_length()
        body = offset + id_width + size_width
        size = int.from_bytes(content[offset + id_width : body], "big") & ((1 << 7 * size_width) - 1)
        if identifier == path[0]:
            inside = content[body : body + size]
            if inside.startswith(b"\xbf\x84"):
                inside = b"\xec\x84" + inside[2:]
            inside = edit(inside) if len(path) == 1 else edit_element(inside, path[1:], edit)
            return content[:offset] + element(identifier, inside) + content[body + size :]
        offset = body + size
    raise KeyError(path)


def add_element(content: bytes, path: list[bytes], *added: bytes) -> bytes:
    """Return a Matroska file with elements appended to the one at ``path``; to the segment, before its pictures."""
    if path == [SEGMENT]:

        def before_pictures(inside: bytes) -> bytes:
            first = inside.index(CLUSTER)
            return inside[:first] + b"".join(added) + inside[first:]

        return edit_element(content, path, before_pictures)
    return edit_element(content, path, lambda inside: inside + b"".join(added))


def edit_packets(source: Path, destination: Path, edit: Callable[[bytes], bytes], codec: str | None = None) -> Path:
    """Write the pictures of a file again, as they are coded, each packet through ``edit``."""
    with av.open(str(source)) as given, av.open(str(destination), "w") as output:
        stream = output.add_stream_from_template(given.streams.video[0], opaque=True)
        for packet in given.demux(video=0):
            if packet.size:
                edited = av.Packet(edit(bytes(packet)))
                edited.pts, edited.dts, edited.duration = packet.pts, packet.dts, packet.duration
                edited.time_base, edited.is_keyframe, edited.stream = packet.time_base, packet.is_keyframe, stream
                output.mux(edited)
    return destination


def unit(*content: bytes) -> bytes:
    """Return a unit of H.264 or H.265 with its length, as MP4 and Matroska store it."""
    body = b"".join(content)
    return struct.pack(">I", len(body)) + body


def sei(kind: int, payload: bytes, hevc: bool = False) -> bytes:
    """Return a unit with one message (ITU-T H.264, 7.3.2.3; H.265, 7.3.2.4)."""
    sizes = b"\xff" * (len(payload) // 255) + bytes([len(payload) % 255])
    return unit(b"\x4e\x01" if hevc else b"\x06", bytes([kind]), sizes, payload, b"\x80")
