"""Export the keypoints and angles of one video to the files that other tools read.

Five forms: OpenPose's JSON, the ``.trc`` and ``.mot`` of Sports2D, Pose2Sim and OpenSim, wide CSV tables, and a
netCDF that ``movement`` opens. The people have the numbers of the source's own table ``keypoints``. Every file is
written whole or not at all, and is the same bytes for the same tables: it holds no date, no path and no host.
"""

import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv
import xarray as xr
from numpy.typing import NDArray

from deidpose.errors import UserError
from deidpose.keypoints import Poses
from deidpose.kinematics import angles
from deidpose.kinematics.angles import Angles
from deidpose.skeleton import BODY_25, KEYPOINTS

#: Angles in the order of Sports2D: its joint angles, then its segment angles. Their names there have a space where
#: ours have an underscore (Pose2Sim 0.10.49, ``angle_dict`` of ``common.py``).
ANGLES: tuple[str, ...] = (
    "right_ankle", "left_ankle", "right_knee", "left_knee", "right_hip", "left_hip", "right_shoulder",
    "left_shoulder", "right_elbow", "left_elbow", "right_wrist", "left_wrist",
    "right_foot", "left_foot", "right_shank", "left_shank", "right_thigh", "left_thigh", "pelvis", "trunk",
    "shoulders", "head", "right_arm", "left_arm", "right_forearm", "left_forearm", "right_hand", "left_hand",
)  # fmt: skip

#: Where each of them is in arrays of `kinematics.angles.Angles`.
_PLACES = [list(angles.ANGLES).index(name) for name in ANGLES]

#: Markers of a ``.trc``, in the order of `KEYPOINTS`. Only MidHip has another name in Sports2D.
MARKERS: tuple[str, ...] = tuple("Hip" if name == "MidHip" else name for name in KEYPOINTS)

#: Unit in the header of a ``.trc``: Sports2D writes metres there in its files in pixels as well, and OpenSim knows no
#: pixels. The name of the file tells them apart: Sports2D takes a file for pixels when its name holds ``_px``.
_TRC_UNIT = "m"

#: Decimals of pixels, degrees and seconds in text: those of every table of the workflow.
_DECIMALS = 6

#: Rows that are turned into text at once, so that long videos need no more memory than short ones.
_ROWS = 5_000

#: The earliest date that a ZIP archive can hold: the real one would make two archives of the same content differ.
_NO_DATE = (1980, 1, 1, 0, 0, 0)

#: A frame without people, as OpenPose writes it.
_NOBODY = b'{"version":1.3,"people":[]}'

#: One person, as OpenPose writes one (``fileStream.cpp``): the number, which is -1 there unless it follows people; the
#: keypoints; and the lists of what was not looked for. Seven digits keep a thousandth of a pixel in pictures of any
#: size, one more than the six of OpenPose, and 0 stays "0".
_PERSON = (
    '{"person_id":[%d],"pose_keypoints_2d":['
    + ",".join(["%.7g"] * (3 * len(BODY_25)))
    + '],"face_keypoints_2d":[],"hand_left_keypoints_2d":[],"hand_right_keypoints_2d":[],"pose_keypoints_3d":[],'
    '"face_keypoints_3d":[],"hand_left_keypoints_3d":[],"hand_right_keypoints_3d":[]}'
)


