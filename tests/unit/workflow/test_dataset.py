"""Which videos there are, and what they are called."""

import logging
import os
import re
import stat
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose.errors import UserError
from deidpose.workflow import dataset

SECRET = b"0123456789abcdef0123456789abcdef"


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    return folder


def sources(folder: Path, **options: object) -> list[str]:
    found = dataset.scan(folder, None, SECRET, **options)  # type: ignore[arg-type]
    return [os.path.relpath(path, folder) for path in found.values()]


def table(folder: Path, *lines: str) -> Path:
    file = folder / "videos.tsv"
    file.write_bytes("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
    return file


def test_videos_of_every_depth_and_ending_are_found_in_order(tmp_path: Path) -> None:
    fill(tmp_path, "b.MP4", "a/x.mov", "a/deep/er/y.m4v", "c.avi", "d.Mkv", "e.webm", "notes.txt", "mp4", "f.mp4.part")
    assert sources(tmp_path) == ["a/deep/er/y.m4v", "a/x.mov", "b.MP4", "c.avi", "d.Mkv", "e.webm"]


def test_hidden_files_and_directories_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "a.mp4", "._a.mp4", ".hidden.mp4", ".cache/b.mp4")
    assert sources(tmp_path) == ["a.mp4"]


def test_a_directory_called_like_a_video_is_searched_not_taken(tmp_path: Path) -> None:
    assert sources(fill(tmp_path, "session.mp4/a.mp4")) == ["session.mp4/a.mp4"]


def test_links_are_followed_but_not_round_in_circles(tmp_path: Path) -> None:
    outside = fill(tmp_path / "outside", "site/b.mp4")
    data = fill(tmp_path / "data", "a.mp4")
    (data / "link.mp4").symlink_to(data / "a.mp4")
    (data / "site").symlink_to(outside / "site")
    (outside / "site" / "back").symlink_to(data)
    (data / "self").symlink_to(data)
    assert sources(data) == ["a.mp4", "link.mp4", "site/b.mp4"]


def test_links_that_lead_nowhere_are_left_out_with_a_warning_without_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path, "a.mp4")
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (tmp_path / "round.mp4").symlink_to(tmp_path / "round.mp4")
    with caplog.at_level(logging.WARNING):
        assert sources(tmp_path) == ["a.mp4"]
    assert caplog.messages == ["2 links to videos lead nowhere and are left out."]


