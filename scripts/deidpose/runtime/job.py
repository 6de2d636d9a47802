"""The frame of every script: its log, and what happens to an exception."""

import logging
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deidpose.errors import UserError

#: A path from the root or a drive on, in quotes with all that they hold; no address, whose slashes are two.
_ABSOLUTE_PATH = re.compile(
    r"""(?P<quote>['"])(?:file:)?(?:/|[A-Za-z]:\\).*(?P=quote)|(?<![\w.</])/(?!/)[^\s'",;:)]+|(?<!\w)[A-Za-z]:\\[^\s'",;]+"""
)


class _Redacting(logging.Formatter):
    """Lines of a log, each without what is confidential."""

    def __init__(self, confidential: Iterable[str]) -> None:
        super().__init__("%(levelname)s %(message)s")
        self.confidential = list(confidential)

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record), self.confidential)


@contextmanager
def job(log: str | Path, confidential: Iterable[str] = ()) -> Iterator[None]:
    """Send the logging of a script to ``log`` and end it with one clear sentence when something goes wrong.

    A `UserError` is logged as its sentence, without a traceback. Any other exception is logged with the lines
    of code that it went through. Neither may carry a source name: every string of ``confidential``, and every
    absolute path, is struck out, as are the working directory and the folder of the results; the same goes for
    every other line of the log, warnings included. Clock times are left out of the log too.

    Parameters
    ----------
    log : path
        The rule's log file.
    confidential : strings
        Paths and names that must not be written, such as the path of the source video.
    """
    results = str(log).split("/logs/", maxsplit=1)[0]
    confidential = [*confidential, os.getcwd(), results, os.path.abspath(results)]
    handler = logging.FileHandler(log, mode="w", encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(_Redacting(confidential))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a log that cannot be written, on a full disk, is told by what fails next
    try:
        yield
    except UserError as error:
        sentence = redact(str(error), confidential)
    except Exception as error:
        sentence = redact(f"{type(error).__name__}: {error}", confidential)
        for frame in traceback.extract_tb(error.__traceback__):
            logging.error("in %s, line %s, %s", Path(frame.filename).name, frame.lineno, frame.name)
    else:
        return
    logging.error(sentence)
    print(sentence, file=sys.stderr)
    sys.exit(1)


def redact(text: str, confidential: Iterable[str]) -> str:
    """Return ``text`` with every absolute path, and each part and escaped form of a confidential one, struck out."""
    secrets: set[str] = set()
    for secret in confidential:
        path = Path(secret)
        for part in (secret, path.name, path.stem, str(path.parent)):
            if len(part) > 1:
                # As Python writes text and bytes in its messages.
                secrets |= {part, repr(part)[1:-1], ascii(part)[1:-1], repr(os.fsencode(part))[2:-1]}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "<source>")
    return _ABSOLUTE_PATH.sub(lambda found: f"{found['quote'] or ''}<path>{found['quote'] or ''}", text)
