"""The report in a real browser, opened from disk with the network off: it draws, answers, plays, and asks for nothing.

Needs Playwright (requirements-dev.lock), and Chromium or Chrome on this machine. DEIDPOSE_CHROMIUM names its program
where it is not found.
"""

import csv
import io
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from deidpose.report import report_page
from fixtures.report_inputs import METHODS, SETTINGS, study

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="needs Playwright: .venv/bin/python -m pip install -r requirements-dev.lock"
)

_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: The longest that anything on the page may take on a slow machine; no test is about speed.
_PATIENCE_MS = 120_000


def browser_program() -> str | None:
    named = os.environ.get("DEIDPOSE_CHROMIUM")
    if named:
        return named
    found = next((path for path in map(shutil.which, _PROGRAMS) if path), None)
    return found or (_MAC if Path(_MAC).is_file() else None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = browser_program()
    if not program:
        pytest.skip(
            "needs Chromium or Chrome: apt-get install chromium, or brew install --cask google-chrome, "
            "or set DEIDPOSE_CHROMIUM to its program"
        )
    # The sandbox of Chromium does not work for root, which containers of a CI often are.
    root = sys.platform != "win32" and os.geteuid() == 0
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"] if root else [])
        yield running
        running.close()


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def file(content: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(content, tmp_path_factory.mktemp("page"))


def written(content: dict[str, Any], folder: Path) -> Path:
    """Write the page and what belongs beside it, as the release has them."""
    page = report_page.render(**content)
    (folder / "report.html").write_text(page.text, "utf-8")
    for name in page.beside:
        (folder / report_page.FOLDER).mkdir(exist_ok=True)
        shutil.copyfile(content["payloads"][Path(name).stem], folder / report_page.FOLDER / name)
    return folder / "report.html"


Open = Callable[..., Any]


@pytest.fixture
def opened(browser: Any, file: Path) -> Iterator[Open]:
    """Return what opens a page, offline, and at the end of the test looks for complaints and requests."""
    contexts, complaints, requests = [], [], []

    def open_page(path: Path = file, ready: bool = True, **settings: Any) -> Any:
        context = browser.new_context(offline=True, viewport={"width": 1280, "height": 800}, **settings)
        context.set_default_timeout(_PATIENCE_MS)
        context.route("http://**", lambda route: route.abort())
        context.route("https://**", lambda route: route.abort())
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        if ready:
            page.wait_for_selector('html[data-ready="yes"]', state="attached")
        page.requests = requests
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "blob:", "data:"))] == []


def column(page: Any, number: int, table: str = "#table") -> list[str]:
    """Return the texts of a column of a table of the page, from 1."""
    return page.locator(f"{table} tbody tr td:nth-child({number})").all_inner_texts()


def heading(page: Any, text: str, table: str = "#table") -> Any:
    return page.locator(f"{table} thead th", has_text=text).first


def show_table(page: Any, name: str) -> None:
    page.select_option("#which", name)
    page.wait_for_function("name => current && current.name === name", arg=name)


def canvas(page: Any) -> str:
    return page.evaluate("document.getElementById('canvas').toDataURL()")


def clock(page: Any) -> float:
    return float(page.inner_text("#clock").split()[0])


def cursor(page: Any) -> float:
    return page.evaluate("parseFloat(document.getElementById('cursor').style.left)")


def test_everything_is_drawn_and_nothing_is_asked_for(opened: Open, file: Path) -> None:
    page = opened()
    charts = page.locator(".chart")
    assert charts.count() == 7
    for chart in charts.all():
        assert chart.get_attribute("data-drawn") == "yes"
        assert chart.locator("svg.main-svg").count() >= 1
    assert page.locator("#chart-tradeoff .scatterlayer .trace").count() == len(METHODS)
    assert page.locator("#chart-methods .scatterlayer .trace").count() == len(METHODS)
    assert page.locator("#chart-agreement .heatmaplayer image").count() == 1
    assert page.locator("#chart-bland .scatterlayer path.point").count() > 10
    assert page.locator("#trouble").is_hidden()
    assert [url for url in page.requests if url.startswith("file:")] == [file.as_uri()]


