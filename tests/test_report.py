"""The report: it opens offline, escapes what it is given, and leaves nothing out."""

import base64
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deidpose import corrections, report, tables
from deidpose.angles import ANGLES
from deidpose.stats import MEASURES, summarize

METHODS = ("blur", "pixelate")
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Reads a page, checks that its elements are nested, and keeps elements and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def screening_row(video: str, status: str = "accepted", reason: str = "") -> dict[str, Any]:
    facts: dict[str, Any] = dict.fromkeys(tables.TABLES["screening"])
    if status == "accepted":
        facts |= {"width": 1280, "height": 720, "fps": 29.97, "n_frames": 12345, "duration_s": 7.1, "codec": "h264"}
    return facts | {"video": video, "status": status, "reason": reason}


def effects_of(videos: list[str]) -> pd.DataFrame:
    numbers = [name for name, column in tables.TABLES["effects"].items() if column.dtype == "float64"]
    rows = [
        {"video": video, "method": method, "person": 0, "angle": angle, "n_original": 100, "n_both": 95}
        | {"n_lost": 5, "n_gained": 0}
        | dict.fromkeys(numbers, 2.5 if method == "blur" else 1.25)
        for video in videos
        for method in (*METHODS, "reencode")
        for angle in ANGLES
    ]
    return tables.check(pd.DataFrame(rows), "effects") if rows else tables.empty("effects")


def audit(video: str, method: str, verdict: str = "pass", reason: str = "", leaked: int = 0) -> dict[str, Any]:
    return {
        "video": video, "method": method, "verdict": verdict, "reason": reason, "n_frames": 100,
        "n_frames_masked": 99, "n_masks": 120, "masked_area_percent": 1.5, "n_face_frames": 90,
        "share_covered": 1 - leaked / 90, "n_leaked_frames": leaked, "longest_leak_frames": leaked,
        "longest_leak_s": leaked / 30, "leak_rate_upper_95": 0.0327, "track_leak_rate_upper_95": 0.7764,
        "n_residual_inside": 7,
    }  # fmt: skip


def render(videos: list[str], **changes: Any) -> str:
    rows = [*(screening_row(video) for video in videos), screening_row("bad", "rejected", "No picture decodes.")]
    effects = effects_of(videos)
    content: dict[str, Any] = {
        "screening": tables.check(pd.DataFrame(rows), "screening"),
        "effects": effects,
        "summary": summarize(effects, 20, 0.95, 1),
        "audits": [audit(video, method) for video in videos for method in METHODS],
        "methods": METHODS,
        "figures": dict.fromkeys(report.FIGURES, "<svg xmlns='http://www.w3.org/2000/svg'/>"),
        "traces": {video: f"<svg xmlns='http://www.w3.org/2000/svg'><!-- {video} --></svg>" for video in videos},
        "settings": {"methods": list(METHODS), "audit": {"withhold": ["fail"]}, "study": {"confidence_level": 0.9}},
        "provenance": {"versions": {"numpy": "2.4"}, "models": {"yunet": {"sha256": "8f23", "licence": "MIT"}}},
    }
    return report.render(**(content | changes))


def test_the_page_is_well_formed_and_loads_nothing_from_anywhere() -> None:
    page = Page(render(["a", "b"]))
    loaded = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in {"src", "href", "srcset", "data", "action"}
    ]
    assert (
        len([value for value in loaded if value and value.startswith("data:image/svg+xml")]) == len(report.FIGURES) + 2
    )
    assert all(value and value.startswith(("data:", "#")) for value in loaded)
    assert not {"script", "link", "iframe", "object", "embed"} & {tag for tag, _ in page.elements}
    style = "".join(page.texts)
    assert "url(" not in style
    assert "@import" not in style


def test_every_link_inside_the_page_has_its_target() -> None:
    elements = Page(render(["a"])).elements
    targets = {attributes.get("id") for _, attributes in elements}
    links = {attributes["href"] for tag, attributes in elements if tag == "a"}
    assert len(links) == 10
    assert {link.removeprefix("#") for link in links if link} <= targets