def export(
    body: Poses,
    turned: Angles,
    time_s: NDArray[np.float64],
    frame_rate: float,
    video: str,
    source: str,
    folder: str | Path,
) -> None:
    """Write keypoints and angles of one source of one video into ``folder``, which is made where it is not there.

    The files are ``{source}_openpose.zip``, ``{source}_keypoints.csv`` and ``{source}_angles.csv``; for each person
    ``{source}_person{number}_px.trc`` and ``{source}_person{number}_angles.mot``, the number with two digits at
    least; and ``{source}.nc``, unless there is nobody: netCDF has no dimension of length 0.

    Parameters
    ----------
    body : Poses
        The table ``keypoints`` of this source.
    turned : Angles
        The table ``angles`` of this source.
    time_s : array, shape (n_frames,)
        Presentation time of every frame of the video in s, with and without people.
    frame_rate : float
        Mean frames per second, for readers that take one number.
    video, source : str
        Id of the video, and original or a method.
    folder : path
        Where to write.

    Raises
    ------
    UserError
        A table names a frame that the video does not have.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for frame in (body.frame, turned.frame):
        if len(frame) and not 0 <= frame.min() <= frame.max() < len(time_s):
            raise UserError("A table names a frame that the video does not have; run the workflow again from the pose.")
    write_openpose(body, len(time_s), f"{video}_{source}", folder / f"{source}_openpose.zip")
    write_csv(keypoint_columns(body), folder / f"{source}_keypoints.csv")
    write_csv(angle_columns(turned), folder / f"{source}_angles.csv")
    for person in np.unique(body.person).tolist():
        name = f"{source}_{person_name(person)}"
        write_trc(body, person, time_s, frame_rate, folder / f"{name}_px.trc")
        write_mot(turned, person, time_s, folder / f"{name}_angles.mot")
    if len(body.person):
        write_netcdf(dataset(body, turned, time_s, frame_rate), folder / f"{source}.nc")


def person_name(person: int) -> str:
    """Return the name of a person in file names and in the netCDF: the number with two digits at least."""
    return f"person{person:02d}"


def write_openpose(body: Poses, n_frames: int, stem: str, path: Path) -> None:
    """Write keypoints as OpenPose does, a JSON file for every frame, into a ZIP archive.

    The files are named ``{stem}_{frame}_keypoints.json``, the frame with twelve digits. Each person has the 25
    keypoints of BODY_25 as x, y in px and confidence, (0, 0, 0) for one that is not seen; a person of whom none is
    seen in a frame is not listed in it. ``person_id`` is the number of the person.
    """
    shown: NDArray[np.bool_] = np.isfinite(body.position[:, : len(BODY_25)].sum(axis=2))
    listed = np.flatnonzero(shown.any(axis=1))
    frame = body.frame[listed]
    with _whole(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for start in range(0, n_frames, _ROWS):
            stop = min(start + _ROWS, n_frames)
            ends = np.searchsorted(frame, np.arange(start, stop + 1))
            rows = listed[ends[0] : ends[-1]]
            values = np.zeros((len(rows), len(BODY_25), 3))
            values[..., :2] = body.position[rows, : len(BODY_25)]
            # A keypoint without a confidence is in its place all the same.
            values[..., 2] = np.nan_to_num(body.confidence[rows, : len(BODY_25)], nan=0.0)
            values[~shown[rows]] = 0.0
            numbers = values.reshape(len(rows), 3 * len(BODY_25)).tolist()
            people = [_PERSON % (person, *row) for person, row in zip(body.person[rows].tolist(), numbers, strict=True)]
            bounds = (ends - ends[0]).tolist()
            for index, first, last in zip(range(start, stop), bounds, bounds[1:], strict=False):
                content = b'{"version":1.3,"people":[%s]}' % ",".join(people[first:last]).encode()
                _add(archive, f"{stem}_{index:012d}_keypoints.json", content if last > first else _NOBODY)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a file to an archive without date, owner and system of the machine."""
    entry = zipfile.ZipInfo(name, _NO_DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


def write_trc(body: Poses, person: int, time_s: NDArray[np.float64], frame_rate: float, path: Path) -> None:
    """Write the keypoints of one person in pixels as a ``.trc``, a row for every frame of the video.

    The header is that of Sports2D 0.8.34 (``make_trc_with_trc_data``), as are its coordinates in pixels: x to the
    right, y down, z 0. ``Time`` holds the true times, ``DataRate`` the mean rate.

    A keypoint that is not seen is "nan" in x, y and z. Sports2D leaves the fields empty; both are the same to it and
    to Pose2Sim. But OpenSim 4.6 refuses a line that ends in empty fields, and its ``MarkerData`` takes the next
    marker's numbers for the empty ones.
    """
    rate = f"{frame_rate:.8g}"
    header = (
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate}\t{rate}\t{len(time_s)}\t{len(MARKERS)}\t{_TRC_UNIT}\t{rate}\t0\t{len(time_s)}",
        "Frame#\tTime\t" + "\t\t\t".join(MARKERS) + "\t\t\t",
        "\t\t" + "\t".join(f"X{n}\tY{n}\tZ{n}" for n in range(1, len(MARKERS) + 1)),
    )
    chosen = body.person == person
    rows, seen = body.position[chosen], body.frame[chosen]
    rows = np.concatenate([rows, np.where(np.isfinite(rows).all(axis=2, keepdims=True), 0.0, np.nan)], axis=2)
    _write_series(header, rows.reshape(len(rows), -1), seen, time_s, numbered=True, path=path)


