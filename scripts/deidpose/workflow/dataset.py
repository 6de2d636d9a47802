"""List the source videos, give each an id, and notice when one has changed.

Imports the standard library only, because the Snakefile imports this module and every job on a cluster reads the
Snakefile again.
"""

import difflib
import hashlib
import hmac
import logging
import os
import posixpath
import secrets
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from deidpose.errors import UserError
from deidpose.workflow import hand_written_tables
from deidpose.workflow.hand_written_tables import shown

#: Endings of video files, in lower case; upper case counts too.
EXTENSIONS: tuple[str, ...] = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm")

#: What an id of a video looks like. No underscore: file names join id and method with one.
ID_PATTERN = "[A-Za-z0-9][A-Za-z0-9-]*"

#: What a token of a person looks like, see `people.token`.
TOKEN_PATTERN = "[0-9]+-[0-9a-f]{6}"

_SECRET_LENGTH = 32  # characters; fewer could be guessed
_SAMPLE = 64 * 1024  # bytes read at the beginning, in the middle and at the end for a fingerprint


class Row(NamedTuple):
    """One row of the table of videos; what is not given is empty."""

    source: str
    video: str
    subject: str
    condition: str
    patient: str = ""
    visible: str = ""


class Details(NamedTuple):
    """What the table of videos says of one video; what is not given is empty."""

    subject: str = ""
    condition: str = ""
    patient: str = ""  # token of a person; empty for the likeliest
    visible: tuple[str, ...] = ()  # tokens of those who stay visible


def scan(
    dataset: str | Path, videos_table: str | Path | None, secret: bytes, skip: Iterable[str | Path] = ()
) -> dict[str, str]:
    """Return the id and the path of every video in a directory tree.

    Hidden files and directories, among them the ``._name`` files of macOS, are left out. Links are followed, those
    to directories too, except back into a directory that leads to them. A link to a file that does not exist is left
    out with a warning.

    Parameters
    ----------
    dataset : path
        The directory. ``~`` is expanded.
    videos_table : path, optional
        The table of videos, see `read_table`. Videos that it does not list get an id all the same.
    secret : bytes
        The key of the ids, see `read_or_make_secret`.
    skip : paths
        Directories that are not searched, such as the one with the results.

    Returns
    -------
    dict
        id -> path, sorted by the path inside the dataset. Paths that are not UTF-8 keep their bytes as
        `os.fsdecode` does.

    Raises
    ------
    UserError
        The dataset is missing, not a directory, unreadable or without videos, or the table does not fit it.
    """
    root = os.path.expanduser(dataset)
    if not os.path.exists(root):
        raise UserError(f"The dataset {root} does not exist: set `dataset` to the directory with your videos.")
    if not os.path.isdir(root):
        raise UserError(f"The dataset {root} is not a directory: set `dataset` to the directory that the video is in.")
    sources = sorted(_walk(root, frozenset(os.path.realpath(os.path.expanduser(path)) for path in skip)))
    broken = [source for source in sources if not os.path.exists(os.path.join(root, source))]
    if broken:
        # No names: this may be printed to the log of a cluster job.
        logging.getLogger(__name__).warning("%d links to videos lead nowhere and are left out.", len(broken))
        sources = sorted(set(sources) - set(broken))
    if not sources:
        raise UserError(f"The dataset {root} holds no videos: none of its files ends in {', '.join(EXTENSIONS)}.")
    rows = _match(read_table(videos_table), sources, videos_table) if videos_table else {}
    videos: dict[str, str] = {}
    taken: dict[str, str] = {}
    for source in sources:
        row = rows.get(source)
        video = row.video if row and row.video else video_id(source, secret)
        if video.lower() in taken:
            raise UserError(
                f"The videos {shown(taken[video.lower()])} and {shown(source)} have the same id {video}: "
                "give one of them another in the table of videos."
            )
        taken[video.lower()] = source
        videos[video] = os.path.join(root, source)
    return videos


def details(videos: Mapping[str, str], dataset: str | Path, videos_table: str | Path | None) -> dict[str, Details]:
    """Return what the table of videos says about each video, by id; defaults for a video that it does not list.

    Parameters
    ----------
    videos : mapping
        From `scan`, with the same dataset and table.
    dataset, videos_table : path
        See `scan`.
    """
    root = os.path.expanduser(dataset)
    ids = {os.path.relpath(path, root): video for video, path in videos.items()}
    rows = _match(read_table(videos_table), list(ids), videos_table) if videos_table else {}
    found = {
        source: Details(row.subject, row.condition, row.patient, _tokens(row.visible)) for source, row in rows.items()
    }
    return {video: found.get(source, Details()) for source, video in ids.items()}


