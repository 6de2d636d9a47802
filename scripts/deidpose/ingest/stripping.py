"""Strip the coded pictures of a source of messages and of data about the recording."""

from pathlib import Path

from deidpose.metadata import containers
from deidpose.metadata.bitstreams import obus

#: Units of a coded stream that are needed to decode its pictures, by codec; all others are left out, such as
#: supplemental enhancement information, Dolby's metadata and whatever has an unspecified type. Types: ITU-T H.264
#: table 7-1 (slices, parameter sets, ends), H.265 table 7-1 (the same), AV1 specification 6.2.2 (headers, tiles).
_PICTURE_UNITS = {
    "h264": {1, 2, 3, 4, 5, 7, 8, 10, 11},
    "hevc": {*range(10), *range(16, 22), 32, 33, 34, 36, 37},
    "av1": {1, 3, 4, 6, 7, 8},
}
_START_CODE = b"\x00\x00\x01"

#: Codec -> the filters of FFmpeg that its packets go through.
FILTERS = {
    codec: f"filter_units=pass_types={'|'.join(map(str, sorted(kinds)))}" for codec, kinds in _PICTURE_UNITS.items()
} | {
    # User data (ISO 13818-2, table 6-1: B2 hex); the other start codes all belong to pictures.
    "mpeg2video": "filter_units=remove_types=178",
    "mpeg4": "mpeg4_unpack_bframes",
}


def strip_packet(content: bytes, codec: str) -> bytes:
    """Return the content of a packet, when it has gone through `FILTERS`, without what they do not take out."""
    strip = _BY_CODEC.get(codec)
    return content if strip is None else strip(content)


def strip_header(header: bytes, codec: str) -> bytes:
    """Return the header of a stream without what `FILTERS` and `strip_packet` take out of its packets."""
    if codec in ("mpeg4", "mpeg1video", "mpeg2video", "vc1"):
        return strip_packet(_without_user_data(header) if codec == "mpeg2video" else header, codec)
    # Here are units alone, as `filter_units` gives them, and not the header of a container around them.
    if codec == "hevc":  # with start codes; the type is six bits (ITU-T H.265, 7.3.1.2)
        units = header.split(_START_CODE)
        kept = [unit for unit in units[1:] if unit[:1] and unit[0] >> 1 in _PICTURE_UNITS[codec]]
        return _START_CODE.join([units[0], *kept])
    if codec == "av1":
        return b"".join(whole for kind, _, whole in obus(header) if kind in _PICTURE_UNITS[codec])
    return header


def _without_user_data(content: bytes, codes: bytes = b"\xb2") -> bytes:
    """Drop units by the code that they start with: user data of MPEG (ISO 14496-2, 6.2.1: B2 hex)."""
    units = content.split(_START_CODE)
    return _START_CODE.join([units[0], *(unit for unit in units[1:] if unit[:1] not in codes or not unit)])


def _without_user_data_of_vc1(content: bytes) -> bytes:
    """Drop the user data of slices, fields, frames, entries and sequences (SMPTE ST 421, annex E)."""
    return _without_user_data(content, b"\x1b\x1c\x1d\x1e\x1f")


_PLAIN_JFIF_BYTES = 18  # ITU-T T.871, 10.1: a thumbnail of no pixels


def _without_comments(content: bytes) -> bytes:
    """Drop the comments and the application segments of a JPEG picture, such as Exif (ITU-T T.81, table B.1).

    Those stay that decoders need: the fields of an interlaced AVI, Adobe's colours, and the shape of the pixels, unless
    a thumbnail comes with it.
    """
    kept, offset = [content[:2]], 2
    while offset + 4 <= len(content) and content[offset] == 0xFF and content[offset + 1] != 0xDA:  # start of the scan
        marker = content[offset + 1]
        if marker == 0xFF:  # a fill byte
            offset += 1
            continue
        end = offset + 2 + int.from_bytes(content[offset + 2 : offset + 4], "big")
        segment = content[offset:end]
        needed = segment[4:8] in (b"AVI1", b"Adob") or (segment[4:8] == b"JFIF" and len(segment) == _PLAIN_JFIF_BYTES)
        if needed or not (marker == 0xFE or 0xE0 <= marker <= 0xEF):
            kept.append(segment)
        offset = end
    return b"".join([*kept, content[offset:]])


def _without_time_code(content: bytes) -> bytes:
    """Set the time codes of MPEG-2 to zero (ISO 13818-2, 6.2.2.6: 25 bits after the start code, bit 12 is a marker)."""
    units = content.split(_START_CODE)
    for index, unit in enumerate(units):
        if index and unit[:1] == b"\xb8" and len(unit) >= 5:
            units[index] = b"\xb8" + (int.from_bytes(unit[1:5], "big") & 0x7F | 1 << 19).to_bytes(4, "big") + unit[5:]
    return _START_CODE.join(units)


def _without_user_data_and_time_code(content: bytes) -> bytes:
    return _without_time_code(_without_user_data(content))


_BY_CODEC = {
    "mpeg4": _without_user_data,
    "mpeg1video": _without_user_data_and_time_code,
    "mpeg2video": _without_time_code,
    "vc1": _without_user_data_of_vc1,
    "mjpeg": _without_comments,
}


#: What the header of a copied stream may say (RFC 9559, 5.1.4): how to decode and show it.
_NEEDED_ELEMENTS = {
    "TrackEntry", "TrackNumber", "TrackUID", "TrackType", "FlagEnabled", "FlagDefault", "FlagLacing", "Language",
    "CodecID", "CodecPrivate", "CodecDelay", "SeekPreRoll", "DefaultDuration", "MaxBlockAdditionID", "Video",
    "PixelWidth", "PixelHeight", "DisplayWidth", "DisplayHeight", "DisplayUnit", "FlagInterlaced", "FieldOrder",
    "UncompressedFourCC", "Colour", "MatrixCoefficients", "BitsPerChannel", "ChromaSubsamplingHorz",
    "ChromaSubsamplingVert", "ChromaSitingHorz", "ChromaSitingVert", "Range", "TransferCharacteristics", "Primaries",
    "Projection", "ProjectionType", "ProjectionPoseYaw", "ProjectionPosePitch", "ProjectionPoseRoll", "Void",
}  # fmt: skip


def blank_unneeded(path: str | Path) -> None:
    """Overwrite what FFmpeg has copied into the header of a Matroska file although no decoder needs it.

    A void element of the same length takes the place of each (RFC 8794, 11.3.2), and of the checksum around it.
    """
    with open(path, "r+b") as file:
        inside = [part for part in containers.parts(file) if "Tracks" in part.inside]
        unneeded: list[containers.Part] = []
        for part in inside:
            is_in_one = bool(unneeded) and part.start < unneeded[-1].end
            if part.name not in _NEEDED_ELEMENTS | {"CRC-32"} and not is_in_one:
                unneeded.append(part)
        checksums = [part for part in inside if part.name == "CRC-32" and unneeded]
        for part in [*unneeded, *checksums]:
            size = part.end - part.start
            length = size - 2 if size <= 128 else size - 9
            file.seek(part.start)
            file.write(b"\xec" + (bytes([0x80 | length]) if size <= 128 else (1 << 56 | length).to_bytes(8, "big")))
            file.write(bytes(length))