def test_a_named_pipe_is_no_video(tmp_path: Path) -> None:
    fill(tmp_path, "a.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    assert sources(tmp_path) == ["a.mp4"]
    assert dataset.fingerprint(tmp_path / "pipe.mp4") == ""


def test_the_results_inside_the_dataset_are_not_searched(tmp_path: Path) -> None:
    fill(tmp_path, "a.mp4", "results/restricted/masked/v1_blur.mp4")
    assert sources(tmp_path, skip=[tmp_path / "results"]) == ["a.mp4"]


def test_ids_stay_when_videos_come_and_go_or_the_dataset_moves(tmp_path: Path) -> None:
    first = dataset.scan(fill(tmp_path / "here", "a/x.mp4", "b.mp4"), None, SECRET)
    second = dataset.scan(fill(tmp_path / "there", "a/x.mp4", "c.mp4", "0.mp4"), None, SECRET)
    common = first.keys() & second.keys()
    assert [os.path.relpath(second[video], tmp_path / "there") for video in common] == ["a/x.mp4"]


def test_ids_follow_the_stated_recipe() -> None:
    # printf 'a/x.mp4' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
    assert dataset.video_id("a/x.mp4", SECRET) == "v949c5132158e"


@given(st.text(min_size=1), st.binary(min_size=32))
def test_ids_are_well_formed_and_depend_on_the_secret(name: str, secret: bytes) -> None:
    source = os.fsdecode(name.encode("utf-8", "surrogatepass"))
    video = dataset.video_id(source, secret)
    assert re.fullmatch("v[0-9a-f]{12}", video)
    assert re.fullmatch(dataset.ID_PATTERN, video)
    assert video != dataset.video_id(source, secret + b"x")


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS allows UTF-8 names only")
def test_a_name_that_is_not_utf8_is_taken_and_can_be_listed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    name = os.fsdecode(b"caf\xe9.mp4")
    (data / name).write_bytes(b"x")
    listed = table(tmp_path, "source\tvideo", f"{name}\tcafe")
    found = dataset.scan(data, listed, SECRET)
    assert found == {"cafe": str(data / name)}
    assert dataset.fingerprint(found["cafe"]).startswith("1-")


@pytest.mark.parametrize(("kind", "words"), [("none", "does not exist"), ("file", "is not a directory")])
def test_a_dataset_that_is_no_directory_is_told(tmp_path: Path, kind: str, words: str) -> None:
    fill(tmp_path, "file")
    with pytest.raises(UserError, match=words):
        dataset.scan(tmp_path / kind, None, SECRET)


def test_a_dataset_without_videos_is_told_with_the_endings_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no videos.*\.mp4.*\.webm"):
        dataset.scan(fill(tmp_path, "a.txt"), None, SECRET)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    closed = fill(tmp_path, "a.mp4", "closed/b.mp4") / "closed"
    closed.chmod(0)
    try:
        with pytest.raises(UserError, match="closed of the dataset cannot be read"):
            dataset.scan(tmp_path, None, SECRET)
    finally:
        closed.chmod(0o700)


def test_the_table_gives_ids_and_need_not_list_every_video(tmp_path: Path) -> None:
    data = fill(tmp_path / "data", "a.mp4", "b.mp4", "c.mp4")
    listed = table(tmp_path, "source\tvideo\tsubject\tcondition", "./a.mp4\tP1-left\tP1\tshod", "b.mp4\t\tP2\t")
    found = dataset.scan(data, listed, SECRET)
    assert found == {
        "P1-left": str(data / "a.mp4"),
        dataset.video_id("b.mp4", SECRET): str(data / "b.mp4"),
        dataset.video_id("c.mp4", SECRET): str(data / "c.mp4"),
    }


def test_the_table_may_come_from_a_spreadsheet_program(tmp_path: Path) -> None:
    file = tmp_path / "videos.tsv"
    file.write_bytes("\ufeffsource\tvideo\tsubject\r\na.mp4\tA1\tMüller\r\n\r\n\t\t\r\n".encode())
    assert dataset.read_table(file) == [dataset.Row("a.mp4", "A1", "Müller", "")]


def test_the_table_names_the_patient_and_who_stays_visible_by_their_tokens(tmp_path: Path) -> None:
    data = fill(tmp_path / "data", "a.mp4", "b.mp4", "c.mp4")
    listed = table(
        tmp_path, "source\tvideo\tpatient\tvisible", "a.mp4\tA\t1-1f0c99\t", "./b.mp4\tB\t\t0-aaaaaa, 12-000000"
    )
    found = dataset.scan(data, listed, SECRET)
    assert dataset.details(found, data, listed) == {
        "A": dataset.Details(patient="1-1f0c99"),
        "B": dataset.Details(visible=("0-aaaaaa", "12-000000")),
        dataset.video_id("c.mp4", SECRET): dataset.Details(),
    }
    assert set(dataset.details(found, data, None).values()) == {dataset.Details()}


def test_the_table_gives_subjects_and_conditions(tmp_path: Path) -> None:
    data = fill(tmp_path / "data", "a.mp4", "b.mp4")
    listed = table(tmp_path, "source\tvideo\tsubject\tcondition", "a.mp4\tA\tS1\tbarefoot, slow", "b.mp4\tB\t\t")
    found = dataset.scan(data, listed, SECRET)
    assert dataset.details(found, data, listed) == {
        "A": dataset.Details(subject="S1", condition="barefoot, slow"),
        "B": dataset.Details(),
    }


@pytest.mark.parametrize("condition", ["all", "ALL", "=SUM(A1)", "x" * 41, "<b>"])
def test_a_condition_that_could_mislead_a_reader_of_the_release_is_refused(tmp_path: Path, condition: str) -> None:
    listed = table(tmp_path, "source\tcondition", f"a.mp4\t{condition}")
    with pytest.raises(UserError, match=r"Line 2 .* as condition, but it must be a condition that begins with"):
        dataset.read_table(listed)


def test_accents_match_however_they_are_composed(tmp_path: Path) -> None:
    data = fill(tmp_path / "data", unicodedata.normalize("NFD", "gehen_ü.mp4"))
    listed = table(tmp_path, "source\tvideo", unicodedata.normalize("NFC", "gehen_ü.mp4") + "\tA1")
    assert list(dataset.scan(data, listed, SECRET)) == ["A1"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            ["source\tvideo\tage", "a.mp4\tA\t50"],
            "Line 1 .* names the column 'age', which is unknown. The columns, .*, are source, video,",
        ),
        (["source,video", "a.mp4,A"], "separated by tabs"),
        (["video", "A"], "Line 1 .* must name the column source as well"),
        ([], "is empty: its first line must name the columns"),
        (["source\tvideo", "\tA"], "Line 2 .* must name its source: the path of a video inside the dataset"),
        (["source\tvideo", "a.mp4\tA\tmore"], "Line 2 .* has 3 fields"),
        (
            ["source\tvideo", "a.mp4\tleft_knee"],
            "Line 2 .* has 'left_knee' as video, but it must be an id of letters A to Z",
        ),
        (["source\tvideo", "a.mp4\t-a"], "has '-a' as video"),
        (["source\tvideo", "a.mp4\tü"], "has 'ü' as video"),
        (["source\tvideo", f"a.mp4\t{'x' * 65}"], "Line 2 .* has 65 characters as video, but at most 64 are allowed"),
        (["source\tvideo", "a.mp4\tS1", "b.mp4\ts1"], "Line 3 .* repeats the id 's1' of line 2"),
        (["source\tvideo", "a.mp4\tA", "a.mp4\tB"], "Line 3 .* repeats the source 'a.mp4' of line 2"),
        (["source\tvideo", "a.mp4\tA", "./a.mp4\tB"], "lists 'a.mp4' twice"),
        (
            ["source\tpatient", "a.mp4\t1"],
            "Line 2 .* has '1' as patient, but it must be the token of .*, such as 0-1f0c99",
        ),
        (["source\tpatient", "a.mp4\t0-1f0c99, 1-1f0c99"], "has '0-1f0c99, 1-1f0c99' as patient"),
        (
            ["source\tvisible", "a.mp4\t0-1f0c99; 1-1f0c99"],
            "has '0-1f0c99; 1-1f0c99' as visible, .* with commas between",
        ),
        (["source\tvisible", "a.mp4\t0-1f0c99,"], "has '0-1f0c99,' as visible"),
        (["source\tvisible", "a.mp4\t0-1F0C99"], "has '0-1F0C99' as visible"),
        (["source\tvideo", "A1.mp4\tA"], "lists 'A1.mp4', which is not in the dataset"),
        (["source\tvideo", "b.mp\tA"], "Did you mean 'b.mp4'"),
    ],
)
def test_a_wrong_table_is_told_in_one_sentence(tmp_path: Path, lines: list[str], words: str) -> None:
    data = fill(tmp_path / "data", "a.mp4", "b.mp4")
    with pytest.raises(UserError, match=words) as caught:
        dataset.scan(data, table(tmp_path, *lines), SECRET)
    assert "\n" not in str(caught.value)


