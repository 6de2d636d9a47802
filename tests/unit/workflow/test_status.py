"""How far a study is, told from files alone."""

import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from snakemake.api import Workflow
from snakemake.rules import Rule

from deidpose.errors import UserError
from deidpose.workflow import status

pytest_plugins = ["fixtures.workflow_objects"]

#: The rules of a study and their wildcards, in the order of the Snakefile.
RULES: dict[str, list[str]] = {
    "fetch_model": ["file"],
    "fetch_library": ["file"],
    "screen": ["video"],
    "collect_screening": [],
    "sanitize": ["video"],
    "find_cuts": ["video"],
    "prove_sanitizing": ["video"],
    "estimate_pose": ["video", "source"],
    "draw_skeleton": ["video", "method"],
    "import_pose": ["video"],
    "list_imported_people": ["video"],
    "detect_faces": ["video"],
    "track_faces": ["video"],
    "anonymize": ["video", "method"],
    "reencode": ["video"],
    "search_faces": ["video", "source"],
    "audit": ["video", "method"],
    "list_people": ["video"],
    "draw_review": ["video"],
    "review_page": [],
    "match_people": ["video"],
    "joint_angles": ["video"],
    "compare": ["video"],
    "export": ["video"],
    "show_video": ["video"],
    "study": [],
    "report": [],
    "publish": [],
    "finish": ["video"],
}
PLAN: dict[str, Any] = {
    "rules": RULES,
    "video": ["v1", "v2", "v3"],
    "method": ["blur", "block"],
    "source": ["original", "blur", "block", "reencode"],
    "only": {"search_faces": {"source": ["original", "blur", "block"]}},
    "excluded": [],
    "withhold": ["fail"],
}
ONCE = ("collect_screening", "review_page", "study", "report", "publish")


