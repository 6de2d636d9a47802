"""The most memory that a process has had."""

import re
import resource
import sys
from pathlib import Path


def most_memory() -> float:
    """Return the peak of the memory of this process, in megabytes.

    On Linux `getrusage` tells of the process that has started this one, where that had more.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 1e3  # type: ignore[index]  # it is there
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