def test_every_picture_has_a_text_for_those_who_cannot_see_it() -> None:
    images = [attributes for tag, attributes in Page(render(["a"])).elements if tag == "img"]
    assert len(images) == len(report.FIGURES) + 1
    assert all(len(attributes["alt"] or "") > 20 for attributes in images)


def test_hostile_text_is_shown_and_not_obeyed() -> None:
    attack = "<script>alert('x')</script><img src=http://evil.example/x>"
    rows = [screening_row("a", reason=attack), screening_row(attack, "rejected", attack)]
    html = render(
        ["a"],
        screening=tables.check(pd.DataFrame(rows), "screening"),
        audits=[audit("a", "blur", "fail", attack, 1)],
        settings={"audit": {"withhold": ["fail"]}, "label": attack},
        provenance={"versions": {attack: attack}, "models": {attack: {"sha256": attack}}},
        traces={attack: "<svg/>"},
    )
    page = Page(html)
    assert "script" not in {tag for tag, _ in page.elements}
    assert "evil.example" not in " ".join(attributes.get("src") or "" for _, attributes in page.elements)
    assert page.text.count("<script>alert('x')</script>") >= 9


def test_rejected_videos_are_counted_and_listed_with_their_reason() -> None:
    text = Page(render(["a", "b"])).text
    assert "3 videos in 2 accepted 1 rejected" in text
    assert "bad No picture decodes." in text


def test_withheld_files_are_listed_with_their_reason_and_leaks_are_counted() -> None:
    audits = [
        audit("a", "blur", "fail", "A face stays open in 3 frames.", leaked=3),
        audit("a", "pixelate", "review", "One doubtful frame."),
    ]
    text = Page(render(["a"], audits=audits)).text
    assert "1 of 2 anonymized files withheld" in text
    withheld = text.split("stay inside the group.")[1].split("Accepted videos")[0]
    assert "a Blur fail A face stays open in 3 frames." in withheld
    assert "One doubtful frame" not in withheld
    lead = text.split("Left knee")[1]
    assert "0 0 1 3" in lead  # pass, review, fail, frames with a leak


def test_what_is_under_review_is_withheld_when_the_settings_say_so() -> None:
    audits = [audit("a", "blur", "review", "One doubtful frame."), audit("a", "pixelate")]
    text = Page(render(["a"], audits=audits, settings={"audit": {"withhold": ["fail", "review"]}})).text
    assert "1 of 2 anonymized files withheld" in text
    assert "a Blur review One doubtful frame." in text.split("stay inside the group.")[1].split("Accepted videos")[0]


def test_the_audit_shows_how_much_is_covered_how_long_it_leaks_and_how_sure_that_is() -> None:
    audits = [audit("a", "blur", "fail", "Open.", leaked=3), audit("a", "pixelate")]
    text = Page(render(["a"], audits=audits)).text.replace("\N{NO-BREAK SPACE}", " ")
    rows = text.split("Audit of every anonymized file")[1].split("Withheld files")[0]
    # frames, area, face-frames, covered, leaked frames, longest in frames and seconds, both bounds, seen in masks
    assert "a Blur fail Open. 100 1.50 % 90 96.67 % 3 3 0.10 3.27 % 77.64 % 7" in rows
    assert "a Pixelate pass 100 1.50 % 90 100.00 % 0 0 0.00 3.27 % 77.64 % 7" in rows
    for key in report._AUDIT:
        assert f"{key} " in text.split("Measure Unit Definition")[1]


def test_an_audit_of_a_video_without_faces_shows_a_dash_for_what_has_no_value() -> None:
    nothing = {"n_face_frames": 0} | dict.fromkeys(
        ("share_covered", "leak_rate_upper_95", "track_leak_rate_upper_95"), None
    )
    text = Page(render(["a"], audits=[audit("a", "blur") | nothing])).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "a Blur pass 100 1.50 % 0 – 0 0 0.00 – – 7" in text
    assert "none" not in text.split("Audit of every anonymized file")[1].split("Withheld files")[0].lower()


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0, "0.00 %"), (1e-9, "0.01 %"), (0.5, "50.00 %"), (1 - 1e-9, "99.99 %"), (1, "100.00 %"), (None, "–")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float | None, expected: str) -> None:
    assert report.percent(share).replace("\N{NO-BREAK SPACE}", " ") == expected