def write_mot(turned: Angles, person: int, time_s: NDArray[np.float64], path: Path) -> None:
    """Write the angles of one person in degrees as a ``.mot``, a row for every frame of the video.

    Header and names of the columns are those of Sports2D 0.8.34 (``make_mot_with_angles``), such as "right knee", with
    one line more that says whether the angles are filtered: they are where any angle of this source is. ``nColumns``
    counts the column of time too, as OpenSim does. An angle that is missing is "nan", as in `write_trc`.
    """
    header = (
        "Coordinates",
        "version=1",
        f"nRows={len(time_s)}",
        f"nColumns={1 + len(ANGLES)}",
        "inDegrees=yes",
        "",
        "Units are S.I. units (second, meters, Newtons, ...)",
        "If the header above contains a line with 'inDegrees', this indicates whether rotational values are in degrees "
        "(yes) or radians (no).",
        f"The angles are {'filtered' if turned.is_filtered else 'unfiltered'}.",
        "",
        "endheader",
        "time\t" + "\t".join(name.replace("_", " ") for name in ANGLES),
    )
    chosen = turned.person == person
    rows = (turned.degrees_filtered if turned.is_filtered else turned.degrees)[chosen][:, _PLACES]
    _write_series(header, rows, turned.frame[chosen], time_s, numbered=False, path=path)


def keypoint_columns(body: Poses) -> dict[str, NDArray[np.generic]]:
    """Return the columns of the wide table of keypoints: x and y in px and the confidence of each."""
    columns: dict[str, NDArray[np.generic]] = {"frame": body.frame, "time_s": body.time_s, "person": body.person}
    for index, name in enumerate(KEYPOINTS):
        columns[f"{name}_x_px"], columns[f"{name}_y_px"] = body.position[:, index].T
        columns[f"{name}_confidence"] = body.confidence[:, index]
    return columns


def angle_columns(turned: Angles) -> dict[str, NDArray[np.generic]]:
    """Return the columns of the wide table of angles: unfiltered and filtered degrees and the confidence of each."""
    columns: dict[str, NDArray[np.generic]] = {
        "frame": turned.frame,
        "time_s": turned.time_s,
        "person": turned.person,
        "direction": turned.direction,
    }
    for index, name in zip(_PLACES, ANGLES, strict=True):
        columns[f"{name}_deg"] = turned.degrees[:, index]
        columns[f"{name}_filtered_deg"] = turned.degrees_filtered[:, index]
        columns[f"{name}_confidence"] = turned.confidence[:, index]
    return columns


def write_csv(columns: Mapping[str, NDArray[np.generic]], path: Path) -> None:
    """Write columns of one length as CSV, a missing value as an empty field."""
    with _whole(path) as partial, partial.open("wb") as stream:
        stream.write((",".join(columns) + "\n").encode())
        for start in range(0, len(next(iter(columns.values()))), _ROWS):
            part = [_text_ready(values[start : start + _ROWS]) for values in columns.values()]
            _write_rows(stream, [pa.array(values, from_pandas=True) for values in part], ",")


