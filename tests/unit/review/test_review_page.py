"""The page on which a person looks and decides."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from deidpose.errors import UserError
from deidpose.review import findings, review_page
from deidpose.workflow import corrections

PLACE = {
    "kind": "unsupported", "first_frame": 5, "last_frame": 9, "frame": 7, "first_s": 0.2, "last_s": 75.25,
    "box": (100.4, 60.0, 40.2, 40.0), "score": 0.5, "reason": "no body is there", "methods": [], "track": 0,
    "person": -1, "region": (100.4, 60.0, 40.2, 40.0), "alone": True,
    "settled": "", "pictures": ["000-0.jpg"],
}  # fmt: skip
PERSON = {
    "person": 0, "first_frame": 0, "last_frame": 99, "n_frames": 80, "height_px": 300.0, "centrality": 0.7,
    "patient": True, "token": "0-1f0c99", "pictures": ["person-0-0.jpg", "person-0-1.jpg"],
}  # fmt: skip
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&{{ 7*7 }}"


def video(name: str = "v1", *found: dict[str, Any], **fields: Any) -> dict[str, Any]:
    listed = [PLACE | finding for finding in found]
    facts = {
        "n_frames": 100,
        "duration_s": 4.0,
        "verdicts": {"blur": {"verdict": "pass", "reason": ""}},
        "people": [PERSON],
    }
    return {"video": name, "findings": listed, **facts, **fields}


class Page(HTMLParser):
    """What is on a page: tags with their attributes, texts of ``code``, and which details are open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.codes: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "code":
            self.codes.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "code":
            self.codes[-1] += data
        if self._inside not in ("script", "style"):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def videos(self) -> list[dict[str, str | None]]:
        return [details for details in self.all("details") if details.get("class") == "video"]


def page(*videos: dict[str, Any], **given: Any) -> Page:
    decided = given.get("corrections", [])
    return Page(review_page.render(videos, decided, given.get("excluded", {}), given.get("visible", {})))


def test_it_says_first_of_all_that_it_is_confidential() -> None:
    for shown in (page(video()), page()):
        before, _ = shown.html.split("<h1>")
        assert "Confidential. This page shows faces of the originals." in before


def test_a_finding_shows_video_frames_time_reason_certainty_and_picture() -> None:
    shown = page(video("park-walk", {}))
    text = " ".join(shown.text.split())
    for part in ("park-walk", "frames 5–9, 0:00.2–1:15.2", "no body is there", "certainty 0.50"):
        assert part in text
    pictures = [image for image in shown.all("img") if "person" not in str(image["src"])]
    assert [picture["src"] for picture in pictures] == ["park-walk/000-0.jpg"]
    assert "frames 5–9" in str(pictures[0]["alt"])


def test_pictures_are_loaded_when_they_are_looked_at_and_nothing_from_elsewhere() -> None:
    shown = page(video("v1", {}, {"pictures": ["001-0.jpg", "001-1.jpg"]}))
    assert len(shown.all("img")) == 5
    assert all(image["loading"] == "lazy" and image["width"] and image["height"] for image in shown.all("img"))
    assert all(re.fullmatch(r"v1/[\w.-]+\.jpg", str(image["src"])) for image in shown.all("img"))
    assert not re.search(r"https?:|//[a-z]|@import|url\(", shown.html)
    assert not shown.all("link")
    assert {tag for tag, attributes in shown.tags if "href" in attributes or "action" in attributes} == set()


def test_only_the_script_of_the_page_may_run() -> None:
    html = page(video()).html
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"\son\w+=", html)


