"""The real workflow with the real networks on real pixels: what is in the release, and what is not."""

import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

import snakemake_logger_plugin_jobs as planned
from deidpose import boxes, tables
from deidpose.faces import yunet
from deidpose.metadata import verification
from deidpose.video import decode, frames
from deidpose.workflow.dataset import read_or_make_secret, scan

METHODS = ("blur", "block", "pixelate")
SOURCES = ("original", *METHODS, "reencode")
STUDY_TABLES = (
    "effects", "keypoint_effects", "identities", "headcounts", "movements", "summary", "equivalence", "agreement",
    "contrasts", "choice",
)  # fmt: skip
FIGURES = (
    "tradeoff", "accuracy", "heatmap", "equivalence", "bland_altman", "bland_altman_joints", "raincloud", "agreement",
    "keypoints", "confidence", "lost_frames", "identities",
)  # fmt: skip
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def name(results: Path) -> str:
    """Return the id of the one video that was accepted."""
    screening = tables.read(results / "restricted/screening.tsv", "screening")
    (accepted,) = screening.loc[screening["status"] == "accepted", "video"]
    return str(accepted)


@pytest.fixture(scope="module")
def original_faces(clip: Path, models: dict[str, Path]) -> list[tuple[int, np.ndarray]]:
    """Return frame and box of every face that YuNet is sure of in the source."""
    detector = None
    found = []
    for index, picture in enumerate(bgr(clip)):
        detector = detector or yunet.YuNet(models["yunet"], *picture.shape[:2])
        found += [(index, face[:4]) for face in detector.detect(picture, 0.6)]
    assert len(found) >= 20, "the clip must show faces, or the tests below show nothing"
    return found


