"""The tables that people write by hand: what is read of them, and what their schemas say."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deidpose.errors import UserError
from deidpose.workflow import corrections, dataset, hand_written_tables

KINDS = ("videos", "corrections")
DECISION = {"video": "v1", "first_frame": "0", "last_frame": "9", "x": "1", "y": "2", "width": "3", "height": "4",
            "action": "mask", "reviewer": "EM", "note": ""}  # fmt: skip


def table(folder: Path, content: str | bytes) -> Path:
    path = folder / "table.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(folder: Path, content: str | bytes) -> list[list[str]]:
    """Return the columns source and subject of a table of videos."""
    rows = hand_written_tables.read(table(folder, content), "videos")
    return [[row.fields["source"], row.fields["subject"]] for row in rows]


def sentence(folder: Path, content: str | bytes, kind: str = "videos", **options: Any) -> str:
    path = table(folder, content)
    with pytest.raises(UserError) as caught:
        hand_written_tables.read(path, kind, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f" of the table of {kind} {path}", "")


def decision(**fields: str) -> str:
    row = DECISION | fields
    return "\t".join(row) + "\n" + "\t".join(row.values())


# ------------------------------------------------------------------------------------------------------- the schemas


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_valid_closed_and_describes_every_column(kind: str) -> None:
    schema = hand_written_tables.schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert schema["description"].endswith(".")
    for column, definition in schema["properties"].items():
        assert definition["description"].endswith("."), column
        assert definition["description"][0].isupper(), column
        assert definition["type"] == "string", column
        # Every value is anchored at both ends, because a pattern may match anywhere.
        for pattern in (definition.get("pattern", "^$"), definition.get("not", {}).get("pattern", "^$")):
            assert pattern[0] + pattern[-1] == "^$", column


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_that_need_not_be_there_may_be_empty(kind: str) -> None:
    schema = hand_written_tables.schema(kind)
    for column in schema["properties"].keys() - set(schema["required"]):
        jsonschema.validate("", schema["properties"][column])


def test_the_schemas_have_the_columns_and_actions_of_the_library() -> None:
    assert tuple(hand_written_tables.schema("videos")["properties"]) == dataset.Row._fields
    columns = hand_written_tables.schema("corrections")["properties"]
    assert tuple(columns) == corrections.COLUMNS
    assert hand_written_tables.schema("corrections")["required"] == list(corrections.COLUMNS[:-1])
    assert columns["action"]["enum"] == list(corrections.ACTIONS)


def test_the_patterns_of_ids_and_tokens_are_those_of_the_library() -> None:
    columns = hand_written_tables.schema("videos")["properties"]
    token = dataset.TOKEN_PATTERN
    assert columns["video"]["pattern"] == f"^({dataset.ID_PATTERN})?$"
    assert columns["patient"]["pattern"] == f"^({token})?$"
    assert columns["visible"]["pattern"] == rf"^({token}(\s*,\s*{token})*)?$"


@pytest.mark.parametrize("kind", KINDS)
def test_the_demo_tables_fit_their_schemas_as_whole_rows(kind: str, root: Path) -> None:
    rows = hand_written_tables.read(root / "config" / f"demo_{kind}.tsv", kind)
    assert rows
    for row in rows:
        jsonschema.validate(row.fields, hand_written_tables.schema(kind))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries({column: st.sampled_from(
    [value, "", "x", "0", "-1", "all", "1.5", "0-1f0c99", "mask", "a@b", "Ü b", "v" * 65]
) for column, value in DECISION.items()}))  # fmt: skip
def test_what_is_read_is_what_the_schema_lets_pass(tmp_path: Path, row: dict[str, str]) -> None:
    fits = jsonschema.Draft202012Validator(hand_written_tables.schema("corrections")).is_valid(row)
    try:
        assert hand_written_tables.read(table(tmp_path, decision(**row)), "corrections")[0].fields == row
    except UserError:
        assert not fits
    else:
        assert fits


# ------------------------------------------------------------------------------------------------------- the text


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_of_every_system_and_a_byte_order_mark_are_read(tmp_path: Path, end: str, mark: str) -> None:
    lines = ["", "source\tsubject", "a.mp4\tS1", "", "b.mp4\tS2"]
    rows = hand_written_tables.read(table(tmp_path, mark + end.join(lines)), "videos")
    assert [(row.line, row.fields["source"], row.fields["subject"]) for row in rows] == [
        (3, "a.mp4", "S1"),
        (5, "b.mp4", "S2"),
    ]
    assert "Line 6 has" in sentence(tmp_path, mark + end.join([*lines, "c.mp4\tS3\tmore"]))


@pytest.mark.parametrize("sign", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_other_signs_that_may_part_lines_do_not(tmp_path: Path, sign: str) -> None:
    assert read(tmp_path, f"source\tsubject\na.mp4\tS{sign}1\n") == [["a.mp4", f"S{sign}1"]]


def test_blanks_and_empty_fields_and_lines_do_not_count(tmp_path: Path) -> None:
    content = ' source \tsubject\t\t \n \t \n""\n a b.mp4 \t S 1 \t\t \nb.mp4\n'
    assert read(tmp_path, content) == [["a b.mp4", "S 1"], ["b.mp4", ""]]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ('"S1"', "S1"),
        (' " S1 " ', "S1"),
        ('"S, ""1"""', 'S, "1"'),
        ('"S\t1"', "S\t1"),
        ('"S\n1"', "S\n1"),
        ('"S\r\n\r\n1"', "S\r\n\r\n1"),
        ('S"1', 'S"1'),
        ('S1"', 'S1"'),
        ('"S1', "S1"),
        ('"S1" left', "S1 left"),
        ('"S""1', 'S"1'),
        ('""', ""),
        ('"', ""),
    ],
)
def test_quotation_marks_are_taken_as_spreadsheet_programs_write_them(tmp_path: Path, field: str, value: str) -> None:
    assert read(tmp_path, f"source\tsubject\na.mp4\t{field}\nb.mp4\tS2\n") == [["a.mp4", value], ["b.mp4", "S2"]]
    assert read(tmp_path, f"subject\tsource\n{field}\ta.mp4\nS2\tb.mp4") == [["a.mp4", value], ["b.mp4", "S2"]]


