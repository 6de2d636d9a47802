"""A copy of the workflow whose steps only write small files, for what is about jobs and not about pictures.

Snakefile, rules, profiles, settings and library are the real ones; the scripts of the rules are not. Only tests and
measurements use it: nothing in the workflow knows of it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

#: What a step writes into each output: which it is, and a digest of what it was made from. The release is a digest of
#: everything. Each run of a step leaves a line, so that one can count what was done again. ``told.json``, where it is,
#: says of steps such as ``find_cuts v1``: ``sleep`` for so many seconds; ``fail``; be ``late``, and show what was
#: written only so many seconds after the step has ended, as a shared file system may.
_SCRIPT = """
import hashlib, json, os, subprocess, sys, time
from pathlib import Path

step = " ".join([snakemake.rule, *snakemake.wildcards])
with open("begun.txt", "a") as file:
    file.write(step + "\\n")
Path(snakemake.log[0]).write_text(f"INFO stand-in, process {os.getpid()}\\n")
told = json.loads(Path("told.json").read_text()) if Path("told.json").exists() else {}
time.sleep(told.get("sleep", {}).get(step, 0))
if step in told.get("fail", []):
    Path(snakemake.log[0]).write_text("ERROR as it was told\\n")
    sys.exit(1)


def content(path):
    path = Path(path)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return b"".join(file.read_bytes() for file in files)


def write(path, text):
    path = Path(path)
    if not path.suffix:  # an output that is a folder
        path.mkdir(exist_ok=True)
        path = path / "file.txt"
    with path.open("w") as file:
        file.write(text)


made_from = {}
if os.environ.get("STAND_IN_READS", "1") == "1":
    inputs = [path for path in snakemake.input if "resources" not in Path(path).parts]
    for path in inputs:
        # Without what lies before it: a step may be given a copy elsewhere.
        made_from["/".join(Path(path).parts[-2:])] = hashlib.sha256(content(path)).hexdigest()[:12]
"""

_TABLE = """
facts = {"status": "accepted", "reason": "", "width": "1920", "height": "1080", "n_frames": "300"}
"""

_SCREEN = f"""{_TABLE}
row = {{"video": snakemake.wildcards.video, **facts}}
write(snakemake.output.screening, "\\t".join(row) + "\\n" + "\\t".join(row.values()) + "\\n")
write(snakemake.output.key, "key\\n")
write(snakemake.output.timestamps, "timestamps\\n")
"""

_SCREENING = """
rows = [Path(path).read_text().splitlines() for path in snakemake.input.screening]
write(snakemake.output.screening, "\\n".join([rows[0][0], *sorted(row[1] for row in rows)]) + "\\n")
write(snakemake.output.key, "key\\n")
"""

_PUBLISH = """
write(snakemake.output.manifest, json.dumps({"files": {}, "withheld": [], "made_from": made_from}, sort_keys=True))
"""

_STEP = """
for number, path in enumerate(snakemake.output):
    write(path, json.dumps([step, number, made_from], sort_keys=True) + "\\n")
late = told.get("late", {}).get(step, 0)
if late:
    for path in snakemake.output:
        os.rename(path, f"{path}.late")
        subprocess.Popen(["sh", "-c", 'sleep "$1"; mv "$2.late" "$2"', "sh", str(late), path], start_new_session=True)