def test_the_first_screen_needs_no_scrolling_and_no_script(opened: Open, content: dict[str, Any]) -> None:
    page = opened(ready=False, java_script_enabled=False)
    assert page.inner_text("h1") == f"Choose {content['choice']['method'].iloc[0]}"
    for part in ("h1", ".lead", ".caution", ".flow", "#choice thead"):
        box = page.locator(part).first.bounding_box()
        assert box["y"] + box["height"] <= 800, part
    assert page.locator("#choice tbody tr:not(.why)").count() == len(METHODS)
    assert page.locator("#view").is_hidden()


def test_a_table_is_sorted_by_a_click_and_by_the_keyboard(opened: Open, content: dict[str, Any]) -> None:
    page = opened()
    show_table(page, "effects")
    number = list(content["effects"]).index("mae_deg") + 1
    expected = content["effects"]["mae_deg"].sort_values()
    heading(page, "Mean absolute difference (°)").click()
    page.wait_for_selector("#table th.dt-ordering-asc")
    assert column(page, number) == [f"{value:.2f}" for value in expected[:25]]
    page.locator("#table th.dt-ordering-asc [role=button]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#table th.dt-ordering-desc")
    assert column(page, number) == [f"{value:.2f}" for value in expected[::-1][:25]]


def test_a_table_is_searched_filtered_and_paged(opened: Open, content: dict[str, Any]) -> None:
    page = opened()
    show_table(page, "effects")
    made = content["effects"]
    assert len(column(page, 1)) == 25
    page.fill("#table input[type=search]", "block left_knee")
    info = page.locator("#table .dt-info")
    n_found = len(made[(made["method"] == "block") & (made["angle"] == "left_knee")])
    sync_api.expect(info).to_have_text(f"1 to {n_found} of {n_found} rows (of {len(made):,})")
    assert set(column(page, 2)) == {"Block"}
    page.fill("#table input[type=search]", "")
    sync_api.expect(info).to_have_text(f"1 to 25 of {len(made):,} rows")
    page.locator("#filters summary").click()
    page.select_option("#filter select[name=angle]", "trunk")
    page.select_option("#filter select[name=number]", "mae_deg")
    page.fill("#filter input[name=value]", "2.5")
    n_found = len(made[(made["angle"] == "trunk") & (made["mae_deg"] >= 2.5)])
    assert 0 < n_found < len(made)
    sync_api.expect(info).to_contain_text(f"of {n_found} rows")
    page.click("#filter button[type=reset]")
    sync_api.expect(info).to_have_text(f"1 to 25 of {len(made):,} rows")
    first = column(page, 5)
    page.locator("#table .dt-paging-button.next").click()
    sync_api.expect(info).to_have_text(f"26 to 50 of {len(made):,} rows")
    assert column(page, 5) != first


def test_what_is_downloaded_are_the_rows_that_are_shown(opened: Open, content: dict[str, Any]) -> None:
    page = opened()
    for name in ("equivalence", "audits"):
        show_table(page, name)
        with page.expect_download() as download:
            page.click("#download")
        assert download.value.suggested_filename == f"{name}.csv"
        rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))
        assert len(rows) == len(content[name])
    show_table(page, "equivalence")
    page.fill("#table input[type=search]", "pixelate undecided")
    expected = content["equivalence"]
    expected = expected[(expected["method"] == "pixelate") & (expected["verdict"] == "undecided")]
    sync_api.expect(page.locator("#download")).to_have_text(f"Download {len(expected)} rows (CSV)")
    with page.expect_download() as download:
        page.click("#download")
    found = pd.read_csv(download.value.path(), keep_default_na=True)
    assert found["mean"].tolist() == pytest.approx(expected["mean"].tolist(), abs=1e-6)
    assert found["p_equivalence"].tolist() == pytest.approx(expected["p_equivalence"].tolist(), abs=1e-6)
    assert found["n_needed"].tolist() == pytest.approx(expected["n_needed"].astype(float).tolist(), nan_ok=True)