def test_a_stray_quotation_mark_swallows_no_row(tmp_path: Path) -> None:
    content = 'source\tsubject\na.mp4\t"S1\nb.mp4\tS2\nc.mp4\tS3"\n'
    assert read(tmp_path, content) == [["a.mp4", "S1"], ["b.mp4", "S2"], ["c.mp4", 'S3"']]


def test_lines_are_counted_over_a_field_of_several_lines(tmp_path: Path) -> None:
    content = 'source\tsubject\tvideo\na.mp4\t"S\r\n1\n"\tA\nb.mp4\tS2\t_\n'
    assert sentence(tmp_path, content).startswith("Line 5 has '_' as video")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.sampled_from('" ab'), max_size=6), max_size=6))
def test_no_quotation_marks_in_notes_make_decisions_disappear(tmp_path: Path, notes: list[str]) -> None:
    rows = ["\t".join((DECISION | {"first_frame": str(i), "note": note}).values()) for i, note in enumerate(notes)]
    found = hand_written_tables.read(table(tmp_path, "\n".join(["\t".join(DECISION), *rows])), "corrections")
    assert [row.fields["first_frame"] for row in found] == [str(i) for i in range(len(notes))]
    assert {row.fields["reviewer"] for row in found} <= {"EM"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_bytes_that_are_not_utf8_are_told_with_their_line_or_kept_for_paths(tmp_path: Path, end: str) -> None:
    content = f"source\tsubject{end}a.mp4\t{end}café.mp4\t".encode("latin-1")
    assert sentence(tmp_path, content) == "Line 3 is not UTF-8 text: save it as that."
    rows = hand_written_tables.read(table(tmp_path, content), "videos", other_bytes=True)
    assert rows[1].fields["source"] == "caf\udce9.mp4"


@pytest.mark.parametrize("other_bytes", [True, False])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_what_spreadsheet_programs_call_unicode_text_is_refused(
    tmp_path: Path, encoding: str, other_bytes: bool
) -> None:
    content = "\ufeffsource\na.mp4\n".encode(encoding)
    assert sentence(tmp_path, content, other_bytes=other_bytes) == "Line 1 is not UTF-8 text: save it as that."


# ------------------------------------------------------------------------------------------------------- the sentences


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("source\tSubject", "Line 1 names the column 'Subject', which is unknown. Did you mean 'subject'?"),
        ("SOURCE", "Line 1 names the column 'SOURCE', which is unknown. Did you mean 'source'?"),
        (
            "source,video",
            "Line 1 names the column 'source,video', which is unknown. "
            "The columns, separated by tabs, are source, video, subject, condition, patient, visible.",
        ),
        ("source\tvideo\tsource", "Line 1 names the column 'source' twice."),
        ("source\t\tvideo", "Line 1 must name every column, but column 2 has no name."),
        ("\n\nvideo", "Line 3 must name the column source as well, with tabs between the columns."),
    ],
)
def test_a_wrong_first_line_is_told(tmp_path: Path, header: str, told: str) -> None:
    assert sentence(tmp_path, f"{header}\n") == told