"""

_ENDS = {"screen": _SCREEN, "screening": _SCREENING, "publish": _PUBLISH}


def make(root: Path, folder: Path, n_videos: int) -> Path:
    """Make a copy of the workflow with stand-ins, and beside it ``data`` with so many files; return its folder."""
    for name in ("rules", "config", "profiles", "envs", "report", "scripts"):
        ignore = shutil.ignore_patterns("__pycache__", ".snakemake*")
        shutil.copytree(root / name, folder / name, ignore=ignore)
    shutil.copyfile(root / "Snakefile", folder / "Snakefile")
    (root / "resources").mkdir(exist_ok=True)  # a fresh clone has none yet
    (folder / "resources").symlink_to(root / "resources")
    for script in (folder / "scripts").glob("*.py"):
        if not script.name.startswith(("fetch_", "show_s", "finish")):  # show_status and show_summary are no steps
            script.write_text(_SCRIPT + _ENDS.get(script.stem, _STEP), encoding="utf-8")
    (folder / "data").mkdir()
    (folder / "secret.key").write_text("0" * 64)  # so that two copies have the same ids
    for number in range(n_videos):
        (folder / f"data/{number:05}.mp4").write_text(f"video {number}")
    return folder


def settings(*more: str) -> list[str]:
    """Return the arguments of Snakemake for a study in the folder of the copy."""
    return ["--config", "dataset=data", "results_dir=results", "secret_file=secret.key", *more]


class Measured(NamedTuple):
    """What a process took: seconds on the clock and of the processor, most memory, and what it said."""

    code: int
    wall_s: float
    processor_s: float
    memory_mb: float
    said: str


def measure(folder: Path, *arguments: str, stop_at: str = "") -> Measured:
    """Run Snakemake in the folder of a copy, or until a file comes, and return what it took.

    Parameters
    ----------
    folder : path
        From `make`.
    *arguments : str
        Of Snakemake.
    stop_at : str
        A pattern of files below the folder; the run is ended when there is the first.
    """
    said = folder / "said.txt"
    began = time.monotonic()
    with said.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "snakemake", *arguments],
            cwd=folder,
            env={**os.environ, "STAND_IN_READS": "0"},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        ended, status, usage = 0, 0, None
        memory_mb = 0.0
        while not ended:
            memory_mb = _most_memory(process.pid) or memory_mb
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if stop_at and next(folder.glob(stop_at), None):
                wall_s = time.monotonic() - began
                process.kill()
                ended, status, usage = os.wait4(process.pid, 0)
                break
            time.sleep(0.05)
        else:
            wall_s = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    assert usage is not None
    text = said.read_text(encoding="utf-8", errors="replace")
    memory_mb = memory_mb or usage.ru_maxrss / 1024
    return Measured(process.returncode, wall_s, usage.ru_utime + usage.ru_stime, memory_mb, text)


def _most_memory(process: int) -> float:
    """Return the peak of the memory of a process in megabytes, 0 where that is not told.

    Of what `os.wait4` tells, this process itself would be a part, as it was when it started the other.
    """
    try:
        told = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0.0
    return int(told[1]) / 1024 if told else 0.0


def begun(folder: Path) -> list[str]:
    """Return the steps that have begun, one entry for each time, such as ``audit v1 blur``."""
    path = folder / "begun.txt"
    return path.read_text().splitlines() if path.exists() else []


def screened(folder: Path, videos: Iterable[str]) -> None:
    """Write what the screening of these videos leaves, as if it had run."""
    place = folder / "results/restricted/screened"
    place.mkdir(parents=True, exist_ok=True)
    row = {"status": "accepted", "reason": "", "width": "1920", "height": "1080", "n_frames": "300"}
    for video in videos:
        named = {"video": video, **row}
        (place / f"{video}.tsv").write_text("\t".join(named) + "\n" + "\t".join(named.values()) + "\n")
        (place / f"{video}.key.tsv").write_text("key\n")
        (place / f"{video}.parquet").write_text("timestamps\n")


def like(folder: Path, finished: str, videos: Iterable[str]) -> None:
    """Give other videos what one that is finished has: every file of it, under their names, in the same order of dates.

    The stamp is that of the video that is copied, so both must have nothing of their own in the table of videos.
    """
    restricted = folder / "results/restricted"
    files = [path for path in restricted.rglob("*") if path.is_file() and finished in str(path.relative_to(restricted))]
    files.sort(key=lambda path: path.stat().st_mtime_ns)
    contents = [(str(path), path.read_bytes(), path.stat().st_mtime_ns) for path in files]
    for video in videos:
        for name, content, changed in contents:
            place = Path(name.replace(finished, video))
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(content)
            os.utime(place, ns=(changed, changed))


def manifest(folder: Path) -> object:
    return json.loads((folder / "results/release/manifest.json").read_text())
