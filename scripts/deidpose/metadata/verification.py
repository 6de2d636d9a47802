"""Verify on the file itself that a file to be released holds its pictures and nothing else.

Two measurements must agree. `violations` holds every byte of an MP4 against a list of what `encode.encode` writes; what
is not on the list is a violation. `inventory` looks for everything that a file can hold, in the source as well as in
the file; `compare_inventories` sets the two side by side.
"""

import logging
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from deidpose import tables
from deidpose.digests import file_sha256
from deidpose.errors import UserError
from deidpose.metadata import containers
from deidpose.metadata.bitstreams import units
from deidpose.metadata.containers import Part, content, parts
from deidpose.metadata.inventory import inventory
from deidpose.metadata.safe_harbor import Item, category, public_name
from deidpose.runtime import sandbox

_STBL = "moov trak mdia minf stbl"
#: Every box that a released file may have, by its way from the top; none of them twice.
_BOXES = {
    tuple(way.split())
    for way in (
        "ftyp", "free", "mdat", "moov", "moov mvhd", "moov trak", "moov trak tkhd", "moov trak edts",
        "moov trak edts elst", "moov trak mdia", "moov trak mdia mdhd", "moov trak mdia hdlr", "moov trak mdia minf",
        "moov trak mdia minf vmhd", "moov trak mdia minf dinf", "moov trak mdia minf dinf dref",
        "moov trak mdia minf dinf dref url", _STBL, f"{_STBL} stsd", f"{_STBL} stsd avc1", f"{_STBL} stsd avc1 avcC",
        f"{_STBL} stsd avc1 colr", f"{_STBL} stsd avc1 pasp", f"{_STBL} stsd avc1 btrt", f"{_STBL} stts",
        f"{_STBL} ctts", f"{_STBL} stss", f"{_STBL} stsc", f"{_STBL} stsz", f"{_STBL} stco", f"{_STBL} co64",
        "moov udta", "moov udta meta", "moov udta meta hdlr", "moov udta meta ilst",
    )
}  # fmt: skip
_MATRIX = bytes.fromhex("000100000000000000000000000000000001000000000000000000000000000040000000")
_UNSTATED_LANGUAGE = b"\x55\xc4"  # "und" (ISO 14496-12, 8.4.2.3)
#: What a box begins with, piece by piece: bytes that are always the same, or the number of bytes that are numbers about
#: the pictures (ISO 14496-12, sections 8 and 12). Times of creation and modification are zero, names are empty.
_CONTENT: dict[str, list[bytes | int]] = {
    "ftyp": [b"isom", b"\0\0\2\0", 4],
    "free": [],
    "mvhd": [bytes(12), 8, b"\0\1\0\0\1\0", bytes(10), _MATRIX, bytes(24), b"\0\0\0\2"],
    "tkhd": [b"\0\0\0\3", bytes(8), b"\0\0\0\1", bytes(4), 4, bytes(16), _MATRIX, 8],
    "mdhd": [bytes(12), 8, _UNSTATED_LANGUAGE, bytes(2)],
    "mdia hdlr": [bytes(8), b"vide", bytes(13)],
    "meta hdlr": [bytes(8), b"mdirappl", bytes(9)],
    "vmhd": [b"\0\0\0\1", bytes(8)],
    "dref": [bytes(4), b"\0\0\0\1"],
    "url": [b"\0\0\0\1"],
    "stsd": [bytes(4), b"\0\0\0\1"],
    "avc1": [bytes(6), b"\0\1", bytes(16), 4, b"\0\x48\0\0\0\x48\0\0", bytes(4), b"\0\1", bytes(32), b"\0\x18\xff\xff"],
    "colr": [b"nclx", 7],
    "pasp": [8],
    "btrt": [12],
    "ilst": [],
}  # fmt: skip
#: The same of version 1, with times and durations of 64 bits.
_WIDE_CONTENT: dict[str, list[bytes | int]] = {
    "mvhd": [b"\1", bytes(19), 12, *_CONTENT["mvhd"][2:]],
    "tkhd": [b"\1\0\0\3", bytes(16), b"\0\0\0\1", bytes(4), 8, *_CONTENT["tkhd"][5:]],
    "mdhd": [b"\1", bytes(19), 12, *_CONTENT["mdhd"][2:]],
}
#: Boxes of which this is only the beginning: boxes follow, or brands.
_LONGER = {"ftyp", "dref", "stsd", "avc1"}
#: Tables: the bytes before their number of entries, and those of an entry.
_TABLES = {
    "stts": (4, 8),
    "ctts": (4, 8),
    "stss": (4, 4),
    "stsc": (4, 12),
    "stco": (4, 4),
    "co64": (4, 8),
    "stsz": (8, 4),
}
_BRANDS = {b"isom", b"iso2", b"iso4", b"iso6", b"avc1", b"mp41"}
#: Units that are coded pictures (ITU-T H.264, table 7-1).
_PICTURES = {1, 5}
_PARAMETER_SETS = {7, 8}


