"""Refuse source files whose container is built to do harm, or to show a player something other than FFmpeg sees."""

import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import BinaryIO, NamedTuple

from deidpose.errors import UserError
from deidpose.metadata.containers import (
    DEEPEST,
    ENTRY_HEADS,
    IN_SEGMENT,
    Part,
    content,
    integers,
    kind_of,
    parts,
    sample_sizes,
)
from deidpose.runtime import sandbox
from deidpose.video.decode import NO_VIDEO

#: Parts of a header, all that is not a coded frame or an entry of an index. Phones write about a hundred.
_MOST_PARTS = 100_000
#: FFmpeg reads headers and attachments into memory as a whole.
_LARGEST_HEADER = 256_000_000
_MOST_EDITS = 10_000
_MOST_STREAMS = 100
#: Apertures of broadcasting cut up to 16 of 720 columns off, and nobody hides anything with that.
_HIDDEN_SHARE = 1 / 16


class Structure(NamedTuple):
    """What `check` finds: the kind of file, and the coded frames of each track by the id that FFmpeg gives it."""

    kind: str
    n_frames: dict[int, int]


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


def check_container(path: str | Path, pixels: int, frames: int) -> Structure:
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
    if depth >= DEEPEST:
        raise UserError(f"The header of the file is more than {DEEPEST} parts deep; export the video again.")
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
        sandbox.tick()
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


def _sum_of_runs(file: BinaryIO, part: Part) -> int:
    """Return the samples that a table of runs, each of a count and a value, describes."""
    count = int.from_bytes(content(file, part, 8)[4:], "big")
    return int(integers(file, part, 8, 2 * count)[::2].sum())


def _check_elements(file: BinaryIO, pixels: int, frames: int) -> Structure:
    n_parts = n_header = 0
    counted: Counter[int] = Counter()  # by the number of the track
    tracks: list[dict[str, int]] = []
    for part in parts(file):
        sandbox.tick()
        around = part.inside[-1] if part.inside else ""
        allowed = {"Cluster": _IN_CLUSTER, "BlockGroup": _IN_BLOCK_GROUP, "Segment": IN_SEGMENT}.get(around)
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
        sandbox.tick()
    if value != expected:
        raise UserError(_DAMAGED)


def _check_chunks(file: BinaryIO, pixels: int, frames: int) -> Structure:
    n_parts = n_header = n_streams = 0
    counted: Counter[int] = Counter()  # by the number of the stream
    kind = ""
    for part in parts(file):
        sandbox.tick()
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
