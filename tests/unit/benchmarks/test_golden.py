"""Comparing two folders of results, one kind of file after the other: the same, other values, other names."""

import gzip
import hashlib
import io
import json
import subprocess
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.io import netcdf_file

from benchmarks import golden
from benchmarks.golden import Verdict
from deidpose.report import packing

Put = Callable[[str, bytes | str | pd.DataFrame | None, bytes | str | pd.DataFrame | None], None]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Return a function that writes a file of one path to both sides, or to one where the other has no content."""

    def write(path: str, old: Any, new: Any) -> None:
        for side, content in (("old", old), ("new", new)):
            file = tmp_path / side / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, pd.DataFrame):
                content.to_parquet(file)
            elif content is not None:
                file.write_bytes(content.encode() if isinstance(content, str) else content)

    return write


def compare(folder: Path, **entries: list[dict[str, str]]) -> dict[str, golden.Result]:
    found = golden.Comparison(folder / "old", folder / "new", golden.Names(entries)).results()
    return {result.old or result.new: result for result in found}


def verdicts(folder: Path, **entries: list[dict[str, str]]) -> list[Verdict]:
    return [result.verdict for result in compare(folder, **entries).values()]


def zipped(members: dict[str, str], level: int = 9) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def netcdf(variable: str, values: list[float], title: str = "poses") -> bytes:
    stream = io.BytesIO()
    with netcdf_file(stream, "w") as file:
        file.createDimension("time", len(values))
        file.createVariable(variable, "f8", ("time",))[:] = values
        file.title = title
        file.variables[variable]._FillValue = np.float32(np.nan)
        file.flush()
        return stream.getvalue()


def page(table: pd.DataFrame, study: dict[str, Any], text: str = "Report", level: int = 9, script: str = "go()") -> str:
    texts = [name for name in table if table[name].dtype.kind not in "if"]
    columns: list[dict[str, Any]] = []
    arrays = []
    for name in table:
        codes, words = pd.factorize(table[name])
        columns.append({"name": name, "texts": list(words)} if name in texts else {"name": name})
        arrays.append(codes.astype(np.uint8) if name in texts else table[name].to_numpy())
    packed = b64encode(
        gzip.compress(
            gzip.decompress(b64decode(packing.pack({"rows": len(table), "columns": columns}, arrays))), level, mtime=0
        )
    ).decode()
    return (
        f'<h1>{text}</h1>\n<script type="application/json" id="study">{json.dumps(study)}</script>\n'
        f'<script type="text/plain" data-table="effects">{packed}</script>\n<script>{script}</script>\n'
    )


@pytest.mark.parametrize("ending", ["mp4", "mkv", "svg", "pdf", "png", "jpg", "bin"])
def test_videos_figures_and_unknown_forms_are_compared_by_their_bytes(put: Put, tmp_path: Path, ending: str) -> None:
    put(f"release/a.{ending}", b"one", b"one")
    put(f"release/b.{ending}", b"one", b"two")
    assert verdicts(tmp_path) == [Verdict.BYTES, Verdict.DIFFERS]


def test_a_file_at_one_side_only_is_found_at_either_side(put: Put, tmp_path: Path) -> None:
    put("release/a.mp4", b"one", None)
    put("release/b.mp4", None, b"one")
    found = compare(tmp_path)
    assert [result.verdict for result in found.values()] == [Verdict.ONLY_OLD, Verdict.ONLY_NEW]
    assert golden.failed(found.values())


def test_a_renamed_file_is_found_where_the_names_say(put: Put, tmp_path: Path) -> None:
    put("restricted/control/v1.mp4", b"one", None)
    put("restricted/reencoded/v1.mp4", None, b"one")
    files = [{"old": "restricted/control/*", "new": "restricted/reencoded/*"}]
    assert verdicts(tmp_path, files=files) == [Verdict.RENAMED]
    assert verdicts(tmp_path) == [Verdict.ONLY_OLD, Verdict.ONLY_NEW]
    (tmp_path / "new/restricted/reencoded/v1.mp4").write_bytes(b"two")
    assert verdicts(tmp_path, files=files) == [Verdict.DIFFERS]


def test_keys_with_paths_of_sources_are_counted_and_not_compared(put: Put, tmp_path: Path) -> None:
    for path in ("restricted/key.tsv", "restricted/screened/v1.key.tsv", "release/a/.snakemake_timestamp"):
        put(path, b"one", b"two")
    put("logs/a.log", b"one", b"two")
    assert verdicts(tmp_path) == [Verdict.LEFT_OUT] * 3


@pytest.mark.parametrize(("ending", "comma"), [("csv", ","), ("tsv", "\t")])
def test_text_tables_are_compared_by_value(put: Put, tmp_path: Path, ending: str, comma: str) -> None:
    def table(*lines: str) -> str:
        return "\n".join(lines).replace(",", comma) + "\n"

    put(f"release/a.{ending}", table("n,x", "1,a", "2,"), table('n,"x"', "1.0,a", "2,"))
    put(f"release/b.{ending}", table("n,x", "1,a"), table("n,x", "1.000001,a"))
    put(f"release/c.{ending}", table("n,x", "1,a"), table("n,x", "1,A"))
    put(f"release/d.{ending}", table("n,x", "1,"), table("n,x", "1,nan"))
    put(f"release/e.{ending}", table("n,x", "1,a"), table("x,n", "a,1"))
    put(f"release/f.{ending}", table("n,x", "1,a"), table("n,x", "1,a", "1,a"))
    put(f"release/g.{ending}", table("n,x", "1,a"), table("n", "1"))
    put(f"release/h.{ending}", table("n,x", "1,a", "2,b"), table("n,x", "2,b", "1,a"))
    found = compare(tmp_path)
    assert [result.verdict for result in found.values()] == [Verdict.VALUE] + [Verdict.DIFFERS] * 7
    assert "another order" in found[f"release/h.{ending}"].differences[0].text


def test_columns_and_values_of_text_tables_may_be_renamed(put: Put, tmp_path: Path) -> None:
    put("release/effects/v1.csv", "method,mae_deg\nreencode,1\nblur,2\n", "method,error_deg\ncontrol,1\nblur,2\n")
    columns = [{"in": "*/effects/*.csv", "old": "mae_deg", "new": "error_deg"}]
    values = [{"column": "method", "old": "reencode", "new": "control"}]
    assert verdicts(tmp_path, columns=columns, values=values) == [Verdict.RENAMED]
    assert verdicts(tmp_path, columns=columns) == [Verdict.DIFFERS]
    assert verdicts(tmp_path, values=values) == [Verdict.DIFFERS]
    assert verdicts(tmp_path, columns=columns, values=[{**values[0], "column": "source"}]) == [Verdict.DIFFERS]
    put("release/effects/v1.csv", "method,mae_deg\nreencode,1\n", "method,error_deg\ncontrol,1.5\n")
    assert verdicts(tmp_path, columns=columns, values=values) == [Verdict.DIFFERS]


def test_parquet_is_compared_by_value_and_type(put: Put, tmp_path: Path) -> None:
    table = pd.DataFrame({"frame": [1, 2], "x_px": [0.5, np.nan], "method": ["blur", None]})
    other = tmp_path / "other.parquet"
    table.to_parquet(other, compression="gzip")
    put("restricted/a.parquet", table, other.read_bytes())
    put("restricted/b.parquet", table, table.assign(x_px=[0.5, 0.5]))
    put("restricted/c.parquet", table, table.assign(frame=table["frame"].astype("int32")))
    put("restricted/d.parquet", table, table.assign(method=["blur", "block"]))
    put("restricted/e.parquet", table, table.assign(x_px=[0.5000000001, np.nan]))
    assert verdicts(tmp_path) == [Verdict.VALUE] + [Verdict.DIFFERS] * 4


def test_columns_and_values_of_parquet_may_be_renamed(put: Put, tmp_path: Path) -> None:
    table = pd.DataFrame({"x_px": [0.5, np.nan], "method": ["reencode", None]})
    put("restricted/a.parquet", table, table.rename(columns={"x_px": "x"}).replace({"reencode": "control"}))
    columns, values = [{"old": "x_px", "new": "x"}], [{"column": "method", "old": "reencode", "new": "control"}]
    assert verdicts(tmp_path, columns=columns, values=values) == [Verdict.RENAMED]
    assert verdicts(tmp_path, columns=columns) == [Verdict.DIFFERS]


def test_json_is_compared_by_value(put: Put, tmp_path: Path) -> None:
    put("release/a.json", '{"a": [1, null], "b": "x"}', '{"b": "x",\n"a": [1.0, null]}')
    put("release/b.json", '{"a": 1}', '{"a": 2}')
    put("release/c.json", '{"a": 1}', '{"a": true}')
    put("release/d.json", '{"a": [1]}', '{"a": [1, 2]}')
    put("release/e.json", '{"a": 1}', '{"a": 1, "b": 2}')
    put("release/f.json", '{"a": 1, "b": 2}', '{"a": 1}')
    put("release/g.json", '{"a": 1}', "{")
    assert verdicts(tmp_path) == [Verdict.VALUE] + [Verdict.DIFFERS] * 6


def test_keys_and_values_of_json_may_be_renamed(put: Put, tmp_path: Path) -> None:
    put("release/a.json", '{"verdict": "pass", "of": ["reencode"]}', '{"outcome": "passed", "of": ["control"]}')
    keys = [{"in": "release/*.json", "old": "verdict", "new": "outcome"}]
    values = [
        {"column": "verdict", "old": "pass", "new": "passed"},
        {"column": "of", "old": "reencode", "new": "control"},
    ]
    assert verdicts(tmp_path, keys=keys, values=values) == [Verdict.RENAMED]
    assert verdicts(tmp_path, keys=keys, values=values[:1]) == [Verdict.DIFFERS]
    assert verdicts(tmp_path, values=values) == [Verdict.DIFFERS]


def test_parts_of_texts_in_json_may_be_renamed(put: Put, tmp_path: Path) -> None:
    put("release/a.json", '{"reason": "2 frames leak"}', '{"reason": "2 pictures leak"}')
    assert verdicts(tmp_path, texts=[{"old": "frames", "new": "pictures"}]) == [Verdict.RENAMED]
    assert verdicts(tmp_path, texts=[{"old": "frame", "new": "picture"}]) == [Verdict.RENAMED]
    assert verdicts(tmp_path, texts=[{"in": "release/b.json", "old": "frames", "new": "pictures"}]) == [Verdict.DIFFERS]


def test_a_place_that_may_differ_is_told_and_no_failure_but_any_other_is(put: Put, tmp_path: Path) -> None:
    expected = [{"at": "release/manifest.json#versions.deidpose", "why": "the version of the library itself"}]
    put(
        "release/manifest.json",
        '{"versions": {"deidpose": "1", "av": "1"}}',
        '{"versions": {"deidpose": "2", "av": "1"}}',
    )
    found = compare(tmp_path, expected=expected)
    assert found["release/manifest.json"].verdict == Verdict.EXPECTED
    assert not golden.failed(found.values())
    put(
        "release/manifest.json",
        '{"versions": {"deidpose": "1", "av": "1"}}',
        '{"versions": {"deidpose": "2", "av": "2"}}',
    )
    assert verdicts(tmp_path, expected=expected) == [Verdict.DIFFERS]


def test_digests_may_differ_where_the_files_that_they_are_of_are_the_same_by_value(put: Put, tmp_path: Path) -> None:
    def manifest(path: str, content: str) -> str:
        return json.dumps({"files": {path: hashlib.sha256(content.encode()).hexdigest()}})

    before, after = "method,mae_deg\nblur,1\n", "method,error\nblur,1\n"
    columns = [{"old": "mae_deg", "new": "error"}]
    put("release/study/a.csv", before, after)
    put("release/manifest.json", manifest("study/a.csv", before), manifest("study/a.csv", after))
    assert verdicts(tmp_path, columns=columns) == [Verdict.VALUE, Verdict.RENAMED]
    assert verdicts(tmp_path) == [Verdict.DIFFERS, Verdict.DIFFERS]
    # A digest of something else explains nothing.
    put("release/manifest.json", manifest("study/a.csv", before), manifest("study/a.csv", "else"))
    assert verdicts(tmp_path, columns=columns) == [Verdict.DIFFERS, Verdict.RENAMED]


def test_paths_in_json_are_renamed_like_the_files(put: Put, tmp_path: Path) -> None:
    put("release/study/a.csv", "n\n1\n", None)
    put("release/tables/a.csv", None, "n\n1\n")
    put("release/manifest.json", '{"files": {"study/a.csv": 1}}', '{"files": {"tables/a.csv": 1}}')
    files = [{"old": "release/study/*", "new": "release/tables/*"}]
    assert verdicts(tmp_path, files=files) == [Verdict.RENAMED, Verdict.RENAMED]
    assert Verdict.DIFFERS in verdicts(tmp_path)


def test_arrays_are_compared_by_shape_type_and_value(put: Put, tmp_path: Path) -> None:
    def arrays(compress: bool = False, **named: Any) -> bytes:
        stream = io.BytesIO()
        (np.savez_compressed if compress else np.savez)(stream, **named)
        return stream.getvalue()

    a = np.array([1.0, np.nan])
    put("restricted/a.npz", arrays(a=a), arrays(compress=True, a=a))
    put("restricted/b.npz", arrays(a=a), arrays(a=a + 1e-9))
    put("restricted/c.npz", arrays(a=a), arrays(a=a.astype("float32")))
    put("restricted/d.npz", arrays(a=a), arrays(a=a[:1]))
    put("restricted/e.npz", arrays(a=a), arrays(b=a))
    assert verdicts(tmp_path) == [Verdict.VALUE] + [Verdict.DIFFERS] * 4
    renamed = verdicts(tmp_path, keys=[{"in": "*/e.npz", "old": "a", "new": "b"}])
    assert renamed[-1] == Verdict.RENAMED


def test_netcdf_is_compared_by_variable_and_attribute(put: Put, tmp_path: Path) -> None:
    put("release/a.nc", netcdf("degrees", [1, 2]), netcdf("degrees", [1, 3]))
    put("release/b.nc", netcdf("degrees", [1, 2]), netcdf("degrees", [1, 2], "angles"))
    put("release/c.nc", netcdf("degrees", [1, 2]), netcdf("angles", [1, 2]))
    found = compare(tmp_path)
    assert [result.verdict for result in found.values()] == [Verdict.DIFFERS] * 3
    # What is missing in both is no difference.
    assert [len(result.differences) for result in list(found.values())[:2]] == [1, 1]
    columns = [{"old": "degrees", "new": "angles"}]
    found = compare(tmp_path, columns=columns)
    assert found["release/c.nc"].verdict == Verdict.RENAMED


MOTION = "Coordinates\nversion=1\nendheader\ntime\tright knee\n0\t1.5\n1\tnan\n"
MARKERS = "PathFileType\t4\ta.trc\nDataRate\n30\nFrame#\tTime\tNose\n\t\tX1\n0\t0\t1.5\n1\t1\tnan\n"


@pytest.mark.parametrize(("path", "text"), [("release/a.mot", MOTION), ("release/a.trc", MARKERS)])
def test_motions_and_markers_are_compared_by_header_and_value(put: Put, tmp_path: Path, path: str, text: str) -> None:
    put(path, text, text.replace("1.5", "1.50"))
    assert verdicts(tmp_path) == [Verdict.VALUE]
    put(path, text, text.replace("1.5", "1.51"))
    assert verdicts(tmp_path) == [Verdict.DIFFERS]
    put(path, text, text.replace("version=1", "version=2").replace("30", "25"))
    assert verdicts(tmp_path) == [Verdict.DIFFERS]


def test_columns_of_motions_may_be_renamed(put: Put, tmp_path: Path) -> None:
    put("release/a.mot", MOTION, MOTION.replace("right knee", "knee right"))
    assert verdicts(tmp_path, columns=[{"old": "right knee", "new": "knee right"}]) == [Verdict.RENAMED]
    assert verdicts(tmp_path) == [Verdict.DIFFERS]


def test_archives_are_compared_member_by_member(put: Put, tmp_path: Path) -> None:
    put("release/a.zip", zipped({"a.json": '{"a": 1}'}), zipped({"a.json": '{"a":  1}'}))
    put("release/b.zip", zipped({"a.json": '{"a": 1}'}), zipped({"a.json": '{"a": 2}'}))
    put("release/c.zip", zipped({"a.json": "{}"}), zipped({"b.json": "{}"}))
    assert verdicts(tmp_path) == [Verdict.VALUE, Verdict.DIFFERS, Verdict.DIFFERS]
    files = [{"old": "release/c.zip/a.json", "new": "release/c.zip/b.json"}]
    assert verdicts(tmp_path, files=files)[-1] == Verdict.RENAMED


def test_text_is_compared_line_by_line(put: Put, tmp_path: Path) -> None:
    put("restricted/a.txt", "Use blur.\nIt is best.\n", "Use blur.\nIt is best.")
    put("restricted/b.txt", "Use blur.\n", "Use block.\n")
    put("restricted/c.txt", "Use blur.\n", "Use blur.\nIt is best.\n")
    assert verdicts(tmp_path) == [Verdict.VALUE, Verdict.DIFFERS, Verdict.DIFFERS]
    texts = [{"in": "*/b.txt", "old": "blur", "new": "block"}]
    assert verdicts(tmp_path, texts=texts) == [Verdict.VALUE, Verdict.RENAMED, Verdict.DIFFERS]


def test_pages_are_compared_by_their_packed_data_and_their_text(put: Put, tmp_path: Path) -> None:
    table = pd.DataFrame({"method": ["blur", "reencode"], "mae_deg": [1.0, np.nan]})
    one = page(table, {"signal": "filtered"})
    put("release/a.html", one, page(table, {"signal": "filtered"}, level=1))
    put("release/b.html", one, page(table.assign(mae_deg=[1.0, 2.0]), {"signal": "filtered"}))
    put("release/c.html", one, page(table, {"signal": "unfiltered"}))
    put("release/d.html", one, page(table, {"signal": "filtered"}, text="Study"))
    put("release/e.html", one, page(table, {"signal": "filtered"}, script="stop()"))
    assert (tmp_path / "old/release/a.html").read_bytes() != (tmp_path / "new/release/a.html").read_bytes()
    found = compare(tmp_path)
    assert [result.verdict for result in found.values()] == [Verdict.VALUE] + [Verdict.DIFFERS] * 4
    places = [result.differences[0].at.partition("#")[2] for result in list(found.values())[1:]]
    assert places == ["tables.effects.mae_deg", "json.study.signal", "text", "script"]


def test_columns_and_values_on_pages_may_be_renamed(put: Put, tmp_path: Path) -> None:
    table = pd.DataFrame({"method": ["blur", "reencode"], "mae_deg": [1.0, np.nan]})
    new = table.rename(columns={"mae_deg": "error"}).replace({"reencode": "control"})
    put("release/a.html", page(table, {"signal": "off"}), page(new, {"signal": "none"}))
    columns = [{"in": "release/a.html#tables.*", "old": "mae_deg", "new": "error"}]
    values = [
        {"column": "method", "old": "reencode", "new": "control"},
        {"column": "signal", "old": "off", "new": "none"},
    ]
    assert verdicts(tmp_path, columns=columns, values=values) == [Verdict.RENAMED]
    assert verdicts(tmp_path, columns=columns, values=values[:1]) == [Verdict.DIFFERS]


def test_scripts_with_data_of_a_video_are_unpacked(put: Put, tmp_path: Path) -> None:
    def script(**header: Any) -> str:
        packed = packing.pack(header, [np.arange(3, dtype=np.int16)])
        return f'deidposeVideo("v1","{packed}");\n'

    put("release/a.js", script(a=1, b=2), script(b=2, a=1))
    put("release/b.js", script(sources=["reencode"]), script(sources=["control"]))
    assert verdicts(tmp_path) == [Verdict.VALUE, Verdict.DIFFERS]
    values = [{"column": "sources", "old": "reencode", "new": "control"}]
    assert verdicts(tmp_path, values=values) == [Verdict.VALUE, Verdict.RENAMED]


def test_what_the_library_packs_is_unpacked() -> None:
    arrays = [np.array([0, 1, 0], np.uint8), np.array([1500, -2, 3], np.int32), np.array([0.5, np.nan, 1])]
    columns = [{"name": "method", "texts": ["blur", "block"]}, {"name": "n", "scale": 1000}, {"name": "x"}]
    table = golden.unpack_table(packing.pack({"rows": 3, "columns": columns}, arrays))
    assert table["method"].tolist() == ["blur", "block", "blur"]
    assert table["n"].tolist() == [1.5, -0.002, 0.003]
    assert np.array_equal(table["x"], arrays[2], equal_nan=True)


def test_the_report_counts_every_file_and_lists_what_differs(put: Put, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"picture").hexdigest()
    put("release/a.mp4", b"one", b"one")
    put("release/b.json", '{"a": "x"}', json.dumps({"a": f"{golden.ROOT}/x {digest}"}))
    names = golden.Names({"columns": [{"old": "a", "new": "b"}]})
    results = golden.Comparison(tmp_path / "old", tmp_path / "new", names).results()
    text = golden.report(results, "`abc`", "`def`", names)
    assert "**1 of 2 files differ" in text
    assert "| files | equal by bytes | differs |" in text
    assert "| all | 1 | 1 |" in text
    assert "- `release/b.json`" in text
    assert "columns: old a, new b" in text  # it has renamed nothing
    assert str(golden.ROOT) not in text
    assert digest not in text


def test_the_list_of_names_is_one_that_can_be_used(tmp_path: Path) -> None:
    names = golden.Names.read(golden.NAMES)
    assert set(names.entries) == set(golden._SECTIONS)
    wrong = tmp_path / "names.yaml"
    for content in ("colums: []", "columns: [{old: a}]", 'files: [{old: "a/*", new: "b"}]'):
        wrong.write_text(content, encoding="utf-8")
        with pytest.raises(ValueError, match=r"names\.yaml"):
            golden.Names.read(wrong)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Return a function that changes a file of a small repository and returns the commit of it."""
    root = tmp_path / "repository"
    root.mkdir()

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
        return subprocess.run(
            ["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(content: str) -> str:
        (root / "workflow.txt").write_text(content, encoding="utf-8")
        git("add", "workflow.txt", ".gitignore")
        git("commit", "--quiet", "--message", content)
        return git("rev-parse", "HEAD")

    git("init", "--quiet")
    (root / ".gitignore").write_text("resources/\nrequirements.lock\n", encoding="utf-8")
    (root / "requirements.lock").write_text("a==1\n", encoding="utf-8")
    (root / "resources/golden").mkdir(parents=True)
    run_in_place = golden._git
    monkeypatch.setattr(golden, "ROOT", root)
    monkeypatch.setattr(golden, "FOLDER", root / "resources/golden")
    monkeypatch.setattr(golden, "PAGE", root / "golden.md")
    monkeypatch.setattr(golden, "_git", lambda *words, folder=root: run_in_place(*words, folder=folder))
    return commit


def test_a_finished_baseline_is_used_again_and_one_of_another_commit_or_other_packages_is_not(
    repository: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []

    def run(folder: Path, results: Path) -> None:
        runs.append((folder / "workflow.txt").read_text(encoding="utf-8"))
        assert not results.exists()
        results.mkdir()

    monkeypatch.setattr(golden, "_snakemake", run)
    first, second = repository("first"), repository("second")
    for commit in (first, first, second, second):
        golden.run_baseline(commit)
    assert runs == ["first", "second"]
    (golden.ROOT / "requirements.lock").write_text("a==2\n", encoding="utf-8")
    golden.run_baseline(second)
    assert runs == ["first", "second", "second"]


def test_a_baseline_that_was_stopped_is_gone_on_with(
    repository: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(folder: Path, results: Path) -> None:
        results.mkdir()
        (results / "half").touch()
        raise subprocess.CalledProcessError(1, "snakemake")

    monkeypatch.setattr(golden, "_snakemake", stop)
    commit = repository("first")
    with pytest.raises(subprocess.CalledProcessError):
        golden.run_baseline(commit)
    kept: list[bool] = []
    monkeypatch.setattr(golden, "_snakemake", lambda folder, results: kept.append((results / "half").exists()))
    golden.run_baseline(commit)
    golden.run_baseline(commit)
    assert kept == [True]


def test_changes_that_are_not_committed_are_told(repository: Callable[[str], str]) -> None:
    commit = repository("first")
    golden.PAGE.write_text("the page itself", encoding="utf-8")
    assert golden.describe_head() == f"`{commit[:12]}`"
    (golden.ROOT / "workflow.txt").write_text("second", encoding="utf-8")
    assert golden.describe_head() == f"`{commit[:12]}`, with changes that are not committed"