def violations(path: str | Path) -> list[str]:
    """Return what an MP4 file holds that is neither a coded picture nor needed to show one; empty if it is clean.

    Every byte of the file is accounted for: each belongs to a box on the list, whose content is checked where it could
    hold anything, or to a coded picture. Sentences name boxes and no content.
    """
    with open(path, "rb") as file:
        if containers.kind_of(file) != "mp4":
            return ["it is no MP4 file"]
        try:
            return list(dict.fromkeys(_violations(file)))
        except (struct.error, IndexError, KeyError):
            return ["its boxes are not those of a video"]


def _violations(file: BinaryIO) -> Iterator[str]:
    seen: dict[tuple[str, ...], Part] = {}
    for part in _all_parts(file):
        way = (*part.inside, part.name.strip())
        if not part.name:
            yield f"bytes that belong to no box, in {part.inside[-1] if part.inside else 'the file'}"
        elif way not in _BOXES:
            # A name that is not known may itself be a secret.
            yield "a box that has no place in it"
        elif way in seen:
            yield f"a second box {way[-1]}"
        else:
            seen[way] = part
            yield from _wrong_content(file, part, way)
    stbl = tuple(_STBL.split())
    if not {("ftyp",), ("mdat",), ("moov", "mvhd"), (*stbl, "stsd", "avc1", "avcC"), (*stbl, "stsz")} <= set(seen):
        yield "its boxes are not those of a video"
        return
    boxes = {way[-1]: content(file, part, part.end - part.body) for way, part in seen.items() if way[:-1] == stbl}
    yield from _wrong_header(content(file, seen[*stbl, "stsd", "avc1", "avcC"]))
    yield from _wrong_samples(file, seen["mdat",], boxes)


def _all_parts(file: BinaryIO) -> Iterator[Part]:
    for part in parts(file):
        yield part
        if part.inside[-1:] == ("stsd",):
            start = part.body + containers.ENTRY_HEADS["vide"]
            yield from parts(file, start, part.end, (*part.inside, part.name))


def _wrong_content(file: BinaryIO, part: Part, way: tuple[str, ...]) -> Iterator[str]:
    """Yield what is wrong with the content of one box."""
    name = way[-1]
    size = part.end - part.body
    box = content(file, part, 4096)
    pieces = _CONTENT.get(" ".join(way[-2:]), _CONTENT.get(name))
    if box[:1] == b"\1":
        pieces = _WIDE_CONTENT.get(name, pieces)
    if pieces is not None:
        offset = 0
        for piece in pieces:
            expected = piece if isinstance(piece, bytes) else box[offset : offset + piece]
            if box[offset : offset + len(expected)] != expected:
                yield f"something in the box {name}"
            offset += len(expected)
        if size != offset and name not in _LONGER:
            yield f"something in the box {name}"
    if name == "ftyp" and (size > 40 or not {box[at : at + 4] for at in range(8, len(box), 4)} <= _BRANDS):
        yield "a brand that is not known"
    if name in _TABLES:
        before, entry = _TABLES[name]
        if name == "stsz" and any(box[4:8]):  # all samples have the same size, and there is no table
            entry = 0
        if size != before + 4 + entry * int.from_bytes(box[before : before + 4], "big"):
            yield f"something in the box {name}"
    if name == "elst":
        entry = 20 if box[:1] == b"\1" else 12
        if size != 8 + entry * int.from_bytes(box[4:8], "big"):
            yield "something in the box elst"


def _wrong_header(avcc: bytes) -> Iterator[str]:
    """Yield what is wrong with the header of the stream: parameter sets, four bytes of a profile, and the end."""
    offset = 5
    for mask in (31, 255):
        count = avcc[offset] & mask
        offset += 1
        for _ in range(count):
            size = int.from_bytes(avcc[offset : offset + 2], "big")
            if avcc[offset + 2] & 31 not in _PARAMETER_SETS:
                yield "a message in the header of the stream"
            offset += 2 + size
    extension = avcc[offset:]
    if extension and (len(extension) != 4 or extension[3] != 0):
        yield "something behind the header of the stream"


