"""Read what a coded stream carries besides its pictures: the messages between them, byte by byte.

Nothing of FFmpeg is used, so that what FFmpeg's filters have removed is checked by something else.
"""

from collections.abc import Iterator
from typing import NamedTuple

#: A packet of more units than this is no packet of a camera; the rest is not taken apart.
_MOST_UNITS = 20_000


class Message(NamedTuple):
    """A part of a packet that is no picture: its kind, its name and the bytes of its content."""

    kind: str
    key: str
    size_bytes: int


def unit_length_size(codec: str, header: bytes) -> int:
    """Return how many bytes hold the length of a unit; 0 when units begin with start codes.

    ISO 14496-15, 5.3.3.1 (H.264) and 8.3.3.1 (H.265): the two lowest bits of a byte of the stream's header.
    """
    at = {"h264": 4, "hevc": 21}.get(codec)
    if at is None or len(header) <= at or header[:1] != b"\x01":
        return 0
    return (header[at] & 3) + 1


def messages(codec: str, packet: bytes, length_size: int) -> Iterator[Message]:
    """Yield what a packet, or the header of a stream, holds besides pictures.

    Parameters
    ----------
    codec : str
        FFmpeg's name of the codec; of one that is not known here nothing is found.
    packet : bytes
    length_size : int
        From `unit_length_size`.
    """
    if codec in ("h264", "hevc"):
        for unit in units(packet, length_size):
            yield from _of_unit(codec, unit)
    elif codec in ("mpeg4", "mpeg2video", "mpeg1video", "vc1"):
        yield from _of_start_codes(codec, packet)
    elif codec in ("mjpeg", "mjpegb"):
        yield from _of_jpeg(packet)
    elif codec == "av1":
        yield from _of_obus(packet)


# ---------------------------------------------------------------------------------------------- H.264 and H.265


def units(packet: bytes, length_size: int) -> Iterator[bytes]:
    """Yield the units of a packet, without lengths, start codes and trailing zeros."""
    if not length_size:
        for unit in packet.split(b"\0\0\1", _MOST_UNITS)[1:]:
            if unit.rstrip(b"\0"):
                yield unit.rstrip(b"\0")
        return
    offset = 0
    for _ in range(_MOST_UNITS):
        body = offset + length_size
        if body >= len(packet):
            return
        offset = body + int.from_bytes(packet[offset:body], "big")
        if packet[body:offset]:
            yield packet[body:offset]


#: Units that hold a picture or what is needed to decode one, and those that hold nothing of a recording: delimiters
#: and ends (ITU-T H.264, table 7-1; H.265, table 7-1).
_PICTURES = {"h264": {1, 2, 3, 4, 5, 7, 8, 13, 15, 20}, "hevc": {*range(22), 32, 33, 34}}
_SEI = {"h264": {6}, "hevc": {39, 40}}
_OTHER_UNITS = {
    "h264": {9: "delimiter", 10: "end of sequence", 11: "end of stream", 12: "filler", 14: "prefix", 19: "alpha"},
    "hevc": {35: "delimiter", 36: "end of sequence", 37: "end of stream", 38: "filler"}
    | dict.fromkeys((62, 63), "Dolby Vision"),
}  # fmt: skip


def _of_unit(codec: str, unit: bytes) -> Iterator[Message]:
    kind = unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63
    if kind in _SEI[codec]:
        yield from _of_sei(unit[1 if codec == "h264" else 2 :])
    elif kind not in _PICTURES[codec]:
        yield Message("unit", _OTHER_UNITS[codec].get(kind, f"type {kind}"), len(unit))


#: Payload types of supplemental enhancement information (ITU-T H.274; annexes D of H.264 and of H.265).
_SEI_TYPES = {
    0: "buffering_period", 1: "pic_timing", 2: "pan_scan_rect", 3: "filler_payload", 6: "recovery_point",
    15: "full_frame_snapshot", 19: "film_grain_characteristics", 22: "post_filter_hint", 23: "tone_mapping_info",
    45: "frame_packing_arrangement", 47: "display_orientation", 56: "green_metadata",
    128: "structure_of_pictures_info", 129: "active_parameter_sets", 130: "decoding_unit_info",
    132: "decoded_picture_hash", 136: "time_code", 137: "mastering_display_colour_volume",
    144: "content_light_level_info", 147: "alternative_transfer_characteristics",
    148: "ambient_viewing_environment", 150: "equirectangular_projection",
}  # fmt: skip
#: User data by the identifier that it begins with; other programs use the one of x265 too, for places.
_CAMERA_DATA = bytes.fromhex("17ee8c60f84d11d98cd60800200c9a66")  # of AVCHD: date, place, maker
_ENCODERS = (
    bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef") + b"x264",
    bytes.fromhex("2ca2de09b51747dbbb55a4fe7fc2fc4e") + b"x265",
)


