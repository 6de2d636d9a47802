"""List everything that a video file holds besides its pictures: tags, streams, chapters, attachments, messages.

A file is read twice, by FFmpeg and byte by byte (`containers`, `bitstreams`): each sees what the other cannot. Only
kinds, names and sizes are kept, never a value.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import av
import pandas as pd
from av.container import InputContainer
from av.stream import Stream

from deidpose import tables
from deidpose.metadata import containers
from deidpose.metadata.bitstreams import messages, unit_length_size
from deidpose.metadata.containers import Part, content, parts
from deidpose.metadata.safe_harbor import Item, category
from deidpose.runtime import sandbox
from deidpose.video.decode import open_container, open_video, side_data

#: Frames of the picture stream that are decoded to see what comes with them.
_DECODED_FRAMES = 32
#: So many different names are told apart; what follows is counted as one.
_MOST_NAMES = 2000
_MOST_PARTS = 200_000
_LONGEST_NAME = 64
_READ_BYTES = 1 << 20


def inventory(path: str | Path, pixels: int | None = None) -> pd.DataFrame:
    """Return what a file holds besides its pictures.

    Parameters
    ----------
    path : path
        Any file. Everything about it is distrusted.
    pixels : int, optional
        As `decode.open_video` takes it.

    Returns
    -------
    DataFrame
        The table ``inventory``, a row for each kind and name, in the order of both.

    Raises
    ------
    UserError
        It is no video that can be read.
    """
    found = _Found()
    with open(path, "rb") as file:
        _read_bytes(file, found)
    _read_with_ffmpeg(path, pixels, found)
    rows = [
        {**item._asdict(), "category": category(item), "n": found.counts[item], "size_bytes": found.sizes[item]}
        for item in sorted(found.counts)
    ]
    return tables.check(pd.DataFrame(rows, columns=list(tables.TABLES["inventory"])), "inventory")


def columns(path: str, pixels: int) -> dict[str, list[Any]]:
    """Return the columns of `inventory` by name, as `sandbox.run` can pass them on."""
    return {str(name): values.tolist() for name, values in inventory(path, pixels).items()}


class _Found:
    """Counts and sizes by item, of a bounded number of items."""

    def __init__(self) -> None:
        self.counts: Counter[Item] = Counter()
        self.sizes: Counter[Item] = Counter()

    def add(self, read_by: str, place: str, kind: str, key: str, size: int, count: int = 1) -> None:
        name = "".join(letter if letter.isprintable() else "?" for letter in key[:_LONGEST_NAME])
        item = Item(read_by, place, kind, name)
        if item not in self.counts and len(self.counts) >= _MOST_NAMES:
            item = Item(read_by, place, kind, "")
        self.counts[item] += count
        self.sizes[item] += size


# ------------------------------------------------------------------------------------------------------ as FFmpeg reads

_KINDS = {
    "audio": "sound stream",
    "subtitle": "subtitle stream",
    "data": "data stream",
    "attachment": "attachment",
}
#: Values that say nothing: the vendor that is not stated, FFmpeg's own name, and no language; nor do zeros.
_EMPTY_VALUES = {"[0][0][0][0]", "Lavf", "und", ""}


def _read_with_ffmpeg(path: str | Path, pixels: int | None, found: _Found) -> None:
    container, stream = open_video(path, pixels=pixels)
    with container:
        index = stream.index
        _add_tags(container.metadata, "container", found)
        for chapter in container.chapters():
            found.add("ffmpeg", "container", "chapter", "", 0)
            _add_tags(chapter["metadata"], "chapter", found)
        for each in container.streams:
            found.add("ffmpeg", "container", _kind_of(each, index), _name_of(each), 0)
            _add_tags(each.metadata, "stream", found)
        _read_packets(container, index, found)
    with open_container(path, pixels) as container:
        _read_frames(container, container.streams[index], found)


def _kind_of(stream: Stream, chosen: int) -> str:
    if stream.type == "video":
        if stream.disposition & av.stream.Disposition.attached_pic:
            return "cover picture"
        return "picture stream" if stream.index == chosen else "further picture stream"
    return _KINDS.get(stream.type, "other stream")


def _name_of(stream: Stream) -> str:
    """Return the codec of a stream in FFmpeg's own words."""
    if stream.codec_context is not None:
        return str(stream.codec_context.codec.canonical_name)
    return str(getattr(stream, "name", None) or "") if stream.type == "data" else ""