def _wrong_samples(file: BinaryIO, mdat: Part, boxes: Mapping[str, bytes]) -> Iterator[str]:
    """Yield what is wrong with the coded data: bytes of no sample, or units of a sample that are no picture."""
    one_size, n_samples = struct.unpack(">II", boxes["stsz"][4:12])
    if one_size:
        sizes = [one_size] * min(n_samples, mdat.end - mdat.body)
    else:
        sizes = [size for (size,) in struct.iter_unpack(">I", boxes["stsz"][12:])]
    chunks = "co64" if "co64" in boxes else "stco"
    offsets = [at for (at,) in struct.iter_unpack(">Q" if chunks == "co64" else ">I", boxes[chunks][8:])]
    runs = list(struct.iter_unpack(">III", boxes["stsc"][8:]))
    at, sample = mdat.body, 0
    for number, chunk in enumerate(offsets, 1):
        in_chunk = next(count for first, count, _ in reversed(runs) if first <= number)
        if chunk != at:
            yield "bytes that belong to no picture"
            return
        for size in sizes[sample : sample + in_chunk]:
            file.seek(at)
            packet = file.read(size)
            found = list(units(packet, 4))
            if {unit[0] & 31 for unit in found} - _PICTURES or sum(4 + len(unit) for unit in found) != len(packet):
                yield "a message between the pictures"
                return
            at += size
        sample += in_chunk
    if at != mdat.end or sample != len(sizes):
        yield "bytes that belong to no picture"


def inventory_of_source(path: str | Path, limits: Mapping[str, Any]) -> pd.DataFrame:
    """Return the table ``inventory`` of a source, read in a child process.

    Parameters
    ----------
    path : path
    limits : mapping
        ``screen`` of the configuration.

    Returns
    -------
    DataFrame
        One row that says so when the source cannot be read within its limits: what is made from it is measured all
        the same.
    """
    arguments = {"path": str(path), "pixels": round(limits["max_megapixels"] * 1e6)}
    try:
        table = pd.DataFrame(
            sandbox.run("deidpose.metadata.inventory:columns", arguments, sandbox.bounds(path, limits))
        )
    except UserError as error:
        logging.warning("The source could not be measured. %s", error)
        item = Item("ffmpeg", "file", "not read", "")
        table = pd.DataFrame([{**item._asdict(), "category": category(item), "n": 1, "size_bytes": 0}])
    return tables.check(table, "inventory")


def compare_inventories(
    video: str, before: pd.DataFrame, after: Mapping[str, pd.DataFrame], released: bool
) -> pd.DataFrame:
    """Set what a source held beside what each file holds that was made from it.

    Parameters
    ----------
    video : str
        Id of the video.
    before : DataFrame
        The table ``inventory`` of the source.
    after : mapping
        File, as in the column of that name, -> the table ``inventory`` of it.
    released : bool
        Give only names that are well known. All others become "other".

    Returns
    -------
    DataFrame
        The table ``sanitizing``: for each file all that the source or the file holds.
    """
    name = public_name if released else lambda item: item.key
    counts = {label: _counts(table, name) for label, table in after.items()}
    source = _counts(before, name)
    rows = []
    for label, count in counts.items():
        for letters, item in sorted({*source, *count}):
            row = {"video": video, "file": label, "category": letters, **item._asdict()}
            key = (letters, item)
            rows.append({**row, "n_before": source.get(key, 0), "n_after": count.get(key, 0)})
    return tables.check(pd.DataFrame(rows, columns=list(tables.TABLES["sanitizing"])), "sanitizing")


def _counts(table: pd.DataFrame, name: Any) -> dict[tuple[str, Item], int]:
    counts: dict[tuple[str, Item], int] = {}
    for row in table.to_dict("records"):
        item = Item(row["read_by"], row["place"], row["kind"], row["key"])
        key = (row["category"], item._replace(key=name(item)))
        counts[key] = counts.get(key, 0) + row["n"]
    return counts


def prove(path: str | Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """Measure one file that is to be released.

    Returns
    -------
    table : DataFrame
        The table ``inventory`` of the file; empty when it cannot be read.
    proof : dict
        ``sha256`` of the file, ``verdict`` (pass or fail) and ``reason``.
    """
    wrong = violations(path)
    try:
        table = inventory(path)
    except UserError:
        table = tables.empty("inventory")
        wrong.append("it cannot be read")
    wrong += [f"{item.kind} {public_name(item)}" for item in _identifying(table)]
    reason = f"metadata: {', '.join(wrong)}" if wrong else ""
    return table, {"sha256": file_sha256(path), "verdict": "fail" if wrong else "pass", "reason": reason}


def _identifying(table: pd.DataFrame) -> list[Item]:
    items = [Item(row["read_by"], row["place"], row["kind"], row["key"]) for row in table.to_dict("records")]
    return [item for item in items if category(item)]
