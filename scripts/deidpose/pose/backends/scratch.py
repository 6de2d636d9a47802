"""Manage the folder for frames that a backend needs on the disk; they show faces."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deidpose.errors import UserError


@contextmanager
def folder(place: str | Path | None) -> Iterator[Path]:
    """Make an empty folder, and remove it at the end with all that is in it.

    Parameters
    ----------
    place : path or None
        Where; what is there is removed first, such as what a job that was killed has left. None stands for a new one
        where the system keeps temporary files.

    Raises
    ------
    UserError
        It cannot be made or removed.
    """
    if place is None:
        with tempfile.TemporaryDirectory(prefix="deidpose-") as made:
            yield Path(made)
        return
    remove(place)
    try:
        Path(place).mkdir(mode=0o700)
    except OSError as error:
        raise UserError(f"The folder for frames on the disk cannot be made: {error.strerror}.") from None
    try:
        yield Path(place)
    finally:
        remove(place)


def remove(place: str | Path) -> None:
    """Remove a folder with all that is in it, where there is one; errors as `folder`."""
    try:
        shutil.rmtree(place)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"The folder for frames on the disk cannot be removed: {error.strerror}.") from None