def _add_tags(tags: dict[str, str], place: str, found: _Found) -> None:
    for key, value in tags.items():
        if value not in _EMPTY_VALUES and value.strip("0:;."):
            found.add("ffmpeg", place, "tag", key, len(value.encode("utf-8", "replace")))


def _read_packets(container: InputContainer, chosen: int, found: _Found) -> None:
    """Count the bytes of every stream, the side data of its packets and the messages in the coded pictures."""
    codecs = {stream.index: _name_of(stream) for stream in container.streams}
    kinds = {stream.index: _kind_of(stream, chosen) for stream in container.streams}
    headers = {
        stream.index: bytes(stream.codec_context.extradata or b"")
        for stream in container.streams
        if stream.type == "video" and stream.codec_context is not None
    }
    lengths = {index: unit_length_size(codecs[index], header) for index, header in headers.items()}
    for index, header in headers.items():
        _add_messages(codecs[index], _units_of_header(codecs[index], header), 0, found)
    try:
        for packet in container.demux():
            sandbox.tick()
            index = packet.stream_index
            found.sizes[Item("ffmpeg", "container", kinds[index], codecs[index])] += packet.size
            for data in packet.iter_sidedata():
                found.add("ffmpeg", "packet", "side data", _packet_kind(data), data.data_size)
            if index in lengths and packet.size:
                _add_messages(codecs[index], bytes(packet), lengths[index], found)
    except MemoryError:
        raise
    except av.error.FFmpegError:
        found.add("ffmpeg", "container", "not read", "", 0)


def _packet_kind(data: Any) -> str:
    try:
        return str(data.data_type)
    except IndexError:  # FFmpeg knows more kinds than PyAV
        return "unknown"


def _add_messages(codec: str, packet: bytes, length_size: int, found: _Found) -> None:
    for message in messages(codec, packet, length_size):
        found.add("bytes", "coded stream", message.kind, message.key, message.size_bytes)


def _units_of_header(codec: str, header: bytes) -> bytes:
    """Return the units in the header of a stream, with start codes.

    ISO 14496-15, 5.3.3.1 and 8.3.3.1: H.264 has two lists, H.265 any number of them, each with the type of its units.
    """
    if not unit_length_size(codec, header):
        return header
    h264 = codec == "h264"
    offset, n_lists = (5, 2) if h264 else (22, 1)
    if not h264:
        n_lists, offset = header[22], 23
    found = b""
    for number in range(n_lists):
        if h264:
            n_units, offset = header[offset : offset + 1], offset + 1
            count = int.from_bytes(n_units, "big") & (31 if number == 0 else 255)
        else:
            count, offset = int.from_bytes(header[offset + 1 : offset + 3], "big"), offset + 3
        for _ in range(count):
            size = int.from_bytes(header[offset : offset + 2], "big")
            found += b"\0\0\1" + header[offset + 2 : offset + 2 + size]
            offset += 2 + size
            if offset >= len(header):
                return found
    return found


def _shows_time(time_code: bytes) -> bool:
    """Return whether a time code of MPEG-2 is not zero; bit 12 is a marker (ISO 13818-2, 6.2.2.6)."""
    return bool(int.from_bytes(time_code, sys.byteorder) & ~(1 << 12))


