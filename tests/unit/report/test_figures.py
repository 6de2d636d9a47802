"""Figures: they draw the numbers that they are given, say what is missing, and the same input gives the same bytes."""

import re
import warnings
import xml.etree.ElementTree as ElementTree
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from numpy.typing import NDArray

from deidpose.keypoints import pick
from deidpose.kinematics.angles import JOINTS, SEGMENTS, angle_arrays
from deidpose.labels import CONTROL
from deidpose.report import distribution_figures, plotting, study_figures, style, video_figures
from deidpose.skeleton import KEYPOINTS
from fixtures import study_tables

ROOT = Path(__file__).parents[3]
METHODS = ("blur", "block", "pixelate")
#: Settings as under `study` in config.yaml.
SETTINGS = {"people": "patient", "margin_deg": 2, "alpha": 0.05, "power": 0.8, "confidence_level": 0.95}


@pytest.fixture(scope="module")
def study() -> plotting.Study:
    return study_tables.study(n_videos=12, frames=20)


@pytest.fixture(autouse=True)
def _no_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def texts(figure: Figure) -> list[str]:
    """Everything that is written in a figure."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def panel(figure: Figure, title: str) -> Axes:
    return next(axes for axes in figure.axes if axes.get_title(loc="left") == title)


def lines(axes: Axes, gid: str) -> list[Line2D]:
    return [line for line in axes.get_lines() if line.get_gid() == gid]


def points(axes: Axes, gid: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for line in lines(axes, gid) for x, y in line.get_xydata()]


def intervals(axes: Axes) -> NDArray[np.float64]:
    """Ends of the intervals of a panel, shape (n, 2), from top to bottom."""
    drawn = [s for c in axes.collections if isinstance(c, LineCollection) for s in c.get_segments() if len(s)]
    drawn.sort(key=lambda segment: segment[0][1])
    return np.array([segment[:, 0] for segment in drawn])


def without_numbers(study: plotting.Study) -> plotting.Study:
    """The same study with every measured number missing."""
    tables = {
        name: table.assign(**{column: np.nan for column in table.columns if table[column].dtype == "float64"})
        for name, table in study._asdict().items()
        if isinstance(table, pd.DataFrame)
    }
    return study._replace(**tables)


# --- Every figure


def test_every_figure_has_a_heading_and_a_caption() -> None:
    assert list(study_figures.STUDY) == list(style.FIGURES)
    assert all((ROOT / "report" / f"{name}.rst").is_file() for name in study_figures.STUDY)


@pytest.mark.parametrize("path", sorted((ROOT / "report").glob("*.rst")), ids=lambda path: path.stem)
def test_captions_render_with_the_parameters_of_the_study(path: Path) -> None:
    params = SimpleNamespace(methods=list(METHODS), study=SETTINGS, signal="filtered")
    stub = SimpleNamespace(params=params, config={"methods": list(METHODS), "study": SETTINGS})
    text = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(path.read_text("utf-8"))
    caption = text.render(snakemake=stub)
    assert 40 < len(caption) < 1500
    assert "{" not in caption


@pytest.mark.parametrize("name", study_figures.STUDY)
def test_every_figure_is_as_wide_as_two_columns_and_no_text_is_too_small(name: str, study: plotting.Study) -> None:
    figure = study_figures.STUDY[name](study)
    assert figure.get_figwidth() * 25.4 == pytest.approx(180)
    assert figure.get_figheight() * 25.4 <= 250
    figure.canvas.draw()
    for text in (text for text in figure.findobj(Text) if text.get_visible()):
        assert text.get_fontsize() >= 7, text.get_text()


@pytest.mark.parametrize("name", study_figures.STUDY)
@pytest.mark.parametrize("n_videos", [1, 30])
def test_nothing_that_is_written_reaches_beyond_the_picture(name: str, n_videos: int) -> None:
    figure = study_figures.STUDY[name](study_tables.study(n_videos=n_videos, frames=10, leaks=(0, 3, 40)))
    with mpl.rc_context(plotting.STYLE):
        figure.canvas.draw()
        drawn = figure.get_tightbbox()  # in inches
    slack = 0.01
    assert drawn.x0 >= -slack
    assert drawn.y0 >= -slack
    assert drawn.x1 <= figure.get_figwidth() + slack
    assert drawn.y1 <= figure.get_figheight() + slack


@pytest.mark.parametrize("name", study_figures.STUDY)
def test_every_figure_names_its_methods_and_its_units(name: str, study: plotting.Study) -> None:
    written = " ".join(texts(study_figures.STUDY[name](study)))
    assert all(style.words(method) in written for method in METHODS)
    assert ("Control" in written) == (name not in ("tradeoff", "heatmap", "equivalence"))
    assert re.search(r"\(deg\)|\(0 to 1\)|% of|ICC\(2,1\)", written)
    if name in ("accuracy", "equivalence", "heatmap", "raincloud", "agreement", "lost_frames", "confidence"):
        assert all(style.words(angle) in written for angle in JOINTS)
    if name in ("heatmap", "agreement"):
        assert all(style.words(angle) in written for angle in SEGMENTS)


@pytest.mark.parametrize("name", study_figures.STUDY)
@pytest.mark.parametrize("ending", ["svg", "pdf", "png"])
def test_the_same_study_gives_the_same_bytes_without_a_date(
    name: str, ending: str, study: plotting.Study, tmp_path: Path
) -> None:
    if name == "bland_altman_joints" and ending != "png":
        pytest.skip("drawn by the same function as bland_altman, and slow")
    for copy in "ab":
        plotting.save(study_figures.STUDY[name](study), tmp_path / f"{copy}.{ending}")
    content = (tmp_path / f"a.{ending}").read_bytes()
    assert content == (tmp_path / f"b.{ending}").read_bytes()
    for trace in (b"dc:date", b"CreationDate", b"Software", b"Producer", b"Creator", b"Matplotlib v"):
        assert trace not in content


def test_an_svg_keeps_its_text_and_has_a_title(study: plotting.Study, tmp_path: Path) -> None:
    plotting.save(study_figures.heatmap(study), tmp_path / "figure.svg")
    root = ElementTree.parse(tmp_path / "figure.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert (
        root.get("width") == f"{180 / 25.4 * 72:.6f}".rstrip("0") + "pt" or float(root.get("width", "0pt")[:-2]) > 500
    )
    written = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "Left knee" in written
    assert root.findtext("{http://www.w3.org/2000/svg}title") == style.FIGURES["heatmap"]


def test_a_pdf_embeds_its_fonts_as_truetype(study: plotting.Study, tmp_path: Path) -> None:
    plotting.save(study_figures.accuracy(study), tmp_path / "figure.pdf")
    content = (tmp_path / "figure.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert b"/CIDFontType2" in content or b"/TrueType" in content
    assert b"/FontFile2" in content
    assert b"/Type3" not in content
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.S)
    assert any(len(zlib.decompress(stream)) > 1000 for stream in streams if stream[:1] == b"x")


@pytest.mark.parametrize("name", study_figures.STUDY)
def test_a_study_without_rows_or_without_numbers_draws_something_honest(
    name: str, study: plotting.Study, tmp_path: Path
) -> None:
    assert "nothing to show" in " ".join(texts(study_figures.STUDY[name](study_tables.empty())))
    figure = study_figures.STUDY[name](without_numbers(study))
    plotting.save(figure, tmp_path / "figure.svg")
    written = " ".join(texts(figure))
    # Of the choice there are still the methods, and of people and frames the counts.
    assert "nothing to show" in written or name in ("tradeoff", "identities")


@pytest.mark.parametrize("name", study_figures.STUDY)
@pytest.mark.parametrize(
    "made",
    [
        {"n_videos": 1},
        {"n_videos": 2, "leaks": (1, 1, 1)},
        {"n_videos": 6, "control": False},
        {"n_videos": 5, "methods": ("blur",)},
        {"n_videos": 3, "methods": ("blur", "swap", "avatar", "noise", "inpaint", "pixelate", "mesh", "stick")},
    ],
    ids=["one video", "two videos that leak alike", "no control", "one method", "eight methods"],
)
def test_studies_of_every_size_draw_without_a_warning(name: str, made: dict[str, Any], tmp_path: Path) -> None:
    plotting.save(study_figures.STUDY[name](study_tables.study(frames=8, **made)), tmp_path / "figure.png")


@pytest.mark.parametrize("name", study_figures.STUDY)
def test_one_joint_that_nobody_showed_leaves_the_others_drawn(name: str, study: plotting.Study, tmp_path: Path) -> None:
    less = {
        field: table[table["angle"] != "left_hip"] if "angle" in getattr(table, "columns", ()) else table
        for field, table in study._asdict().items()
    }
    figure = study_figures.STUDY[name](plotting.Study(**less))
    plotting.save(figure, tmp_path / "figure.png")
    if name in ("accuracy", "raincloud"):
        assert "no data" in [text.get_text() for text in panel(figure, "Left hip").texts]
        assert "no data" not in [text.get_text() for text in panel(figure, "Left knee").texts]


# --- The answer


def test_the_tradeoff_places_every_method_by_its_cost_and_draws_the_margin(study: plotting.Study) -> None:
    figure = study_figures.tradeoff(study)
    axes = figure.axes[0]
    drawn = points(axes, "means")
    assert [x for x, _ in drawn] == pytest.approx(study.choice["mae_net_deg"].tolist())
    assert intervals(axes) == pytest.approx(study.choice[["low", "high"]].to_numpy())
    assert any(line.get_xdata()[0] == 2.0 for line in axes.get_lines() if line.get_linestyle() == "--")
    assert "margin: 2°" in texts(figure)
    best = study.choice["method"].iloc[0]
    assert figure.get_suptitle().startswith(f"Choose {best}:")
    assert f"{style.words(best)}: recommended" in texts(figure)
    # All cover every face: they stand one below the other, whatever they cost.
    assert [y for _, y in drawn] == [0.5, 1.5, 2.5]


def test_the_tradeoff_sets_leaks_apart_by_their_logarithm() -> None:
    study = study_tables.study(n_videos=10, leaks=(0, 4, 400))
    axes = study_figures.tradeoff(study).axes[0]
    height = dict(points(axes, "means"))
    none, few, many = (height[cost] for cost in study.choice["mae_net_deg"])
    assert list(study.choice["n_leaked_frames"]) == [0, 4, 400]
    ticks = {text.get_text(): place for text, place in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)}
    assert none == ticks["none"] < few < many
    per_decade = ticks["1 %"] - ticks["0.1 %"]
    assert many - few == pytest.approx(2 * per_decade)
    written = " ".join(texts(axes.get_figure()))
    assert "99.90 % of 4\N{NARROW NO-BREAK SPACE}200 face-frames covered" in written
    assert "all 4\N{NARROW NO-BREAK SPACE}200 face-frames covered" in written


def test_a_share_that_is_not_all_is_never_written_as_all() -> None:
    row = SimpleNamespace(share_covered=1 - 1e-9, n_face_frames=10**9, n_leaked_frames=1)
    assert study_figures._cover(row).startswith("99.99 %")
    assert study_figures._cover(SimpleNamespace(share_covered=1.0, n_face_frames=5, n_leaked_frames=2)).endswith(
        "2 leaked"
    )


def test_the_tradeoff_says_when_no_method_is_recommended_or_nothing_is_known_of_its_cost(study: plotting.Study) -> None:
    choice = study.choice.assign(recommended=False)
    assert study_figures.tradeoff(study._replace(choice=choice)).get_suptitle() == "No method is recommended"
    unknown = study._replace(choice=study.choice.assign(mae_net_deg=np.nan, low=np.nan, high=np.nan))
    figure = study_figures.tradeoff(unknown)
    assert figure.get_suptitle().replace("\n", " ").endswith("what it costs the joint angles is not known")
    assert " ".join(texts(figure)).count("no joint angle to compare") == 3


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 9, allow_nan=False), min_size=1, max_size=9))
def test_texts_pushed_apart_keep_their_order_and_their_distance(places: list[float]) -> None:
    moved = plotting.spread_apart(np.array(places), 1.0, 0.5, 9.5)
    ordered = moved[np.argsort(places, kind="stable")]
    assert (np.diff(ordered) >= 1 - 1e-9).all()
    assert moved.min() >= 0.5 - 1e-9
    assert moved.max() <= 9.5 + 1e-9


# --- By angle


def test_accuracy_draws_raw_means_intervals_and_the_band_of_the_control(study: plotting.Study) -> None:
    summary = study.summary
    rows = summary[(summary["measure"] == "mae_deg") & (summary["basis"] == "raw") & (summary["signal"] == "filtered")]
    rows = rows[rows["angle"] == "right_ankle"].set_index("method").loc[[*METHODS, CONTROL]]
    axes = panel(study_figures.accuracy(study), "Right ankle")
    assert [x for x, _ in points(axes, "means")] == pytest.approx(rows["mean"].tolist())
    assert intervals(axes) == pytest.approx(rows[["low", "high"]].to_numpy())
    band = axes.patches[0].get_extents().transformed(axes.transData.inverted())
    assert (band.x0, band.x1) == pytest.approx((rows["low"][CONTROL], rows["high"][CONTROL]))


def test_figures_show_the_headline_signal_over_all_conditions_only(study: plotting.Study) -> None:
    other = study.summary.assign(condition="left out", mean=1e6)
    mixed = study._replace(summary=pd.concat([study.summary, other]))
    for name in ("accuracy", "heatmap", "lost_frames"):
        assert texts(study_figures.STUDY[name](mixed)) == texts(study_figures.STUDY[name](study))
    raw, filtered = (study_figures.heatmap(study._replace(signal=signal)) for signal in ("unfiltered", "filtered"))
    assert texts(raw) != texts(filtered)


def test_the_heat_map_writes_every_net_number_and_a_dash_where_there_is_none(study: plotting.Study) -> None:
    rows = study_figures._summary(study, ["mae_deg"], "net", (*JOINTS, *SEGMENTS))
    assert len(rows) == 3 * 28
    expected = sorted(plotting.signed(mean) for mean in rows["mean"])
    figure = study_figures.heatmap(study)
    assert sorted(text.get_text() for axes in figure.axes[:2] for text in axes.texts) == expected
    hole = study.summary.copy()
    hole.loc[(hole["angle"] == "trunk") & (hole["method"] == "blur"), "mean"] = np.nan
    written = [
        text.get_text() for axes in study_figures.heatmap(study._replace(summary=hole)).axes[:2] for text in axes.texts
    ]
    assert written.count("–") == 1


@pytest.mark.parametrize("name", ["heatmap", "agreement", "keypoints"])
def test_numbers_in_heat_maps_stand_out_from_their_cells(name: str, study: plotting.Study) -> None:
    for axes in study_figures.STUDY[name](study).axes[:2]:
        (image,) = axes.get_images()
        cells = image.to_rgba(image.get_array())
        for text in axes.texts:
            column, row = (int(place) for place in text.get_position())
            cell = plotting._luminance(cells[row, column])
            ink = {"black": 0.0, "white": 1.0}[text.get_color()]
            # Contrast of 4.5 to 1, as WCAG 2.2 asks of text (success criterion 1.4.3).
            assert (max(cell, ink) + 0.05) / (min(cell, ink) + 0.05) >= 4.5


def test_noise_far_below_the_margin_is_pale_in_the_heat_map(study: plotting.Study) -> None:
    quiet = study._replace(summary=study.summary.assign(mean=study.summary["mean"] * 1e-3))
    image = study_figures.heatmap(quiet).axes[0].get_images()[0]
    assert np.abs(image.norm(np.asarray(image.get_array())) - 0.5).max() < 0.01


def test_lost_and_gained_frames_start_at_zero_and_confidence_holds_both_signs(study: plotting.Study) -> None:
    lost, gained = study_figures.lost_frames(study).axes
    for axes, measure in ((lost, "lost_percent"), (gained, "gained_percent")):
        rows = study_figures._summary(study, [measure], "raw", JOINTS)
        assert sorted(x for x, _ in points(axes, "means")) == pytest.approx(sorted(rows["mean"]))
        assert axes.get_xlim()[0] <= 0
    (axes,) = study_figures.confidence(study).axes
    assert axes.get_xlim()[0] < 0 < axes.get_xlim()[1]


# --- Tests and agreement


def test_the_forest_marks_each_verdict_and_tells_how_many_would_decide(study: plotting.Study) -> None:
    table = study.equivalence
    rows = table[(table["signal"] == "filtered") & (table["method"] == "block") & table["angle"].isin(JOINTS)]
    verdicts = ["equivalent", "different", "undecided"] * 4
    rows = rows.assign(verdict=verdicts, n_needed=pd.array([pd.NA, pd.NA, 85] * 4, dtype="Int64"))
    axes = panel(study_figures.equivalence(study._replace(equivalence=rows)), "Block")
    for verdict, mark in (("equivalent", "o"), ("different", "X"), ("undecided", "o")):
        (line,) = lines(axes, verdict)
        chosen = rows[rows["verdict"] == verdict].set_index("angle")["mean"]
        assert line.get_marker() == mark
        drawn = {JOINTS[int(y)]: float(x) for x, y in line.get_xydata()}
        assert drawn == pytest.approx(chosen.to_dict())
        assert (line.get_markerfacecolor() == "white") == (verdict == "undecided")
    written = [text.get_text() for text in axes.texts]
    assert written.count("= 12") == written.count("≠ 12") == written.count("? 12 → 85") == 4


def test_intervals_beyond_the_forest_end_in_an_arrow_and_missing_angles_say_so(study: plotting.Study) -> None:
    table = study.equivalence[study.equivalence["angle"] != "left_hip"].copy()
    wide = (table["angle"] == "left_knee") & (table["method"] == "blur")
    table.loc[wide, ["low", "high"]] = [-80.0, 80.0]
    axes = panel(study_figures.equivalence(study._replace(equivalence=table)), "Blur")
    edge = axes.get_xlim()[1]
    assert sorted(points(axes, "beyond")) == [(-edge, 0.0), (edge, 0.0)]
    assert edge <= 10
    assert "no data" in [text.get_text() for text in axes.texts]


def test_agreement_writes_the_coefficients_and_shades_them_by_band(study: plotting.Study) -> None:
    table = study.agreement.copy()
    values = np.array([0.49, 0.5, 0.75, 0.9, 0.91, np.nan] * 100)[: len(table)]
    figure = study_figures.agreement(study._replace(agreement=table.assign(icc_2_1=values)))
    axes = figure.axes[0]
    ranks = np.ma.filled(axes.get_images()[0].get_array().astype(float), np.nan)
    bands = [word for _, word in style.AGREEMENT_BANDS]
    for text, rank in zip(axes.texts, ranks.ravel(), strict=True):
        if text.get_text() == "–":
            assert np.isnan(rank)
        else:
            assert bands[int(rank)] == style.agreement_band(float(text.get_text()))
    written = " ".join(texts(figure))
    assert all(word in written for word in bands)


def test_bland_altman_draws_every_pair_with_the_lines_of_the_agreement(study: plotting.Study) -> None:
    figure = distribution_figures.bland_altman(study)
    axes = figure.axes[1]  # left knee, block
    pairs = study.pairs[(study.pairs["angle"] == "left_knee") & (study.pairs["method"] == "block")]
    row = study.agreement.set_index(["method", "angle", "signal"]).loc[("block", "left_knee", "filtered")]
    assert [line.get_ydata()[0] for line in lines(axes, "bias")] == pytest.approx([row["bias_deg"]])
    limits = [row["loa_low_deg"], row["loa_high_deg"]]
    assert [line.get_ydata()[0] for line in lines(axes, "limit")] == pytest.approx(limits)
    (dots,) = [line for line in axes.get_lines() if line.get_marker() == "s"]
    outside = sum(int(text.get_text().split()[0]) for text in axes.texts if "outside" in text.get_text())
    assert len(dots.get_xdata()) + outside == len(pairs) == 240
    mean = (pairs["original_deg"] + pairs["method_deg"]) / 2
    assert set(np.round(dots.get_xdata(), 6)) <= set(np.round(mean, 6))
    assert len(figure.axes) == 8
    assert len(distribution_figures.bland_altman_joints(study).axes) == 48


def test_many_pairs_become_hexagons_that_hold_all_of_them() -> None:
    axes = distribution_figures.bland_altman(study_tables.study(n_videos=200, frames=10)).axes[0]
    (cells,) = axes.collections
    outside = sum(int(text.get_text().split()[0]) for text in axes.texts if "outside" in text.get_text())
    assert np.asarray(cells.get_array()).sum() + outside == 2000
    assert not [line for line in axes.get_lines() if line.get_marker() == "o"]


# --- Distributions


@pytest.mark.parametrize(("n_videos", "boxes", "violin"), [(1, 0, 0), (2, 0, 0), (5, 1, 0), (10, 1, 1), (300, 1, 1)])
def test_a_raincloud_has_a_dot_for_each_video_and_a_box_and_a_violin_where_they_are_enough(
    n_videos: int, boxes: int, violin: int
) -> None:
    study = study_tables.study(n_videos=n_videos, methods=("blur",), control=True, frames=1)
    effects = study.effects[study.effects["patient"] & (study.effects["signal"] == "filtered")]
    expected = effects[(effects["method"] == "blur") & (effects["angle"] == "left_elbow")]["mae_net_deg"]
    axes = panel(distribution_figures.raincloud(study), "Left elbow")
    dots, control = lines(axes, "videos")
    beyond = [x for x, _ in points(axes, "beyond")]
    assert len(dots.get_xdata()) + len(control.get_xdata()) + len(beyond) == 2 * n_videos
    assert set(np.round(dots.get_xdata(), 9)) <= set(np.round(expected, 9))
    clouds = [c for c in axes.collections if c.get_gid() == "violin"]
    assert len(clouds) == 2 * violin
    medians = [line for line in axes.get_lines() if line.get_color() == "black" and line.get_linewidth() == 1.2]
    assert len(medians) == 2 * boxes
    if boxes:
        assert medians[0].get_xdata()[0] == pytest.approx(expected.median())
    if violin:
        # No density where there is no video.
        assert clouds[0].get_datalim(axes.transData).x0 >= expected.min() - 1e-9


def test_a_raincloud_averages_the_people_of_a_video_by_their_frames_where_all_count(study: plotting.Study) -> None:
    effects = study.effects
    rows = effects[(effects["video"] == "v0000") & (effects["method"] == "blur") & (effects["angle"] == "left_knee")]
    rows = rows[rows["signal"] == "filtered"]
    mean = np.average(rows["mae_net_deg"], weights=rows["n_both"])
    everybody = distribution_figures._per_video(rows, "all", ["angle"], "mae_net_deg", "n_both")
    assert everybody["value"].tolist() == pytest.approx([mean])
    patient = distribution_figures._per_video(rows, "patient", ["angle"], "mae_net_deg", "n_both")
    assert patient["value"].tolist() == pytest.approx(rows.loc[rows["patient"], "mae_net_deg"].tolist())


def test_a_video_far_outside_is_an_arrow_and_does_not_flatten_the_others(study: plotting.Study) -> None:
    effects = study.effects.copy()
    far = (effects["video"] == "v0003") & (effects["angle"] == "left_hip") & (effects["method"] == "pixelate")
    effects.loc[far, "mae_net_deg"] = 500.0
    axes = panel(distribution_figures.raincloud(study._replace(effects=effects)), "Left hip")
    assert axes.get_xlim()[1] < 100
    assert [x for x, _ in points(axes, "beyond")] == [axes.get_xlim()[1]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False), max_size=50))
def test_the_span_of_an_axis_is_never_empty_and_holds_the_middle_of_the_values(values: list[float]) -> None:
    first, last = plotting.axis_span(np.array(values), keep=(0.0,))
    assert first < last
    assert first < 0 < last
    if values:
        assert first <= np.median(values) <= last
        left, right = plotting.axis_span(np.array(values))
        assert left <= np.median(values) <= right
        assert right - left <= 1.1 * (max(values) - min(values)) + 1


def test_keypoints_are_means_over_videos_from_head_to_foot(study: plotting.Study) -> None:
    figure = distribution_figures.keypoints(study)
    left, right = figure.axes[:2]
    names = [text.get_text() for text in left.get_yticklabels()]
    assert names[:3] == ["Head", "Body", "Nose"]
    assert "Left small toe" not in names  # nobody has it
    assert set(plotting.HEAD_TO_FOOT) == set(KEYPOINTS)
    table = study.keypoint_effects
    mine = table[(table["keypoint"] == "LEar") & (table["method"] == "block")]
    place = names.index("Left ear")
    shares, moved = (np.asarray(axes.get_images()[0].get_array()) for axes in (left, right))
    assert shares[place, 1] == pytest.approx(100 * mine["pck_0_2"].mean())
    assert moved[place, 1] == pytest.approx(mine["displacement_mean"].mean())


def test_identities_show_the_patient_lost_and_the_changes_of_everybody(study: plotting.Study) -> None:
    lost, mirrored, switches, fewer, more = distribution_figures.identities(study).axes
    rows = study.identities[study.identities["patient"] & (study.identities["method"] == "block")]
    heads = study.headcounts[study.headcounts["method"] == "block"]
    for axes, mean in (
        (lost, (100 * rows["n_lost"] / rows["n_original"]).mean()),
        (mirrored, (100 * rows["n_mirrored"] / rows["n_both"]).mean()),
        (switches, heads["n_switches"].mean()),
        (fewer, (100 * heads["n_frames_fewer"] / heads["n_frames"]).mean()),
        (more, (100 * heads["n_frames_more"] / heads["n_frames"]).mean()),
    ):
        assert axes.texts[1].get_text() == f"mean {mean:.2f}"
    beyond = len(points(switches, "beyond"))
    assert len(points(switches, "videos")) + beyond == 4 * 12


# --- Traces


def angles_of(frames: range, offset: float = 0.0, names: tuple[str, ...] = style.LEADING) -> pd.DataFrame:
    number = np.array(frames)
    return pd.concat(
        pd.DataFrame(
            {
                "frame": frames,
                "time_s": number / 25 + 0.003 * (number % 3),  # a rate that varies
                "person": 0,
                "angle": name,
                "degrees": 30 + offset + 20 * np.sin(number / 5),
                "degrees_filtered": 130 + offset + 20 * np.sin(number / 5),
                "confidence": 0.9,
                "direction": "right",
            }
        )
        for name in names
    )


def traces(original: pd.DataFrame, copies: Mapping[str, pd.DataFrame], signal: str = "filtered") -> Figure:
    """Draw tables ``angles``."""
    methods = {method: angle_arrays(copy) for method, copy in copies.items()}
    return video_figures.traces(angle_arrays(original), methods, signal, "Video v1")


def test_traces_show_the_chosen_signal_on_the_true_time_and_the_difference_below() -> None:
    original, method = angles_of(range(100)), pd.concat([angles_of(range(40), 2), angles_of(range(45, 100), 2)])
    figure = traces(original, {CONTROL: original, "blur": method})
    assert figure.get_suptitle() == "Video v1"
    above, below = figure.axes[:2]
    assert [line.get_label() for line in above.get_lines()] == ["Original", "Blur", "Control"]
    knee = original[original["angle"] == "left_knee"]
    assert above.get_lines()[0].get_xdata() == pytest.approx(knee["time_s"].to_numpy())
    assert above.get_lines()[0].get_ydata() == pytest.approx(knee["degrees_filtered"].to_numpy())
    difference = below.get_lines()[0].get_ydata()
    assert np.nanmax(np.abs(difference - 2.0)) < 1e-9
    assert np.isnan(difference[40:45]).all()  # the line breaks where the method had lost the person
    assert np.isfinite(difference).sum() == 95
    unfiltered = traces(original, {}, "unfiltered")
    assert unfiltered.axes[0].get_lines()[0].get_ydata() == pytest.approx(knee["degrees"].to_numpy())


def test_no_two_lines_of_a_trace_look_the_same_in_black_and_white() -> None:
    angles = angles_of(range(9))
    figure = traces(angles, dict.fromkeys([*METHODS, CONTROL], angles))
    looks = [(str(vars(line)["_dash_pattern"]), line.get_linewidth()) for line in figure.axes[0].get_lines()]
    assert len(set(looks)) == 5


def test_traces_show_the_first_seconds_in_which_the_person_has_an_angle() -> None:
    figure = traces(angles_of(range(2500, 7000)), {})
    time = figure.axes[0].get_lines()[0].get_xdata()
    assert time.min() == pytest.approx(100.0, abs=0.01)
    assert time.max() <= time.min() + video_figures.TRACE_SECONDS
    assert figure.get_suptitle() == "Video v1, the first 20 s"


def test_a_trace_needs_no_rows_of_a_method_outside_of_its_span() -> None:
    original = angle_arrays(angles_of(range(2500, 7000)))
    blurred = angle_arrays(angles_of(range(2000, 7000), 3.0))
    start, end = video_figures.trace_span(original, "filtered")
    within = pick(blurred, (blurred.time_s >= start) & (blurred.time_s <= end))
    assert 0 < len(within.frame) < len(blurred.frame)
    lines = [
        [
            line.get_xydata()
            for axes in video_figures.traces(original, {"blur": rows}, "filtered", "").axes
            for line in axes.lines
        ]
        for rows in (blurred, within)
    ]
    for whole, part in zip(*lines, strict=True):
        np.testing.assert_array_equal(whole, part)
    assert np.isnan(video_figures.trace_span(angle_arrays(angles_of(range(0))), "filtered")).all()


def test_traces_fall_back_to_the_angles_that_were_seen_most() -> None:
    seen = pd.concat([angles_of(range(30), names=("left_knee", "trunk")), angles_of(range(20), names=("head",))])
    seen.loc[(seen["angle"] == "left_knee") & (seen["frame"] > 3), ["degrees", "degrees_filtered"]] = np.nan
    assert video_figures.leading_angles(angle_arrays(seen), "filtered") == ["trunk", "head"]
    joints = angle_arrays(angles_of(range(3), names=JOINTS))
    assert video_figures.leading_angles(joints, "unfiltered") == list(style.LEADING)
    figure = traces(angles_of(range(30), names=("trunk",)), {})
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Trunk", ""]


def test_a_method_that_lost_the_person_has_no_line_and_a_person_without_angles_says_so() -> None:
    nobody = angles_of(range(0))
    figure = traces(angles_of(range(9)), {"blur": nobody})
    assert len(figure.axes[0].get_lines()[1].get_xdata()) == 0
    assert "nothing to show" in " ".join(texts(traces(nobody, {"blur": nobody})))


def test_signed_numbers_have_a_true_minus_and_zero_has_no_sign() -> None:
    assert [plotting.signed(x) for x in (0.001, -0.001, 1.5, -1.5)] == ["0.00", "0.00", "+1.50", "−1.50"]