def test_the_animation_plays_the_cursor_follows_and_it_stops(opened: Open) -> None:
    page = opened()
    page.locator("#viewer").scroll_into_view_if_needed()
    still, start = canvas(page), cursor(page)
    page.click("#play")
    page.wait_for_function("() => parseFloat(document.getElementById('clock').textContent) > 0.3")
    assert canvas(page) != still
    assert cursor(page) > start
    assert page.get_attribute("#play", "aria-label") == "Pause"
    page.click("#play")
    stopped, time = canvas(page), clock(page)
    page.wait_for_timeout(300)
    assert (canvas(page), clock(page)) == (stopped, time)
    assert page.get_attribute("#play", "aria-label") == "Play"


def test_the_animation_ends_at_the_end_and_begins_again(opened: Open) -> None:
    page = opened()
    page.select_option("#speed", "2")
    page.evaluate("seek(80)")
    page.click("#play")
    page.wait_for_function("() => !playing")
    assert clock(page) == pytest.approx(89 / 30, abs=0.01)
    page.click("#play")
    page.wait_for_function("() => playing && index < 80")


def test_the_player_is_used_with_the_keyboard(opened: Open) -> None:
    page = opened()
    page.focus("#player")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert clock(page) == pytest.approx(2 / 30, abs=0.01)
    page.keyboard.press("ArrowLeft")
    assert clock(page) == pytest.approx(1 / 30, abs=0.01)
    page.keyboard.press("Shift+ArrowRight")
    assert clock(page) == pytest.approx(11 / 30, abs=0.01)
    page.keyboard.press("End")
    assert clock(page) == pytest.approx(89 / 30, abs=0.01)
    page.keyboard.press("Home")
    assert clock(page) == 0
    page.keyboard.press("Space")
    page.wait_for_function("() => playing && index > 2")
    page.keyboard.press("Space")
    assert not page.evaluate("playing")
    page.focus("#seek")
    before = page.evaluate("index")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("index") == before + 1
    assert "frame" in page.get_attribute("#seek", "aria-valuetext")


def test_pointing_at_the_trace_moves_the_animation_and_a_click_does_too(opened: Open) -> None:
    page = opened()
    chart = page.locator("#chart-traces")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    middle = box["x"] + 56 + (box["width"] - 56 - 14) / 2
    still = canvas(page)
    page.mouse.move(middle, box["y"] + 100)
    assert clock(page) == pytest.approx(89 / 60, abs=0.06)
    assert canvas(page) != still
    page.evaluate("seek(0)")
    page.mouse.move(middle + 40, box["y"] + 110)
    page.mouse.down()
    page.mouse.up()
    assert clock(page) > 89 / 60
    assert cursor(page) == pytest.approx(middle + 40 - page.evaluate(
        "byId('cursor').parentElement.getBoundingClientRect().left"), abs=8)  # fmt: skip


def test_person_angle_signal_and_methods_are_chosen_and_the_patient_comes_first(opened: Open) -> None:
    page = opened()
    people = page.locator("#choose select[name=person] option").all_inner_texts()
    assert people[0].startswith("0 — patient")
    assert not any("patient" in text for text in people[1:])
    assert page.locator("#chart-traces .scatterlayer .trace").count() == 3
    page.check("#sources input[value=block]")
    page.wait_for_function("() => document.querySelectorAll('#chart-traces .scatterlayer .trace').length === 5")
    page.select_option("#choose select[name=angle]", "right_hip")
    sync_api.expect(page.locator("#chart-traces .ytitle")).to_have_text("Right hip (°)")
    before = page.evaluate("byId('chart-traces').data[1].y.slice()")
    page.select_option("#choose select[name=signal]", "unfiltered")
    page.wait_for_function("y => byId('chart-traces').data[1].y[5] !== y[5]", arg=before)
    page.select_option("#choose select[name=person]", "1")
    page.wait_for_function("() => byId('chart-traces').data[0].y[0] === null")


def test_the_traces_are_the_angles_that_went_in(opened: Open) -> None:
    page = opened()
    x, y = page.evaluate("[byId('chart-traces').data[0].x, byId('chart-traces').data[0].y]")
    assert x == pytest.approx([frame / 30 for frame in range(90)], abs=1e-9)
    assert y == pytest.approx([30 + 25 * math.sin(frame / 7) for frame in range(90)], abs=0.0051)
    difference = page.evaluate("byId('chart-traces').data[2].y")
    assert difference == pytest.approx([0.4] * 90, abs=0.011)