def _read_frames(container: InputContainer, stream: Any, found: _Found) -> None:
    n_frames = 0
    try:
        for packet in container.demux(stream):
            sandbox.tick()
            for frame in packet.decode():
                n_frames += 1
                for data in side_data(frame):
                    if data.type.name == "GOP_TIMECODE" and not _shows_time(bytes(data)):
                        continue
                    found.add("ffmpeg", "frame", "side data", data.type.name, data.buffer_size)
                _add_tags(frame.metadata, "frame", found)
            if n_frames >= _DECODED_FRAMES:
                return
    except MemoryError:
        raise
    except av.error.FFmpegError:
        found.add("ffmpeg", "frame", "not read", "", 0)


# ------------------------------------------------------------------------------------------------------- byte by byte


def _read_bytes(file: BinaryIO, found: _Found) -> None:
    kind = containers.kind_of(file)
    read = {"mp4": _read_boxes, "matroska": _read_elements, "avi": _read_chunks}.get(kind)
    if read is not None:
        read(file, _bounded(parts(file), found), found)


def _bounded(walked: Iterator[Part], found: _Found) -> Iterator[Part]:
    n_parts = 0
    for part in walked:
        sandbox.tick()
        n_parts += "Cluster" not in part.inside and "movi" not in part.inside
        if n_parts > _MOST_PARTS:
            found.add("bytes", "file", "not read", "", part.limit - part.start)
            return
        yield part


def _add_padding(file: BinaryIO, part: Part, found: _Found) -> None:
    """Add padding that is not all zero: no player shows what is in it."""
    padding = content(file, part, _READ_BYTES)
    if padding.strip(b"\0"):
        found.add("bytes", "file", "padding", part.name, part.end - part.body)


def _names(text: str) -> set[str]:
    return {name.replace("~", " ") for name in text.split()}


#: Boxes that say where the samples are and how to decode them (ISO 14496-12; QuickTime File Format). "~" is a blank.
_PLAIN_BOXES = _names(
    """
    ftyp styp moov trak edts mdia minf dinf dref stbl stsd udta meta keys ilst mdat moof mfhd traf tfhd tfdt trun mfra
    tfra mfro sidx mvex trex mehd vmhd smhd nmhd hmhd sthd gmhd gmin stts ctts stsc stsz stz2 stco co64 stss iods tref
    subs saiz saio pnot jP~~ jp2h
    """
)
_PLAIN_IN_ENTRY = _names("avcC hvcC av1C vpcC esds d263 glbl SmDm CoLL lhvC jp2h")
_ENTRIES = {
    "vide": "sample entry of pictures",
    "soun": "sample entry of sound",
    **dict.fromkeys(("text", "sbtl", "subt", "clcp"), "sample entry of text"),
}
_IDENTITY = bytes.fromhex("000100000000000000000000000000000001000000000000000000000000000040000000")
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # XMP specification, part 3, 1.1.6


