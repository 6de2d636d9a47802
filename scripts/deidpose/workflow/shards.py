"""Run a study in shares: record what a finished video was made with, and check that all are finished.

Snakemake plans a study as a whole, which takes seconds and tens of megabytes for each thousand jobs. Thousands of
videos are done in shares, and then the study on what is there. What Snakemake would have found out by its plan is found
out here: that every video is finished, and with the settings and the code of now.

Imports the standard library only, because the Snakefile imports this module and every job on a cluster reads the
Snakefile again.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from deidpose.errors import UserError


def stamp(*facts: Any) -> str:
    """Return a digest of all that the steps of a video go by: settings, digests of code and networks, decisions.

    Parameters
    ----------
    *facts
        Anything that JSON can hold; the order of keys does not count.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def check(
    folder: str | Path, videos: Iterable[str], screening: Mapping[str, object], stamps: Mapping[str, str]
) -> None:
    """Refuse a study in which a video is not finished, or was finished with something else than is set now.

    Parameters
    ----------
    folder : path
        Where the finished videos have left their stamps, one ``.txt`` a video.
    videos : iterable of str
        Every video of the dataset.
    screening : mapping
        What is known of each, as `resources.read_screening` gives it.
    stamps : mapping
        Video -> its stamp by the settings of now, of all videos that belong to the study.

    Raises
    ------
    UserError
        Videos are not screened, not finished or outdated.
    """
    n_new = len(set(videos) - set(screening))
    if n_new:
        raise UserError(
            f"{n_new} videos are not screened yet: run snakemake --until screening first, with only_study: false."
        )
    n_missing = n_outdated = 0
    for video, wanted in stamps.items():
        try:
            n_outdated += (Path(folder) / f"{video}.txt").read_text(encoding="utf-8").strip() != wanted
        except FileNotFoundError:
            n_missing += 1
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"The stamp of video {video} cannot be read: {type(error).__name__}.") from None
    if n_missing or n_outdated:
        raise UserError(
            f"Of {len(stamps)} videos, {n_missing} are not finished and {n_outdated} were finished with other "
            "settings, decisions or code: do their shares again (docs/cluster.md), or set only_study: false."
        )
