import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose.errors import UserError
from deidpose.runtime.job import job, redact

SOURCE = "/data/gait/Müller, Erika/2024-05-17 left knee.MP4"


@pytest.fixture(autouse=True)
def _logging_as_before() -> object:
    yield
    logging.captureWarnings(False)
    for handler in logging.getLogger().handlers[:]:
        if isinstance(handler, logging.FileHandler):
            logging.getLogger().removeHandler(handler)
            handler.close()


@pytest.mark.parametrize(
    "text",
    [
        f"cannot open {SOURCE}",
        f"cannot open '{SOURCE}': no such file",
        f"cannot open {SOURCE!r}",
        f"cannot open {SOURCE!a}",
        f"cannot open {os.fsencode(SOURCE)!r}",
        f"file:{SOURCE} failed",
        "in the directory /data/gait/Müller, Erika",
        "2024-05-17 left knee.MP4 is broken",
        "moved to 2024-05-17 left knee.mkv",
    ],
)
def test_no_part_of_a_source_name_stays_in_a_message(text: str) -> None:
    cleaned = redact(text, [SOURCE, "Müller, Erika/2024-05-17 left knee.MP4"])
    for part in ("Erika", "Müller", "M\\xfcller", "M\\xc3", "2024", "left knee", "/data"):
        assert part not in cleaned


def test_a_name_that_is_not_text_is_struck_out_too() -> None:
    name = os.fsdecode(b"/data/Andr\xe9.mp4")
    for text in (f"cannot open {name}", f"cannot open {name!r}", f"cannot open {os.fsencode(name)!r}"):
        assert "Andr" not in redact(text, [name])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[Errno 2] No such file: '/home/anna/data/x y.mp4'", "[Errno 2] No such file: '<path>'"),
        ("cannot read /home/anna/key.tsv; try again", "cannot read <path>; try again"),
        ("file:/home/anna/x.mp4: bad", "file:<path>: bad"),
        ("C:\\Users\\anna\\x.mp4 is gone", "<path> is gone"),
    ],
)
def test_every_absolute_path_is_struck_out(text: str, expected: str) -> None:
    assert redact(text, []) == expected


@pytest.mark.parametrize(
    "text",
    [
        "The frame rate is 30000/1001 and not 25.",
        "Put it at resources/models/yunet.onnx and/or ask.",
        "The video has 3 / 4 of its frames.",
        "The wheel comes from https://example.org/files/a.whl now.",
    ],
)
def test_what_is_no_absolute_path_stays(text: str) -> None:
    assert redact(text, []) == text


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0<>"), min_size=3, max_size=20))
def test_whatever_a_file_is_called_its_name_does_not_stay(name: str) -> None:
    if name in "cannot open <source> <path>":
        return
    assert name not in redact(f"cannot open /data/{name}.mp4 {name}.mp4 {name}", [f"/data/{name}.mp4"])


def run(folder: Path, body: str) -> tuple[int, str, str]:
    """Run a script as Snakemake would; return its exit code, what it printed and its log."""
    script = (
        "from deidpose.errors import UserError\nfrom deidpose.runtime.job import job\n"
        f"with job('job.log', [{SOURCE!r}]):\n    {body}\nprint('done')\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3] / "scripts")}
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return result.returncode, result.stdout + result.stderr, (folder / "job.log").read_text()


def test_a_mistake_of_the_user_is_one_sentence_and_exit_code_one(tmp_path: Path) -> None:
    code, printed, log = run(tmp_path, "raise UserError('The file is empty; copy it again.')")
    assert code == 1
    assert printed == "The file is empty; copy it again.\n"
    assert log == "ERROR The file is empty; copy it again.\n"


def test_an_unexpected_error_names_its_place_in_the_code_and_no_source_and_no_path(tmp_path: Path) -> None:
    code, printed, log = run(tmp_path, f"open({SOURCE!r})")
    assert code == 1
    assert printed.count("\n") == 1
    assert "FileNotFoundError" in printed
    assert "line 4" in log
    for text in (printed, log):
        for part in ("Erika", "left knee", "/data", str(tmp_path), "Traceback", "scripts/"):
            assert part not in text


def test_a_job_that_goes_well_says_so_only_in_its_log(tmp_path: Path) -> None:
    code, printed, log = run(tmp_path, "import logging; logging.info('2 people')")
    assert (code, printed, log) == (0, "done\n", "INFO 2 people\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize(("fault", "code"), [("", 0), ("raise OSError(28, 'No space left on device')", 1)])
def test_a_log_on_a_full_disk_adds_no_traceback(fault: str, code: int) -> None:
    script = "import logging\nfrom deidpose.runtime.job import job\n"
    script += f"with job('/dev/full'):\n    logging.info('done')\n    {fault}\n"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3] / "scripts")}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stderr == ("OSError: [Errno 28] No space left on device\n" if code else "")


def test_an_older_log_is_replaced_and_warnings_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_text("older")
    with job(log):
        warnings.warn("the mean of nothing", RuntimeWarning, stacklevel=1)
    assert "older" not in log.read_text()
    assert "the mean of nothing" in log.read_text()


def test_an_error_within_an_error_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def read() -> None:
        try:
            Path(SOURCE).read_bytes()
        except OSError as error:
            raise UserError("The source is gone.") from error

    with pytest.raises(SystemExit) as ending, job(tmp_path / "job.log", [SOURCE]):
        read()
    assert ending.value.code == 1
    assert capsys.readouterr().err == "The source is gone.\n"
    assert "Erika" not in (tmp_path / "job.log").read_text()


@pytest.mark.parametrize(
    "text",
    [
        "cannot write '/data/O'Brien study/results/x.partial'",
        "'file:/data/Jane Roe/results/x.mkv': bad",
    ],
)
def test_a_path_in_quotes_is_struck_out_to_its_end(text: str) -> None:
    cleaned = redact(text, [])
    assert not [part for part in ("O'Brien", "Jane", "Roe", "study", "results") if part in cleaned]


def test_every_line_of_a_log_is_cleaned_and_not_only_the_last(tmp_path: Path) -> None:
    log = tmp_path / "Jane Roe" / "logs" / "screen" / "v1.log"
    log.parent.mkdir(parents=True)
    with job(log, [SOURCE]):
        logging.getLogger("somebody").warning("reading %s", SOURCE)
        logging.info("in %s/restricted", tmp_path / "Jane Roe")
        warnings.warn("odd", stacklevel=1)
    content = log.read_text(encoding="utf-8")
    assert "odd" in content
    assert not [part for part in ("Erika", "2024", "Jane Roe", str(tmp_path), os.getcwd()) if part in content]
