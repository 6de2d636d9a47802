"""What somebody sees who made a mistake: one clear sentence, and no traceback."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["dataset={tmp}/nowhere"], "does not exist"),
        (["dataset={tmp}"], "holds no videos"),
        (["dataset={tmp}", "metods=[blur]"], "methods"),
        (["dataset={tmp}", "methods=[blurr]"], "methods"),
        (["dataset={tmp}", "encode={{crf: 99}}"], "encode.crf"),
        (["dataset={tmp}", "pose={{backend: alphapose}}"], "pose.backend"),
        (["dataset={tmp}", "pose={{backend: openpose}}"], "nothing is here to run it"),
        (["dataset={tmp}", "pose={{backend: openpose, openpose: {{weights: {tmp}/none}}}}"], "does not exist"),
        (["dataset={tmp}/one", "videos={tmp}/none.tsv"], "cannot be read"),
        (["dataset={tmp}/one", "pose={{import: {{folder: {tmp}/none}}}}"], "is not a directory"),
        (["dataset={tmp}/one", "pose={{import: {{folder: {tmp}}}}}"], "has a folder of no video"),
        (["dataset={tmp}/one", "pose={{import: {{layout: BODY25}}}}"], "Did you mean BODY_25"),
    ],
)
def test_a_mistake_in_the_settings_is_told_in_a_sentence(
    snakemake: Run, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / ("video.mp4" if any("one" in argument for argument in arguments) else "notes.txt")).touch()
    filled = [argument.format(tmp=tmp_path) for argument in arguments]
    done = snakemake("--config", *filled, f"results_dir={tmp_path}/results", "--dry-run")
    assert done.returncode != 0
    told = done.stdout + done.stderr  # dry runs print to stdout
    assert sentence in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("table", "content", "sentence"),
    [
        ("videos", "source\tcondtion\n", "Line 1 of the table of videos {path} names the column 'condtion', which is "
                                          "unknown. Did you mean 'condition'?"),
        ("corrections", "video\taction\n", "Line 1 of the table of corrections {path} must name the columns "),
    ],
)  # fmt: skip
def test_a_mistake_in_a_table_is_told_in_a_sentence(
    snakemake: Run, tmp_path: Path, table: str, content: str, sentence: str
) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/a.mp4").touch()
    path = tmp_path / "table.tsv"
    path.write_text(content, encoding="utf-8")
    folders = [f"dataset={tmp_path}/videos", f"results_dir={tmp_path}/results"]
    done = snakemake("--config", *folders, f"{table}={path}", "--dry-run")
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert sentence.format(path=path) in told
    assert "Traceback" not in told


def test_a_study_of_nothing_but_broken_files_still_has_a_report(snakemake: Run, tmp_path: Path, models: object) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/broken.mp4").write_bytes(b"no video")
    done = snakemake("--config", f"dataset={tmp_path}/videos", f"results_dir={tmp_path}/results")
    assert done.returncode == 0, done.stderr[-3000:]
    page = (tmp_path / "results/release/report.html").read_text(encoding="utf-8")
    assert "not a video that can be read" in page
    assert not list((tmp_path / "results/release").rglob("*.mp4"))


def test_a_dry_run_shows_what_would_be_done(snakemake: Run, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/a.mp4").write_bytes(b"no video")
    done = snakemake("--config", f"dataset={tmp_path}/videos", f"results_dir={tmp_path}/results", "--dry-run")
    assert done.returncode == 0
    assert "screening" in done.stdout + done.stderr


def test_a_network_with_the_wrong_digest_is_refused(root: Path, tmp_path: Path) -> None:
    from deidpose.errors import UserError
    from deidpose.workflow import downloads

    entry = downloads.load(root / "config/models.yaml")["yunet"]
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"not the network")
    with pytest.raises(UserError, match=r"(?i)sha-?256|digest"):
        downloads.fetch({**entry, "sources": [{"path": str(wrong)}]}, tmp_path / "yunet.onnx")
    assert not (tmp_path / "yunet.onnx").exists()
