"""Studies of thousands of videos, done in shares: with stand-ins for the steps, on fewer videos and cheaply."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from deidpose.errors import UserError
from deidpose.workflow import shards
from fixtures import stand_in_workflow

ONE_METHOD = "methods=[blur]"
LAST = ["study", "report", "review_page", "publish"]


@pytest.fixture(scope="module")
def made(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a study of 300 videos that are screened."""
    folder = stand_in_workflow.make(root, tmp_path_factory.mktemp("shares") / "study", 300)
    said = stand_in_workflow.measure(folder, "--dry-run", *stand_in_workflow.settings(ONE_METHOD))
    assert said.code == 0, said.said[-3000:]
    assert re.search(r"^screen +300$", said.said, re.MULTILINE)
    videos = re.findall(r"results/restricted/screened/(\w+)\.key\.tsv$", said.said, re.MULTILINE)
    stand_in_workflow.screened(folder, sorted(set(videos)))
    done = stand_in_workflow.measure(
        folder, "--cores", "2", "--until", "collect_screening", *stand_in_workflow.settings(ONE_METHOD)
    )
    assert done.code == 0, done.said[-3000:]
    return folder


@pytest.fixture(scope="module")
def videos(made: Path) -> list[str]:
    rows = (made / "results/restricted/screening.tsv").read_text().splitlines()[1:]
    assert len(rows) == 300
    return [row.split("\t")[0] for row in rows]


@pytest.fixture(scope="module")
def run(made: Path) -> Callable[..., stand_in_workflow.Measured]:
    def run(
        *arguments: str, targets: list[str] | None = None, more: tuple[str, ...] = ()
    ) -> stand_in_workflow.Measured:
        there = [f"results/restricted/finished/{video}.txt" for video in targets or []]
        settings = stand_in_workflow.settings(ONE_METHOD, *more)
        return stand_in_workflow.measure(made, "--cores", "2", "--nolock", *arguments, *settings, "--", *there)

    return run


@pytest.fixture(scope="module")
def finished(made: Path, videos: list[str], run: Callable[..., stand_in_workflow.Measured]) -> Path:
    """Return the same study with all videos finished, one of them by jobs."""
    done = run(targets=videos[:1])
    assert done.code == 0, done.said[-3000:]
    stand_in_workflow.like(made, videos[0], videos[1:])
    return made


def planned(said: str) -> Counter[str]:
    """Return how many jobs of each rule Snakemake has counted."""
    table = said.rpartition("Job stats:")[2].partition("\n\n")[0]
    return Counter({rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)})


def test_the_plan_of_a_share_holds_its_own_videos_alone(
    videos: list[str], run: Callable[..., stand_in_workflow.Measured], finished: Path
) -> None:
    """Of the two, one has lost its stamp."""
    (finished / f"results/restricted/finished/{videos[5]}.txt").unlink()
    jobs = planned(run("--dry-run", targets=videos[5:7]).said)
    assert jobs.pop("total") == sum(jobs.values())
    assert jobs == {"finish": 1}
    assert run(targets=videos[5:7]).code == 0


def test_the_study_alone_has_no_job_of_a_video(finished: Path, run: Callable[..., stand_in_workflow.Measured]) -> None:
    before = stand_in_workflow.begun(finished)
    jobs = planned(run("--dry-run", more=("only_study=true",)).said)
    assert jobs == {**dict.fromkeys(LAST, 1), "all": 1, "total": 5}
    done = run(more=("only_study=true",))
    assert done.code == 0, done.said[-3000:]
    assert sorted(stand_in_workflow.begun(finished)[len(before) :]) == sorted(LAST)


def test_after_that_nothing_is_left_to_do(finished: Path, run: Callable[..., stand_in_workflow.Measured]) -> None:
    assert "Nothing to be done" in run("--dry-run", more=("only_study=true",)).said


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("mask={blur_strength: 0.4}",), "0 are not finished and 300 were finished with other settings"),
        (("methods=[blur, block]",), "0 are not finished and 300 were"),
        (("corrections=corrections.tsv",), "0 are not finished and 1 were"),
        (("videos=videos.tsv",), "0 are not finished and 1 were"),
    ],
)
def test_videos_that_were_finished_with_something_else_are_refused(
    finished: Path,
    videos: list[str],
    run: Callable[..., stand_in_workflow.Measured],
    more: tuple[str, ...],
    sentence: str,
) -> None:
    """Otherwise a stronger mask would be in the manifest, and the weaker one in the files."""
    header = "video\tfirst_frame\tlast_frame\tx\ty\twidth\theight\taction\treviewer\tnote\n"
    (finished / "corrections.tsv").write_text(f"{header}{videos[0]}\t0\t3\t1\t1\t9\t9\tmask\tRoe\t\n")
    source = sorted((finished / "data").iterdir())[0].name
    (finished / "videos.tsv").write_text(f"source\tvisible\n{source}\t0-abcdef\n")
    said = run("--dry-run", more=(*more, "only_study=true"))
    assert said.code == 1
    assert sentence in said.said
    assert "Traceback" not in said.said


def test_a_change_of_the_study_or_a_decision_to_leave_a_video_out_is_no_reason_to_do_videos_again(
    finished: Path, videos: list[str], run: Callable[..., stand_in_workflow.Measured]
) -> None:
    header = "video\tfirst_frame\tlast_frame\tx\ty\twidth\theight\taction\treviewer\tnote\n"
    (finished / "corrections.tsv").write_text(f"{header}{videos[0]}\t\t\t\t\t\t\texclude_video\tRoe\t\n")
    said = run("--dry-run", more=("only_study=true", "study={margin_deg: 3}", "corrections=corrections.tsv"))
    assert said.code == 0, said.said[-3000:]
    assert set(planned(said.said)) - {"all", "total"} == set(LAST)


def test_a_new_file_in_the_dataset_is_told(finished: Path, run: Callable[..., stand_in_workflow.Measured]) -> None:
    new = finished / "data/new.mp4"
    new.write_text("video")
    said = run("--dry-run", more=("only_study=true",))
    new.unlink()
    assert said.code == 1
    assert "1 videos are not screened yet" in said.said


def test_the_stamp_tells_missing_and_outdated_videos_apart(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1\n")
    (tmp_path / "b.txt").write_text("2\n")
    shards.check(tmp_path, ["a", "b", "rejected"], {"a": {}, "b": {}, "rejected": {}}, {"a": "1", "b": "2"})
    with pytest.raises(UserError, match="Of 3 videos, 1 are not finished and 1 were finished with other settings"):
        shards.check(tmp_path, ["a"], {"a": {}}, {"a": "1", "b": "1", "c": "1"})
    with pytest.raises(UserError, match="2 videos are not screened yet"):
        shards.check(tmp_path, ["a", "b"], {}, {})


def test_a_stamp_goes_by_content_and_not_by_the_order_of_keys() -> None:
    assert shards.stamp({"a": 1, "b": [1]}, "x") == shards.stamp({"b": [1], "a": 1}, "x")
    assert len({shards.stamp({"a": 1}), shards.stamp({"a": 2}), shards.stamp({"b": 1}), shards.stamp({"a": 1}, 1)}) == 4