def _of_sei(content: bytes) -> Iterator[Message]:
    content = content.replace(b"\0\0\3", b"\0\0")  # bytes put in so that no start code appears in it
    offset = 0
    for _ in range(_MOST_UNITS):
        if offset + 2 > len(content) or content[offset:] == b"\x80":
            return
        numbers = []
        for _ in range(2):  # type, then size: 255 says that more is to come
            number = 0
            while offset < len(content) and content[offset] == 255:
                number, offset = number + 255, offset + 1
            number += content[offset] if offset < len(content) else 0
            offset += 1
            numbers.append(number)
        kind, size = numbers
        payload = content[offset : offset + size]
        offset += size
        if kind == 4:
            key = _registered(payload)
        elif kind == 5:
            key = "encoder settings" if payload.startswith(_ENCODERS) else "unregistered user data"
            key = "camera data" if payload.startswith(_CAMERA_DATA) else key
        else:
            key = _SEI_TYPES.get(kind, f"type {kind}")
        yield Message("SEI", key, size)


def _registered(payload: bytes) -> str:
    """Return what user data registered by ITU-T T.35 is, by its country (B5 hex: USA), its provider and its code."""
    if payload.startswith(b"\xb5\x00\x31GA94\x03"):  # ATSC A/53
        return "closed captions"
    if payload.startswith(b"\xb5\x00\x3c\x00\x01\x04"):  # SMPTE ST 2094-40
        return "HDR10+"
    return "Dolby Vision" if payload.startswith(b"\xb5\x00\x3b") else "registered user data"


# --------------------------------------------------------------------------------------------------- other codecs


def _of_start_codes(codec: str, packet: bytes) -> Iterator[Message]:
    """ISO 13818-2, table 6-1, and ISO 14496-2, table 6-3: B2 hex is user data, B8 (of MPEG-2) a time code.

    Of VC-1 the codes 1B to 1F are user data (SMPTE ST 421, annex E).
    """
    for unit in units(packet, 0):
        if unit[0] == 0xB2 if codec != "vc1" else 0x1B <= unit[0] <= 0x1F:
            captions = unit[1:].startswith(b"GA94\x03")
            yield Message("user data", "closed captions" if captions else "user data", len(unit) - 1)
        elif unit[0] == 0xB8 and codec.endswith("video") and _shows_time(unit):
            yield Message("time code", "group of pictures", 4)


def _shows_time(unit: bytes) -> bool:
    """Return whether the time code of a group of pictures is not zero (ISO 13818-2, 6.2.2.6; bit 12 is a marker)."""
    value = int.from_bytes(unit[1:5].ljust(4, b"\0"), "big")
    return bool(value >> 7 & ~(1 << 12))


def _of_jpeg(packet: bytes) -> Iterator[Message]:
    """ITU-T T.81, table B.1: application segments and comments. AVI1 and Adobe are needed to decode."""
    offset = 2
    for _ in range(_MOST_UNITS):
        if offset + 4 > len(packet) or packet[offset] != 0xFF or packet[offset + 1] == 0xDA:
            return
        marker = packet[offset + 1]
        if marker == 0xFF:
            offset += 1
            continue
        size = int.from_bytes(packet[offset + 2 : offset + 4], "big")
        content = packet[offset + 4 : offset + 2 + size]
        if marker == 0xFE:
            yield Message("comment", "comment", len(content))
        elif 0xE0 <= marker <= 0xEF and not _is_needed(content):
            names = {b"Exif": "Exif", b"http": "XMP", b"ICC_": "ICC profile", b"Phot": "IPTC"}
            yield Message("application data", names.get(content[:4], f"segment {marker - 0xE0}"), len(content))
        offset += 2 + size


def _is_needed(segment: bytes) -> bool:
    """Return whether a segment says how to decode: fields, colours, or the shape of the pixels without a thumbnail."""
    return segment[:4] in (b"AVI1", b"Adob") or (segment[:4] == b"JFIF" and len(segment) == 14)


def obus(packet: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield type, content and all bytes of the units of a packet of AV1 (AV1 specification, 5.3)."""
    offset = 0
    for _ in range(_MOST_UNITS):
        if offset >= len(packet):
            return
        start = offset
        kind, extended, sized = packet[offset] >> 3 & 15, packet[offset] >> 2 & 1, packet[offset] >> 1 & 1
        offset += 1 + extended
        size = max(0, len(packet) - offset)
        if sized:
            size, offset = _leb128(packet, offset)
        content = packet[offset : offset + size]
        offset += size
        yield kind, content, packet[start:offset]


#: The header of a stream begins with this byte and has four before its units (AV1 in ISOBMFF, 2.3.3).
_AV1_HEADER = b"\x81"
_AV1_METADATA = {1: "content light level", 2: "mastering display", 3: "scalability", 5: "time code"}


def _of_obus(packet: bytes) -> Iterator[Message]:
    """AV1 specification, 6.2.2 and 6.7.1: units of metadata, and padding, which may hold anything."""
    if packet.startswith(_AV1_HEADER):
        packet = packet[4:]
    for kind, content, _ in obus(packet):
        if kind == 5:
            number, start = _leb128(content, 0)
            key = _AV1_METADATA.get(number, "unregistered user data")
            yield Message("metadata", _registered(content[start:]) if number == 4 else key, len(content))
        elif kind == 15:
            yield Message("unit", "padding", len(content))
        elif kind in (0, *range(9, 15)):
            yield Message("unit", f"type {kind}", len(content))


def _leb128(data: bytes, offset: int) -> tuple[int, int]:
    """Return a number in groups of seven bits, the lowest first (AV1 specification, 4.10.5), and where it ends."""
    value = 0
    for index, byte in enumerate(data[offset : offset + 8]):
        value |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            return value, offset + index + 1
    return value, min(len(data), offset + 8)