def test_the_first_table_shows_raw_and_net_and_the_control_has_no_net() -> None:
    text = Page(render(["a", "b"])).text
    blur = text.split(" Blur Left knee ")[1]
    assert blur.startswith("2.50° 2.50 to 2.50 +1.25° +1.25 to +1.25")
    control = text.split(" Control Left knee ")[1]
    assert control.startswith("1.25° 1.25 to 1.25 n/a")
    assert "least to most: pixelate 0.00°, blur +1.25°." in text
    assert "90 % bootstrap interval" in text
    assert "de-identified, not anonymous" in text


def test_videos_that_a_reviewer_left_out_are_counted_and_listed_apart_from_rejected_ones() -> None:
    rows = [screening_row("a"), screening_row("b"), screening_row("bad", "rejected", "No picture decodes.")]
    screening = corrections.leave_out(tables.check(pd.DataFrame(rows), "screening"), {"b": "EM"})
    text = Page(render(["a"], screening=screening)).text
    assert "3 videos in 1 accepted 1 rejected 1 left out" in text
    assert "Videos that were rejected or left out" in text
    assert "b Left out by a reviewer (EM). bad No picture decodes." in text
    alone = screening[screening["video"] == "b"]
    assert "Every video was rejected or left out" in Page(render([], screening=alone)).text


def test_a_study_in_which_everything_was_rejected_says_so_and_why() -> None:
    text = Page(render([])).text
    assert "Every video was rejected" in text
    assert "No picture decodes." in text
    assert "nan" not in text.lower().split()


def test_a_study_without_videos_says_so() -> None:
    assert "No video was found" in Page(render([], screening=tables.empty("screening"))).text


def test_measures_without_a_value_are_a_dash_never_nan() -> None:
    effects = effects_of(["a"])
    numbers = [name for name, column in tables.TABLES["effects"].items() if column.dtype == "float64"]
    effects[numbers] = np.nan
    text = Page(render(["a"], effects=effects, summary=summarize(effects, 20, 0.95, 1))).text
    assert "nan" not in text.lower().split()
    assert " Blur Left knee – – – – 5.0 %" in text.replace("\N{NO-BREAK SPACE}", " ")


def test_a_large_study_shows_the_first_traces_and_says_so() -> None:
    videos = [f"v{index:03}" for index in range(30)]
    html = render(videos)
    shown = [base64.b64decode(a["src"].split(",")[1]) for t, a in Page(html).elements if t == "img" and a["src"]]
    assert sum(b"<!-- v" in svg for svg in shown) == report.MAX_TRACES
    assert "the first 20 of 30 accepted videos" in Page(html).text


def test_settings_versions_models_and_definitions_are_all_there() -> None:
    text = Page(render(["a"])).text
    for expected in ('methods ["blur", "pixelate"]', "study.confidence_level 0.9", "numpy 2.4", "yunet", "MIT", "8f23"):
        assert expected in text
    for measure in MEASURES:
        assert f"{measure} " in text.split("Measure Unit Definition")[1]


def test_the_order_of_the_audits_does_not_change_the_page() -> None:
    audits = [audit(video, method) for video in ("a", "b") for method in METHODS]
    assert render(["a", "b"], audits=audits) == render(["a", "b"], audits=audits[::-1])


@pytest.mark.parametrize(
    ("value", "decimals", "unit", "signed", "expected"),
    [
        (1.234, 2, "°", False, "1.23°"),
        (1.234, 2, "°", True, "+1.23°"),
        (-0.0312, 3, "", True, "−0.031"),
        (-0.0001, 2, "", True, "0.00"),
        (float("nan"), 2, "°", False, "–"),
        (None, 2, "°", False, "–"),
    ],
)
def test_numbers_are_written_as_a_reader_expects(
    value: float | None, decimals: int, unit: str, signed: bool, expected: str
) -> None:
    assert report.number(value, decimals, unit, signed) == expected
