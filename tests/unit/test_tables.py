import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose import tables
from deidpose.errors import UserError

VALUES = {
    "str": ["NA", "", 'a "b", c\td', "null", "Ä", "1e5", "nan"],
    "int64": [0, -1, 2**40, 5, 6, 7, 8],
    "Int64": [0, None, 2**40, 5, None, 7, 8],
    "float64": [0.0, np.nan, -1.25, 1e6, 0.000001, 3.5, np.nan],
    "bool": [True, False, False, True, True, False, False],
    "boolean": [True, None, False, True, True, None, False],
}


def filled(name: str) -> pd.DataFrame:
    columns = {c: pd.Series(VALUES[d.dtype], dtype=d.dtype) for c, d in tables.TABLES[name].items()}
    return pd.DataFrame(columns)


@pytest.mark.parametrize("ending", ["parquet", "csv", "tsv"])
@pytest.mark.parametrize("name", tables.TABLES)
def test_every_table_comes_back_as_it_was_written(name: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"table.{ending}"
    for table in (filled(name), tables.empty(name), filled(name).iloc[3:]):
        tables.write(table, name, path)
        pd.testing.assert_frame_equal(tables.read(path, name), table.reset_index(drop=True))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", ["parquet", "csv", "tsv"])
def test_the_same_table_gives_the_same_bytes(ending: str, tmp_path: Path) -> None:
    first, second = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    tables.write(filled("keypoints"), "keypoints", first)
    columns = list(tables.TABLES["keypoints"])[::-1]  # the order of the columns is the file's, not the table's
    tables.write(filled("keypoints")[columns], "keypoints", second)
    assert first.read_bytes() == second.read_bytes()


def test_text_files_end_their_lines_alike_everywhere(tmp_path: Path) -> None:
    tables.write(filled("angles"), "angles", tmp_path / "a.csv")
    content = (tmp_path / "a.csv").read_bytes()
    assert b"\r" not in content
    assert content.endswith(b"\n")
    assert content.startswith(b"frame,time_s,person,angle,degrees,degrees_filtered,confidence,direction\n")


@given(st.floats(-1e5, 1e5))
def test_numbers_in_text_are_true_to_a_millionth(value: float) -> None:
    table = filled("angles").assign(degrees=value)
    rounded = table.round(6)["degrees"].iloc[0]
    assert abs(float(f"{rounded}") - value) <= 0.5e-6 + 1e-10


@pytest.mark.parametrize("name", ["two\nlines.mp4", "a\tb.mp4", 'a"b.mp4', "'", " leading", "#comment.mp4"])
def test_a_file_name_with_signs_of_the_format_survives(name: str, tmp_path: Path) -> None:
    key = pd.DataFrame([{"video": "v1", "source": name, "sha256": "0"}])
    tables.write(key, "key", tmp_path / "key.tsv")
    assert tables.read(tmp_path / "key.tsv", "key")["source"].tolist() == [name]


def test_missing_and_unknown_columns_are_named() -> None:
    wrong = filled("faces").rename(columns={"score": "confidence"})
    with pytest.raises(UserError, match=r"missing \['score'\], unknown \['confidence'\]"):
        tables.check(wrong, "faces")


@pytest.mark.parametrize(("column", "value"), [("frame", "first"), ("frame", np.nan), ("x_px", "left")])
def test_a_value_that_does_not_fit_is_named_by_its_column(column: str, value: object) -> None:
    wrong = filled("faces").astype({column: object})
    wrong.loc[0, column] = value
    with pytest.raises(UserError, match=f"'{column}' of the table 'faces'"):
        tables.check(wrong, "faces")


def test_a_wrong_table_is_never_written(tmp_path: Path) -> None:
    tables.write(filled("faces"), "faces", tmp_path / "faces.parquet")
    before = (tmp_path / "faces.parquet").read_bytes()
    with pytest.raises(UserError):
        tables.write(filled("angles"), "faces", tmp_path / "faces.parquet")
    assert (tmp_path / "faces.parquet").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["faces.parquet"]


@pytest.mark.parametrize("ending", ["parquet", "csv", "tsv"])
def test_a_damaged_file_is_told_in_one_sentence_without_what_it_holds(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"angles.{ending}"
    tables.write(long_table(), "angles", path)
    whole = path.read_bytes()
    if ending == "parquet":
        damaged = [b"", whole[: len(whole) // 2], whole[9:]]
    else:
        damaged = [b"", whole.replace(b"\n9", b"\nErika")]
    for content in damaged:
        path.write_bytes(content)
        for read in (tables.read, lambda path, name: list(tables.read_blocks(path, name))):
            with pytest.raises(UserError, match=r"^The file of the table 'angles' is damaged; [a-z ]+\.$"):
                read(path, "angles")
    path.unlink()
    with pytest.raises(FileNotFoundError):
        tables.read(path, "angles")


def test_checking_does_not_change_the_given_table() -> None:
    table = filled("faces").astype({"frame": float})
    tables.check(table, "faces")
    assert table["frame"].dtype == float


# ---------------------------------------------------------------------------------------------------- a block at a time


def long_table() -> pd.DataFrame:
    """Return a table ``angles`` in which frames have one to three rows, and some frames none."""
    frames = np.repeat([0, 1, 2, 5, 6, 9], [3, 1, 2, 3, 1, 2])
    return pd.concat([filled("angles").iloc[:1]] * len(frames), ignore_index=True).assign(
        frame=frames, degrees=np.arange(len(frames)) / 7
    )


@pytest.mark.parametrize("ending", ["parquet", "csv", "tsv"])
@pytest.mark.parametrize("rows", [1, 2, 4, 100])
def test_blocks_hold_whole_frames_and_together_the_whole_table(
    rows: int, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_BLOCK_ROWS", rows)
    path = tmp_path / f"angles.{ending}"
    tables.write(long_table(), "angles", path)
    blocks = list(tables.read_blocks(path, "angles"))
    frames = [set(block["frame"]) for block in blocks]
    assert all(not one & other for one, other in itertools.combinations(frames, 2))
    assert rows > 4 or len(blocks) > 2
    pd.testing.assert_frame_equal(pd.concat(blocks, ignore_index=True), tables.read(path, "angles"))


@pytest.mark.parametrize("ending", ["parquet", "csv", "tsv"])
def test_a_table_that_is_written_in_blocks_is_the_same_table(ending: str, tmp_path: Path) -> None:
    whole, apart = tmp_path / f"whole.{ending}", tmp_path / f"apart.{ending}"
    table = long_table()
    tables.write(table, "angles", whole)
    tables.write((part for part in (table.iloc[:5], table.iloc[5:])), "angles", apart)
    pd.testing.assert_frame_equal(tables.read(apart, "angles"), tables.read(whole, "angles"))
    assert ending == "parquet" or apart.read_bytes() == whole.read_bytes()
    tables.write(iter(()), "angles", apart)
    assert tables.read(apart, "angles").empty


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_table_without_rows_is_one_block_and_one_out_of_order_is_refused(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"angles.{ending}"
    tables.write(tables.empty("angles"), "angles", path)
    (block,) = tables.read_blocks(path, "angles")
    pd.testing.assert_frame_equal(block, tables.empty("angles"))
    tables.write(long_table().iloc[::-1], "angles", path)
    with pytest.raises(UserError, match="not in the order of frames"):
        list(tables.read_blocks(path, "angles"))


def test_a_wrong_block_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "faces.parquet"
    tables.write(filled("faces"), "faces", path)
    before = path.read_bytes()
    with pytest.raises(UserError):
        tables.write(iter([filled("faces"), filled("angles")]), "faces", path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