def _read_boxes(file: BinaryIO, walked: Iterator[Part], found: _Found) -> None:
    handler, keys = "", [""]
    n_media = n_used = 0
    fragmented = False
    for part in walked:
        around = part.inside[-1] if part.inside else ""
        size = part.end - part.body
        place = "track" if "trak" in part.inside else "container"
        if part.name == "trak":
            handler = ""
        n_media += size if part.name == "mdat" else 0
        n_used += containers.sample_sizes(file, part)[1] if part.name in ("stsz", "stz2") else 0
        fragmented |= part.name in ("moof", "stz2")
        if not part.name:
            if any(content(file, part, _READ_BYTES)):
                found.add("bytes", "file", "not read", "", size)
        elif part.name in ("mvhd", "tkhd", "mdhd"):
            _read_header_box(file, part, found)
        elif part.name == "hdlr":
            head = content(file, part, 4096)
            handler = head[8:12].decode("latin-1") if around == "mdia" else handler
            if head[24:].strip(b"\0"):
                found.add("bytes", place, "name", "hdlr", size - 24)
        elif around == "stsd":
            found.add("bytes", "track", _ENTRIES.get(handler, "sample entry"), part.name, size)
            _read_entry(file, part, handler, found)
        elif around == "dref":
            if not content(file, part, 4).ljust(4, b"\0")[3] & 1 or size > 4:
                found.add("bytes", "track", "reference to a file", part.name, size)
        elif part.name == "elst":
            found.add("bytes", "track", "edit list", "elst", size, int.from_bytes(content(file, part, 8)[4:], "big"))
        elif part.name == "keys":
            keys = _keys(content(file, part, _READ_BYTES))
        elif around == "ilst":
            found.add("bytes", place, "tag", _item_name(file, part, keys), size)
        elif "ilst" in part.inside:
            continue
        elif part.name == "uuid":
            key = "XMP" if content(file, part, 16) == _XMP else "uuid"
            found.add("bytes", place, "box", key, size)
        elif part.name in ("free", "skip", "wide"):
            _add_padding(file, part, found)
        elif around == "udta" and part.name != "meta":
            found.add("bytes", place, "user data", part.name, size)
        elif part.name not in _PLAIN_BOXES:
            found.add("bytes", place, "box", part.name, size)
    if n_media > n_used and not fragmented:
        found.add("bytes", "file", "not read", "media data of no sample", n_media - n_used)


def _read_header_box(file: BinaryIO, part: Part, found: _Found) -> None:
    """Add times of creation and modification, and the display matrix (ISO 14496-12, 8.2.2, 8.3.2 and 8.4.2)."""
    box = content(file, part, 128)
    wide = box[:1] == b"\1"
    if any(box[4 : 20 if wide else 12]):
        found.add("bytes", "track" if "trak" in part.inside else "container", "date", part.name, 16 if wide else 8)
    start = 52 if wide else 40
    if part.name == "tkhd" and box[start : start + 36] != _IDENTITY:
        found.add("bytes", "track", "display matrix", "tkhd", 36)


def _read_entry(file: BinaryIO, entry: Part, handler: str, found: _Found) -> None:
    if handler == "vide" and any(content(file, entry, 74)[42:]):
        found.add("bytes", "track", "name", "compressorname", 32)
    head = containers.ENTRY_HEADS.get("tmcd" if entry.name == "tmcd" else handler)
    if head is None:
        return
    for part in parts(file, entry.body + head, entry.end, (*entry.inside, entry.name)):
        size = part.end - part.body
        if part.name == "name":
            found.add("bytes", "track", "name", "reel_name", size)
        elif part.name and part.inside[-1] == entry.name and part.name not in _PLAIN_IN_ENTRY:
            found.add("bytes", "track", "box", part.name, size)


def _keys(box: bytes) -> list[str]:
    """Return the names of the metadata of QuickTime, the first at index 1 (QuickTime File Format, "keys")."""
    names, offset = [""], 8
    while offset + 8 <= len(box) and len(names) < _MOST_NAMES:
        size = int.from_bytes(box[offset : offset + 4], "big")
        if size < 8:
            break
        names.append(box[offset + 8 : offset + size].decode("utf-8", "replace"))
        offset += size
    return names


def _item_name(file: BinaryIO, item: Part, keys: Sequence[str]) -> str:
    index = int.from_bytes(item.name.encode("latin-1"), "big")
    if 0 < index < len(keys):
        return keys[index]
    if item.name == "----":  # named in a box of its own
        for part in parts(file, item.body, item.end, (*item.inside, item.name)):
            if part.name == "name":
                return content(file, part, 4 + _LONGEST_NAME)[4:].decode("utf-8", "replace")
    return item.name