def bgr(path: Path) -> list[np.ndarray]:
    """Decode a video by PyAV alone."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def readable(path: Path) -> bytes:
    """Return what a file holds and, where that is packed, what is inside: pages, Parquet, pictures."""
    content = path.read_bytes()
    if path.suffix == ".html":
        # Tables, libraries and videos are in it as gzip in base64, which begins like this.
        packed = re.findall(rb"H4sIA[A-Za-z0-9+/]{50,}=*", content)
        assert len(packed) >= 10
        content += b"".join(gzip.decompress(base64.b64decode(part)) for part in packed)
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            content += b"".join(name.encode() + archive.read(name) for name in archive.namelist())
    elif path.suffix == ".parquet":
        content += str(pq.read_schema(path).metadata).encode() + pd.read_parquet(path).to_csv().encode()
    elif path.suffix == ".png":
        with Image.open(path) as picture:
            content += str(picture.info).encode()
    return content


def inside(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    x, y, width, height = (int(value) for value in box)
    return picture[max(0, y) : y + height, max(0, x) : x + width]


def kept_detail(before: np.ndarray, after: np.ndarray) -> float:
    """Return how much of the fine structure, in which a face differs from another, is still there: -1..1."""
    fine = []
    for picture in (before, after):
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(float)
        fine.append((grey - cv2.GaussianBlur(grey, (0, 0), picture.shape[1] / 10)).ravel())
    energy = float(np.linalg.norm(fine[0]) * np.linalg.norm(fine[1]))
    return float(fine[0] @ fine[1]) / energy if energy else 0.0


def test_the_release_holds_exactly_the_files_of_the_contract(results: Path, name: str) -> None:
    expected = {"report.html", "manifest.json", "study/pairs.parquet"}
    expected |= {f"videos/{name}_{method}{ending}.mp4" for method in METHODS for ending in ("", "_skeleton")}
    expected |= {f"privacy/{name}_{method}.json" for method in METHODS} | {f"privacy/{name}_sanitizing.csv"}
    expected |= {f"keypoints/{name}_{source}.parquet" for source in SOURCES}
    expected |= {f"angles/{name}_{source}.csv" for source in SOURCES}
    expected |= {f"{table}/{name}.csv" for table in ("movements", "identities", "effects", "keypoint_effects")}
    expected |= {f"study/{table}.csv" for table in STUDY_TABLES}
    expected |= {f"study/figures/{figure}.{ending}" for figure in FIGURES for ending in ("svg", "pdf", "png")}
    expected |= {f"study/traces/{name}.{ending}" for ending in ("svg", "pdf")}
    # How many people there are to write files for is up to the networks.
    folder = results / f"release/interchange/{name}"
    exported = {path.name for path in folder.iterdir()}
    for source in SOURCES:
        assert {f"{source}_openpose.zip", f"{source}.nc"} <= exported
        assert len([file for file in exported if file.startswith(source) and file.endswith(".trc")]) >= 2
    expected |= {f"interchange/{name}/{file}" for file in exported}
    release = results / "release"
    assert {str(path.relative_to(release)) for path in release.rglob("*") if path.is_file()} == expected


def test_what_cannot_be_used_is_rejected_with_a_reason_and_the_study_goes_on(results: Path) -> None:
    screening = tables.read(results / "restricted/screening.tsv", "screening")
    rejected = screening[screening["status"] == "rejected"]
    assert len(screening) == 4
    assert len(rejected) == 3
    page = (results / "release/report.html").read_text(encoding="utf-8")
    for row in rejected.itertuples():
        assert str(row.reason).endswith(".")
        assert str(row.video) in page


def test_the_key_leads_back_to_the_source(results: Path, clip: Path, name: str) -> None:
    key = tables.read(results / "restricted/key.tsv", "key").set_index("video")
    assert key.loc[name, "sha256"] == hashlib.sha256(clip.read_bytes()).hexdigest()
    assert "Jane Roe" in str(key.loc[name, "source"])


def test_frames_and_timestamps_of_every_copy_equal_those_of_the_source(results: Path, clip: Path, name: str) -> None:
    def times(path: Path) -> list[object]:
        with av.open(str(path)) as container:
            return [frame.pts * frame.time_base for frame in container.decode(video=0)]

    expected = times(clip)
    copies = [*(results / "release/videos").iterdir(), results / f"restricted/control/{name}.mp4"]
    assert len(copies) == 7
    for copy in copies:
        assert times(copy) == expected


def test_no_face_of_the_original_is_left_in_any_method(
    results: Path, name: str, original_faces: list[tuple[int, np.ndarray]], clip: Path, models: dict[str, Path]
) -> None:
    sources = bgr(clip)
    for method in METHODS:
        for ending in ("", "_skeleton"):
            pictures = bgr(results / f"release/videos/{name}_{method}{ending}.mp4")
            detector = yunet.YuNet(models["yunet"], *pictures[0].shape[:2])
            for index, box in original_faces:
                found = detector.detect(pictures[index], 0.6)
                overlap = boxes.intersection_over_union(box[None], found[:, :4])
                kept = kept_detail(inside(sources[index], box), inside(pictures[index], box))
                # Nine cells may look like some face or other to a detector; then nothing in them is of this one.
                assert kept < 0.2 or not (overlap > 0.3).any(), (method, index)
                if not ending:
                    assert kept < 0.5


def test_the_control_leaves_the_faces_as_they_were(
    results: Path, name: str, original_faces: list[tuple[int, np.ndarray]], clip: Path
) -> None:
    sources, pictures = bgr(clip), bgr(results / f"restricted/control/{name}.mp4")
    for index, box in original_faces:
        difference = inside(pictures[index], box).astype(float) - inside(sources[index], box)
        assert np.abs(difference).mean() < 8
        assert kept_detail(inside(sources[index], box), inside(pictures[index], box)) > 0.8


def test_what_is_not_masked_is_as_the_encoder_gives_it_in_the_control(results: Path, name: str) -> None:
    masks = tables.read(results / f"restricted/faces/{name}.parquet", "faces")
    control = bgr(results / f"restricted/control/{name}.mp4")
    blocked = bgr(results / f"release/videos/{name}_block.mp4")
    for index, (before, after) in enumerate(zip(control, blocked, strict=True)):
        outside = np.ones(before.shape[:2], bool)
        for row in masks[masks["frame"] == index].itertuples():
            x, y, width, height = (int(v) for v in (row.x_px, row.y_px, row.width_px, row.height_px))
            outside[max(0, y - 16) : y + height + 16, max(0, x - 16) : x + width + 16] = False
        assert np.abs(before[outside].astype(float) - after[outside]).mean() < 3


def test_nothing_in_release_or_logs_tells_the_source(results: Path, dataset: Path) -> None:
    secrets = [b"Jane Roe", b"ward 7", b"Mustermann", b"2019-08-07", b"48.1372", b"2nd visit", b"cut off"]
    secrets += [str(dataset).encode(), str(results).encode(), b"x264 - core", b"Lavc"]
    for folder in ("release", "logs"):
        for path in (results / folder).rglob("*"):
            content = readable(path) if path.is_file() else b""
            assert not [secret for secret in secrets if secret in content or secret.decode() in path.name], path


def test_the_released_videos_have_one_stream_and_no_tags(results: Path) -> None:
    # What every MP4 has and says nothing: its brands, and a language that is not stated.
    structural = {"major_brand", "minor_version", "compatible_brands", "language"}
    for path in (results / "release/videos").iterdir():
        with av.open(str(path)) as container:
            assert [stream.type for stream in container.streams] == ["video"]
            assert not (set(container.metadata) | set(container.streams[0].metadata)) - structural
            assert not container.chapters()


def test_what_the_source_held_is_counted_and_nothing_of_it_is_left_in_any_file(results: Path, name: str) -> None:
    table = tables.read(results / f"release/privacy/{name}_sanitizing.csv", "sanitizing")
    files = {f"{method}{ending}" for method in METHODS for ending in ("", "_skeleton")}
    assert set(table["file"]) == {"sanitized", *files}
    identifying = table[table["category"] != ""]
    assert {letter for letters in identifying["category"] for letter in letters.split()} >= set("ABCMP")
    assert (identifying["n_before"] > 0).all()
    assert (identifying["n_after"] == 0).all()
    proof = json.loads((results / f"restricted/sanitizing/{name}.json").read_text(encoding="utf-8"))
    assert {found["verdict"] for found in proof["files"].values()} == {"pass"}
    for path in (results / "release/videos").iterdir():
        assert verification.violations(path) == []


def test_no_picture_of_the_control_is_released(results: Path, name: str) -> None:
    control = (results / f"restricted/control/{name}.mp4").stat()
    released = [path.stat() for path in (results / "release").rglob("*") if path.is_file()]
    assert control.st_ino not in {file.st_ino for file in released}
    assert not list((results / "release").rglob("*reencode*.mp4"))
    assert not list((results / "release").rglob("*original*.m[pko][4v]"))


def test_the_manifest_has_the_digest_of_every_released_file(results: Path) -> None:
    release = results / "release"
    manifest = json.loads((release / "manifest.json").read_text(encoding="utf-8"))
    found = {
        str(path.relative_to(release)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in release.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert manifest["files"] == found
    assert manifest["withheld"] == []
    assert manifest["corrections"] == []
    assert {"yunet", "centerface", "blazepose_landmarks"} <= set(manifest["models"])


def test_both_people_are_measured_and_every_loss_is_counted(results: Path, name: str) -> None:
    effects = tables.read(results / "release/study/effects.csv", "effects")
    knee = effects[effects["angle"] == "left_knee"]
    assert set(effects["method"]) == {*METHODS, "reencode"}
    for method, rows in knee.groupby("method"):
        lasting = rows[rows["n_original"] >= 20]
        assert len(lasting) >= 2, method
        assert (lasting["n_both"] + lasting["n_lost"] == lasting["n_original"]).all()
    control = knee[(knee["method"] == "reencode") & (knee["n_original"] >= 20)]
    assert control["mae_deg"].max() < 10
    assert list(effects["angle"].unique()[:2]) == ["left_knee", "left_elbow"]


def test_the_times_of_keypoints_are_those_of_the_frames(results: Path, clip: Path, name: str) -> None:
    with av.open(str(clip)) as container:
        times = [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]
    for source in SOURCES:
        keypoints = tables.read(results / f"release/keypoints/{name}_{source}.parquet", "keypoints")
        assert np.allclose(keypoints["time_s"], np.array(times)[keypoints["frame"]], atol=1e-6)


def test_the_sanitized_original_has_one_stream_and_no_messages(results: Path, name: str) -> None:
    path = results / f"restricted/sanitized/{name}.mkv"
    content = path.read_bytes()
    assert b"x264 - core" not in content
    assert b"Mustermann" not in content
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_every_job_has_a_log_and_a_benchmark(results: Path) -> None:
    logs = {str(path.relative_to(results / "logs").with_suffix("")) for path in (results / "logs").rglob("*.log")}
    measured = {
        str(path.relative_to(results / "benchmarks").with_suffix(""))
        for path in (results / "benchmarks").rglob("*.tsv")
    }
    assert measured == logs
    assert {log.split("/")[0] for log in logs} >= {
        "screen", "collect_screening", "sanitize", "detect_faces", "track_faces", "draw_review", "anonymize",
        "reencode", "search_faces", "audit", "estimate_pose", "draw_skeleton", "prove_sanitizing", "match_people",
        "joint_angles", "compare", "export", "show_video", "study", "report", "find_cuts", "list_people", "review_page",
        "publish",
    }  # fmt: skip


def test_running_it_again_does_nothing(results: Path, dataset: Path, snakemake: Run) -> None:
    again = snakemake("--config", f"dataset={dataset}", f"results_dir={results}")
    assert again.returncode == 0
    assert "Nothing to be done" in again.stderr


def test_the_same_names_elsewhere_rerun_nothing(results: Path, dataset: Path, snakemake: Run, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    for path in dataset.rglob("*"):
        if path.is_file():
            target = moved / path.relative_to(dataset)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())  # a copy, with another date
    again = snakemake("--config", f"dataset={moved}", f"results_dir={results}", "--dry-run")
    assert again.returncode == 0
    assert "Nothing to be done" in again.stderr + again.stdout


def test_another_strength_reruns_its_method_and_neither_detection_nor_the_control(
    results: Path, dataset: Path, snakemake: Run
) -> None:
    changed = snakemake(
        "--config", f"dataset={dataset}", f"results_dir={results}", "mask={blur_strength: 0.4}",
        "--dry-run", "--logger", "jobs",
    )  # fmt: skip
    assert changed.returncode == 0
    rules = {job.split("/")[0] for job in planned.read(changed.stderr)}
    assert "anonymize" in rules
    assert not rules & {"detect_faces", "track_faces", "screen", "sanitize", "reencode"}


def test_snakemake_makes_its_own_report(results: Path, dataset: Path, snakemake: Run, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = snakemake("--config", f"dataset={dataset}", f"results_dir={results}", "--report", str(page))
    assert done.returncode == 0, done.stderr[-3000:]
    content = page.read_text(encoding="utf-8")
    assert "accuracy.svg" in content
    assert "Jane Roe" not in content


def test_a_new_video_leaves_the_ids_of_the_others(results: Path, dataset: Path, tmp_path: Path) -> None:
    secret = read_or_make_secret(results / "restricted/secret.key")
    before = set(scan(dataset, "", secret))
    grown = tmp_path / "grown"
    shutil.copytree(dataset, grown)
    (grown / "aaa first of all.mp4").touch()
    after = set(scan(grown, "", secret))
    assert before < after
    assert len(after) == len(before) + 1


def test_the_audit_saw_every_frame_of_the_file_that_was_released(results: Path, name: str, clip: Path) -> None:
    for method in METHODS:
        audit = json.loads((results / f"release/privacy/{name}_{method}.json").read_text(encoding="utf-8"))
        assert audit["n_frames"] == len(bgr(clip))
        assert audit["verdict"] in ("pass", "review")
        released = (results / f"release/videos/{name}_{method}.mp4").read_bytes()
        assert audit["sha256"] == hashlib.sha256(released).hexdigest()


def test_the_skeleton_is_drawn_in_the_colours_of_openpose(results: Path, name: str) -> None:
    plain, drawn = (bgr(results / f"release/videos/{name}_block{ending}.mp4") for ending in ("", "_skeleton"))
    keypoints = tables.read(results / f"release/keypoints/{name}_block.parquet", "keypoints")
    places = keypoints.pivot(index=["frame", "person"], columns="keypoint", values=["x_px", "y_px"])
    left, right = (places.xs(knee, axis=1, level="keypoint").to_numpy() for knee in ("LKnee", "RKnee"))
    # Where the other leg is not drawn over it.
    alone = np.hypot(*(left - right).T) > 25
    assert alone.sum() >= 5
    for (frame, _), (x, y) in zip(places.index[alone], left[alone].round().astype(int), strict=True):
        around = np.s_[y - 1 : y + 2, x - 1 : x + 2]
        assert np.abs(drawn[frame][around].astype(int) - plain[frame][around]).max() > 40
        blue, _, red = np.moveaxis(drawn[frame][around].astype(int), 2, 0)
        assert (blue - red).max() > 60  # LKnee is (0, 85, 255) in red, green, blue


def test_the_report_says_on_its_first_screen_what_the_study_has_chosen(results: Path) -> None:
    choice = tables.read(results / "release/study/choice.csv", "choice").iloc[0]
    summary = tables.read(results / "release/study/summary.csv", "summary")
    page = (results / "release/report.html").read_text(encoding="utf-8")
    assert f"{choice['method']}" in page.split("<h1", 1)[1].split("</h1>", 1)[0]
    assert f"{abs(choice['mae_net_deg']):.2f}°" in page
    row = summary[
        (summary["method"] == choice["method"])
        & (summary["angle"] == "joints")
        & (summary["signal"] == "filtered")
        & (summary["measure"] == "mae_deg")
        & (summary["basis"] == "net")
    ]
    assert row["mean"].tolist() == [choice["mae_net_deg"]]


def test_video_module_reads_a_released_video_as_any_player_does(results: Path, name: str) -> None:
    path = results / f"release/videos/{name}_blur.mp4"
    ours = [frames.to_bgr(frame) for frame in decode.read_frames(path)]
    theirs = bgr(path)
    assert len(ours) == len(theirs)
    assert np.abs(ours[10].astype(float) - theirs[10]).mean() < 8
