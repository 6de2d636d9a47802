"""Walk the parts that a video file is built of, byte by byte, without FFmpeg.

MP4 and QuickTime consist of boxes (ISO 14496-12), Matroska and WebM of elements (RFC 8794, RFC 9559), AVI of chunks
(RIFF). All three are trees, and here they look alike: `parts` walks any of them. A file is distrusted: however it is
built, the walk ends, its depth and its number of steps are bounded, and what does not fit is reported as a part
without a name.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

DEEPEST = 24


class Part(NamedTuple):
    """A part of a file: a box, an element or a chunk.

    ``inside`` names the parts around it, the outermost first; ``start`` is the offset of its header, ``body`` that
    of its content, ``end`` that of what follows, ``limit`` the end of the part around it. A part without a name is
    the rest of the one around it, in which no header can be read.
    """

    name: str
    inside: tuple[str, ...]
    start: int
    body: int
    end: int
    limit: int


def kind_of(file: BinaryIO) -> str:
    """Return ``mp4``, ``matroska`` or ``avi`` by the first bytes, empty when they are of another kind."""
    file.seek(0)
    head = file.read(12)
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "matroska"
    if head[:4] == b"RIFF" and head[8:11] == b"AVI":
        return "avi"
    return "mp4" if head[4:8] in _FIRST_BOXES else ""


def parts(file: BinaryIO, start: int = 0, end: int | None = None, inside: tuple[str, ...] = ()) -> Iterator[Part]:
    """Walk a file, or what lies between two offsets in it, each part before those inside it.

    Media data is passed over, not read.
    """
    kind = kind_of(file)
    if not kind:
        return
    read = {"mp4": _read_box, "matroska": _read_element, "avi": _read_chunk}[kind]
    open_ranges = [(start, file.seek(0, 2) if end is None else end, inside)]
    while open_ranges:
        offset, end, inside = open_ranges.pop()
        if offset >= end:
            continue
        found = read(file, offset, end, inside)
        if found is None:
            yield Part("", inside, offset, offset, end, end)
            continue
        part, first_child = found
        open_ranges.append((part.end, end, part.inside))
        if first_child is not None and len(inside) < DEEPEST:
            open_ranges.append((first_child, part.end, (*part.inside, part.name)))
        yield part


def content(file: BinaryIO, part: Part, most: int = 65536) -> bytes:
    """Return at most ``most`` bytes of the content of a part."""
    file.seek(part.body)
    return file.read(max(0, min(part.end - part.body, most)))


_Found = tuple[Part, int | None] | None

#: With one of these a file begins that FFmpeg takes for MP4 or QuickTime.
_FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"uuid", b"moof", b"jP  "}
#: Boxes that hold boxes, and how many bytes come before the first (ISO 14496-12; QuickTime File Format, 2016).
_BOXES_OF_BOXES = dict.fromkeys(
    (
        "moov",
        "trak",
        "edts",
        "mdia",
        "minf",
        "dinf",
        "stbl",
        "udta",
        "mvex",
        "moof",
        "traf",
        "mfra",
        "tref",
        "gmhd",
        "ilst",
        "rmra",
        "rmda",
    ),
    0,
) | {"stsd": 8, "dref": 8}
#: Bytes of a sample entry before its first box: of pictures (ISO 14496-12, 12.1.3) and of a time code (QuickTime File
#: Format, "Timecode sample description"). Others are not walked.
ENTRY_HEADS = {"vide": 78, "tmcd": 26}


def _read_box(file: BinaryIO, offset: int, end: int, inside: tuple[str, ...]) -> _Found:
    file.seek(offset)
    head = file.read(16)
    if len(head) < 8 or offset + 8 > end:
        return None
    length, code = struct.unpack(">I4s", head[:8])
    body = offset + 8
    if length == 1 and len(head) == 16:
        length, body = struct.unpack(">Q", head[8:])[0], offset + 16
    elif length == 0 and not inside:  # "the rest of the file"
        length = end - offset
    stop = offset + length
    if stop < body or stop > end:
        # A file that was cut short: its last box is still what it says.
        if inside or stop < body:
            return None
        stop = end
    name = code.decode("latin-1")
    first: int | None = None
    if name in _BOXES_OF_BOXES:
        first = body + _BOXES_OF_BOXES[name]
    elif name == "meta":
        # QuickTime has no version field here, ISO has one (ISO 14496-12, 8.11.1).
        file.seek(body)
        first = body if file.read(8)[4:] == b"hdlr" else body + 4
    elif inside[-1:] == ("ilst",):
        first = body
    return Part(name, inside, offset, body, stop, end), first


#: Elements by their identifiers (RFC 9559, section 5.1, and the registry at its end). Those in `_MASTERS` hold others.
_ELEMENTS = {
    0x1A45DFA3: "EBML", 0x18538067: "Segment", 0xEC: "Void", 0xBF: "CRC-32",
    0x114D9B74: "SeekHead", 0x1549A966: "Info", 0x1654AE6B: "Tracks", 0x1C53BB6B: "Cues", 0x1043A770: "Chapters",
    0x1941A469: "Attachments", 0x1254C367: "Tags", 0x1F43B675: "Cluster",
    # EBML
    0x4286: "EBMLVersion", 0x42F7: "EBMLReadVersion", 0x42F2: "EBMLMaxIDLength", 0x42F3: "EBMLMaxSizeLength",
    0x4282: "DocType", 0x4287: "DocTypeVersion", 0x4285: "DocTypeReadVersion", 0x4281: "DocTypeExtension",
    # Info
    0x73A4: "SegmentUUID", 0x7384: "SegmentFilename", 0x3CB923: "PrevUUID", 0x3C83AB: "PrevFilename",
    0x3EB923: "NextUUID", 0x3E83BB: "NextFilename", 0x4444: "SegmentFamily", 0x6924: "ChapterTranslate",
    0x2AD7B1: "TimestampScale", 0x4489: "Duration", 0x4461: "DateUTC", 0x7BA9: "Title", 0x4D80: "MuxingApp",
    0x5741: "WritingApp",
    # Cluster
    0xE7: "Timestamp", 0x5854: "SilentTracks", 0xA7: "Position", 0xAB: "PrevSize", 0xA3: "SimpleBlock",
    0xA0: "BlockGroup", 0xA1: "Block", 0xA2: "BlockVirtual", 0x75A1: "BlockAdditions", 0xA6: "BlockMore",
    0xEE: "BlockAddID", 0xA5: "BlockAdditional", 0x9B: "BlockDuration", 0xFA: "ReferencePriority",
    0xFB: "ReferenceBlock", 0xFD: "ReferenceVirtual", 0xA4: "CodecState", 0x75A2: "DiscardPadding", 0x8E: "Slices",
    0xC8: "ReferenceFrame", 0xAF: "EncryptedBlock",
    # Tracks
    0xAE: "TrackEntry", 0xD7: "TrackNumber", 0x73C5: "TrackUID", 0x83: "TrackType", 0xB9: "FlagEnabled",
    0x88: "FlagDefault", 0x55AA: "FlagForced", 0x9C: "FlagLacing", 0x6DE7: "MinCache", 0x23E383: "DefaultDuration",
    0x55EE: "MaxBlockAdditionID", 0x41E4: "BlockAdditionMapping", 0x41F0: "BlockAddIDValue", 0x41A4: "BlockAddIDName",
    0x41E7: "BlockAddIDType", 0x41ED: "BlockAddIDExtraData", 0x536E: "Name", 0x22B59C: "Language",
    0x22B59D: "LanguageBCP47", 0x86: "CodecID", 0x63A2: "CodecPrivate", 0x258688: "CodecName",
    0x7446: "AttachmentLink", 0x3A9697: "CodecSettings", 0x3B4040: "CodecInfoURL", 0x26B240: "CodecDownloadURL",
    0xAA: "CodecDecodeAll", 0x56AA: "CodecDelay", 0x56BB: "SeekPreRoll", 0xE0: "Video", 0xE1: "Audio",
    0xB0: "PixelWidth", 0xBA: "PixelHeight", 0x54AA: "PixelCropBottom", 0x54BB: "PixelCropTop",
    0x54CC: "PixelCropLeft", 0x54DD: "PixelCropRight", 0x54B0: "DisplayWidth", 0x54BA: "DisplayHeight",
    0x54B2: "DisplayUnit", 0x9A: "FlagInterlaced", 0x9D: "FieldOrder", 0x53B8: "StereoMode", 0x53C0: "AlphaMode",
    0x2EB524: "UncompressedFourCC", 0x55B0: "Colour", 0x55B1: "MatrixCoefficients", 0x55B2: "BitsPerChannel",
    0x55B3: "ChromaSubsamplingHorz", 0x55B4: "ChromaSubsamplingVert", 0x55B5: "CbSubsamplingHorz",
    0x55B6: "CbSubsamplingVert", 0x55B7: "ChromaSitingHorz", 0x55B8: "ChromaSitingVert", 0x55B9: "Range",
    0x55BA: "TransferCharacteristics", 0x55BB: "Primaries", 0x55BC: "MaxCLL", 0x55BD: "MaxFALL",
    0x55D0: "MasteringMetadata", 0x7670: "Projection", 0x7671: "ProjectionType", 0x7672: "ProjectionPrivate",
    0x7673: "ProjectionPoseYaw", 0x7674: "ProjectionPosePitch", 0x7675: "ProjectionPoseRoll",
    0xE2: "TrackOperation", 0x6D80: "ContentEncodings",
    # Chapters
    0x45B9: "EditionEntry", 0x45BC: "EditionUID", 0x45BD: "EditionFlagHidden", 0x45DB: "EditionFlagDefault",
    0x45DD: "EditionFlagOrdered", 0xB6: "ChapterAtom", 0x6E67: "ChapterSegmentUUID", 0x80: "ChapterDisplay",
    0x85: "ChapString",
    # Attachments
    0x61A7: "AttachedFile", 0x467E: "FileDescription", 0x466E: "FileName", 0x4660: "FileMediaType",
    0x465C: "FileData", 0x46AE: "FileUID",
    # Tags
    0x7373: "Tag", 0x63C0: "Targets", 0x67C8: "SimpleTag", 0x45A3: "TagName", 0x4487: "TagString",
    0x4485: "TagBinary", 0x447A: "TagLanguage",
}  # fmt: skip
_MASTERS = {
    "EBML",
    "Segment",
    "Info",
    "Tracks",
    "Chapters",
    "Attachments",
    "Tags",
    "Cluster",
    "BlockGroup",
    "TrackEntry",
    "Video",
    "Colour",
    "Projection",
    "BlockAdditionMapping",
    "EditionEntry",
    "ChapterAtom",
    "ChapterDisplay",
    "AttachedFile",
    "Tag",
    "SimpleTag",
    "BlockAdditions",
    "BlockMore",
}
IN_SEGMENT = {"Void", "CRC-32", "SeekHead", "Info", "Tracks", "Cues", "Chapters", "Attachments", "Tags", "Cluster"}


def _read_element(file: BinaryIO, offset: int, end: int, inside: tuple[str, ...]) -> _Found:
    file.seek(offset)
    head = file.read(12)
    width = 9 - head[0].bit_length()
    if width > 4 or len(head) <= width:
        return None
    identifier = int.from_bytes(head[:width], "big")
    size_width = 9 - head[width].bit_length()
    if size_width > 8 or len(head) < width + size_width:
        return None
    length = int.from_bytes(head[width : width + size_width], "big") & ((1 << 7 * size_width) - 1)
    name = _ELEMENTS.get(identifier, f"0x{identifier:X}")
    body = offset + width + size_width
    if inside[-1:] == ("Cluster",) and name in IN_SEGMENT - {"Void", "CRC-32"}:
        inside = inside[:-1]  # a cluster of unknown length ends where something else begins (RFC 8794, 6.2)
    if length == (1 << 7 * size_width) - 1:
        if name not in ("Segment", "Cluster"):
            return None
        stop = end
    else:
        stop = body + length
    if body > end or stop > end:
        if name not in ("Segment", "Cluster") or body > end:
            return None
        stop = end
    return Part(name, inside, offset, body, stop, end), body if name in _MASTERS else None


def _read_chunk(file: BinaryIO, offset: int, end: int, inside: tuple[str, ...]) -> _Found:
    file.seek(offset)
    head = file.read(12)
    if len(head) < 8 or offset + 8 > end:
        return None
    code, length = struct.unpack("<4sI", head[:8])
    body, first = offset + 8, None
    if code in (b"RIFF", b"LIST"):
        code, body = head[8:12], offset + 12
        first = body
    stop = offset + 8 + length
    if stop < body:
        return None
    if stop > end:
        if first is None:
            return None
        stop = end
    return Part(code.decode("latin-1"), inside, offset, body, min(stop + length % 2, end), end), first


def sample_sizes(file: BinaryIO, part: Part) -> tuple[int, int]:
    """Return the number of samples and the sum of their sizes (ISO 14496-12, 8.7.3); no sum of a compact table."""
    head = content(file, part, 12)
    if len(head) < 12:
        return 0, 0
    size, count = struct.unpack(">II", head[4:])
    if part.name == "stz2":
        return min(count, 2 * (part.end - part.body)), 0
    if size:
        return count, count * size
    sizes = integers(file, part, 12, count)
    return len(sizes), int(sizes.sum())


def integers(file: BinaryIO, part: Part, skipped: int, count: int) -> np.ndarray:
    """Return the 32-bit numbers of a table, as many as there are and at most ``count``."""
    file.seek(part.body + skipped)
    numbers = file.read(4 * max(0, min(count, (part.end - part.body - skipped) // 4)))
    return np.frombuffer(numbers[: len(numbers) // 4 * 4], ">u4").astype(np.int64)
