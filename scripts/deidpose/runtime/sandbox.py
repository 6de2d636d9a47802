"""Work on a distrusted file in a child process, with limits on its time, its memory and what it writes.

A demuxer that never returns cannot be stopped from within, nor can a decoder that runs out of memory or crashes. In a
child process all three end that process alone, and the video is rejected with a sentence.
"""

import ctypes
import importlib
import json
import logging
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from deidpose.errors import UserError
from deidpose.runtime import progress

#: Seconds for all that is done once: starting Python, opening the file, writing the result.
_START_S = 60.0
_REPORT_EVERY_S = 0.5
#: A process that was suspended, by a cluster for instance, has not been waiting: count at most this much at once.
_LONGEST_WAIT_S = 1.0

#: A copy of the pictures alone is smaller than its source, or hardly larger; no process writes more than this.
_COPY_OVER_SOURCE, _SMALLEST_COPY = 5, 10_000_000

#: linux/prctl.h: the signal that a process gets when its parent ends, so that nothing goes on decoding in vain.
_PR_SET_PDEATHSIG = 1


class Bounds(NamedTuple):
    """Limits of a child process: seconds for each step that it reports, bytes of memory, bytes of a written file."""

    seconds_per_step: float
    memory_bytes: int
    written_bytes: int


def bounds(path: str | Path, limits: Mapping[str, Any]) -> Bounds:
    """Return what a process may use that reads a source video; ``limits`` are ``screen`` of the configuration."""
    try:
        size = os.stat(path).st_size
    except OSError:
        size = 0
    return Bounds(
        limits["max_seconds_per_frame"],
        round(limits["max_memory_gb"] * 1e9),
        _COPY_OVER_SOURCE * size + _SMALLEST_COPY,
    )


def run(function: str, arguments: Mapping[str, Any], bounds: Bounds) -> Any:
    """Call a function of the library in a child process and return what it returns.

    Parameters
    ----------
    function : str
        Module and name, such as ``deidpose.ingest.examine:examine``. It calls `tick` for every packet that it reads.
    arguments : mapping
        Its keyword arguments; like the result, they must fit JSON. They are passed through a pipe, so that no name
        of a source stands in the list of processes.
    bounds : Bounds

    Raises
    ------
    ImportError
        A package of the function is not there.
    UserError
        As the function raises it; or the process has crashed, has taken too long or too much memory, or has failed
        in a way that nobody foresaw. The log then says where.
    """
    command = [sys.executable, "-P", "-m", "deidpose.runtime.sandbox"]  # -P: never import from the working directory
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "MALLOC_ARENA_MAX": "2",  # each would reserve 64 MB of address space, and threads have one each
        "OPENBLAS_NUM_THREADS": "1",
    }
    # In a container, packages may lie where Snakemake has put them and no new Python would look.
    path = [place for place in sys.path if place not in ("", os.getcwd())]
    request = json.dumps({"function": function, "arguments": dict(arguments), "bounds": bounds, "path": path})
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as child:
        try:
            answer = _listen(child, request, bounds)
        finally:
            child.kill()
    if answer is None:
        raise UserError("The video makes its decoder crash or run out of memory; export it again.")
    if "missing" in answer:  # nothing that is wrong with the video
        raise ImportError(answer["missing"])
    if "sentence" in answer:
        raise UserError(answer["sentence"])
    if "failure" in answer:
        for line in answer["trace"]:
            logging.error("in %s", line)
        raise UserError(f"The video cannot be read, and why is not known ({answer['failure']}); export it again.")
    return answer["result"]


def _listen(child: "subprocess.Popen[bytes]", request: str, bounds: Bounds) -> dict[str, Any] | None:
    """Send the request and read lines until the answer comes; None when the child ends without one."""
    assert child.stdin is not None
    assert child.stdout is not None
    with suppress(BrokenPipeError):
        child.stdin.write(request.encode())
        child.stdin.close()
    waited, allowed = 0.0, _START_S
    tell = progress.meter("packets")  # of all passes over the file; how many there will be is not known
    received: list[bytes] = []
    before = time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            ready = selector.select(_LONGEST_WAIT_S)
            now = time.monotonic()
            waited += min(now - before, 2 * _LONGEST_WAIT_S)
            before = now
            if waited > allowed:
                raise UserError(
                    f"Reading the video takes more than {bounds.seconds_per_step:g} seconds a frame, the limit "
                    "screen.max_seconds_per_frame; export it again."
                )
            if not ready:
                continue
            block = os.read(child.stdout.fileno(), 1 << 20)
            if not block:
                break
            received.append(block)
            if b"\n" in block:
                *lines, rest = b"".join(received).split(b"\n")
                received = [rest]
                for line in lines:
                    if line[:1] == b"{":
                        answer: dict[str, Any] = json.loads(line)
                        return answer
                    allowed = _START_S + bounds.seconds_per_step * int(line)
                    tell(int(line))
    return None


class _Teller:
    """What a child tells its parent: the number of steps that it has done, now and then."""

    def __init__(self) -> None:
        self.output: int | None = None
        self.steps = 0
        self.reported_s = 0.0

    def tick(self) -> None:
        self.steps += 1
        if self.output is not None and self.steps % 16 == 0 and time.monotonic() > self.reported_s + _REPORT_EVERY_S:
            self.reported_s = time.monotonic()
            os.write(self.output, b"%d\n" % self.steps)


_teller = _Teller()
#: Report a step. Outside of a child process it does nothing that could be noticed.
tick = _teller.tick


def _limit(bounds: Bounds) -> None:
    """Limit this process. Where a system does not know a limit, such as macOS that of memory, it goes without."""
    for what, value in (
        (resource.RLIMIT_AS, bounds.memory_bytes),
        (resource.RLIMIT_FSIZE, bounds.written_bytes),
        (resource.RLIMIT_CORE, 0),  # a dump of the memory would hold pictures
    ):
        with suppress(OSError, ValueError):
            resource.setrlimit(what, (value, value))
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _main() -> None:
    request = json.loads(sys.stdin.buffer.read())
    # Libraries that print must not break into the answer.
    output = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    bounds = Bounds(*request["bounds"])
    module, name = request["function"].split(":")
    sys.path += [place for place in request["path"] if place not in sys.path]
    try:
        called = getattr(importlib.import_module(module), name)
    except ImportError as error:
        os.write(output, json.dumps({"missing": str(error)}).encode() + b"\n")
        return
    _limit(bounds)
    from deidpose.runtime import sandbox

    sandbox._teller.output = output
    try:
        answer = json.dumps({"result": called(**request["arguments"])})
    except UserError as error:
        answer = json.dumps({"sentence": str(error)})
    except MemoryError:
        sentence = "Reading the video takes more than {:g} GB of memory, the limit screen.max_memory_gb."
        answer = json.dumps({"sentence": sentence.format(bounds.memory_bytes / 1e9)})
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f"{Path(frame.filename).name}, line {frame.lineno}, {frame.name}" for frame in frames]
        answer = json.dumps({"failure": type(error).__name__, "trace": lines})
    with os.fdopen(output, "wb") as stream:
        stream.write(answer.encode() + b"\n")


if __name__ == "__main__":
    _main()
