"""The inventory of files that are not as they should be; test_sanitizing.py has what it finds in those that are."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose import tables
from deidpose.errors import UserError
from deidpose.metadata.inventory import columns, inventory
from deidpose.metadata.safe_harbor import LETTERS, Item, category, public_name
from fixtures import container_parts
from fixtures.video_files import TAGS, write_video


@pytest.fixture(scope="module")
def files(pictures: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    small = [cv2.resize(picture, (160, 96)) for picture in pictures[:4]]
    forms = {"a.mp4": {}, "a.mkv": {}, "a.avi": {"codec": "mpeg4", "sound": "libmp3lame"}}
    return {name: write_video(folder / name, small, **options) for name, options in forms.items()}


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_no_value_is_in_the_inventory(name: str, files: dict[str, Path]) -> None:
    text = inventory(files[name]).to_csv()
    for value in TAGS.values():
        assert value not in text


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_both_readers_see_the_title(name: str, files: dict[str, Path]) -> None:
    table = inventory(files[name])
    titles = table[table["key"].str.lower().isin({"title", "©nam", "inam"})]
    assert set(titles["read_by"]) == {"ffmpeg", "bytes"}


def test_the_same_file_gives_the_same_inventory(files: dict[str, Path]) -> None:
    assert inventory(files["a.mp4"]).equals(inventory(files["a.mp4"]))


def test_an_inventory_passes_from_process_to_process(files: dict[str, Path]) -> None:
    passed = pd.DataFrame(json.loads(json.dumps(columns(str(files["a.mkv"]), 10**6))))
    assert tables.check(passed, "inventory").equals(inventory(files["a.mkv"]))


def test_so_many_names_that_nobody_reads_them_are_counted_as_one(files: dict[str, Path], tmp_path: Path) -> None:
    tags = b"".join(
        container_parts.element(
            0x67C8, container_parts.element(0x45A3, b"KEY%d" % index), container_parts.element(0x4487, b"value")
        )
        for index in range(5000)
    )
    content = container_parts.add_element(
        files["a.mkv"].read_bytes(),
        [container_parts.SEGMENT],
        container_parts.element(0x1254C367, container_parts.element(0x7373, tags)),
    )
    (tmp_path / "many.mkv").write_bytes(content)
    table = inventory(tmp_path / "many.mkv")
    assert len(table) < 2200
    assert table[(table["read_by"] == "bytes") & (table["kind"] == "tag")]["n"].sum() >= 5000


def test_names_that_no_terminal_can_print_are_made_printable(files: dict[str, Path], tmp_path: Path) -> None:
    content = container_parts.add_box(
        files["a.mp4"].read_bytes(), [b"moov"], container_parts.box(b"\0\n\x1b,", b"value")
    )
    (tmp_path / "odd.mp4").write_bytes(content)
    assert "???," in set(inventory(tmp_path / "odd.mp4")["key"])


@given(name=st.sampled_from(["a.mp4", "a.mkv", "a.avi"]), at=st.floats(0, 1), noise=st.binary(min_size=1, max_size=12))
def test_a_file_with_noise_anywhere_is_read_or_refused(
    name: str, at: float, noise: bytes, files: dict[str, Path], tmp_path_factory: Any
) -> None:
    content = bytearray(files[name].read_bytes())
    start = int(at * (len(content) - len(noise)))
    content[start : start + len(noise)] = noise
    path = tmp_path_factory.getbasetemp() / "noise.bin"
    path.write_bytes(content)
    with suppress(UserError):
        letters = {letter for letters in inventory(path)["category"] for letter in letters.split()}
        assert letters <= set(LETTERS)


# ------------------------------------------------------------------------------------------------------- identifiers


@pytest.mark.parametrize(
    ("kind", "key", "letters"),
    [
        ("tag", "com.apple.quicktime.location.ISO6709", "B"),
        ("tag", "COM.APPLE.QUICKTIME.CREATIONDATE", "C"),
        ("tag", "major_brand", ""),
        ("tag", "what nobody knows", "A B C M R"),
        ("sound stream", "aac", "P"),
        ("picture stream", "title", ""),
        ("attachment", "", "A B C M R Q"),
        ("SEI", "what nobody knows", "A B C M R"),
        ("chapter", "", ""),
    ],
)
def test_what_is_known_has_its_letters_and_what_is_not_can_be_anything(kind: str, key: str, letters: str) -> None:
    assert category(Item("bytes", "container", kind, key)) == letters


@pytest.mark.parametrize(
    ("kind", "key", "shown"),
    [
        ("tag", "title", "title"),
        ("tag", "Title", "Title"),
        ("tag", "Erika Mustermann", "other"),
        ("box", "ERIK", "other"),
        ("sample entry of pictures", "avc1", "avc1"),
        ("sound stream", "pcm_s16le", "pcm_s16le"),
        ("SEI", "type 199", "other"),
        ("chapter", "", ""),
    ],
)
def test_only_names_that_are_well_known_are_shown(kind: str, key: str, shown: str) -> None:
    assert public_name(Item("bytes", "container", kind, key)) == shown