def test_several_missing_columns_are_told_at_once(tmp_path: Path) -> None:
    header = "\t".join(corrections.COLUMNS[2:])
    assert sentence(tmp_path, header, "corrections") == (
        "Line 1 must name the columns video, first_frame as well, with tabs between the columns."
    )


@pytest.mark.parametrize("content", ["", "\ufeff", "\n \n\t\t\r\n", '""\t""'])
def test_an_empty_table_is_told(tmp_path: Path, content: str) -> None:
    path = table(tmp_path, content)
    with pytest.raises(UserError) as caught:
        hand_written_tables.read(path, "videos")
    assert str(caught.value) == f"The table of videos {path} is empty: its first line must name the columns."


def test_a_directory_or_no_file_is_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.tsv"):
        with pytest.raises(UserError, match=f"The table of corrections {path} cannot be read: "):
            hand_written_tables.read(path, "corrections")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"reviewer": ""}, "Line 2 must name its reviewer: initials or a role, at most 20 letters, digits, blanks, "
                           "dots and hyphens, for it is released in the manifest."),
        ({"action": "Unmsk"}, "Line 2 has 'Unmsk' as action, but it must be one of mask, unmask, accept, "
                              "exclude_video. Did you mean 'unmask'?"),
        ({"action": "12345"}, "Line 2 has '12345' as action, but it must be one of mask, unmask, accept, "
                              "exclude_video."),
        ({"y": "1,5"}, "Line 2 has '1,5' as y, but it must be a number of pixels, such as 120.5."),
        ({"x": "nan", "y": "nan"}, "Line 2 has 'nan' as x, but it must be a number of pixels, such as 120.5."),
        ({"last_frame": "x" * 200}, f"Line 2 has '{'x' * 79}…' as last_frame, but it must be the number of a frame, "
                                    "counted from 0."),
        ({"x": '"1\n\x1b[31m2"'}, "Line 2 has '1\ufffd\ufffd[31m2' as x, but it must be a number of pixels, such as "
                                  "120.5."),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_told_with_its_line_and_column(
    tmp_path: Path, fields: dict[str, str], told: str
) -> None:
    assert sentence(tmp_path, decision(**fields), "corrections") == told


def test_the_first_wrong_line_is_told_even_if_its_values_were_right_elsewhere(tmp_path: Path) -> None:
    content = "source\tvideo\tcondition\na.mp4\tA\tshod\nshod\tshod\tA\nb.mp4\tB\tall\nc.mp4\t_\t\n"
    assert sentence(tmp_path, content).startswith("Line 4 has 'all' as condition, but it must be a condition that")


# ------------------------------------------------------------------------------------------------------- the time


def test_the_snakefile_can_read_tables_without_packages_until_there_is_one(root: Path) -> None:
    code = (
        "import sys, deidpose.workflow.dataset, deidpose.workflow.corrections; "
        "print({'jsonschema', 'yaml', 'pandas', 'numpy', 'csv', 'deidpose.workflow.config'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(root / "scripts")}, capture_output=True, text=True
    )
    assert done.stdout == "set()\n", done.stderr


def test_thousands_of_rows_are_read_in_no_time(tmp_path: Path) -> None:
    rows = [decision(first_frame=str(i), last_frame=str(i + 9), x=f"{i}.5", note=f'"{i}').split("\n")[1]
            for i in range(10_000)]  # fmt: skip
    path = table(tmp_path, "\n".join(["\t".join(DECISION), *rows]))
    start = time.process_time()
    assert len(hand_written_tables.read(path, "corrections")) == 10_000
    assert time.process_time() - start < 3  # a third of a second on an idle machine
