"""The parts that a video file is built of, read byte by byte and before FFmpeg sees any of it.

MP4 and QuickTime consist of boxes (ISO 14496-12), Matroska and WebM of elements (RFC 8794, RFC 9559), AVI of chunks
(RIFF). All three are trees, and here they look alike: `parts` walks any of them. A file is distrusted: however it is
built, the walk ends, its depth and its number of steps are bounded, and what does not fit is reported as a part
without a name.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from deidpose import guard
from deidpose.errors import UserError

_DEEPEST = 24
#: Parts of a header, all that is not a coded frame or an entry of an index. Phones write about a hundred.
_MOST_PARTS = 100_000
#: FFmpeg reads headers and attachments into memory as a whole.
_LARGEST_HEADER = 256_000_000
_MOST_EDITS = 10_000
_MOST_STREAMS = 100
#: Apertures of broadcasting cut up to 16 of 720 columns off, and nobody hides anything with that.
_HIDDEN_SHARE = 1 / 16


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


class Structure(NamedTuple):
    """What `check` finds: the kind of file, and the coded frames of each track by the id that FFmpeg gives it."""

    kind: str
    n_frames: dict[int, int]


# ------------------------------------------------------------------------------------------------------------ walk


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
        if first_child is not None and len(inside) < _DEEPEST:
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
_IN_SEGMENT = {"Void", "CRC-32", "SeekHead", "Info", "Tracks", "Cues", "Chapters", "Attachments", "Tags", "Cluster"}
_IN_CLUSTER = {
    "Void",
    "CRC-32",
    "Timestamp",
    "SilentTracks",
    "Position",
    "PrevSize",
    "SimpleBlock",
    "BlockGroup",
    "EncryptedBlock",
    "Block",
}
_IN_BLOCK_GROUP = {
    "Void",
    "CRC-32",
    "Block",
    "BlockVirtual",
    "BlockAdditions",
    "BlockDuration",
    "ReferencePriority",
    "ReferenceBlock",
    "ReferenceVirtual",
    "CodecState",
    "DiscardPadding",
    "Slices",
    "ReferenceFrame",
}


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
    if inside[-1:] == ("Cluster",) and name in _IN_SEGMENT - {"Void", "CRC-32"}:
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


# ----------------------------------------------------------------------------------------------------------- check


def check(path: str | Path, pixels: int, frames: int) -> Structure:
    """Refuse a file that is built to harm, or to show a player something else than FFmpeg.

    Parameters
    ----------
    path : path
    pixels, frames : int
        The most pixels of a picture and the most coded frames that are taken.

    Raises
    ------
    UserError
        It is no MP4, QuickTime, AVI, Matroska or WebM; it claims more pixels, samples or parts than are taken; its
        pictures are in another file, or compressed headers, ordered chapters or a cropping hide what it holds; or,
        of Matroska and AVI, it is damaged in its middle, which FFmpeg passes over in silence.
    """
    with open(path, "rb") as file:
        kind = kind_of(file)
        if kind and _is_cut_short(file, kind):
            raise UserError("The video ends early: the file is shorter than it says it is; copy it again.")
        if kind == "mp4":
            return _check_boxes(file, pixels, frames)
        if kind == "matroska":
            return _check_elements(file, pixels, frames)
        if kind == "avi":
            return _check_chunks(file, pixels, frames)
    raise UserError(NO_VIDEO)


NO_VIDEO = (
    "The file is not a video that can be read: its content is no MP4, QuickTime, AVI, Matroska or WebM, "
    "or its index is missing because the copy was cut short."
)
_DAMAGED = "The video does not decode: the file is damaged in its middle; copy it again."
_TOO_MANY_PARTS = f"The header of the file has more than {_MOST_PARTS} parts; export the video again."
_CROPPED = "The file hides a part of its picture from players by cropping; export the video again."
_REORDERED = "The file plays parts of itself, or of other files, in an order of its own; export the video again."


def _check_pixels(width: int, height: int, pixels: int) -> None:
    if width * height > pixels:
        raise UserError(f"The picture has {width * height / 1e6:.1f} megapixels, over the limit screen.max_megapixels.")


def _check_frames(count: int, frames: int) -> None:
    if count > frames:
        raise UserError(f"The video has more than {frames} frames, the limit screen.max_frames.")


def _check_header(n_parts: int, n_bytes: int, n_streams: int, depth: int) -> None:
    if n_streams > _MOST_STREAMS:
        raise UserError(f"The file has more than {_MOST_STREAMS} streams; export the video again.")
    if depth >= _DEEPEST:
        raise UserError(f"The header of the file is more than {_DEEPEST} parts deep; export the video again.")
    if n_parts > _MOST_PARTS:
        raise UserError(_TOO_MANY_PARTS)
    if n_bytes > _LARGEST_HEADER:
        raise UserError(
            f"The header and the attachments of the file take {n_bytes / 1e6:.0f} MB; export the video again."
        )


def _check_boxes(file: BinaryIO, pixels: int, frames: int) -> Structure:
    n_parts = n_header = n_tracks = 0
    size = file.seek(0, 2)
    handler = ""
    for part in parts(file):
        guard.tick()
        around = part.inside[-1] if part.inside else ""
        n_parts += "moof" not in (part.name, *part.inside)
        n_header += part.end - part.body if part.name == "moov" else 0
        n_tracks += part.name == "trak"
        _check_header(n_parts, n_header, n_tracks, len(part.inside))
        if "cmov" in (part.name, around):
            raise UserError("The header of the file is compressed; export the video again.")
        if part.name == "trak":
            handler = ""
        elif part.name == "hdlr" and around == "mdia":
            handler = content(file, part, 12)[8:12].decode("latin-1")
        elif part.name == "elst" and int.from_bytes(content(file, part, 8)[4:], "big") > _MOST_EDITS:
            raise UserError(f"The file has more than {_MOST_EDITS} edits; export the video again.")
        elif around == "dref" and handler in ("vide", "") and not content(file, part, 4).ljust(4, b"\0")[3] & 1:
            # Bit 0 says: in this file (ISO 14496-12, 8.7.2).
            raise UserError("The file refers to another file for its pictures; export the video as one file.")
        elif around == "stsd" and handler == "vide":
            _check_entry(file, part, pixels)
        elif part.name in ("stsz", "stz2") and handler != "soun":
            n_samples, n_bytes = sample_sizes(file, part)
            _check_frames(n_samples, frames)
            if n_bytes > size:
                raise UserError("The index of the file claims more bytes than the file has; copy it again.")
        elif part.name in ("stts", "ctts") and handler != "soun":
            _check_frames(_sum_of_runs(file, part), frames)
    return Structure("mp4", {})


def _check_entry(file: BinaryIO, entry: Part, pixels: int) -> None:
    """Refuse a sample entry whose picture is too large, or cut down by a clean aperture (ISO 14496-12, 12.1.4)."""
    width, height = struct.unpack(">HH", content(file, entry, 28)[24:28].ljust(4, b"\0"))
    _check_pixels(width, height, pixels)
    for part in parts(file, entry.body + ENTRY_HEADS["vide"], entry.end, (*entry.inside, entry.name)):
        if part.name == "clap" and part.end - part.body >= 16:
            across, unit_across, down, unit_down = struct.unpack(">4I", content(file, part, 16))
            for shown, unit, whole in ((across, unit_across, width), (down, unit_down, height)):
                if unit and shown / unit < whole * (1 - _HIDDEN_SHARE):
                    raise UserError(_CROPPED)


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
    sizes = _integers(file, part, 12, count)
    return len(sizes), int(sizes.sum())


def _sum_of_runs(file: BinaryIO, part: Part) -> int:
    """Return the samples that a table of runs, each of a count and a value, describes."""
    count = int.from_bytes(content(file, part, 8)[4:], "big")
    return int(_integers(file, part, 8, 2 * count)[::2].sum())


def _integers(file: BinaryIO, part: Part, skipped: int, count: int) -> np.ndarray:
    """Return the 32-bit numbers of a table, as many as there are and at most ``count``."""
    file.seek(part.body + skipped)
    numbers = file.read(4 * max(0, min(count, (part.end - part.body - skipped) // 4)))
    return np.frombuffer(numbers[: len(numbers) // 4 * 4], ">u4").astype(np.int64)


def _check_elements(file: BinaryIO, pixels: int, frames: int) -> Structure:
    n_parts = n_header = 0
    counted: Counter[int] = Counter()  # by the number of the track
    tracks: list[dict[str, int]] = []
    for part in parts(file):
        guard.tick()
        around = part.inside[-1] if part.inside else ""
        allowed = {"Cluster": _IN_CLUSTER, "BlockGroup": _IN_BLOCK_GROUP, "Segment": _IN_SEGMENT}.get(around)
        if part.inside and (not part.name or (allowed is not None and part.name not in allowed)):
            raise UserError(_DAMAGED)
        if part.name == "CRC-32":
            _check_sum(file, part)
        if part.name in ("SimpleBlock", "Block"):
            number, n_frames = _block(content(file, part, 16))
            counted[number] += n_frames
        if "Cluster" in (part.name, *part.inside):
            continue
        n_parts += 1
        n_header += part.end - part.body if around == "Segment" else 0
        _check_header(n_parts, n_header, len(tracks), len(part.inside))
        if part.name == "TrackEntry":
            tracks.append({})
        elif part.name in _OF_TRACKS and tracks:
            tracks[-1][part.name] = _number(file, part)
            _check_pixels(tracks[-1].get("PixelWidth", 0), tracks[-1].get("PixelHeight", 0), pixels)
        elif part.name == "ChapterSegmentUUID" or (part.name == "EditionFlagOrdered" and _number(file, part)):
            raise UserError(_REORDERED)
    by_id = {}
    for track in tracks:
        if any(track.get(crop, 0) > track.get(side, 0) * _HIDDEN_SHARE for crop, side in _CROPS.items()):
            raise UserError(_CROPPED)
        count = counted[track.get("TrackNumber", 0)]
        if track.get("TrackType") == _PICTURES:
            _check_frames(count, frames)
        # FFmpeg keeps the lower 32 bits of a track's identifier, signed.
        uid = track.get("TrackUID", 0) & 0xFFFFFFFF
        by_id[uid - ((uid & 0x80000000) << 1)] = count
    return Structure("matroska", by_id)


_PICTURES = 1  # RFC 9559, 5.1.4.1.3
_CROPS = {
    "PixelCropTop": "PixelHeight",
    "PixelCropBottom": "PixelHeight",
    "PixelCropLeft": "PixelWidth",
    "PixelCropRight": "PixelWidth",
}
_OF_TRACKS = {"TrackNumber", "TrackUID", "TrackType", "PixelWidth", "PixelHeight", *_CROPS}


def _number(file: BinaryIO, part: Part) -> int:
    return int.from_bytes(content(file, part, 8), "big")


def _block(head: bytes) -> tuple[int, int]:
    """Return the track and the number of frames of a block (RFC 9559, 10.1)."""
    if not head or not head[0]:
        raise UserError(_DAMAGED)
    width = 9 - head[0].bit_length()
    if len(head) < width + 4:
        raise UserError(_DAMAGED)
    number = int.from_bytes(head[:width], "big") & ((1 << 7 * width) - 1)
    laced = head[width + 2] & 0x06
    return number, head[width + 3] + 1 if laced else 1


def _check_sum(file: BinaryIO, part: Part) -> None:
    """Compare what follows a CRC-32 element, to the end of the part around it, with its value (RFC 8794, 11.3.1)."""
    expected = int.from_bytes(content(file, part, 4), "little")
    value, left = 0, part.limit - part.end
    file.seek(part.end)
    while left > 0:
        block = file.read(min(left, 1 << 20))
        if not block:
            break
        value = zlib.crc32(block, value)
        left -= len(block)
        guard.tick()
    if value != expected:
        raise UserError(_DAMAGED)


def _check_chunks(file: BinaryIO, pixels: int, frames: int) -> Structure:
    n_parts = n_header = n_streams = 0
    counted: Counter[int] = Counter()  # by the number of the stream
    kind = ""
    for part in parts(file):
        guard.tick()
        if "movi" in part.inside:
            if not (part.name.isascii() and part.name.isprintable() and part.name):
                raise UserError(_DAMAGED)
            if part.name[:2].isdigit() and part.name[2:] in ("dc", "db"):
                # An empty chunk says: the picture before once more.
                counted[int(part.name[:2])] += part.end > part.body
                _check_frames(counted[int(part.name[:2])], frames)
            continue
        n_parts += 1
        n_header += part.end - part.body if part.name == "hdrl" else 0
        n_streams += part.name == "strl"
        _check_header(n_parts, n_header, n_streams, len(part.inside))
        if part.name == "strh":
            kind = content(file, part, 4).decode("latin-1")
        elif part.name == "strf" and kind == "vids":
            width, height = struct.unpack("<ii", content(file, part, 12)[4:].ljust(8, b"\0"))
            _check_pixels(abs(width), abs(height), pixels)
    return Structure("avi", dict(counted))


# ------------------------------------------------------------------------------------------------------- cut short


def _is_cut_short(file: BinaryIO, kind: str) -> bool:
    """Return whether the outermost boxes of a file reach beyond its end."""
    size = file.seek(0, 2)
    file.seek(0)
    if kind == "matroska":
        return _segment_end(file.read(4096)) > size
    offset = 0
    if kind == "avi":
        while offset + 12 <= size:  # OpenDML files are several RIFF chunks in a row
            file.seek(offset)
            name, length = struct.unpack("<4sI", file.read(8))
            if name != b"RIFF":
                return False
            offset += 8 + length + length % 2
        return offset > size + 1
    while offset + 8 <= size:  # ISO 14496-12, 4.2: boxes of a 32-bit length, 1 for a 64-bit one, 0 for "the rest"
        file.seek(offset)
        length, _ = struct.unpack(">I4s", file.read(8))
        if length == 1:
            length = struct.unpack(">Q", file.read(8).ljust(8, b"\0"))[0]
        if length == 0:
            return False
        if length < 8:
            return True
        offset += length
    return offset > size


def _segment_end(head: bytes) -> int:
    """Return where the Segment of a Matroska file ends by its own word, 0 when it does not say (RFC 8794, 4)."""

    def number(offset: int, keep_marker: bool) -> tuple[int, int]:
        length = 9 - head[offset].bit_length()
        value = int.from_bytes(head[offset : offset + length], "big")
        return (value if keep_marker else value & ((1 << 7 * length) - 1)), offset + length

    try:
        offset = 0
        for wanted in (0x1A45DFA3, 0x18538067):  # the EBML header, then the Segment
            identifier, offset = number(offset, True)
            start = offset
            length, offset = number(offset, False)
            if identifier != wanted:
                return 0
            unknown = length == (1 << 7 * (offset - start)) - 1
            if wanted == 0x18538067:
                return 0 if unknown else offset + length
            offset += length
    except IndexError:
        pass
    return 0