@pytest.mark.parametrize(
    ("method", "original", "angle", "expected"),
    [(358, 1, "left_knee", -3), (-179, 179, "left_elbow", 2), (-89, 89, "pelvis", 2), (90, 0, "shoulders", 90)],
)
def test_differences_are_without_whole_turns_as_in_the_table_of_effects(
    opened: Open, method: float, original: float, angle: str, expected: float
) -> None:
    assert opened().evaluate("asked => differenceOf(...asked)", [method, original, angle]) == expected


def test_skeletons_stand_side_by_side_when_asked_for(opened: Open) -> None:
    page = opened()
    over = canvas(page)
    page.select_option("#layout", "beside")
    beside = canvas(page)
    assert beside != over
    page.select_option("#zoom", "person")
    assert canvas(page) != beside


def test_charts_follow_what_is_chosen_and_a_point_opens_its_moment(opened: Open) -> None:
    page = opened()
    page.select_option("#view select[name=angle]", "right_elbow")
    page.select_option("#view select[name=method]", "block")
    sync_api.expect(page.locator("#head-bland")).to_have_text("Bland–Altman: right elbow, block")
    sync_api.expect(page.locator("#head-rain")).to_contain_text("right elbow")
    sync_api.expect(page.locator("#verdicts h3")).to_contain_text("block")
    page.select_option("#view select[name=basis]", "raw")
    page.wait_for_function("() => byId('chart-methods').data.length === 4")
    page.select_option("#view select[name=condition]", "shod")
    page.wait_for_function(
        "() => new Set(byId('chart-bland').data[0].text.map((text) => text.split(',')[0])).size === 2"
    )
    point = page.locator("#chart-bland .scatterlayer path.point").nth(3)
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#chart-bland .hoverlayer .hovertext")
    video, frame = page.locator("#chart-bland .hovertext").first.text_content().split(", frame ")
    page.mouse.down()
    page.mouse.up()
    sync_api.expect(page.locator("#video-name")).to_have_text(video)
    page.wait_for_function("frame => index === frame", arg=int(frame.split("mean")[0]))
    assert page.evaluate("chosen().angle") == "right_elbow"
    assert page.is_checked("#sources input[value=block]")


def test_equivalence_shows_verdicts_p_values_and_videos_needed(opened: Open, content: dict[str, Any]) -> None:
    page = opened()
    tests = content["equivalence"]
    method = content["choice"]["method"].iloc[0]
    tests = tests[(tests["method"] == method) & (tests["condition"] == "all") & (tests["signal"] == "filtered")]
    tests = tests[(tests["measure"] == "mae_deg") & (tests["basis"] == "net")].set_index("angle")
    assert page.locator("#verdicts tbody tr").count() == 12
    cells = page.locator("#verdicts tbody tr", has_text="Left knee").locator("td").all_inner_texts()
    row = tests.loc["left_knee"]
    assert cells[0].endswith(row["verdict"])
    assert cells[-1] == ("–" if pd.isna(row["n_needed"]) else str(row["n_needed"]))
    page.select_option("#angles", "segments")
    sync_api.expect(page.locator("#verdicts tbody tr")).to_have_count(16)


def test_definitions_show_on_pointing_and_on_focus_and_go_with_escape(opened: Open, content: dict[str, Any]) -> None:
    page = opened()
    term = page.locator("#choice thead .term").first
    term.focus()
    tip = page.locator("#tip")
    assert tip.is_visible()
    assert tip.inner_text() == "files that the audit has passed"
    assert term.get_attribute("aria-describedby") == "tip"
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    show_table(page, "effects")
    page.locator("#table thead th", has_text="ICC(2,1)").hover()
    assert "intraclass correlation" in tip.inner_text()


def test_the_keyboard_comes_by_the_skip_link_to_the_result_and_the_focus_is_seen(opened: Open) -> None:
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "answer"
    page.keyboard.press("Tab")
    style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid"