#: Elements that say where the frames are and how to decode and show them (RFC 9559, section 5).
_PLAIN_ELEMENTS = _names(
    """
    EBML EBMLVersion EBMLReadVersion EBMLMaxIDLength EBMLMaxSizeLength DocType DocTypeVersion DocTypeReadVersion
    Segment SeekHead Info Tracks Cues Chapters Attachments Tags Cluster CRC-32 TimestampScale Duration Timestamp
    Position PrevSize SimpleBlock BlockGroup Block BlockAdditions BlockMore BlockAddID BlockDuration ReferencePriority
    ReferenceBlock CodecState DiscardPadding Slices SilentTracks TrackEntry TrackNumber TrackType FlagEnabled
    FlagDefault FlagForced FlagLacing MinCache DefaultDuration MaxBlockAdditionID BlockAddIDValue BlockAddIDName
    BlockAddIDType BlockAddIDExtraData Language LanguageBCP47 CodecID CodecPrivate CodecDecodeAll CodecDelay
    SeekPreRoll Video Audio PixelWidth PixelHeight PixelCropBottom PixelCropTop PixelCropLeft PixelCropRight
    DisplayWidth DisplayHeight DisplayUnit FlagInterlaced FieldOrder StereoMode AlphaMode UncompressedFourCC Colour
    MatrixCoefficients BitsPerChannel ChromaSubsamplingHorz ChromaSubsamplingVert CbSubsamplingHorz CbSubsamplingVert
    ChromaSitingHorz ChromaSitingVert Range TransferCharacteristics Primaries ContentEncodings EditionUID
    EditionFlagHidden EditionFlagDefault EditionFlagOrdered ChapterDisplay AttachedFile FileUID Tag Targets SimpleTag
    TagLanguage TagString Projection ProjectionType ProjectionPoseYaw ProjectionPosePitch ProjectionPoseRoll
    TrackOperation
    """
)
#: FFmpeg numbers the tracks and writes "Lavf" and the duration; other programs draw numbers at random.
_SMALL_NUMBER = 1000
_OWN_NAME = b"Lavf"


def _read_elements(file: BinaryIO, walked: Iterator[Part], found: _Found) -> None:
    for part in walked:
        size = part.end - part.body
        place = "track" if "TrackEntry" in part.inside else "container"
        if not part.name:
            found.add("bytes", "file", "not read", "", size)
        elif part.name == "Void":
            _add_padding(file, part, found)
        elif part.name == "TagName":
            found.add("bytes", place, "tag", content(file, part, _LONGEST_NAME).decode("utf-8", "replace"), size)
        elif part.name == "FileData":
            beginning = content(file, part, 4096)
            key = "XMP" if b"<x:xmpmeta" in beginning or b"http://ns.adobe.com/xap" in beginning else ""
            found.add("bytes", place, "attachment", key, size)
        elif part.name == "TrackUID":
            if int.from_bytes(content(file, part, 8), "big") > _SMALL_NUMBER:
                found.add("bytes", place, "element", "TrackUID", size)
        elif part.name in ("MuxingApp", "WritingApp"):
            if content(file, part, 64) != _OWN_NAME:
                found.add("bytes", place, "element", part.name, size)
        elif part.name not in _PLAIN_ELEMENTS:
            found.add("bytes", place, "element", part.name, size)


#: Chunks that say where the frames are and how to decode them (AVI RIFF File Reference; OpenDML 1.02).
_PLAIN_CHUNKS = _names("AVI~ AVIX hdrl avih strl strh strf odml dmlh indx idx1 movi rec~ vprp INFO")


def _read_chunks(file: BinaryIO, walked: Iterator[Part], found: _Found) -> None:
    for part in walked:
        size = part.end - part.body
        if not part.name:
            found.add("bytes", "file", "not read", "", size)
        elif part.name in ("JUNK", "PAD "):
            _add_padding(file, part, found)
        elif "movi" in part.inside and (part.name[:2].isdigit() or part.name.startswith("ix")):
            continue
        elif part.name not in _PLAIN_CHUNKS:
            found.add("bytes", "container", "chunk", part.name.strip(), size)
