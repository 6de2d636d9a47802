"""Work in a process of its own."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deidpose.errors import UserError
from deidpose.runtime import sandbox

BOUNDS = sandbox.Bounds(seconds_per_step=1, memory_bytes=4 * 10**9, written_bytes=10**6)


def script(tmp_path: Path, text: str) -> dict[str, object]:
    (tmp_path / "script.py").write_text(text)
    return {"path_name": str(tmp_path / "script.py")}


def test_what_the_function_returns_comes_back() -> None:
    assert sandbox.run("json:loads", {"s": '{"numbers": [1, 2.5, null]}'}, BOUNDS) == {"numbers": [1, 2.5, None]}


def test_a_large_result_comes_back_whole() -> None:
    assert sandbox.run("json:loads", {"s": str(list(range(300_000)))}, BOUNDS) == list(range(300_000))


def test_the_sentence_of_a_user_error_comes_back(tmp_path: Path) -> None:
    text = "from deidpose.errors import UserError\nraise UserError('The picture is too large.')"
    with pytest.raises(UserError, match=r"^The picture is too large\.$"):
        sandbox.run("runpy:run_path", script(tmp_path, text), BOUNDS)


def test_any_other_error_rejects_the_video_and_its_lines_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(UserError, match="JSONDecodeError"):
        sandbox.run("json:loads", {"s": "Erika"}, BOUNDS)
    assert "decoder.py" in caplog.text
    assert "Erika" not in caplog.text


@pytest.mark.parametrize("text", ["import os; os.abort()", "import os; os.kill(os.getpid(), 9)", "raise SystemExit"])
def test_a_crash_ends_in_a_sentence(text: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="crash"):
        sandbox.run("runpy:run_path", script(tmp_path, text), BOUNDS)


def test_what_is_printed_does_not_mix_with_the_answer(tmp_path: Path) -> None:
    text = (
        "import os\nfrom deidpose.errors import UserError\n"
        "print('{\"result\": 1}', flush=True); os.write(1, b'x\\n'); os.write(2, b'x'); raise UserError('Done.')"
    )
    with pytest.raises(UserError, match="Done"):
        sandbox.run("runpy:run_path", script(tmp_path, text), BOUNDS)


def test_no_file_grows_beyond_its_limit(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="OSError"):
        sandbox.run("shutil:copyfile", {"src": "/dev/zero", "dst": str(tmp_path / "full")}, BOUNDS)
    assert (tmp_path / "full").stat().st_size == BOUNDS.written_bytes


def test_steps_earn_time_and_without_steps_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_START_S", 2.0)
    text = (
        "import time\nfrom deidpose.runtime import sandbox\nfrom deidpose.errors import UserError\n"
        "for _ in range(64):\n    sandbox.tick()\n    time.sleep(0.07)\nraise UserError('Done.')"
    )
    with pytest.raises(UserError, match="Done"):
        sandbox.run("runpy:run_path", script(tmp_path, text), BOUNDS)
    begin = time.monotonic()
    with pytest.raises(UserError, match="more than 1 seconds a frame"):
        sandbox.run("runpy:run_path", script(tmp_path, "while True: pass"), BOUNDS)
    assert time.monotonic() - begin < 15


def test_nothing_is_imported_from_where_the_workflow_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit")
    (tmp_path / "deidpose").mkdir()
    monkeypatch.chdir(tmp_path)
    assert sandbox.run("json:loads", {"s": "1"}, BOUNDS) == 1


def test_packages_are_found_where_this_process_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container, into which Snakemake brings its own packages at the end of the path."""
    (tmp_path / "brought_along.py").write_text("def seven():\n    return 7\n")
    monkeypatch.setattr("sys.path", [*sys.path, str(tmp_path)])
    assert sandbox.run("brought_along:seven", {}, BOUNDS) == 7


def test_a_package_that_is_missing_is_no_fault_of_the_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in_need.py").write_text("import no_such_package\n")
    monkeypatch.setattr("sys.path", [*sys.path, str(tmp_path)])
    with pytest.raises(ImportError, match="no_such_package"):
        sandbox.run("in_need:anything", {}, BOUNDS)


def test_the_list_of_processes_shows_no_name_of_a_source(tmp_path: Path) -> None:
    text = (
        "from deidpose.errors import UserError\nraise UserError(open('/proc/self/cmdline').read().replace('\\0', ' '))"
    )
    with pytest.raises(UserError) as caught:
        sandbox.run("runpy:run_path", script(tmp_path, text), BOUNDS)
    assert "deidpose.runtime.sandbox" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has ended")
def test_a_child_does_not_outlive_its_parent(tmp_path: Path) -> None:
    text = f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    arguments = script(tmp_path, text)
    call = f"sandbox.run('runpy:run_path', {arguments!r}, sandbox.Bounds(1, 4 * 10**9, 9))"
    program = f"from deidpose.runtime import sandbox\n{call}"
    environment = os.environ | {"PYTHONPATH": str(Path(sandbox.__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", program], env=environment) as parent:
        for _ in range(300):
            if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
                break
            time.sleep(0.1)
        parent.kill()
    child = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not Path(f"/proc/{child}").exists():
            return
        time.sleep(0.1)
    pytest.fail("the child goes on")