class Made:
    """A study made of empty files; every file that is written is a second newer than the one before."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.now = time.time() - 10_000

    def write(self, place: str, text: str = "") -> None:
        path = self.results / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.now += 1
        os.utime(path, (self.now, self.now))

    def plan(self, **changes: object) -> None:
        self.write(status.PLAN, json.dumps({**PLAN, **changes}))

    def screen(self, video: str, reason: str = "") -> None:
        state = "rejected" if reason else "accepted"
        self.write(f"restricted/screened/{video}.tsv", f"video\tstatus\treason\n{video}\t{state}\t{reason}\n")
        self.write(f"restricted/screened/{video}.key.tsv", f"video\tsource\n{video}\tJane Roe.mp4\n")
        self.done(f"screen/{video}")

    def begin(self, job: str, log: str = "") -> None:
        self.write(f"logs/{job}.log", log)

    def done(self, job: str, log: str = "INFO 2 people\n") -> None:
        self.begin(job, log)
        self.write(f"benchmarks/{job}.tsv")

    def audit(self, name: str, verdict: str, reason: str) -> None:
        video, method = name.split("_")
        content = {"video": video, "method": method, "verdict": verdict, "reason": reason, "leaks": [{"verdict": "x"}]}
        self.write(f"restricted/audit/{name}.json", json.dumps(content, indent=1))
        self.done(f"audit/{name}")

    def everything(self, videos: Iterable[str]) -> None:
        for rule, wildcards in RULES.items():
            known = {**PLAN, "video": list(videos), **PLAN["only"].get(rule, {})}
            values = [known.get(wildcard, []) for wildcard in wildcards]
            for name in itertools.product(*values):
                self.done(f"{rule}/{'_'.join(name)}" if wildcards else rule)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "results")


def rows(text: str) -> dict[str, str]:
    """Return the table of steps."""
    found = re.findall(r"^(\w+) +(\d+(?: of \d+)?(?: +\d+ begun)?)$", text, re.MULTILINE)
    return {rule: " ".join(told.split()) for rule, told in found}


def test_where_nothing_has_run_a_sentence_says_so(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no study in .*: run the workflow first"):
        status.describe(tmp_path)


def test_every_rule_of_a_study_is_in_its_plan_with_its_wildcards(workflow: Workflow, rules: list[Rule]) -> None:
    planned = {rule.name: status.wildcards_in(str(rule.benchmark)) for rule in workflow.globals["rules_of_study"]()}
    assert planned == RULES
    assert all(set(wildcards) == workflow.get_rule(rule).wildcard_names for rule, wildcards in planned.items())
    others = {rule.name for rule in rules} - set(planned)
    assert others == {"all", "models", "backends", "try_backend", "compare_backends", "show_backends"}


def test_wildcards_are_read_in_the_order_of_the_pattern() -> None:
    assert status.wildcards_in("results/benchmarks/audit/{video}_{method}.tsv") == ["video", "method"]
    assert status.wildcards_in("results/benchmarks/publish.tsv") == []
    assert status.wildcards_in("benchmarks/{video,[a-z]+}.tsv") == ["video"]


def test_while_videos_are_screened_nobody_knows_how_many_jobs_there_will_be(root: Path, made: Made) -> None:
    made.plan()
    made.screen("v1")
    made.screen("v2", "The file is empty.")
    text = status.describe(made.results)
    assert "3 found, 2 screened: 1 accepted, 1 rejected" in text
    assert "rejected: v2. The file is empty." in text
    assert rows(text)["screen"] == "2 of 3"
    assert rows(text)["anonymize"] == "0"
    assert rows(text)["publish"] == "0 of 1"


def test_jobs_are_counted_by_rule_for_the_videos_of_the_study_alone(root: Path, made: Made) -> None:
    made.plan(excluded=["v3"])
    for video in ("v1", "v3"):
        made.screen(video)
    made.screen("v2", "The file is empty.")
    made.screen("gone")
    for name in ("v1_blur", "v3_block", "gone_blur"):
        made.done(f"anonymize/{name}")
    made.begin("anonymize/v1_block")
    text = status.describe(made.results)
    assert "3 found, 3 screened: 2 accepted, 1 rejected; 1 left out by a reviewer" in text
    assert rows(text)["anonymize"] == "1 of 2 1 begun"
    assert rows(text)["estimate_pose"] == "0 of 4"
    assert rows(text)["search_faces"] == "0 of 3"
    assert "gone" not in text


def test_a_job_that_runs_is_told_with_the_last_line_of_its_log(root: Path, made: Made) -> None:
    made.plan()
    made.done("estimate_pose/v1_blur")
    made.begin("estimate_pose/v1_blur", "INFO 20 of 300 frames\nINFO 120 of 300 frames, 24.0 frames a second\n")
    made.begin("detect_faces/v1")
    text = status.describe(made.results)
    assert re.search(r"estimate_pose/v1_blur, \d+ \w+.* ago: 120 of 300 frames, 24.0 frames a second", text)
    assert re.search(r"detect_faces/v1, .* ago: nothing in its log", text)
    assert "failed" not in text
    assert rows(text)["estimate_pose"] == "0 1 begun"


def test_what_failed_last_comes_first_with_what_its_log_says_last(root: Path, made: Made) -> None:
    made.plan()
    made.begin("audit/v1_blur", "ERROR in audit.py, line 7, audit\nERROR The disk is full.\n")
    made.done("audit/v1_block")
    made.begin("audit/v1_block", "INFO fine\nERROR Something else.\n")
    made.begin("audit/v2_block", "ERROR It did not work.\n")
    made.done("audit/v2_block")
    text = status.describe(made.results)
    assert text.index("audit/v1_block, ") < text.index("audit/v1_blur, ")
    assert "The disk is full." in text
    assert f"log: {made.results}/logs/audit/v1_blur.log" in " ".join(text.split())  # long lines are wrapped
    assert "v2_block" not in text


def test_what_is_withheld_is_told_before_there_is_a_release_and_after(root: Path, made: Made) -> None:
    made.plan(video=["v1"])
    made.screen("v1")
    made.everything(["v1"])
    made.audit("v1_blur", "pass", 'No "face" is left.')
    made.audit("v1_block", "fail", 'One "face" is left.')
    (made.results / "benchmarks/publish.tsv").unlink()
    (made.results / "logs/publish.log").unlink()
    text = status.describe(made.results)
    assert "1 fail, 1 pass" in text
    assert 'v1_block (fail): One "face" is left.' in text
    assert "none yet" in text
    entry = {"verdict": "fail", "reason": "It holds a date."}
    withheld = [{"file": f"videos/v1_blur{ending}.mp4", **entry} for ending in ("", "_skeleton")]
    made.write("release/manifest.json", json.dumps({"withheld": withheld, "files": {"a": "", "b": ""}}))
    made.write("release/a")
    made.done("publish")
    text = status.describe(made.results)
    assert f"1 of its 2 files are gone; remove {made.results}/release/manifest.json" in " ".join(text.split())
    made.write("release/b")
    text = status.describe(made.results)
    assert "complete, 2 files" in text
    assert "v1_blur (fail): It holds a date." in text
    assert "v1_block" not in text
    assert f"{made.results}/release/report.html" in text
    made.begin("study")
    assert "of an earlier run" in status.describe(made.results)


def test_a_job_without_a_benchmark_is_done_when_the_release_was_made_after_it(root: Path, made: Made) -> None:
    made.plan(video=["v1"])
    made.screen("v1")
    made.begin("anonymize/v1_blur", "INFO 8 frames\n")
    assert rows(status.describe(made.results))["anonymize"] == "0 of 2 1 begun"
    made.begin("draw_review/v1", "ERROR no\n")
    made.done("publish")
    text = status.describe(made.results)
    assert rows(text)["anonymize"] == "1 of 2"
    assert "failed      draw_review/v1" in text


def test_videos_whose_keypoints_are_not_imported_are_named_and_steps_that_nobody_takes_are_not(
    root: Path, made: Made
) -> None:
    def plan(imported: list[str]) -> None:
        only = {rule: {"video": imported} for rule in ("import_pose", "list_imported_people")}
        made.plan(only={**PLAN["only"], **only}, imported=imported)

    plan(["v1", "v2"])
    for video in ("v1", "v2", "v3"):
        made.screen(video)
    made.done("import_pose/v1")
    text = status.describe(made.results)
    assert "keypoints of the original: imported for 2, from the backend for v3" in text
    assert rows(text)["import_pose"] == "1 of 2"
    plan([])
    assert "import" not in status.describe(made.results)


def test_at_the_end_of_a_run_the_table_of_steps_is_left_out(root: Path, made: Made) -> None:
    made.plan()
    made.screen("v1")
    assert rows(status.describe(made.results, brief=True)) == {}


@pytest.mark.parametrize("has_plan", [False, True])
def test_a_study_of_an_older_version_is_told_as_far_as_it_is_known(made: Made, has_plan: bool) -> None:
    if has_plan:
        made.write(status.PLAN, json.dumps({key: value for key, value in PLAN.items() if key != "rules"}))
    made.screen("v1")
    made.audit("v1_blur", "fail", "One face is left.")
    text = status.describe(made.results)
    assert "1 screened: 1 accepted, 0 rejected" in text
    assert "not known: the study was last run by an older version" in text
    assert "v1_blur (fail): One face is left." in text


def test_long_lists_are_cut(root: Path, made: Made) -> None:
    videos = [f"v{index}" for index in range(20)]
    made.plan(video=[*videos, *(f"w{index}" for index in range(20))])
    for video in videos:
        made.screen(f"w{video[1:]}", "The file is empty.")
        made.screen(video)
        made.begin(f"detect_faces/{video}", "ERROR no\n")
        made.audit(f"{video}_blur", "fail", "One face is left.")
    text = status.describe(made.results)
    assert "and 15 more. The file is empty." in text
    assert text.count("and 15 more") == 3
    assert max(len(line) for line in text.splitlines()) <= 160


def test_a_plan_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(UserError, match=r"results, cannot be written: .*\."):
        status.write_plan(tmp_path / "results", PLAN)


def test_no_name_of_a_source_is_printed_and_no_heavy_package_is_read(root: Path, made: Made) -> None:
    made.plan()
    made.screen("v1")
    made.begin("sanitize/v1")
    heavy = "import runpy, sys; sys.argv = sys.argv[1:]\ntry: runpy.run_path(sys.argv[0], run_name='__main__')\n"
    heavy += "except SystemExit as ending: assert not ending.code\n"
    heavy += "print(sorted({'numpy', 'pandas', 'cv2', 'yaml', 'snakemake'} & sys.modules.keys()))"
    script = str(root / "tools/show_status.py")
    done = subprocess.run(
        [sys.executable, "-c", heavy, script, f"{made.results}/"],
        env={**os.environ, "PYTHONPATH": str(root / "scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("\n[]\n")
    assert "sanitize/v1" in done.stdout
    assert "Jane" not in done.stdout
    none = subprocess.run(
        [sys.executable, script, str(made.results / "none")], capture_output=True, text=True, check=False
    )
    assert none.returncode == 1
    assert none.stderr.startswith("There is no study in ")