def test_a_missing_table_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        dataset.scan(fill(tmp_path, "a.mp4"), tmp_path / "none.tsv", SECRET)


def test_an_id_set_by_hand_may_not_be_that_of_another_video(tmp_path: Path) -> None:
    data = fill(tmp_path / "data", "a.mp4", "b.mp4")
    taken = dataset.video_id("b.mp4", SECRET).upper()
    with pytest.raises(UserError, match=r"a\.mp4 and b\.mp4 have the same id"):
        dataset.scan(data, table(tmp_path, "source\tvideo", f"a.mp4\t{taken}"), SECRET)


def test_the_demo_table_fits_the_demo_clips(root: Path, tmp_path: Path) -> None:
    data = fill(tmp_path, "park/walk.mp4", "lab/alone.mp4", "lab/several1.mp4", "lab/several2.mp4")
    found = dataset.scan(data, root / "config" / "demo_videos.tsv", SECRET)
    assert sorted(found) == ["lab-alone", "lab-several-1", "lab-several-2", "park-walk"]


def test_a_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "results" / "restricted" / "secret.key"
    secret = dataset.read_or_make_secret(file)
    assert re.fullmatch(b"[0-9a-f]{64}", secret)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert dataset.read_or_make_secret(file) == secret
    assert dataset.read_or_make_secret(tmp_path / "other.key") != secret
    assert [path.name for path in file.parent.iterdir()] == ["secret.key"]


def test_processes_that_make_the_secret_at_the_same_time_agree(tmp_path: Path, root: Path) -> None:
    secret = str(tmp_path / "secret.key")
    code = f"from deidpose.workflow.dataset import *; print(read_or_make_secret({secret!r}).decode())"
    environment = {**os.environ, "PYTHONPATH": str(root / "scripts")}
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment, text=True)
        for _ in range(6)
    ]
    answers = {process.communicate()[0] for process in running}
    assert len(answers) == 1
    assert len(answers.pop().strip()) == 64


@pytest.mark.parametrize("content", ["", "\n", "short"])
def test_a_secret_that_can_be_guessed_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secret.key"
    file.write_text(content)
    with pytest.raises(UserError, match="fewer than 32 characters"):
        dataset.read_or_make_secret(file)


def test_a_secret_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    fill(tmp_path, "file")
    with pytest.raises(UserError, match="can be neither read nor made"):
        dataset.read_or_make_secret(tmp_path / "file" / "secret.key")


def test_a_fingerprint_is_the_same_for_a_copy_and_differs_wherever_it_looks(tmp_path: Path) -> None:
    content = bytearray(os.urandom(1_000_000))
    first, copy = tmp_path / "a", tmp_path / "b"
    first.write_bytes(content)
    copy.write_bytes(content)
    os.utime(copy, (0, 0))
    fingerprint = dataset.fingerprint(first)
    assert dataset.fingerprint(copy) == fingerprint
    for place in (0, 500_000, 999_999):
        content[place] ^= 1
        copy.write_bytes(content)
        assert dataset.fingerprint(copy) != fingerprint
        content[place] ^= 1
    copy.write_bytes(content + b"\0")
    assert dataset.fingerprint(copy) != fingerprint


def test_a_fingerprint_of_what_cannot_be_read_is_empty(tmp_path: Path) -> None:
    assert dataset.fingerprint(tmp_path / "none") == ""
    assert dataset.fingerprint(tmp_path) == ""
    (tmp_path / "empty").touch()
    assert dataset.fingerprint(tmp_path / "empty").startswith("0-")
