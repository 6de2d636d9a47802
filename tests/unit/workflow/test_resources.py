import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snakemake.api import Workflow
from snakemake.iocontainers import Wildcards
from snakemake.rules import Rule

from deidpose.workflow import resources

pytest_plugins = ["fixtures.workflow_objects"]

VIDEO = {"width": 1920, "height": 1080, "n_frames": 9000}
#: It does what another rule does, and needs the same.
LIKE = {"try_backend": "estimate_pose"}


def test_every_job_declares_threads_memory_and_time(jobs: list[Rule]) -> None:
    for rule in jobs:
        assert rule.ruleinfo.threads == 1, rule.name
        _, declared = rule.ruleinfo.resources
        assert declared.keys() == {"mem_mb", "runtime"}, rule.name


def test_every_need_is_that_of_a_rule(jobs: list[Rule]) -> None:
    assert resources._NEEDS.keys() == {rule.name for rule in jobs} - LIKE.keys()


def test_every_rule_asks_for_its_own_need_and_more_in_the_next_attempt(
    workflow: Workflow,
    jobs: list[Rule],
    wildcards_of_a_job: Callable[[Rule], Wildcards],
    resources_of_a_job: Callable[..., dict[str, Any]],
) -> None:
    more_mb, more_s_per_frame = workflow.globals["MORE_MB"], workflow.globals["MORE_S_PER_FRAME"]
    for rule in jobs:
        name = LIKE.get(rule.name, rule.name)
        mb, s_per_frame = {"screen": (more_mb, 0), "estimate_pose": (more_mb, more_s_per_frame)}.get(name, (0, 0))
        size = workflow.globals["size_of_job"](wildcards_of_a_job(rule))
        for attempt in (1, 2):
            asked = resources_of_a_job(rule, attempt)
            assert asked["mem_mb"] == resources.megabytes(name, size, attempt, mb), rule.name
            assert asked["runtime"] == resources.minutes(name, size, attempt, s_per_frame), rule.name


@given(
    rule=st.sampled_from(sorted(resources._NEEDS)),
    width=st.integers(16, 8000),
    height=st.integers(16, 8000),
    n_frames=st.integers(1, 10**6),
    attempt=st.integers(1, 3),
)
def test_a_larger_or_longer_video_never_needs_less(
    rule: str, width: int, height: int, n_frames: int, attempt: int
) -> None:
    small = {"width": width, "height": height, "n_frames": n_frames}
    large = {"width": width * 2, "height": height, "n_frames": n_frames * 2}
    for ask in (resources.megabytes, resources.minutes):
        assert ask(rule, large, attempt) >= ask(rule, small, attempt) >= 1
        assert ask(rule, small, attempt + 1) > ask(rule, small, attempt)
        assert isinstance(ask(rule, small, attempt), int)


def test_numbers_that_come_as_text_are_numbers() -> None:
    as_text = {key: str(value) for key, value in VIDEO.items()}
    assert resources.minutes("audit", as_text, 1) == resources.minutes("audit", VIDEO, 1)


def test_before_screening_the_bytes_stand_in_for_the_frames() -> None:
    small, large = ({"n_bytes": n_bytes} for n_bytes in (10**6, 10**10))
    assert resources.minutes("screen", small, 1) < resources.minutes("screen", large, 1)
    assert resources.megabytes("screen", large, 1) < 4000


def test_no_job_asks_for_less_than_three_pythons_take(
    jobs: list[Rule], resources_of_a_job: Callable[..., dict[str, Any]]
) -> None:
    """Two of Snakemake and the script's own: a job of 202 MB would be killed before its script began."""
    for rule in jobs:
        assert resources_of_a_job(rule)["mem_mb"] >= 450, rule.name


def test_a_study_of_more_videos_needs_more() -> None:
    assert resources.minutes("study", {"n_videos": 400}, 1) > resources.minutes("study", {"n_videos": 4}, 1)


def test_a_thousand_videos_of_two_people_fit_into_the_memory_that_the_study_asks_for() -> None:
    """Their tables and figures took 1.45 GB, with the frame pairs of the patients alone."""
    assert resources.megabytes("study", {"n_videos": 1000}, 1) > 2 * 1024


def test_the_size_of_a_file_that_is_gone_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"123")
    assert resources.size(str(tmp_path / "a")) == 3
    assert resources.size(str(tmp_path / "b")) == 0


def test_the_screening_is_read_by_video_and_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "screening.tsv"
    assert resources.read_screening(str(path)) == {}
    path.write_text("video\tstatus\nNA\taccepted\n")
    assert resources.read_screening(str(path)) == {"NA": {"video": "NA", "status": "accepted"}}
    path.write_text("video\tstatus\nNA\trejected\n")
    os.utime(path, ns=(1, 1))
    assert resources.read_screening(str(path))["NA"]["status"] == "rejected"


def test_an_unknown_rule_is_an_error_and_no_guess() -> None:
    with pytest.raises(KeyError):
        resources.megabytes("nothing", VIDEO, 1)


def test_what_settings_need_besides_is_asked_for() -> None:
    job = {"width": "1000", "height": "1000", "n_frames": "600"}
    assert resources.megabytes("estimate_pose", job, 1, 700.0) - resources.megabytes("estimate_pose", job, 1) == 700
    more = resources.minutes("estimate_pose", job, 1, 1.3) - resources.minutes("estimate_pose", job, 1)
    assert more == pytest.approx(4 * 600 * 1.3 / 60, abs=1)
