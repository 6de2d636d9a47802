"""A plugin of Snakemake, ``--logger jobs``, that writes a line of JSON for each job, beside the messages of rules.

Snakemake shows the message of a rule in place of its name, its log and its threads. It finds the plugin where this
folder is on ``PYTHONPATH``.
"""

import json
import re
import sys
from logging import LogRecord
from typing import NamedTuple

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

_MARK = "job: "


class Job(NamedTuple):
    """A job that Snakemake runs or, in a dry run, would run."""

    reason: str
    threads: int


def read(said: str) -> dict[str, Job]:
    """Return the jobs in the output of Snakemake by the name of their log, such as ``track_faces/a``."""
    lines = re.findall(rf"^{_MARK}(.*)$", said, re.MULTILINE)
    return {name: Job(*facts) for name, *facts in map(json.loads, lines)}


class LogHandler(LogHandlerBase):
    """Write the facts of a job to standard error, beside what Snakemake writes there."""

    # Where a plugin says that it writes to a stream, Snakemake writes nothing of its own.
    writes_to_stream = False
    writes_to_file = False
    has_filter = False
    has_formatter = True
    needs_rulegraph = False

    def emit(self, record: LogRecord) -> None:
        facts = vars(record)  # Snakemake adds what it knows of the job to the record
        if facts.get("event") == LogEvent.JOB_INFO and facts["log"]:
            name = facts["log"][0].rpartition("/logs/")[2].removesuffix(".log")
            # At once and on a line of its own: another thread writes what Snakemake itself says.
            sys.stderr.write(f"\n{_MARK}{json.dumps([name, facts['reason'], facts['threads']])}\n")