def video_id(source: str, secret: bytes) -> str:
    """Return the pseudonymous id of a video, ``v`` and 12 hexadecimal digits.

    It depends on the path inside the dataset (with ``/``) and on the secret alone, so it stays when other videos
    come or go, and nobody can find the name to an id, or try names out, without the secret.
    """
    return "v" + hmac.new(secret, os.fsencode(source), hashlib.sha256).hexdigest()[:12]


def read_table(path: str | Path) -> list[Row]:
    """Return the rows of a table of videos.

    `hand_written_tables.read` says what the file may look like, and ``config/videos.schema.yaml`` what its columns may
    hold.

    Raises
    ------
    UserError
        The table cannot be read, a field does not fit the schema, or an id or a source comes twice.
    """
    rows: list[Row] = []
    seen: dict[tuple[str, str], int] = {}
    for line, fields in hand_written_tables.read(path, "videos", other_bytes=True):
        row = Row(**fields)
        # Ids become file names, and some file systems take A and a for the same.
        for column, value in (("source", row.source), ("id", row.video.lower())):
            if value and (column, value) in seen:
                raise UserError(
                    f"{hand_written_tables.where(line, path, 'videos')} repeats the {column} '{shown(value)}' of line "
                    f"{seen[column, value]}."
                )
            seen[column, value] = line
        rows.append(row)
    return rows


def read_or_make_secret(path: str | Path) -> bytes:
    """Return the secret that ids are made with; make one of 32 random bytes when there is none.

    Only its owner may read a new one. Processes that come at the same time get the same.

    Raises
    ------
    UserError
        The secret cannot be read or written, or is too short to keep anything secret.
    """
    file = Path(os.path.expanduser(path))
    try:
        if not file.exists():
            _make_secret(file)
        secret = file.read_bytes().strip()
    except OSError as error:
        raise UserError(f"The secret {file} can be neither read nor made: {error.strerror}.") from None
    if len(secret) < _SECRET_LENGTH:
        raise UserError(
            f"The secret {file} has fewer than {_SECRET_LENGTH} characters: restore it from a backup, or delete it "
            "and every video gets a new id."
        )
    return secret


def fingerprint(path: str | Path) -> str:
    """Return a cheap identity of a file's content: its size and a digest of its beginning, middle and end.

    Unlike the time of modification it stays when a dataset is copied. Empty when the file cannot be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # reading a named pipe would wait for ever
            return ""
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            digest = hashlib.sha256()
            for start in (0, max(0, (size - _SAMPLE) // 2), max(0, size - _SAMPLE)):
                file.seek(start)
                digest.update(file.read(_SAMPLE))
    except OSError:
        return ""
    return f"{size}-{digest.hexdigest()}"


def _walk(root: str, skip: frozenset[str], inside: str = "", above: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the path inside the dataset, with ``/``, of each file that has the ending of a video."""
    folder = os.path.join(root, inside)
    real = os.path.realpath(folder)
    if real in above or real in skip:
        return
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise UserError(f"The directory {shown(folder)} of the dataset cannot be read: {error.strerror}.") from None
    for entry in entries:
        path = f"{inside}/{entry.name}" if inside else entry.name
        if entry.name.startswith("."):
            continue
        if os.path.isdir(entry.path):
            yield from _walk(root, skip, path, (*above, real))
        elif entry.name.lower().endswith(EXTENSIONS) and (os.path.isfile(entry.path) or entry.is_symlink()):
            yield path


def _tokens(text: str) -> tuple[str, ...]:
    return tuple(token.strip() for token in text.split(",")) if text else ()


def _match(rows: list[Row], sources: list[str], table: str | Path | None) -> dict[str, Row]:
    """Return the row of each source that the table lists, under the source's name in the dataset."""
    # macOS may hand out a name with its accents as separate characters, which a spreadsheet program joins.
    composed = {unicodedata.normalize("NFC", source): source for source in sources}
    exact = set(sources)
    matched: dict[str, Row] = {}
    for row in rows:
        wanted = posixpath.normpath(row.source)
        source = wanted if wanted in exact else composed.get(unicodedata.normalize("NFC", wanted))
        if source is None:
            near = difflib.get_close_matches(wanted, sources, n=1)
            hint = f" Did you mean '{shown(near[0])}'?" if near else " It is to be the path inside the dataset."
            raise UserError(
                f"The table of videos {table} lists '{shown(row.source)}', which is not in the dataset.{hint}"
            )
        if source in matched:
            raise UserError(f"The table of videos {table} lists '{shown(source)}' twice.")
        matched[source] = row
    return matched


def _make_secret(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(secrets.token_hex(32) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        # A link, unlike a rename, fails when another process was first; and nobody ever sees half a secret.
        try:
            os.link(partial, file)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            if not file.exists():
                os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)
