"""The report as a file: its first screen is plain, it escapes what it is given, and it loads nothing from anywhere."""

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deidpose import tables
from deidpose.errors import UserError
from deidpose.kinematics.angles import JOINTS
from deidpose.report import packing, page_tables, report_page, video_data
from deidpose.review import apply_corrections
from deidpose.workflow import downloads
from fixtures.random_tables import table
from fixtures.report_inputs import METHODS, SETTINGS, audit, payload_script, screening, study

VOID = {"meta", "img", "br", "link", "input", "hr"}
#: Stand-ins for the libraries, whose text is not looked at here.
LIBRARIES = {"plotly": "window.Plotly = {};", "datatables": "var a=1;export{a as default};", "datatables_style": "b{}"}


class Reader(HTMLParser):
    """Reads a page, checks that its elements are nested, and keeps elements, text and blocks of data."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.blocks: list[tuple[dict[str, str | None], str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.blocks.append((dict(attrs), ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.blocks[-1] = (self.blocks[-1][0], self.blocks[-1][1] + data)
        elif not self.open or self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def block(self, kind: str, name: str) -> str:
        return next(text for attributes, text in self.blocks if attributes.get(f"data-{kind}") == name)

    def table(self, name: str) -> pd.DataFrame:
        """Return a table as the page unpacks it."""
        header, arrays = packing.unpack(self.block("table", name))
        columns = {}
        for column, values in zip(header["columns"], arrays, strict=True):
            if "texts" in column:
                columns[column["name"]] = [column["texts"][code] for code in values]
            elif "scale" in column:
                columns[column["name"]] = np.where(values == -(2**31), np.nan, values / column["scale"])
            else:
                columns[column["name"]] = values
        return pd.DataFrame(columns)

    @property
    def study(self) -> dict[str, Any]:
        return json.loads(next(text for attributes, text in self.blocks if attributes.get("id") == "study"))


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return study(tmp_path_factory.mktemp("study"), 3, n_frames=20) | {"libraries": LIBRARIES}


@pytest.fixture(scope="module")
def page(content: dict[str, Any]) -> Reader:
    return Reader(report_page.render(**content).text)


def read(content: dict[str, Any], **changes: Any) -> Reader:
    return Reader(report_page.render(**(content | changes)).text)


def test_the_page_is_well_formed_and_refers_to_nothing_outside_it(page: Reader) -> None:
    loaded = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in {"src", "href", "srcset", "data", "action", "poster"}
    ]
    assert loaded
    assert all(value and value.startswith("#") for value in loaded)
    assert not {"iframe", "object", "embed", "link", "img", "video"} & {tag for tag, _ in page.elements}


def test_only_the_script_of_the_page_may_run_and_nothing_may_be_fetched(page: Reader) -> None:
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy
    runs = [text for attributes, text in page.blocks if attributes.get("type") is None]
    assert len(runs) == 1
    digest = base64.b64encode(hashlib.sha256(runs[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}' 'strict-dynamic'" in policy
    assert "default-src 'none'" in policy
    assert not re.search("connect-src|unsafe-eval|script-src[^;]*unsafe-inline", policy)
    assert "style-src 'unsafe-inline'" in policy


def test_the_style_loads_nothing(content: dict[str, Any]) -> None:
    text = report_page.render(**content).text
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_every_link_inside_the_page_has_its_target_and_every_id_is_there_once(page: Reader) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    links = {attributes["href"] for tag, attributes in page.elements if tag == "a"}
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in links if link} <= set(ids)


def test_lost_frames_and_exchanged_sides_of_the_choice_are_told_on_the_first_screen(content: dict[str, Any]) -> None:
    choice, summary = content["choice"].copy(), content["summary"].copy()
    of_choice = (summary["method"] == choice["method"].iloc[0]) & (summary["condition"] == "all")
    turned = of_choice & (summary["measure"] == "mirrored_percent") & (summary["basis"] == "net")
    assert turned.sum() == 1
    for lost, exchanged, told in ((6.3, 12.2, True), (0.4, 0.2, False), (float("nan"), float("nan"), False)):
        choice.loc[choice["recommended"], "lost_percent_net"] = lost
        summary.loc[turned, "mean"] = exchanged
        text = read(content, choice=choice, summary=summary).text.replace("\N{NO-BREAK SPACE}", " ")
        assert ("in 6 % more frames than re-encoding" in text) == told
        assert ("left and right are exchanged in 12 % more frames" in text) == told


def test_charts_and_controls_have_names_for_those_who_cannot_see_them(page: Reader) -> None:
    charts = [a for tag, a in page.elements if tag == "div" and "chart" in (a.get("class") or "").split()]
    assert len(charts) == 7
    assert all(a["role"] == "img" and len(a["aria-label"] or "") > 20 for a in charts)
    inputs = [a for tag, a in page.elements if tag == "input"]
    assert all(a.get("aria-label") for a in inputs)


def test_the_first_screen_says_which_method_and_why_without_a_script(page: Reader, content: dict[str, Any]) -> None:
    chosen = content["choice"].iloc[0]
    assert f"Choose {chosen['method']}" in page.text
    assert chosen["reason"].split(". ")[0] in page.text
    assert "de-identified, not anonymous" in page.text
    assert "Too few data to be sure" in page.text
    for method in METHODS:
        assert method.capitalize() in page.text


def test_no_method_is_recommended_if_the_choice_recommends_none(content: dict[str, Any]) -> None:
    none = read(content, choice=content["choice"].assign(recommended=False), sentence="No method can be recommended.")
    assert "No method can be recommended" in none.text
    assert not any(f"Choose {method}" in none.text for method in METHODS)


def test_a_method_that_costs_more_than_the_margin_is_said_to(content: dict[str, Any]) -> None:
    dear = content["choice"].assign(mae_net_deg=11.19)
    assert "Its added error, 11.2°, is beyond the margin of 2°." in read(content, choice=dear).text
    cheap = content["choice"].assign(mae_net_deg=0.5)
    assert "beyond the margin" not in read(content, choice=cheap).text


def test_where_all_is_decided_nothing_is_said_of_too_few_data(content: dict[str, Any]) -> None:
    decided = content["equivalence"].assign(verdict="equivalent")
    assert "Too few data" not in read(content, equivalence=decided).text


def test_an_angle_that_nobody_has_is_told_apart_from_one_that_is_undecided(content: dict[str, Any]) -> None:
    tests = content["equivalence"].assign(verdict="undecided")
    wrists = tests["angle"].str.endswith("wrist")
    tests["n_units"] = tests["n_units"].mask(wrists, 0)
    tests["n_needed"] = pd.array([7] * len(tests), dtype="Int64")
    tests["n_needed"] = tests["n_needed"].mask(wrists)
    text = read(content, equivalence=tests).text
    assert "undecided at 10 of 10 joint angles. 2 more could not be measured." in text
    assert "takes about 7 videos or subjects in all" in text


def test_what_would_decide_half_is_told_only_where_half_can_be_decided(content: dict[str, Any]) -> None:
    tests = content["equivalence"].assign(verdict="undecided")
    most = tests["angle"].isin(list(JOINTS[:7]))
    tests["n_needed"] = pd.array([7] * len(tests), dtype="Int64")
    assert "Deciding half of them takes about 7 videos" in read(content, equivalence=tests).text
    tests["n_needed"] = tests["n_needed"].mask(most)
    assert "Deciding half" not in read(content, equivalence=tests).text


def test_the_libraries_of_the_page_are_free_and_named_with_their_authors() -> None:
    entries = downloads.load(Path(__file__).parents[3] / "config/page_libraries.yaml")
    assert tuple(entries) == report_page.LIBRARIES
    assert {entry["licence"] for entry in entries.values()} == {"MIT"}
    assert all("Copyright" in entry["citation"] for entry in entries.values())


def test_videos_and_files_are_counted_and_reasons_of_rejection_too(content: dict[str, Any]) -> None:
    videos = screening(["a", "b", "c", "d"], {"e": "It is empty.", "f": "It is empty.", "g": "No picture decodes."})
    videos = apply_corrections.leave_out(videos, {"d": "AB"})
    files = [audit("a", "blur"), audit("a", "block", "fail", "A face shows.", 3), audit("b", "blur")]
    found = read(content, screening=videos, audits=files)
    for text in (
        "7 videos in", "3 accepted", "3 rejected", "1 left out", "2 masked files released", "1 withheld",
        "2 It is empty.", "1 No picture decodes.", "Left out by a reviewer (AB).",
    ):  # fmt: skip
        assert text in found.text


def test_a_study_without_any_video_says_so(content: dict[str, Any]) -> None:
    names = [name for name in tables.TABLES if name in content]
    nothing = {name: tables.empty(name) for name in names} | {"audits": [], "payloads": {}, "sentence": ""}
    assert "No video was found" in read(content, **nothing).text
    rejected = read(content, **(nothing | {"screening": screening([], {"e": "It is empty."})}))
    assert "No video could be used" in rejected.text
    assert "It is empty." in rejected.text


def test_hostile_text_is_shown_and_not_obeyed(content: dict[str, Any]) -> None:
    attack = "</script><script>alert('x')</script><img src=http://evil.example/x>"
    hostile = read(
        content,
        screening=screening(["v0000"], {attack: attack}),
        audits=[audit("v0000", "blur", "fail", attack, 1)],
        settings=SETTINGS | {"label": attack},
        provenance={"versions": {attack: attack}, "models": {attack: {"sha256": attack, "licence": attack}}},
        sentence=attack,
        conditions={"v0000": attack},
    )
    assert [a.get("type") for tag, a in hostile.elements if tag == "script"].count(None) == 1
    assert "img" not in {tag for tag, _ in hostile.elements}
    assert hostile.text.count("alert('x')") >= 8
    assert hostile.study["conditions"] == {"v0000": attack}
    assert attack in set(hostile.table("audits")["reason"])


def test_no_source_name_path_or_date_is_on_the_page_and_it_is_the_same_every_time(content: dict[str, Any]) -> None:
    first, second = report_page.render(**content), report_page.render(**content)
    assert first == second
    unpacked = first.text + "".join(str(Reader(first.text).table(name)) for name in ("effects", "audits", "screening"))
    for path in content["payloads"].values():
        assert str(path.parent) not in unpacked
    assert not re.search(r"20\d\d-\d\d-\d\d", first.text)


def test_of_the_screening_only_what_identifies_nobody_is_shown(page: Reader) -> None:
    assert list(page.table("screening")) == list(page_tables.SHOWN_OF_SCREENING)
    assert "n_metadata_tags" not in page_tables.SHOWN_OF_SCREENING


@pytest.mark.parametrize("name", ["summary", "equivalence", "effects", "choice", "identities", "pairs"])
def test_a_table_comes_out_of_the_page_as_it_went_in(page: Reader, content: dict[str, Any], name: str) -> None:
    found, given_ = page.table(name), content[name]
    if name == "pairs":
        given_ = given_[given_["patient"]].reset_index(drop=True)
    assert list(found) == list(given_)
    for column in found:
        if pd.api.types.is_bool_dtype(given_[column].dtype):
            assert (found[column] == given_[column].map({True: "yes", False: "no"})).all()
        elif pd.api.types.is_numeric_dtype(given_[column].dtype):
            assert np.allclose(found[column], given_[column].to_numpy(dtype=float, na_value=np.nan), equal_nan=True)
        else:
            assert (found[column] == given_[column]).all()


def test_long_tables_keep_three_decimals() -> None:
    made = table("movements", {"video": [str(number) for number in range(30_000)]}, angle="left_knee")
    header, arrays = packing.unpack(packing.pack_table(made))
    at = next(i for i, column in enumerate(header["columns"]) if column["name"] == "minimum_deg")
    assert header["columns"][at]["scale"] == 1000
    assert np.abs(arrays[at] / 1000 - made["minimum_deg"]).max() <= 0.00051


def test_of_a_table_that_is_too_long_whole_kinds_of_rows_are_left_out_the_least_important_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = {"video": [f"v{number}" for number in range(10)], "person": [0, 1], "angle": ["left_knee", "trunk"]}
    made = table("effects", keys | {"signal": ["filtered", "unfiltered"], "method": ["blur"]})
    made["patient"] = made["person"] == 1
    monkeypatch.setattr(page_tables, "MAX_VALUES", 25 * len(made.columns))
    kept = page_tables.keep_most_important(made, "filtered")
    assert len(kept) == 20
    assert kept["patient"].all()
    assert set(kept["signal"]) == {"filtered"}
    assert set(kept["angle"]) == {"left_knee", "trunk"}
    monkeypatch.setattr(page_tables, "MAX_VALUES", 4 * len(made.columns))
    assert page_tables.keep_most_important(made, "filtered")["angle"].tolist() == ["left_knee"] * 4


def test_the_page_tells_how_many_rows_of_a_table_it_does_not_hold(
    content: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_tables, "MAX_VALUES", 10 * len(tables.TABLES["effects"]))
    cut = read(content)
    assert len(cut.table("effects")) == 10
    assert cut.study["tables"]["effects"]["total"] == len(content["effects"])


def test_pairs_are_thinned_evenly_within_each_method_angle_and_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_tables, "MAX_PAIRS", 10)
    keys = {"method": ["blur", "block"], "angle": ["left_knee"], "signal": ["filtered"], "frame": range(95)}
    kept = page_tables.thin_pairs(table("pairs", keys, video="v"))
    assert kept.groupby("method").size().to_dict() == {"blur": 10, "block": 10}
    assert np.diff(kept.loc[kept["method"] == "blur", "frame"]).min() >= 9
    few = table("pairs", keys | {"frame": range(7)}, video="v")
    assert page_tables.thin_pairs(few).equals(few)


def test_the_difference_of_a_video_is_the_mean_over_people_weighted_by_their_frames() -> None:
    keys = {"video": ["v"], "method": ["blur"], "person": [0, 1, 2], "angle": ["trunk"], "signal": ["filtered"]}
    made = table("effects", keys, bias_deg=[1.0, 4.0, np.nan], n_both=[30, 10, 50], mae_deg=[2.0, 2.0, 5.0])
    point = page_tables.mean_differences(made).iloc[0]
    assert point["bias_deg"] == pytest.approx((30 * 1 + 10 * 4) / 40)
    assert point["mae_deg"] == pytest.approx((30 * 2 + 10 * 2 + 50 * 5) / 90)


def test_videos_stay_inside_the_page_up_to_the_size_of_the_config(content: dict[str, Any]) -> None:
    page = report_page.render(**content)
    assert page.beside == []
    inside = Reader(page.text)
    for video, path in content["payloads"].items():
        assert inside.block("video", video) == video_data.data_of_script(path.read_text("ascii"), video)


def test_larger_ones_go_beside_it_all_of_them(content: dict[str, Any]) -> None:
    size = sum(path.stat().st_size for path in content["payloads"].values())
    outside = report_page.render(
        **(content | {"settings": SETTINGS | {"report": {"max_embedded_mb": (size - 1) / 1e6}}})
    )
    assert outside.beside == ["v0000.js", "v0001.js", "v0002.js"]
    reader = Reader(outside.text)
    assert not [a for a, _ in reader.blocks if "data-video" in a]
    assert reader.study["beside"]["v0001"] == "report/v0001.js"
    assert "data of 3 videos lie in the folder report" in reader.text


@pytest.mark.parametrize("most_mb", [0, 20])
def test_data_of_a_video_that_are_something_else_are_refused(
    content: dict[str, Any], tmp_path: Path, most_mb: float
) -> None:
    (tmp_path / "v0000.js").write_text(payload_script("v0000", 5) + "alert(1);")
    with pytest.raises(UserError, match="v0000"):
        report_page.render(
            **(
                content
                | {"payloads": {"v0000": tmp_path / "v0000.js"}}
                | {"settings": SETTINGS | {"report": {"max_embedded_mb": most_mb}}}
            )
        )


def test_without_its_libraries_there_is_no_page(content: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"plotly.*page_libraries\.yaml"):
        report_page.render(**(content | {"libraries": {"datatables": "", "datatables_style": ""}}))


def test_libraries_are_carried_unchanged_but_for_the_exports_of_a_module(page: Reader) -> None:
    unpacked = {name: gzip.decompress(base64.b64decode(page.block("library", name))).decode() for name in LIBRARIES}
    assert unpacked["plotly"] == LIBRARIES["plotly"]
    assert unpacked["datatables_style"] == LIBRARIES["datatables_style"]
    assert unpacked["datatables"].startswith('(()=>{"use strict";var a=1;window.deidposeModule={"default":a};})();')


def test_every_number_has_its_definition_and_unit(page: Reader) -> None:
    for name, facts in page.study["tables"].items():
        assert facts["columns"], name
        assert all(column["text"] and column["heading"] for column in facts["columns"]), name
    for text in ("ICC(2,1)", "PCK@0.2", "permission notice", "Plotly, Inc.", "SpryMedia", "OpenJS", "Marc Wouts"):
        assert text in page.text or text in str(page.study)


def test_settings_versions_and_models_are_shown(page: Reader) -> None:
    for text in ("study.margin_deg", "numpy", "yunet", "8f23"):
        assert text in page.text


def test_withheld_files_are_listed_with_the_reason(content: dict[str, Any]) -> None:
    files = [audit("v0000", "blur", "review", "Look at 2 frames.", 2), audit("v0001", "blur")]
    found = read(content, audits=files)
    assert "Look at 2 frames." in found.text
    assert found.table("audits")["released"].tolist() == ["withheld", "yes"]


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (float("nan"), "–"), (1.005, "1.00"), (-0.001, "0.00"), (-2, "\N{MINUS SIGN}2.00")]
)
def test_numbers_are_shown_with_their_decimals(value: float | None, text: str) -> None:
    assert report_page.number(value, 2) == text


def test_a_share_is_never_rounded_to_all_or_nothing() -> None:
    assert report_page.percent(1) == "100.00\N{NO-BREAK SPACE}%"
    assert report_page.percent(0.99999) == "99.99\N{NO-BREAK SPACE}%"
    assert report_page.percent(1e-9) == "0.01\N{NO-BREAK SPACE}%"
