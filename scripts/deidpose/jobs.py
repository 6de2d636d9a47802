"""What every script shares: its log, and what happens to an exception."""

import logging
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deidpose.errors import UserError


@contextmanager
def job(log: str | Path, confidential: Iterable[str] = ()) -> Iterator[None]:
    """Send the logging of a script to ``log`` and end it with one clear sentence when something goes wrong.

    A `UserError` is logged as its sentence, without a traceback. Any other exception is logged with the lines
    of code that it went through. Neither may carry a source name: every string of ``confidential``, and every
    absolute path, is struck out. Clock times are left out of the log too.

    Parameters
    ----------
    log : path
        The rule's log file.
    confidential : strings
        Paths and names that must not be written, such as the path of the source video.
    """
    logging.basicConfig(filename=log, filemode="w", level=logging.INFO, format="%(levelname)s %(message)s", force=True)
    logging.captureWarnings(True)
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
    """Return ``text`` with every confidential string, its parts of a path and their escaped forms struck out."""
    secrets: set[str] = set()
    for secret in confidential:
        path = Path(secret)
        for part in (secret, path.name, path.stem, str(path.parent)):
            if len(part) > 1:
                secrets |= {part, repr(part)[1:-1]}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "<source>")
    return text
