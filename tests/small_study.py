"""A study that is small enough to be run again and again, in a folder of its own with everything that belongs to it."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import snakemake_logger_plugin_jobs as planned

SETTINGS = ("dataset=data", "results_dir=results", "videos=videos.tsv")
METHODS = "methods=[blur,block]"


def digests(folder: Path, pattern: str = "*") -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by its path in there."""
    files = [path for path in folder.rglob(pattern) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class SmallStudy(NamedTuple):
    """A study in a folder, run by the workflow of a repository. Snakemake's records of it are in the folder too."""

    root: Path
    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def start(self, *arguments: str, config: tuple[str, ...] = (METHODS,), **options: Any) -> "subprocess.Popen[str]":
        """Start Snakemake as the leader of a group of processes, as a terminal does."""
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--directory", str(self.folder)]
        command += ["--snakefile", str(self.root / "Snakefile"), *arguments, "--config", *SETTINGS, *config]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "env": dict(os.environ), **options}
        # For --logger jobs.
        options["env"]["PYTHONPATH"] = str(Path(__file__).parent)
        # Whoever started the tests in the background has had them ignore Ctrl-C, and their children too.
        options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        return subprocess.Popen(command, cwd=self.root, text=True, errors="replace", start_new_session=True, **options)

    def run(self, *arguments: str, **options: Any) -> tuple[int, str]:
        """Run Snakemake to its end; return its exit code and what it has said."""
        running = self.start(*arguments, **options)
        said, _ = running.communicate(timeout=500)
        return running.returncode, said

    def plan(self, *arguments: str, **options: Any) -> dict[str, str]:
        """Return the jobs that would be run, such as ``track_faces/a``, and why."""
        code, said = self.run(*arguments, "--dry-run", "--logger", "jobs", **options)
        assert code == 0, said[-3000:]
        found = planned.read(said)
        assert found or "Nothing to be done" in said, said[-3000:]
        return {name: job.reason for name, job in found.items()}

    def copy(self, folder: Path, root: Path | None = None) -> "SmallStudy":
        """Return the same study in another folder, with the dates of its files, by which Snakemake goes."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return SmallStudy(root or self.root, folder)
