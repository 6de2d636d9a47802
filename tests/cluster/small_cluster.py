"""A real Slurm cluster of two nodes on this machine, for the tests: no systemd, no database, no cgroups.

Everything is in one folder, but for the link /etc/slurm/slurm.conf: the plugin for steps inside a job takes
``SLURM_CONF`` out of the environment of its ``srun``, which then looks at that place and no other.

    python tests/cluster/small_cluster.py start FOLDER
    python tests/cluster/small_cluster.py stop FOLDER

It takes root, and Debian's packages munge, slurmctld, slurmd and slurm-client (``make setup-cluster``).
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sinfo", "sbatch", "srun", "squeue", "scancel")
CONFIGURATION = Path("/etc/slurm/slurm.conf")
NODES = ("node1", "node2")
CPUS = 2
MEMORY_MB = 8000
PORT = 17817  # of slurmctld; the nodes take the next ones

#: man slurm.conf says what each line means.
_SLURM_CONF = """\
ClusterName={cluster}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
# A job whose node was lost is started again after the time in which a credential holds, two minutes unless set.
AuthInfo=socket={folder}/munge/socket,cred_expire=10
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
# Not linuxproc, which no longer finds a process whose parent has died.
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
# Without cgroups: memory is looked at every second, and a job that has more than it asked for is killed.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,UsePss
# The nodes may claim what this machine has not.
SlurmdParameters=config_overrides
ReturnToService=2
# A job that its node knows nothing of is lost if it began longer ago than this and the 10 s of MessageTimeout.
BatchStartTimeout=1
# What no node can ever run is refused; otherwise it would wait for ever.
EnforcePartLimits=ALL
# The states of finished jobs come from squeue, so they must stay there.
AccountingStorageType=accounting_storage/none
MinJobAge=3600
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/log/jobs.txt
KillWait=5
MailProg=/bin/true
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
{nodes}
# A job goes to the node that has least to do, so that a run is on both.
PartitionName=main Nodes=ALL Default=YES MaxTime=1-00:00:00 LLN=YES State=UP
"""


def missing() -> str:
    """Return what keeps a cluster from being started here, as a sentence; empty when nothing does."""
    if os.geteuid():
        return "A cluster of one's own takes root."
    absent = [program for program in PROGRAMS if not shutil.which(program)]
    if absent:
        return f"Slurm is not installed ({', '.join(absent)} not found): make setup-cluster installs it on Debian."
    if os.path.lexists(CONFIGURATION) and not CONFIGURATION.is_symlink():
        return f"{CONFIGURATION} is a real file: this machine is part of a cluster, which is left alone."
    if subprocess.run(["sinfo", "-h"], capture_output=True, check=False).returncode == 0:
        return "A Slurm cluster is running here already, and is left alone."
    return ""


def start(folder: Path) -> None:
    """Start the cluster, with all that it writes in a new folder; RuntimeError with its logs if it does not come up."""
    folder = folder.absolute()
    for name in ("munge", "state", "run", "log", *(f"spool/{node}" for node in NODES)):
        (folder / name).mkdir(parents=True)
    cluster = f"small{os.getpid()}"
    (folder / "run/cluster").write_text(cluster)
    key = folder / "munge/key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    host = socket.gethostname().split(".")[0]
    nodes = "\n".join(
        f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={PORT + number} CPUs={CPUS} "
        f"RealMemory={MEMORY_MB} State=UNKNOWN"
        for number, node in enumerate(NODES, 1)
    )
    configuration = _SLURM_CONF.format(cluster=cluster, host=host, port=PORT, folder=folder, nodes=nodes)
    (folder / "slurm.conf").write_text(configuration)
    CONFIGURATION.parent.mkdir(exist_ok=True)
    CONFIGURATION.unlink(missing_ok=True)  # a link of a run that was killed
    CONFIGURATION.symlink_to(folder / "slurm.conf")
    # --force: a folder of pytest is closed to others, which munge would otherwise not take.
    munge = ["munged", "--force", "--num-threads=10", f"--pid-file={folder}/run/munged.pid"]
    places = ("key-file", "socket", "log-file", "seed-file")
    munge += [f"--{option}={folder}/munge/{option.split('-')[0]}" for option in places]
    try:
        for command in (munge, ["slurmctld", "-c"]):
            _run(*command)
        for node in NODES:
            start_slurmd(node)
        if not _wait(30, lambda: _run("sinfo", "-h", "-N", "-o", "%T").split() == ["idle"] * len(NODES)):
            raise RuntimeError("The nodes did not come up.")
        _run("srun", "-N", str(len(NODES)), "--mem=50", "true")
    except (RuntimeError, OSError) as error:
        logs = "".join(path.read_text(errors="replace")[-3000:] for path in sorted(folder.glob("log/*.log")))
        stop(folder)
        raise RuntimeError(f"{error}\n{logs}") from None


def stop(folder: Path) -> list[str]:
    """End all jobs, daemons and what jobs have left running; return the commands of these last.

    Processes are found by their pid files, and those of jobs by the name of the cluster in their environment.
    """
    folder = folder.absolute()
    ours = CONFIGURATION.is_symlink() and CONFIGURATION.resolve() == (folder / "slurm.conf").resolve()
    if ours:
        subprocess.run(["scancel", "--user=root"], capture_output=True, timeout=30, check=False)
        _wait(10, lambda: not queue())
    for pattern in ("slurmd.*.pid", "slurmctld.pid", "munged.pid"):
        pids = [int(path.read_text()) for path in (folder / "run").glob(pattern)]
        for pid in pids:
            _signal(pid, signal.SIGTERM)
        if not _wait(15, lambda pids=pids: not any(_alive(pid) for pid in pids)):
            for pid in pids:
                _signal(pid, signal.SIGKILL)
    left = []
    for number, command in _processes(_marks(folder)):
        left.append(command)
        _signal(number, signal.SIGKILL)
    if ours:
        CONFIGURATION.unlink()
    return left


def kill_slurmd(folder: Path, node: str, with_jobs: bool) -> None:
    """Kill the daemon of a node as a crash does; with its jobs, as when the machine has lost its power."""
    pid = int((folder / f"run/slurmd.{node}.pid").read_text())
    _signal(pid, signal.SIGKILL)
    if with_jobs:
        marks = [*_marks(folder), f"SLURMD_NODENAME={node}".encode()]
        found = [number for number, _ in _processes(marks)]
        # What looks after a job is its parent, and would tell that it has ended.
        parents = {_parent(number) for number in found}
        for number in [*(parent for parent in parents if _is_stepd(parent)), *found]:
            _signal(number, signal.SIGKILL)
    if not _wait(10, lambda: not _alive(pid)):
        raise RuntimeError(f"slurmd of {node} does not end.")


def start_slurmd(node: str) -> None:
    """Start the daemon of a node, also again after `kill_slurmd`."""
    _run("slurmd", "-N", node)


def queue() -> list[str]:
    """Return the state of every job that waits or runs."""
    done = subprocess.run(["squeue", "-h", "-o", "%T"], capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.split()


def jobs(run: str) -> list[dict[str, str]]:
    """Return what Slurm keeps of all jobs of one run of Snakemake, in the order of their submission.

    Parameters
    ----------
    run : str
        The name that the plugin gives to all jobs of a run; it prints it as "SLURM run ID".

    Returns
    -------
    list of dict
        state, cpus, memory, limit (time, as days-hours:minutes:seconds), node, comment (rule and wildcards),
        submitted, began and ended (seconds since 1970).
    """
    form = "%i|%T|%C|%m|%l|%N|%k|%V|%S|%e"
    names = ("id", "state", "cpus", "memory", "limit", "node", "comment", "submitted", "began", "ended")
    environment = {**os.environ, "SLURM_TIME_FORMAT": "%s"}
    done = subprocess.run(
        ["squeue", "--states=all", "-h", "--name", run, "-o", form],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    rows = [dict(zip(names, line.split("|"), strict=True)) for line in done.stdout.splitlines()]
    return sorted(rows, key=lambda row: int(row["id"]))


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout


def _wait(seconds: float, come: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not (there := come()) and time.monotonic() < end:
        time.sleep(0.1)
    return there


def _marks(folder: Path) -> list[bytes]:
    """Return what all jobs of the cluster have in their environment."""
    return [f"SLURM_CLUSTER_NAME={(folder / 'run/cluster').read_text()}".encode()]


def _processes(marks: list[bytes]) -> list[tuple[int, str]]:
    """Return number and command of every process that has all the marks in its environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if set(marks) <= set((process / "environ").read_bytes().split(b"\0")):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.append((int(process.name), command))
        except OSError:
            continue  # gone meanwhile
    return found


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _is_stepd(pid: int) -> bool:
    try:
        return b"slurmstepd" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _alive(pid: int) -> bool:
    """Return whether a process is there and has not ended yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


if __name__ == "__main__":
    if sys.argv[1:2] not in (["start"], ["stop"]) or len(sys.argv) != 3:
        sys.exit(__doc__)
    if sys.argv[1] == "start":
        if reason := missing():
            sys.exit(reason)
        start(Path(sys.argv[2]))
    else:
        stop(Path(sys.argv[2]))