def test_every_text_is_escaped() -> None:
    hostile = PLACE | {"reason": HOSTILE, "kind": HOSTILE, "methods": [HOSTILE], "settled": HOSTILE}
    shown = page(
        video("v1", hostile, hostile | {"settled": "", "pictures": []}, people=[PERSON | {"token": HOSTILE}],
              verdicts={HOSTILE: {"verdict": HOSTILE, "reason": HOSTILE}}),
        video(HOSTILE, {}),
        corrections=[{"video": "v1", "first_frame": 1, "last_frame": 2, "action": HOSTILE, "reviewer": HOSTILE}],
        excluded={HOSTILE: HOSTILE},
    )  # fmt: skip
    assert len(shown.all("script")) == 1
    assert all(image["src"] != "x" for image in shown.all("img"))
    assert not [attributes for _, attributes in shown.tags if any(name.startswith("on") for name in attributes)]
    assert "{{ 7*7 }}" in shown.text


@pytest.mark.parametrize("kind", [kind for kind in findings.KINDS if review_page.KINDS[kind].actions and kind != "cut"])
def test_every_row_to_copy_is_a_correction_once_the_reviewer_is_filled_in(kind: str, tmp_path: Path) -> None:
    shown = page(video("park-walk", {"kind": kind}))
    head, *rows = [code for code in shown.codes if "\t" in code]
    assert len(rows) >= 2  # of the finding, and to leave the video out
    path = tmp_path / "corrections.tsv"
    path.write_text("\n".join([head, *(row + "\t" for row in rows)]), encoding="utf-8")
    with pytest.raises(UserError, match=r"Line 2 .* must name its reviewer"):
        corrections.read(path, ["park-walk"])
    filled = ["\t".join([*row.split("\t")[:8], "EM", ""]) for row in rows]
    path.write_text("\n".join([head, *filled]), encoding="utf-8")
    *read, last = corrections.read(path, ["park-walk"])
    assert [row.action for row in read] == list(review_page.KINDS[kind].actions)
    for correction in read:
        assert (correction.first_frame, correction.last_frame) == (5, 9)
        assert correction.box == (100, 60, 41, 40)  # out to whole pixels
    assert last.action == "exclude_video"


def test_a_decision_is_about_the_region_of_a_finding_and_not_only_the_box_that_is_shown() -> None:
    shown = page(video("v1", {"kind": "unsure", "region": (90.0, 50.0, 80.0, 60.0)}))
    assert {f"v1\t5\t9\t90\t50\t80\t60\t{action}\t\t" for action in ("mask", "unmask")} <= set(shown.codes)


def test_a_mask_under_which_another_lies_has_no_row_that_takes_both_away() -> None:
    shown = page(video("v1", {"kind": "unsure", "alone": False}))
    assert not [code for code in shown.codes if "unmask" in code]
    assert [code for code in shown.codes if "\tmask\t" in code]
    assert "Other masks lie here too" in shown.text


def test_a_finding_without_a_region_offers_a_row_to_fill_in() -> None:
    shown = page(
        video("v1", {"kind": "cut", "box": None, "region": None}, {"kind": "leak", "box": None, "region": None})
    )
    assert "v1\t5\t9\t\t\t\t\tmask\t\t" in shown.codes
    assert "v1\t5\t9\t\t\t\t\taccept\t\t" in shown.codes
    assert "fill it in" in shown.text


def test_every_kind_of_finding_has_its_words() -> None:
    assert tuple(review_page.KINDS) == findings.KINDS
    assert all(set(kind.actions) <= set(corrections.ACTIONS) for kind in review_page.KINDS.values())
    assert set(review_page.ACTIONS) == set(corrections.ACTIONS)


def test_the_video_with_the_worst_finding_comes_first_and_is_open() -> None:
    shown = page(
        video("quiet"),
        video("cut", {"kind": "cut"}),
        video("leak", {"kind": "leak", "score": 0.6}),
        video("worse-leak", {"kind": "cut"}, {"kind": "leak", "score": 0.9}),
        video("settled", {"kind": "not_masked", "settled": "masked by a reviewer"}),
        video("bare", {"kind": "not_masked", "score": 0.1}),
    )
    assert [details["data-video"] for details in shown.videos()] == [
        "bare", "worse-leak", "leak", "cut", "quiet", "settled"
    ]  # fmt: skip
    assert [details["data-video"] for details in shown.videos() if "open" in details] == ["bare", "worse-leak", "leak"]


