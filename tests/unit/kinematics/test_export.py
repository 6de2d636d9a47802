"""Files for other tools: what is in them, and that these tools read from them what was written."""

import json
import os
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deidpose import tables
from deidpose.errors import UserError
from deidpose.keypoints import poses
from deidpose.kinematics import export as export_module
from deidpose.kinematics.angles import angle_arrays
from deidpose.kinematics.export import ANGLES, MARKERS, write_csv, write_openpose
from deidpose.skeleton import BODY_25, INDEX, KEYPOINTS
from fixtures import random_tables

#: Times of a phone: 30 frames per second, but not evenly, and not from 0 on.
TIME_S = 0.2 + np.cumsum(np.tile([0.033333, 0.03, 0.036667], 8))
N_FRAMES = len(TIME_S)
RATE = (N_FRAMES - 1) / (TIME_S[-1] - TIME_S[0])


def made_up_keypoints(
    people: dict[int, tuple[int, int]], seed: int = 0, missing: float = 0.1, time_s: NDArray[np.float64] = TIME_S
) -> pd.DataFrame:
    """Return keypoints of people in their first to last frame, some of them not seen."""
    rng = np.random.default_rng(seed)
    parts = []
    for person, (first, last) in people.items():
        keys = {"frame": range(first, last + 1), "person": [person], "keypoint": KEYPOINTS}
        n = (last + 1 - first) * len(KEYPOINTS)
        hidden = rng.random(n) < missing
        parts.append(
            random_tables.table(
                "keypoints",
                keys,
                time_s=np.repeat(time_s[first : last + 1], len(KEYPOINTS)),
                x_px=np.where(hidden, np.nan, rng.uniform(0, 3840, n)),
                y_px=np.where(hidden, np.nan, rng.uniform(0, 2160, n)),
                confidence=np.where(hidden, 0.0, rng.uniform(0.05, 1, n)),
            )
        )
    return pd.concat(parts).sample(frac=1, random_state=seed) if parts else tables.empty("keypoints")


def made_up_angles(people: dict[int, tuple[int, int]], seed: int = 0, filtered: bool = True) -> pd.DataFrame:
    """Return angles of people in their first to last frame, some of them missing."""
    rng = np.random.default_rng(seed)
    parts = []
    for person, (first, last) in people.items():
        keys = {"frame": range(first, last + 1), "person": [person], "angle": ANGLES}
        n = (last + 1 - first) * len(ANGLES)
        degrees = np.where(rng.random(n) < 0.1, np.nan, rng.normal(30, 40, n))
        parts.append(
            random_tables.table(
                "angles",
                keys,
                time_s=np.repeat(TIME_S[first : last + 1], len(ANGLES)),
                degrees=degrees,
                degrees_filtered=rng.normal(30, 40, n) if filtered else np.nan,
                confidence=rng.random(n),
                direction=["right", "left"][person % 2],
            )
        )
    return pd.concat(parts).sample(frac=1, random_state=seed) if parts else tables.empty("angles")


#: The numbers of people have gaps, as after a person was lost; frames 0, 1 and the last have nobody.
PEOPLE = {0: (2, 20), 3: (5, 9), 117: (9, N_FRAMES - 2)}


@pytest.fixture(scope="module")
def keypoints() -> pd.DataFrame:
    table = made_up_keypoints(PEOPLE)
    # Person 3 is not seen at all in frame 6, although it is in the table.
    table.loc[(table["person"] == 3) & (table["frame"] == 6), ["x_px", "y_px"]] = np.nan
    return table


@pytest.fixture(scope="module")
def angles() -> pd.DataFrame:
    return made_up_angles(PEOPLE)


def export(keypoints: pd.DataFrame, angles: pd.DataFrame, folder: Path, source: str = "blur") -> None:
    """Export tables ``keypoints`` and ``angles``."""
    export_module.export(poses(keypoints), angle_arrays(angles), TIME_S, RATE, "v1", source, folder)


