"""What a backend is: a module with the members of `Backend`."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from deidpose.video.frames import Frame


class Sight(NamedTuple):
    """One person in one frame, as a backend has seen them."""

    frame: int
    #: Shape (25 or 27, 3): x and y in pixels of the upright picture and confidence 0..1, in the order of
    #: `skeleton.KEYPOINTS`; NaN, NaN where one was not found.
    keypoints: NDArray[np.float64]
    #: Shape (18,), from `appearance.colours`, which needs the picture; the picture itself need not be kept.
    colours: NDArray[np.float32]
    #: The number under which the backend follows this body, or -1 when it follows nobody.
    track: int = -1
    #: Side of a square around the body in pixels, somewhat more than its height; NaN where the keypoints have to tell.
    size: float = float("nan")


@runtime_checkable
class Backend(Protocol):
    """A module that finds people in pictures."""

    #: Whether it follows people: it gives every sight a ``track``, which no other in the frame has. The tracks of one
    #: that does not are made from its sights.
    TRACKS: bool
    #: Licence of the networks, and what it does not allow.
    LICENCE: str
    #: Keypoints that it makes up as the middle between two others: (middle, left, right). One is not seen where either
    #: end is not.
    MIDPOINTS: tuple[tuple[str, str, str], ...]

    def people(
        self,
        frames: Iterable[Frame],
        frame_rate: float,
        models: Mapping[str, str | Path],
        settings: Mapping[str, Any],
        threads: int,
        cuts: Collection[int],
    ) -> Iterator[Sight]:
        """Yield everybody in every frame, in any order; parameters as `pose.estimate.estimate_frames`.

        All frames are read. Nothing is left out for a low confidence or for lying outside the picture. Where frames
        have to lie on the disk, they may lie in the folder ``scratch`` of the settings alone, where there is that key:
        it is among the restricted results, is removed at the end, and no other job has it.
        """

    def origin(self, models: Mapping[str, str | Path], settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return what it runs with: ``version``, ``way`` where there are several, ``models`` with their digests.

        The digests are ``{name: sha256}``. With networks that are not in ``config/models.yaml`` comes a ``citation``.
        Nothing of it may be a path.
        """