def dataset(body: Poses, turned: Angles, time_s: NDArray[np.float64], frame_rate: float) -> xr.Dataset:
    """Return keypoints and angles as a dataset of poses as ``movement`` 0.15 defines one.

    Dimensions and coordinates are those of its ``ValidPosesInputs``: ``time`` (s, as presented, even or not),
    ``space``, ``keypoints`` and ``individuals``; the variables ``position`` in px and ``confidence``. Beside them
    stand ``degrees`` and, where there are any, ``degrees_filtered`` over time, ``angles`` and individuals.
    """
    numbers = np.unique(body.person)
    people = len(numbers)
    position = np.full((len(time_s), 2, len(KEYPOINTS), people), np.nan, dtype=np.float32)
    confidence = np.full((len(time_s), len(KEYPOINTS), people), np.nan, dtype=np.float32)
    place = np.searchsorted(numbers, body.person)
    position[body.frame, :, :, place] = body.position.transpose(0, 2, 1)
    confidence[body.frame, :, place] = body.confidence
    known = np.isin(turned.person, numbers)
    place = np.searchsorted(numbers, turned.person[known])
    variables = {
        "position": (("time", "space", "keypoints", "individuals"), position, {"units": "px"}),
        "confidence": (("time", "keypoints", "individuals"), confidence),
    }
    measured = {"degrees": turned.degrees}
    if turned.is_filtered:
        measured["degrees_filtered"] = turned.degrees_filtered
    for name, values in measured.items():
        angle = np.full((len(time_s), len(ANGLES), people), np.nan, dtype=np.float32)
        angle[turned.frame[known], :, place] = values[known][:, _PLACES]
        variables[name] = (("time", "angles", "individuals"), angle, {"units": "degrees"})
    return xr.Dataset(
        variables,
        coords={
            "time": np.asarray(time_s, dtype=np.float64),
            "space": ["x", "y"],
            "keypoints": list(KEYPOINTS),
            "individuals": [person_name(number) for number in numbers.tolist()],
            "angles": list(ANGLES),
        },
        attrs={"source_software": "deidpose", "ds_type": "poses", "fps": float(frame_rate), "time_unit": "seconds"},
    )


def write_netcdf(poses_dataset: xr.Dataset, path: Path) -> None:
    """Write a dataset as netCDF 3 with 64-bit offsets, which every netCDF library reads.

    Unlike HDF5, on which netCDF 4 rests, it has no dates in it. Time is the dimension without a limit: so a variable
    may be larger than 2 GiB.
    """
    with _whole(path) as partial:
        poses_dataset.to_netcdf(partial, engine="scipy", format="NETCDF3_64BIT", unlimited_dims=["time"])


def _write_series(
    header: Sequence[str],
    rows: NDArray[np.float64],
    frame: NDArray[np.int64],
    time_s: NDArray[np.float64],
    *,
    numbered: bool,
    path: Path,
) -> None:
    """Write a header and a row of numbers for every frame of the video, NaN where ``rows`` has none for it.

    Parameters
    ----------
    header : strings
        Its lines.
    rows : array, shape (n, n_columns)
        Numbers of the frames ``frame``, which ascend.
    frame : array, shape (n,)
        Their frames.
    time_s : array, shape (n_frames,)
        Time of every frame in s.
    numbered : bool
        Whether the number of the frame stands before its time.
    path : path
        The file.
    """
    with _whole(path) as partial, partial.open("wb") as stream:
        stream.write(("\n".join(header) + "\n").encode())
        for start in range(0, len(time_s), _ROWS):
            stop = min(start + _ROWS, len(time_s))
            first, last = np.searchsorted(frame, [start, stop])
            block = np.full((stop - start, rows.shape[1]), np.nan)
            block[frame[first:last] - start] = rows[first:last]
            columns = [pa.array(_text_ready(values)) for values in (time_s[start:stop], *block.T)]
            _write_rows(stream, [pa.array(np.arange(start, stop)), *columns] if numbered else columns, "\t")


def _text_ready(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Round what is a fraction, so that the text is short and the same on every machine; no zero has a sign."""
    return values.astype(np.float64).round(_DECIMALS) + 0.0 if values.dtype == np.float64 else values


def _write_rows(stream: BinaryIO, columns: Sequence[pa.Array], delimiter: str) -> None:
    """Write columns of one length as lines of text."""
    table = pa.table(list(columns), names=[str(index) for index in range(len(columns))])
    options = pyarrow.csv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style="none")
    pyarrow.csv.write_csv(table, stream, options)


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Give a path to write to; the file has its own name only when it is whole."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
