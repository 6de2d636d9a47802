import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from deidpose import tables
from deidpose.digests import file_sha256
from deidpose.errors import UserError
from deidpose.release import publish as publish_module
from deidpose.release.publish import _FOLDERS, documents

MADE_WITH: dict[str, Any] = {
    "settings": {"audit": {"withhold": ["fail"]}},
    "models": {"yunet": {"sha256": "8f23"}},
    "versions": {"deidpose": "0.1.0"},
}


@pytest.fixture
def restricted(tmp_path: Path) -> Path:
    """Return a restricted folder with two videos by two methods, and one document of every kind."""
    folder = tmp_path / "results/restricted"
    for video in ("v1", "v2"):
        for method in ("blur", "block"):
            _write(folder / f"masked/{video}_{method}.mp4", f"{video} {method} masked")
            _write(folder / f"skeleton/{video}_{method}_skeleton.mp4", f"{video} {method} skeleton")
    for name in ("sanitized/v1.mkv", "control/v1.mp4", "key.tsv", "review/v1.jpg"):
        _write(folder / name, "Erika Mustermann")
    _write(folder / "angles/v1_original.csv", "degrees")
    _write(folder / "study/report.html", "page")
    _write(folder / "study/pictures/accuracy.svg", "figure")
    return folder


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def audits(restricted: Path, **verdicts: str) -> list[dict[str, Any]]:
    found = []
    for video in ("v1", "v2"):
        for method in ("blur", "block"):
            verdict = verdicts.get(f"{video}_{method}", "pass")
            digest = file_sha256(restricted / f"masked/{video}_{method}.mp4")
            reason = "" if verdict == "pass" else "faces outside the masks in 3 frames"
            drawn = file_sha256(restricted / f"skeleton/{video}_{method}_skeleton.mp4")
            digests = {"sha256": digest, "skeleton_sha256": drawn}
            found.append({"video": video, "method": method, "verdict": verdict, "reason": reason, **digests})
    return found


@pytest.fixture
def publish(restricted: Path) -> Callable[..., Path]:
    screening = pd.DataFrame(
        [
            dict.fromkeys(tables.TABLES["screening"]) | {"video": video, "status": status, "reason": reason}
            for video, status, reason in (("v1", "accepted", ""), ("v2", "accepted", ""), ("v3", "rejected", "Empty."))
        ]
    )
    placed = {
        "angles/v1_original.csv": restricted / "angles/v1_original.csv",
        "report.html": restricted / "study/report.html",
    }

    def run(found: list[dict[str, Any]] | None = None, made_with: dict[str, Any] = MADE_WITH) -> Path:
        target = restricted.parent / "release"
        found = audits(restricted) if found is None else found
        publish_module.publish(restricted, target, screening, found, placed, made_with)
        return target

    return run


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_everything_that_passed_is_released_and_nothing_else(publish: Callable[..., Path]) -> None:
    target = publish()
    videos = {
        f"videos/{v}_{m}{kind}.mp4" for v in ("v1", "v2") for m in ("blur", "block") for kind in ("", "_skeleton")
    }
    assert files(target) == videos | {"angles/v1_original.csv", "report.html", "manifest.json"}
    for path in target.rglob("*"):
        assert not path.is_symlink()
        assert path.is_dir() or "Erika" not in path.read_text()


def test_the_manifest_has_the_digest_of_every_file_and_what_it_was_made_with(publish: Callable[..., Path]) -> None:
    target = publish()
    manifest = json.loads((target / "manifest.json").read_text())
    assert manifest["files"] == {name: file_sha256(target / name) for name in files(target) - {"manifest.json"}}
    assert {key: manifest[key] for key in MADE_WITH} == MADE_WITH
    assert {"video": "v3", "status": "rejected", "reason": "Empty."} in manifest["videos"]
    assert manifest["withheld"] == []


def test_a_video_that_failed_its_audit_stays_inside_and_is_listed_with_its_reason(
    publish: Callable[..., Path], restricted: Path
) -> None:
    target = publish(audits(restricted, v2_blur="fail"))
    assert not [name for name in files(target) if name.startswith("videos/v2_blur")]
    withheld = json.loads((target / "manifest.json").read_text())["withheld"]
    assert [entry["file"] for entry in withheld] == ["videos/v2_blur.mp4", "videos/v2_blur_skeleton.mp4"]
    assert {(entry["verdict"], entry["reason"]) for entry in withheld} == {
        ("fail", "faces outside the masks in 3 frames")
    }


@pytest.mark.parametrize(("withhold", "there"), [(["fail"], True), (["fail", "review"], False)])
def test_videos_for_review_are_withheld_when_the_settings_say_so(
    withhold: list[str], there: bool, publish: Callable[..., Path], restricted: Path
) -> None:
    settings = {"audit": {"withhold": withhold}}
    target = publish(audits(restricted, v1_block="review"), MADE_WITH | {"settings": settings})
    assert ("videos/v1_block.mp4" in files(target)) == there
    assert ("videos/v1_block_skeleton.mp4" in files(target)) == there


def test_what_is_under_review_is_withheld_unless_the_settings_say_otherwise(
    publish: Callable[..., Path], restricted: Path, config: dict[str, Any]
) -> None:
    target = publish(audits(restricted, v1_block="review", v2_blur="fail"), MADE_WITH | {"settings": config})
    withheld = json.loads((target / "manifest.json").read_text())["withheld"]
    assert {entry["verdict"] for entry in withheld} == {"review", "fail"}
    assert not {entry["file"] for entry in withheld} & files(target)


