"""Figures: every number that they should show is there, and the same input gives the same bytes."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deidpose import figures, tables
from deidpose.angles import ANGLES
from deidpose.stats import MEASURES, summarize

METHODS = ("blur", "pixelate", "reencode")


def effects_of(n_videos: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    numbers = [name for name, column in tables.TABLES["effects"].items() if column.dtype == "float64"]
    rows = [
        {"video": f"v{video}", "method": method, "person": 0, "angle": angle}
        | {"n_original": 100, "n_both": 95, "n_lost": 5, "n_gained": 1}
        | dict.fromkeys(numbers, float(rng.uniform(0.1, 3)))
        for video in range(n_videos)
        for method in METHODS
        for angle in ANGLES
    ]
    return tables.check(pd.DataFrame(rows), "effects") if rows else tables.empty("effects")


def summary_of(n_videos: int) -> pd.DataFrame:
    return summarize(effects_of(n_videos), 50, 0.95, 1)


def angles_of(person: int, frames: range, offset: float = 0.0) -> pd.DataFrame:
    return pd.concat(
        pd.DataFrame(
            {
                "frame": frames,
                "time_s": np.array(frames) / 25,
                "person": person,
                "angle": angle,
                "degrees": 30 + offset + 20 * np.sin(np.array(frames) / 5),
                "confidence": 0.9,
            }
        )
        for angle in figures.LEADING
    )


def svg_text(figure: figures.Figure, path: Path) -> str:
    figures.save(figure, path)
    return path.read_text("utf-8")


@pytest.mark.parametrize("name", figures.STUDY)
def test_every_figure_names_its_methods_angles_and_units(name: str, tmp_path: Path) -> None:
    text = svg_text(figures.STUDY[name](summary_of(4)), tmp_path / "figure.svg")
    for angle in ANGLES:
        assert figures.words(angle) in text
    assert "Blur" in text
    assert "Pixelate" in text
    assert ("Control" in text) == (name != "heatmap")
    assert re.search(r"\(deg\)|\(0 to 1\)|\(% of original\)", text)


@pytest.mark.parametrize("name", figures.STUDY)
@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_same_summary_gives_the_same_bytes_without_a_date(name: str, ending: str, tmp_path: Path) -> None:
    for copy in "ab":
        figures.save(figures.STUDY[name](summary_of(3)), tmp_path / f"{copy}.{ending}")
    content = (tmp_path / f"a.{ending}").read_bytes()
    assert content == (tmp_path / f"b.{ending}").read_bytes()
    assert b"dc:date" not in content
    assert b"Software" not in content


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", figures.STUDY)
def test_one_video_without_intervals_and_angles_without_data_draw_without_a_warning(name: str, tmp_path: Path) -> None:
    summary = summary_of(1)
    summary.loc[summary["angle"] == "left_hip", ["mean", "low", "high"]] = np.nan
    text = svg_text(figures.STUDY[name](summary), tmp_path / "figure.svg")
    assert ("no data" in text) == (name == "heatmap")


@pytest.mark.parametrize("name", figures.STUDY)
def test_an_empty_study_says_so(name: str, tmp_path: Path) -> None:
    text = svg_text(figures.STUDY[name](tables.empty("summary")), tmp_path / "figure.svg")
    assert "nothing to show" in text


def test_the_heat_map_writes_the_numbers_of_the_summary(tmp_path: Path) -> None:
    summary = summary_of(4)
    text = svg_text(figures.heatmap(summary), tmp_path / "figure.svg")
    net = summary[(summary["measure"] == "mae_deg") & (summary["basis"] == "net")]
    assert len(net) == 2 * len(ANGLES)
    for mean in net["mean"]:
        assert f"{mean:+.2f}" in text


def test_the_traces_follow_the_person_with_the_most_frames_through_a_broken_identity() -> None:
    original = pd.concat([angles_of(0, range(10)), angles_of(1, range(100))])
    method = pd.concat([angles_of(4, range(40), offset=2), angles_of(7, range(45, 100), offset=2)])
    figure = figures.traces_of_video("v1", original, {"blur": method}, {"blur": {0: [], 1: [7, 4]}})
    assert figure.get_suptitle() == "Video v1, person 1"
    difference = figure.axes[1].get_lines()[0].get_ydata()
    assert np.nanmax(np.abs(difference - 2.0)) < 1e-9
    assert np.isnan(difference[40:45]).all()  # the line breaks where the method had lost the person
    assert np.isfinite(difference).sum() == 95


def test_the_traces_show_only_the_first_seconds_of_a_long_video() -> None:
    figure = figures.traces_of_video("v1", angles_of(0, range(5000)), {}, {})
    assert figure.axes[0].get_lines()[0].get_xdata().max() <= figures.TRACE_SECONDS
    assert figure.get_suptitle() == "Video v1, person 0, the first 20 s"


def test_a_method_that_lost_the_person_has_no_line_and_a_video_without_people_says_so(tmp_path: Path) -> None:
    figure = figures.traces_of_video("v1", angles_of(0, range(9)), {"blur": tables.empty("angles")}, {"blur": {0: []}})
    assert len(figure.axes[0].get_lines()[1].get_xdata()) == 0
    nobody = figures.traces_of_video("v1", tables.empty("angles"), {"blur": tables.empty("angles")}, {"blur": {}})
    assert "nothing to show" in svg_text(nobody, tmp_path / "figure.svg")


def test_the_summary_holds_every_measure_that_the_figures_draw() -> None:
    assert {"mae_deg", "confidence_bias", "lost_percent", "gained_percent"} <= set(MEASURES)
