"""Networks and demo clips by their digest."""

import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from deidpose.errors import UserError
from deidpose.workflow import downloads

CONTENT = b"a network" * 1000


def entry(*sources: dict[str, str], content: bytes = CONTENT, file: str = "net.onnx") -> dict[str, Any]:
    return {
        "file": file,
        "licence": "MIT",
        "citation": "nobody",
        "sha256": hashlib.sha256(content).hexdigest(),
        "sources": list(sources),
    }


def wheel(folder: Path, members: dict[str, bytes], tag: str = "py3-none-any") -> None:
    """Write a wheel that pip accepts."""
    with zipfile.ZipFile(folder / f"netbox-1.0-{tag}.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        information = "netbox-1.0.dist-info"
        archive.writestr(f"{information}/METADATA", "Metadata-Version: 2.1\nName: netbox\nVersion: 1.0\n")
        archive.writestr(f"{information}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{information}/RECORD", "")


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory that pip takes wheels from, and nothing else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def package(members: dict[str, bytes], link: str = "") -> bytes:
    """Return a tarball as npm packs it; ``link`` is the name of a symbolic link to a file of this machine."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            information = tarfile.TarInfo(name)
            information.size = len(content)
            archive.addfile(information, io.BytesIO(content))
        if link:
            information = tarfile.TarInfo(link)
            information.type, information.linkname = tarfile.SYMTYPE, "/etc/hostname"
            archive.addfile(information)
    return stream.getvalue()


#: Stands in for npm: packs the one release that it has, as npm does, and notes every call.
NPM = """#!{python}
import pathlib, shutil, sys
folder = pathlib.Path({folder!r})
with open(folder / "calls", "a") as calls:
    print(*sys.argv[1:], file=calls)
if sys.argv[1] != "pack" or sys.argv[-1] != "@net/box@1.0.0":
    print("npm error code ETARGET", file=sys.stderr)
    print("npm error A complete log of this run can be found in: /home/of/the/user", file=sys.stderr)
    sys.exit(1)
shutil.copy(folder / "package", "net-box-1.0.0.tgz")
print("net-box-1.0.0.tgz")
"""


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with a stand-in for npm, alone on the path of commands; it packs the file ``package``."""
    folder = tmp_path / "npm"
    folder.mkdir()
    (folder / "npm").write_text(NPM.format(python=sys.executable, folder=str(folder)))
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Return the address of a server for the files under ``served``."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_member_is_taken_from_a_wheel_of_the_python_in_use(tmp_path: Path, wheels: Path) -> None:
    wheel(wheels, {"netbox/net.onnx": CONTENT, "netbox/other": b"x"})
    destination = tmp_path / "models" / "net.onnx"
    downloads.fetch(entry({"wheel": "netbox==1.0", "member": "netbox/net.onnx"}), destination)
    assert destination.read_bytes() == CONTENT
    assert left(destination.parent) == ["net.onnx"]


def test_a_wheel_for_another_machine_is_asked_for_by_platform(tmp_path: Path, wheels: Path) -> None:
    wheel(wheels, {"net": CONTENT}, tag="cp39-cp39-win_amd64")
    source = {"wheel": "netbox==1.0", "member": "net"}
    with pytest.raises(UserError, match="No matching distribution"):
        downloads.fetch(entry(source), tmp_path / "net")
    downloads.fetch(entry(source | {"platform": "win_amd64", "python": "3.9"}), tmp_path / "net")
    assert (tmp_path / "net").read_bytes() == CONTENT


def test_several_files_of_a_wheel_need_one_download(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(wheels, {"a": b"first", "b": b"second"})
    calls: list[list[str]] = []
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda c, **options: (calls.append(c), run(c, **options))[1])
    source = {"wheel": "netbox==1.0"}
    entries = {
        "a": entry(source | {"member": "a"}, content=b"first", file="x/a.mp4"),
        "b": entry(source | {"member": "b"}, content=b"second", file="y/b.mp4"),
    }
    downloads.fetch_all(entries, tmp_path / "demo")
    assert (tmp_path / "demo" / "x" / "a.mp4").read_bytes() == b"first"
    assert (tmp_path / "demo" / "y" / "b.mp4").read_bytes() == b"second"
    assert len(calls) == 1


def test_sources_are_tried_in_order(tmp_path: Path, wheels: Path, address: str) -> None:
    sources = [
        {"path": str(tmp_path / "local.onnx")},
        {"wheel": "netbox==1.0", "member": "net"},
        {"url": f"{address}/net.onnx"},
    ]
    with pytest.raises(UserError) as caught:
        downloads.fetch(entry(*sources), tmp_path / "out")
    sentence = str(caught.value)
    assert re.search(
        r"path .* \(No such file.*wheel netbox==1.0 \(No matching.*url http.* \(File not found\)", sentence
    )
    assert sentence.endswith(f"put a copy of it at {tmp_path / 'local.onnx'}.")
    assert not (tmp_path / "out").exists()

    (tmp_path / "served" / "net.onnx").write_bytes(CONTENT)
    downloads.fetch(entry(*sources), tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == CONTENT

    (tmp_path / "local.onnx").write_bytes(b"tampered")
    with pytest.raises(UserError, match="is refused"):
        downloads.fetch(entry(*sources), tmp_path / "out2")


def test_a_wrong_digest_is_refused_with_both_digests_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"tampered")
    (tmp_path / "folder").mkdir()
    wanted = entry({"path": str(tmp_path / "in")})
    with pytest.raises(UserError) as caught:
        downloads.fetch(wanted, tmp_path / "folder" / "net.onnx")
    sentence = str(caught.value)
    assert sentence.startswith("The file net.onnx from the path")
    assert wanted["sha256"] in sentence
    assert hashlib.sha256(b"tampered").hexdigest() in sentence
    assert left(tmp_path / "folder") == []


def test_several_who_fetch_the_same_file_at_the_same_time_all_get_it(tmp_path: Path) -> None:
    content = bytes(range(256)) * 40_000
    (tmp_path / "given.onnx").write_bytes(content)
    wanted = entry({"path": str(tmp_path / "given.onnx")}, content=content)
    for _ in range(3):
        (tmp_path / "got.onnx").unlink(missing_ok=True)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: downloads.fetch(wanted, tmp_path / "got.onnx"), range(8)))
        assert (tmp_path / "got.onnx").read_bytes() == content
    assert {path.name for path in tmp_path.iterdir()} == {"given.onnx", "got.onnx"}