@pytest.mark.parametrize("name", ["masked/v1_blur.mp4", "skeleton/v1_blur_skeleton.mp4"])
def test_a_file_that_changed_after_it_was_examined_is_refused_and_the_older_release_stays(
    name: str, publish: Callable[..., Path], restricted: Path
) -> None:
    found = audits(restricted)
    target = publish(found)
    before = (target / "manifest.json").read_text()
    changed = restricted / name
    changed.unlink()
    changed.write_text("another film")
    with pytest.raises(UserError, match="changed since its audit"):
        publish(found)
    assert (target / "manifest.json").read_text() == before
    assert (target / "videos/v1_blur.mp4").read_text() == "v1 blur masked"
    assert not list(restricted.glob("release.*"))


def test_a_second_release_replaces_the_first_as_a_whole(publish: Callable[..., Path], restricted: Path) -> None:
    target = publish()
    (target / "notes.txt").write_text("left by somebody")
    publish(audits(restricted, v1_blur="fail"))
    assert "videos/v1_blur.mp4" not in files(target)
    assert "notes.txt" not in files(target)


def test_the_same_study_gives_the_same_manifest(publish: Callable[..., Path]) -> None:
    first = (publish() / "manifest.json").read_bytes()
    assert (publish() / "manifest.json").read_bytes() == first


def crash_after(allowed: int, real: Callable[..., None]) -> Callable[..., None]:
    def step(*arguments: Any) -> None:
        nonlocal allowed
        allowed -= 1
        if allowed < 0:
            raise KeyboardInterrupt
        real(*arguments)

    return step


@pytest.mark.parametrize("step", ["link", "replace"])
@pytest.mark.parametrize("again", [False, True])
def test_a_crash_at_any_step_leaves_no_half_release(
    step: str, again: bool, publish: Callable[..., Path], restricted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: set[str] = set()
    if again:
        whole = files(publish())
    target = restricted.parent / "release"
    for allowed in range(20):
        with monkeypatch.context() as patch:
            patch.setattr(os, step, crash_after(allowed, getattr(os, step)))
            try:
                publish()
            except KeyboardInterrupt:
                assert not target.exists() or files(target) == whole
            else:
                break
    assert 0 < allowed < 20
    publish()
    assert len(files(target)) == 11
    assert not list(restricted.glob("release.*"))


def test_without_hard_links_files_are_copied(
    publish: Callable[..., Path], restricted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    target = publish()
    assert (target / "videos/v1_blur.mp4").read_text() == "v1 blur masked"


def inputs(restricted: Path) -> dict[str, Any]:
    empty: dict[str, Any] = {name: [] for name in _FOLDERS}
    return empty | {
        "angles": [str(restricted / "angles/v1_original.csv")],
        "report": str(restricted / "study/report.html"),
        "figures": [str(restricted / "study/pictures/accuracy.svg")],
    }


def test_documents_go_to_their_folders(restricted: Path) -> None:
    assert documents(inputs(restricted), restricted, []) == {
        "angles/v1_original.csv": restricted / "angles/v1_original.csv",
        "report.html": restricted / "study/report.html",
        "study/figures/accuracy.svg": restricted / "study/pictures/accuracy.svg",
    }


def test_a_folder_of_documents_keeps_its_name(restricted: Path) -> None:
    _write(restricted / "interchange/v1/original.nc", "poses")
    _write(restricted / "interchange/v1/.snakemake_timestamp", "")
    found = documents(inputs(restricted) | {"interchange": [str(restricted / "interchange/v1")]}, restricted, [])
    assert [place for place in found if place.startswith("inter")] == ["interchange/v1/original.nc"]
    assert found["interchange/v1/original.nc"] == restricted / "interchange/v1/original.nc"


def test_only_what_the_page_does_not_hold_goes_out_beside_it(restricted: Path) -> None:
    _write(restricted / "study/videos/v1.js", "numbers")
    _write(restricted / "study/videos/v2.js", "numbers")
    payloads = [str(restricted / f"study/videos/{video}.js") for video in ("v1", "v2")]
    found = documents(inputs(restricted) | {"payloads": payloads}, restricted, ["v2.js"])
    assert [place for place in found if place.endswith(".js")] == ["report/v2.js"]


def test_a_document_from_elsewhere_is_refused(restricted: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.csv").write_text("")
    (restricted / "angles/link.csv").symlink_to(tmp_path / "outside.csv")
    for path in (tmp_path / "outside.csv", restricted / "../../outside.csv", restricted / "angles/link.csv"):
        with pytest.raises(UserError, match="nothing was released"):
            documents(inputs(restricted) | {"angles": [str(path)]}, restricted, [])


def test_a_release_that_was_moved_aside_when_the_run_was_killed_comes_back(
    publish: Callable[..., Path], restricted: Path
) -> None:
    target = publish()
    before = files(target)
    os.replace(target, restricted / "release.retired")  # the first of the two renames, and no more
    target.mkdir()  # as Snakemake does for the output of the job
    changed = [{**audit, "sha256": "0" * 64} for audit in audits(restricted)]
    with pytest.raises(UserError, match="changed since its audit"):
        publish(changed)
    assert files(target) == before


def test_what_an_earlier_run_left_behind_never_reaches_the_release(
    publish: Callable[..., Path], restricted: Path
) -> None:
    _write(restricted / "release.staging/videos/v1_blur.mp4", "not audited")
    target = publish(audits(restricted, v1_blur="fail"))
    assert "videos/v1_blur.mp4" not in files(target)


def test_a_folder_that_cannot_be_emptied_stops_the_release(
    publish: Callable[..., Path], restricted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(restricted / "release.staging/videos/v1_blur.mp4", "not audited")
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    with pytest.raises((UserError, FileExistsError)):
        publish(audits(restricted, v1_blur="fail"))
    assert not files(restricted.parent / "release")