def test_dark_is_followed_and_can_be_switched_and_charts_go_along(opened: Open) -> None:
    page = opened(color_scheme="dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    text = "byId('chart-tradeoff').layout.font.color"
    dark, dark_text = page.evaluate(colour), page.evaluate(text)
    page.click("#theme")
    page.wait_for_function(f"() => {text} !== '{dark_text}'")
    assert page.evaluate(colour) != dark
    assert page.inner_text("#theme") == "Dark"
    light = opened(color_scheme="light")
    assert light.evaluate(colour) == page.evaluate(colour)


def test_on_paper_there_are_figures_and_no_controls_and_everything_is_open(opened: Open) -> None:
    page = opened()
    closed = page.locator("details:not([open])").count()
    assert closed > 5
    page.evaluate("beforePrint()")
    page.emulate_media(media="print")
    assert page.locator("details:not([open])").count() == 0
    for part in ("#view", "#theme", "nav", "#play", "#download", "#picker .dt-paging"):
        assert page.locator(part).first.is_hidden(), part
    for part in ("h1", "#choice", "#chart-tradeoff svg", "#chart-bland svg", "#chart-traces svg", "#canvas"):
        assert page.locator(part).first.is_visible(), part
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.emulate_media(media="screen")
    page.evaluate("afterPrint()")
    assert page.locator("details:not([open])").count() == closed
    assert page.pdf().startswith(b"%PDF")


def test_a_narrow_window_needs_no_scrolling_sideways(opened: Open) -> None:
    page = opened()
    page.set_viewport_size({"width": 400, "height": 800})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert (
        page.locator("#choice").get_by_text("Added error").count() == 0 or page.locator("#choice td").first.is_visible()
    )


def test_a_thousand_videos_open_without_being_unpacked_and_come_from_beside_the_page(
    opened: Open, tmp_path: Path
) -> None:
    content = study(tmp_path, 1000, n_rejected=40, n_frames=30, pairs_per_row=2)
    content["settings"] = SETTINGS | {"report": {"max_embedded_mb": 1}}
    page = opened(written(content, tmp_path))
    # One video is shown, and only its data have been read.
    assert page.get_attribute("html", "data-unpacked") == "1"
    assert [url for url in page.requests if "/report/" in url] == [(tmp_path / "report/v0000.js").as_uri()]
    assert page.locator("#picker tbody tr").count() == 10
    assert page.locator("tr").count() < 700
    assert page.evaluate("document.querySelectorAll('*').length") < 20_000
    sync_api.expect(page.locator("#picker .dt-info")).to_have_text("1 to 10 of 1,000 rows")
    page.locator("#picker .dt-paging-button.last").click()
    page.get_by_role("button", name="Show video v0999").click()
    sync_api.expect(page.locator("#video-name")).to_have_text("v0999")
    page.click("#previous")
    sync_api.expect(page.locator("#video-name")).to_have_text("v0998")
    assert len([url for url in page.requests if "/report/" in url]) == 3
    show_table(page, "effects")
    # Of its rows the page holds the patients' joints, and says so.
    assert "The page holds 48\u202f000 of 448\u202f000 rows" in page.inner_text("#note-table")
    assert len(column(page, 1)) == 25


def test_a_video_whose_file_is_missing_is_told_and_the_page_goes_on(
    browser: Any, content: dict[str, Any], tmp_path: Path
) -> None:
    path = written(content | {"settings": SETTINGS | {"report": {"max_embedded_mb": 0}}}, tmp_path)
    (tmp_path / "report/v0002.js").unlink()
    page = browser.new_context(offline=True).new_page()
    page.set_default_timeout(_PATIENCE_MS)
    page.goto(path.as_uri())
    page.wait_for_selector('html[data-ready="yes"]', state="attached")
    page.get_by_role("button", name="Show video v0002").click()
    sync_api.expect(page.locator("#trouble")).to_contain_text("report/v0002.js is not beside this page")
    page.get_by_role("button", name="Show video v0001").click()
    sync_api.expect(page.locator("#video-name")).to_have_text("v0001")
    page.context.close()