@pytest.fixture(scope="module")
def folder(keypoints: pd.DataFrame, angles: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one exported source."""
    folder: Path = tmp_path_factory.mktemp("export") / "interchange" / "v1"
    export(keypoints, angles, folder)
    return folder


def dense(keypoints: pd.DataFrame, person: int, n_frames: int = N_FRAMES) -> NDArray[np.float64]:
    """Return x, y and confidence of a person in every frame, shape (n_frames, 27, 3), by a way of its own."""
    chosen = keypoints[keypoints["person"] == person]
    values = np.full((n_frames, len(KEYPOINTS), 3), np.nan)
    for row in chosen.itertuples():
        values[row.frame, INDEX[row.keypoint]] = row.x_px, row.y_px, row.confidence
    return values


def dense_angles(angles: pd.DataFrame, person: int, column: str = "degrees") -> NDArray[np.float64]:
    """Return the angles of a person in every frame, shape (n_frames, 28), by a way of its own."""
    wide = angles[angles["person"] == person].pivot(index="frame", columns="angle", values=column)
    return wide.reindex(index=range(N_FRAMES), columns=list(ANGLES)).to_numpy()


def openpose_people(path: Path) -> list[list[dict[str, list[float]]]]:
    with zipfile.ZipFile(path) as archive:
        return [json.loads(archive.read(name))["people"] for name in sorted(archive.namelist())]


# ---------------------------------------------------------------------------------------------- the folder


def test_a_source_has_its_files_and_no_others(folder: Path) -> None:
    people = ["person00", "person03", "person117"]
    assert {path.name for path in folder.iterdir()} == {
        *("blur_openpose.zip", "blur_keypoints.csv", "blur_angles.csv", "blur.nc"),
        *(f"blur_{person}_px.trc" for person in people),
        *(f"blur_{person}_angles.mot" for person in people),
    }


def test_the_same_tables_give_the_same_bytes_whatever_their_order_and_the_day(
    folder: Path, keypoints: pd.DataFrame, angles: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "2000000000")
    export(keypoints.sample(frac=1, random_state=5), angles.sample(frac=1, random_state=5), tmp_path)
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_long_videos_are_written_in_parts_that_do_not_show(
    folder: Path, keypoints: pd.DataFrame, angles: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "_ROWS", 5)
    export(keypoints, angles, tmp_path)
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_no_file_holds_a_path_or_the_name_of_the_machine(folder: Path) -> None:
    for path in folder.iterdir():
        content = path.read_bytes()
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                content += b"".join(map(archive.read, archive.namelist()))
        for secret in (str(folder.parent), os.uname().nodename, os.environ.get("USER", "root") + "@"):
            assert secret.encode() not in content, path.name


def test_a_file_that_cannot_be_finished_is_not_there(
    keypoints: pd.DataFrame, angles: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(export_module, "_write_rows", fail)
    with pytest.raises(OSError, match="No space left"):
        export(keypoints, angles, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["blur_openpose.zip"]


def test_a_video_with_nobody_has_frames_and_headers_only(tmp_path: Path) -> None:
    export(tables.empty("keypoints"), tables.empty("angles"), tmp_path, source="original")
    assert {path.name for path in tmp_path.iterdir()} == {
        "original_openpose.zip",
        "original_keypoints.csv",
        "original_angles.csv",
    }
    assert openpose_people(tmp_path / "original_openpose.zip") == [[]] * N_FRAMES
    assert len((tmp_path / "original_angles.csv").read_text().splitlines()) == 1


def test_somebody_without_angles_has_an_empty_mot(tmp_path: Path) -> None:
    people = {4: (0, 2)}
    export(made_up_keypoints(people), tables.empty("angles"), tmp_path, source="original")
    lines = (tmp_path / "original_person04_angles.mot").read_text().splitlines()
    assert set(lines[-1].split("\t")[1:]) == {"nan"}
    with xr.open_dataset(tmp_path / "original.nc") as read:
        assert read["degrees"].isnull().all()


@pytest.mark.parametrize("wrong", ["keypoints", "angles"])
def test_a_frame_that_the_video_does_not_have_is_told(wrong: str, tmp_path: Path) -> None:
    chosen = {0: (0, 5)}
    keypoints, angles = made_up_keypoints(chosen), made_up_angles(chosen)
    (keypoints if wrong == "keypoints" else angles)["frame"] += N_FRAMES - 5
    with pytest.raises(UserError, match="a frame that the video does not have"):
        export(keypoints, angles, tmp_path)


def test_an_angle_that_is_unknown_or_there_twice_is_told() -> None:
    angles = made_up_angles({0: (0, 1)})
    with pytest.raises(UserError, match="holds the same angle twice"):
        angle_arrays(pd.concat([angles, angles.iloc[:1]]))
    angles.iloc[0, angles.columns.get_loc("angle")] = "left_tail"
    with pytest.raises(UserError, match="no angle of this workflow"):
        angle_arrays(angles)


# ---------------------------------------------------------------------------------------------- OpenPose


def test_the_archive_has_a_file_for_every_frame_named_as_openpose_names_them(folder: Path) -> None:
    with zipfile.ZipFile(folder / "blur_openpose.zip") as archive:
        assert archive.namelist() == [f"v1_blur_{frame:012d}_keypoints.json" for frame in range(N_FRAMES)]
        for entry in archive.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert entry.compress_type == zipfile.ZIP_DEFLATED
        assert archive.read("v1_blur_000000000000_keypoints.json") == b'{"version":1.3,"people":[]}'


def test_people_are_those_seen_with_every_field_that_openpose_writes(folder: Path, keypoints: pd.DataFrame) -> None:
    people = openpose_people(folder / "blur_openpose.zip")
    for frame, some in enumerate(people):
        expected = [n for n, (first, last) in PEOPLE.items() if first <= frame <= last and (n, frame) != (3, 6)]
        assert [person["person_id"] for person in some] == [[number] for number in expected]
    assert list(people[9][0]) == [
        *("person_id", "pose_keypoints_2d", "face_keypoints_2d", "hand_left_keypoints_2d"),
        *("hand_right_keypoints_2d", "pose_keypoints_3d", "face_keypoints_3d", "hand_left_keypoints_3d"),
        "hand_right_keypoints_3d",
    ]
    assert all(person[name] == [] for some in people for person in some for name in list(person)[2:])


def test_keypoints_are_x_y_confidence_of_body_25_and_zeros_where_not_seen(
    folder: Path, keypoints: pd.DataFrame
) -> None:
    people = openpose_people(folder / "blur_openpose.zip")
    for number in PEOPLE:
        expected = dense(keypoints, number)[:, : len(BODY_25)]
        expected[np.isnan(expected[..., 0])] = 0
        for frame, some in enumerate(people):
            for person in some:
                if person["person_id"] == [number]:
                    read = np.reshape(person["pose_keypoints_2d"], (25, 3))
                    np.testing.assert_allclose(read, expected[frame], atol=6e-4)
                    assert ((read == 0).all(axis=1) == (expected[frame] == 0).all(axis=1)).all()


def test_a_keypoint_without_confidence_keeps_its_place(tmp_path: Path) -> None:
    keypoints = made_up_keypoints({0: (0, 0)}, missing=0)
    keypoints.loc[keypoints["keypoint"] == "Neck", "confidence"] = np.nan
    write_openpose(poses(keypoints), 1, "v", tmp_path / "a.zip")
    ((person,),) = openpose_people(tmp_path / "a.zip")
    x, y, confidence = person["pose_keypoints_2d"][3:6]
    assert x > 0
    assert y > 0
    assert confidence == 0


def test_an_archive_holds_more_frames_than_the_old_zip_format(tmp_path: Path) -> None:
    write_openpose(poses(made_up_keypoints({0: (3, 3)})), 70_000, "v", tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = archive.namelist()
        assert len(names) == 70_000
        assert json.loads(archive.read(names[3]))["people"][0]["person_id"] == [0]


# ---------------------------------------------------------------------------------------------- CSV


def test_the_wide_tables_have_a_row_for_every_frame_and_person_and_units_in_their_header(
    folder: Path, keypoints: pd.DataFrame, angles: pd.DataFrame
) -> None:
    wide = pd.read_csv(folder / "blur_keypoints.csv")
    assert list(wide.columns[:6]) == ["frame", "time_s", "person", "Nose_x_px", "Nose_y_px", "Nose_confidence"]
    assert wide.shape[1] == 3 + 3 * len(KEYPOINTS)
    for number, (first, last) in PEOPLE.items():
        rows = wide[wide["person"] == number]
        assert rows["frame"].tolist() == list(range(first, last + 1))
        np.testing.assert_allclose(rows["time_s"], TIME_S[first : last + 1], atol=1e-6)
        read = rows.iloc[:, 3:].to_numpy().reshape(-1, len(KEYPOINTS), 3)
        np.testing.assert_allclose(read, dense(keypoints, number)[first : last + 1], atol=1e-6)

    wide = pd.read_csv(folder / "blur_angles.csv")
    assert list(wide.columns[:7]) == [
        *("frame", "time_s", "person", "direction"),
        *("right_ankle_deg", "right_ankle_filtered_deg", "right_ankle_confidence"),
    ]
    assert sorted(wide.columns[4::3]) == sorted(f"{name}_deg" for name in ANGLES)
    for number, (first, last) in PEOPLE.items():
        rows = wide[wide["person"] == number]
        assert set(rows["direction"]) == {["right", "left"][number % 2]}
        for shift, column in enumerate(("degrees", "degrees_filtered", "confidence")):
            expected = dense_angles(angles, number, column)[first : last + 1]
            np.testing.assert_allclose(rows.iloc[:, 4 + shift :: 3].to_numpy(), expected, atol=1e-6)


def test_what_is_missing_is_an_empty_field_in_csv(folder: Path) -> None:
    assert ",," in (folder / "blur_keypoints.csv").read_text()
    assert "nan" not in (folder / "blur_keypoints.csv").read_text().lower()


@given(values=st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), max_size=30))
def test_any_numbers_survive_csv_to_a_millionth(values: list[float], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "numbers.csv"
    write_csv({"frame": np.arange(len(values)), "value": np.array(values, dtype=float)}, path)
    read = pd.read_csv(path)
    np.testing.assert_array_equal(read["frame"], np.arange(len(values)))
    np.testing.assert_allclose(read["value"].astype(float), values, atol=6e-7, rtol=1e-12)
    assert b"-0\n" not in path.read_bytes()


# ---------------------------------------------------------------------------------------------- netCDF


def test_the_netcdf_keeps_uneven_times_positions_and_angles(
    folder: Path, keypoints: pd.DataFrame, angles: pd.DataFrame
) -> None:
    with xr.open_dataset(folder / "blur.nc") as read:
        np.testing.assert_array_equal(read["time"], TIME_S)
        assert read["individuals"].to_numpy().tolist() == ["person00", "person03", "person117"]
        for index, number in enumerate(PEOPLE):
            expected = dense(keypoints, number)
            np.testing.assert_allclose(
                read["position"].isel(individuals=index).transpose("time", "keypoints", "space"),
                expected[..., :2],
                rtol=1e-6,
            )
            np.testing.assert_allclose(read["confidence"].isel(individuals=index), expected[..., 2], rtol=1e-6)
            for column in ("degrees", "degrees_filtered"):
                expected = dense_angles(angles, number, column)
                np.testing.assert_allclose(read[column].isel(individuals=index), expected, rtol=1e-6)


def test_angles_that_were_not_filtered_are_not_said_to_be(tmp_path: Path) -> None:
    people = {0: (0, N_FRAMES - 1)}
    angles = made_up_angles(people, filtered=False)
    export(made_up_keypoints(people), angles, tmp_path)
    with xr.open_dataset(tmp_path / "blur.nc") as read:
        assert "degrees_filtered" not in read
    text = (tmp_path / "blur_person00_angles.mot").read_text()
    assert "The angles are unfiltered." in text
    numbers = np.loadtxt(text.split("endheader\n")[1].splitlines()[1:])
    np.testing.assert_allclose(numbers[:, 1:], dense_angles(angles, 0), atol=1e-6)


# ---------------------------------------------------------------------------------------------- the tools


@pytest.fixture(scope="module")
def reader(root: Path) -> Path:
    """Return the Python that has movement, Pose2Sim and Sports2D."""
    environment = root / ".venv-readers"
    if not (environment / ".requirements").exists():
        pytest.skip(
            "There is no .venv-readers with the tools that read these files: make setup-readers. "
            "It needs a Python that every package of requirements-readers.lock has a wheel for: 3.11 to 3.13."
        )
    return environment / "bin" / "python"


def run(reader: Path, script: Path, source: Path, folder: Path) -> dict[str, NDArray[np.generic]]:
    """Run a script of tests/readers; movement keeps a log under HOME."""
    environment = {**os.environ, "HOME": str(folder), "PYTHONPATH": ""}
    command = [str(reader), str(script), str(source), str(folder / "read.npz")]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    with np.load(folder / "read.npz") as read:
        return dict(read)


def test_movement_opens_the_netcdf_and_works_with_it(
    reader: Path, root: Path, folder: Path, keypoints: pd.DataFrame, angles: pd.DataFrame, tmp_path: Path
) -> None:
    read = run(reader, root / "tests/readers/with_movement.py", folder / "blur.nc", tmp_path)
    assert read["same_attributes"]
    assert read["same_dimensions"]
    assert read["same_coordinates"]
    np.testing.assert_array_equal(read["time"], TIME_S)
    assert tuple(read["keypoints"]) == KEYPOINTS
    assert tuple(read["angles"]) == ANGLES
    for index, number in enumerate(PEOPLE):
        expected = dense(keypoints, number)
        position = read["position"][..., index].transpose(0, 2, 1)
        np.testing.assert_allclose(position, expected[..., :2], rtol=1e-6)
        np.testing.assert_allclose(read["degrees"][..., index], dense_angles(angles, number), rtol=1e-6)
        kept = np.where(expected[..., 2:] < 0.5, np.nan, expected[..., :2])
        np.testing.assert_allclose(read["kept"][..., index].transpose(0, 2, 1), kept, rtol=1e-6)
    # Velocity is px/s on the uneven time axis.
    np.testing.assert_allclose(
        read["velocity"], np.gradient(read["position"].astype(float), TIME_S, axis=0), rtol=1e-4, atol=1e-2
    )
    # What napari shows is the same with and without our variables beside movement's.
    np.testing.assert_array_equal(read["points"], read["points_with_angles"])
    assert len(read["points"]) == N_FRAMES * len(KEYPOINTS) * len(PEOPLE)


@pytest.fixture(scope="module")
def sports2d(
    reader: Path, root: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, NDArray[np.generic]]:
    """Return what Pose2Sim and Sports2D read from the folder."""
    unpacked = tmp_path_factory.mktemp("sports2d")
    (unpacked / "again").mkdir()
    for path in folder.iterdir():
        if path.suffix in (".trc", ".mot"):
            (unpacked / path.name).write_bytes(path.read_bytes())
    with zipfile.ZipFile(folder / "blur_openpose.zip") as archive:
        archive.extractall(unpacked)
    return run(reader, root / "tests/readers/with_sports2d.py", unpacked, unpacked)


@pytest.mark.parametrize("number", PEOPLE)
def test_sports2d_reads_the_pixels_of_every_frame_from_trc(
    sports2d: dict[str, NDArray[np.generic]], keypoints: pd.DataFrame, number: int
) -> None:
    read = {name.split("/")[1]: values for name, values in sports2d.items() if f"person{number:02d}_px" in name}
    np.testing.assert_array_equal(read["frames"], np.arange(N_FRAMES))
    np.testing.assert_allclose(read["times"], TIME_S, atol=1e-6)
    assert tuple(read["markers"]) == MARKERS
    expected = dense(keypoints, number)[..., :2]
    np.testing.assert_allclose(read["pixels"], expected, atol=1e-6)
    assert (read["z"][np.isfinite(expected[..., 0])] == 0).all()


@pytest.mark.parametrize("number", PEOPLE)
def test_the_header_of_trc_is_the_one_that_sports2d_writes(
    sports2d: dict[str, NDArray[np.generic]], number: int
) -> None:
    name = f"blur_person{number:02d}_px.trc"
    ours, theirs = sports2d[f"{name}/header"].tolist(), sports2d[f"{name}/their_header"].tolist()
    assert ours[0] == f"PathFileType\t4\t(X/Y/Z)\t{name}\n"  # theirs has the whole path
    assert ours[1:] == theirs[1:]
    assert float(ours[2].split("\t")[0]) == pytest.approx(RATE)


def test_the_markers_have_the_names_from_which_sports2d_computes_its_angles(
    sports2d: dict[str, NDArray[np.generic]],
) -> None:
    # It has a model with a keypoint at the top of the head; BODY_25 has none.
    assert set(sports2d["angle_keypoints"]) - set(MARKERS) == {"Head"}


@pytest.mark.parametrize("number", PEOPLE)
def test_pose2sim_reads_the_filtered_degrees_of_every_frame_from_mot(
    sports2d: dict[str, NDArray[np.generic]], angles: pd.DataFrame, number: int
) -> None:
    read = {name.split("/")[1]: values for name, values in sports2d.items() if f"person{number:02d}_angles" in name}
    np.testing.assert_allclose(read["times"], TIME_S, atol=1e-6)
    assert list(read["names"]) == list(sports2d["angle_names"])
    np.testing.assert_allclose(read["degrees"], dense_angles(angles, number, "degrees_filtered"), atol=1e-6)
    ours, theirs = read["header"].tolist(), read["their_header"].tolist()
    # Sports2D does not count the column of time, OpenSim does; and it does not say whether it has filtered.
    assert theirs[3] == f"nColumns={len(ANGLES)}\n"
    assert ours[3] == f"nColumns={len(ANGLES) + 1}\n"
    assert [line for line in ours if line != "The angles are filtered.\n"][4:] == theirs[4:]
    assert ours[:3] == theirs[:3]


def test_pose2sim_reads_the_people_of_every_frame_from_openpose_json(
    sports2d: dict[str, NDArray[np.generic]], folder: Path
) -> None:
    people = openpose_people(folder / "blur_openpose.zip")
    assert sports2d["people/n"].tolist() == [len(some) for some in people]
    expected = [person["pose_keypoints_2d"] for some in people for person in some]
    np.testing.assert_array_equal(sports2d["people/values"], expected)