def test_of_many_bad_videos_only_the_worst_are_open() -> None:
    shown = page(*[video(f"v{number}", {"kind": "leak"}) for number in range(50)])
    assert len([details for details in shown.videos() if "open" in details]) == 10


def test_the_counts_are_of_what_is_open() -> None:
    shown = page(video("v1", {}, {"kind": "cut"}), video("v2", {}, {"settled": "no longer masked"}))
    rows = re.findall(
        r'<th scope="row">([^<]+)</th><td>[^<]+</td><td class="number">(\d+)</td>\s*<td class="number">(\d+)',
        shown.html,
    )
    assert rows == [("No body", "2", "2"), ("Cut", "1", "1")]
    assert shown.videos()[0]["data-kinds"] == "unsupported cut"


def test_what_is_settled_says_so_and_offers_no_row() -> None:
    shown = page(video("v1", {"settled": "no longer masked"}))
    assert "no longer masked" in shown.text
    assert not [code for code in shown.codes if "unmask" in code]


def test_findings_without_pictures_are_listed_in_lines_up_to_a_number() -> None:
    shown = page(video("v1", {}, *[{"pictures": [], "first_frame": frame} for frame in range(600)]))
    text = " ".join(shown.text.split())
    assert "600 more findings, without pictures" in text
    assert "v1 3 9 100 60 41 40 unmask" in text
    assert "and 100 more, in restricted/review/v1.json" in text


def test_everybody_is_shown_with_a_token_and_what_is_done_with_them() -> None:
    other = PERSON | {"person": 1, "patient": False, "token": "1-aaaaaa", "pictures": []}
    shown = page(video("v1", people=[PERSON, other]), visible={"v1": ("1-aaaaaa",), "v2": ("0-1f0c99",)})
    text = " ".join(shown.text.split())
    assert "Person 0, taken for the patient in" in text
    assert "Person 1, left visible" in text
    assert {"0-1f0c99", "1-aaaaaa"} <= set(shown.codes)


def test_decisions_in_force_and_videos_that_were_left_out_are_listed() -> None:
    decided = {"video": "v1", "first_frame": 3, "last_frame": 9, "action": "mask", "reviewer": "EM"}
    shown = page(video("v1"), video("v2"), corrections=[decided], excluded={"v9": "therapist"})
    text = " ".join(shown.text.split())
    assert text.count("mask, frames 3–9, EM") == 1
    assert "v9, therapist" in text


def test_every_verdict_is_told_with_its_reason() -> None:
    text = " ".join(page(video(verdicts={"block": {"verdict": "fail", "reason": "Faces are uncovered."}})).text.split())
    assert "block: fail" in text
    assert "block: Faces are uncovered." in text


def test_a_study_of_nothing_has_a_page_too() -> None:
    assert "There is no video to look at." in page().text
    assert "Nothing is in doubt in any video." in page(video()).text


def test_without_scripts_the_rows_stand_there_and_the_controls_do_not() -> None:
    shown = page(video("v1", {}))
    assert all("hidden" in button for button in shown.all("button"))
    (controls,) = [div for div in shown.all("div") if div.get("id") == "controls"]
    assert "hidden" in controls
    assert len([code for code in shown.codes if "\tunmask\t" in code]) == 1


def test_the_page_of_a_thousand_videos_stays_small() -> None:
    found = [{"kind": kind} for kind in ("unsure", "unsupported", "no_face", "cut") for _ in range(3)]
    shown = review_page.render([video(f"v{number}", *found) for number in range(1000)], [], {}, {})
    assert len(shown) < 15e6  # 2 seconds to open on two cores


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00.0"), (9.99, "0:09.9"), (60, "1:00.0"), (3725.5, "62:05.5")])
def test_times_are_those_that_players_show(seconds: float, text: str) -> None:
    assert review_page.time_in_words(seconds) == text