def test_a_file_that_is_there_is_kept_when_right_and_replaced_when_wrong(tmp_path: Path) -> None:
    destination = tmp_path / "net.onnx"
    destination.write_bytes(CONTENT)
    downloads.fetch(entry({"path": "nowhere"}), destination)
    destination.write_bytes(b"half")
    (tmp_path / "in").write_bytes(CONTENT)
    downloads.fetch(entry({"path": str(tmp_path / "in")}), destination)
    assert destination.read_bytes() == CONTENT


def test_a_member_that_is_missing_or_unpacks_without_end_is_refused(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(wheels, {"bomb": bytes(3_000_000)})
    monkeypatch.setattr(downloads, "_MAX_BYTES", 2_000_000)
    for member, reason in (("none", "has no member none"), ("bomb", "larger than 2 MB")):
        with pytest.raises(UserError, match=reason):
            downloads.fetch(entry({"wheel": "netbox==1.0", "member": member}), tmp_path / "out")
    assert "out" not in left(tmp_path)


def test_several_files_of_an_npm_package_need_one_download(tmp_path: Path, npm: Path) -> None:
    (npm / "package").write_bytes(package({"package/a": b"first", "package/b": b"second"}))
    source = {"npm": "@net/box@1.0.0"}
    entries = {
        "a": entry(source | {"member": "package/a"}, content=b"first", file="a.tflite"),
        "b": entry(source | {"member": "package/b"}, content=b"second", file="b.tflite"),
    }
    here = left(Path.cwd())
    downloads.fetch_all(entries, tmp_path / "out")
    assert (tmp_path / "out" / "a.tflite").read_bytes() == b"first"
    assert (tmp_path / "out" / "b.tflite").read_bytes() == b"second"
    assert left(tmp_path / "out") == ["a.tflite", "b.tflite"]
    assert left(Path.cwd()) == here
    (call,) = (npm / "calls").read_text().splitlines()
    assert call.startswith("pack ")
    assert "--ignore-scripts" in call


def test_a_member_of_an_npm_package_with_another_digest_is_refused(tmp_path: Path, npm: Path) -> None:
    (npm / "package").write_bytes(package({"package/net": b"tampered"}))
    with pytest.raises(UserError, match=re.escape("from the npm package @net/box@1.0.0 is refused")):
        downloads.fetch(entry({"npm": "@net/box@1.0.0", "member": "package/net"}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_source_of_npm_that_fails_says_why_and_the_next_one_is_tried(tmp_path: Path, npm: Path) -> None:
    (npm / "package").write_bytes(package({"package/net": CONTENT}))
    wanted = entry({"npm": "@net/box@2.0.0", "member": "package/net"}, {"path": str(tmp_path / "in")})
    with pytest.raises(UserError, match=re.escape("npm package @net/box@2.0.0 (npm failed with ETARGET)")) as caught:
        downloads.fetch(wanted, tmp_path / "out")
    assert "/home" not in str(caught.value)
    (tmp_path / "in").write_bytes(CONTENT)
    downloads.fetch(wanted, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == CONTENT
    (npm / "npm").unlink()
    with pytest.raises(UserError, match="npm is not installed"):
        downloads.fetch(entry({"npm": "@net/box@1.0.0", "member": "package/net"}), tmp_path / "out2")


def test_a_member_of_an_npm_package_that_is_no_file_or_missing_or_endless_is_refused(
    tmp_path: Path, npm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "_MAX_BYTES", 2_000_000)
    whole = package({"package/net": CONTENT})
    for content, reason in (
        (package({"package/other": CONTENT}), "has no member package/net"),
        (package({"package/other": CONTENT}, link="package/net"), "its member package/net is no file"),
        (package({"package/net": bytes(3_000_000)}), "larger than 2 MB"),
        (package({"package/bomb": bytes(3_000_000), "package/net": CONTENT}), "larger than 2 MB"),
        (whole[:-20], "its tarball is damaged"),
        (b"no tarball", "its tarball is damaged"),
    ):
        (npm / "package").write_bytes(content)
        with pytest.raises(UserError, match=reason):
            downloads.fetch(entry({"npm": "@net/box@1.0.0", "member": "package/net"}), tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_npm_itself_packs_a_release(tmp_path: Path) -> None:
    """The real one, on a package that is a folder here: nothing is asked of a registry."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "package.json").write_text('{"name": "@net/box", "version": "1.0.0"}')
    (tmp_path / "box" / "net").write_bytes(CONTENT)
    archive = downloads._pack(str(tmp_path / "box"), tmp_path / "packed")
    assert isinstance(archive, Path)
    with tarfile.open(archive) as opened:
        assert "package/net" in opened.getnames()


def test_a_member_is_taken_from_a_zip_archive_at_an_address(tmp_path: Path, address: str) -> None:
    source = {"url": f"{address}/net.zip", "member": "end2end.onnx"}
    served = tmp_path / "served" / "net.zip"
    for members, reason in (
        ({"a/end2end.onnx": CONTENT, "b/end2end.onnx": CONTENT}, "it has 2 members end2end.onnx"),
        ({"a/other.onnx": CONTENT, "a/not-end2end.onnx": CONTENT}, "it has no members end2end.onnx"),
    ):
        with zipfile.ZipFile(served, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        with pytest.raises(UserError, match=reason):
            downloads.fetch(entry(source), tmp_path / "out")
    served.write_bytes(CONTENT)
    with pytest.raises(UserError, match="no zip archive"):
        downloads.fetch(entry(source), tmp_path / "out")
    with zipfile.ZipFile(served, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("20230831/net/end2end.onnx", CONTENT)
        archive.writestr("20230831/net/detail.json", "{}")
    downloads.fetch(entry(source), tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"file": "../net.onnx"}, "without .."),
        ({"file": "/etc/net.onnx"}, "without .."),
        ({"sha256": "abc"}, "64 hexadecimal digits"),
        ({"sources": []}, "one or more sources"),
        ({"sources": [{"path": "a", "url": "https://b"}]}, "each are a path"),
        ({"sources": [{"ftp": "a"}]}, "each are a path"),
        ({"sources": [{"wheel": "a==1"}]}, "without the member"),
        ({"sources": [{"wheel": "a==1", "member": "b", "python": 3.11}]}, "all of them text"),
        ({"sources": [{"wheel": "--target=/", "member": "b"}]}, "begins with a hyphen"),
        ({"sources": [{"npm": "a@1.0.0"}]}, "an npm package without the member"),
        ({"sources": [{"npm": "--pack-destination=/", "member": "b"}]}, "a name with one version"),
        ({"sources": [{"npm": "@a/b@latest", "member": "b"}]}, "a name with one version"),
        ({"sources": [{"npm": "https://a/b@1.tgz", "member": "b"}]}, "a name with one version"),
        ({"sources": [{"npm": "../a@1.0.0", "member": "b"}]}, "a name with one version"),
        ({"sources": [{"url": "file:///etc/passwd"}]}, "neither with https"),
        ({"hash": "x"}, "unknown key hash"),
    ],
)
def test_a_malformed_entry_is_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(yaml.safe_dump({"net": entry({"path": "a"}) | change}))
    with pytest.raises(UserError, match=words) as caught:
        downloads.load(file)
    assert "The entry net of" in str(caught.value)


@pytest.mark.parametrize("content", ["", "- a", "a: ["])
def test_a_list_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(content)
    with pytest.raises(UserError, match="The list of files"):
        downloads.load(file)


@pytest.mark.parametrize("name", ["models.yaml", "demo_files.yaml"])
def test_the_lists_of_the_workflow_are_well_formed_and_the_defaults_need_pip_alone(root: Path, name: str) -> None:
    entries = downloads.load(root / "config" / name)
    assert len({found["file"] for found in entries.values()}) == len(entries)
    chosen = {"blazepose_landmarks_heavy", "blazepose_landmarks_lite"}
    for network, found in entries.items():
        kind = "npm" if network in chosen else "url" if network.startswith("rtmpose") else "wheel"
        assert [next(iter(source)) for source in found["sources"]] == ["path", kind]
        assert re.fullmatch(r"[\w.-]+==[\d.]+|@[\w/-]+@[\d.]+|https://[\w./-]+\.zip", found["sources"][1][kind])
        assert found["sources"][0]["path"] == f"resources/offline/{Path(found['file']).name}"


def test_the_networks_of_the_workflow_are_the_known_ones(root: Path) -> None:
    assert list(downloads.load(root / "config" / "models.yaml")) == [
        "yunet",
        "blazepose_detector",
        "blazepose_landmarks",
        "blazepose_landmarks_heavy",
        "blazepose_landmarks_lite",
        "rtmpose_detector",
        "rtmpose_landmarks",
        "centerface",
    ]
