"""What reruns after a change, and what does not: dry runs of a finished study."""

import os
import re
import shutil
from pathlib import Path

import pytest

from fixtures.small_study import METHODS, SmallStudy

#: What comes after every video alone.
OF_STUDY = {"review_page", "study", "report", "publish"}
#: Rules that take the original and all its copies together: five of kinematics, and two of what is delivered.
JOINT = {"match_people", "joint_angles", "compare", "export", "show_video"}
OF_METHODS = {*JOINT, "prove_sanitizing", "draw_review"}
#: Rules that have a job for each method.
OF_METHOD = {"anonymize", "search_faces", "audit", "estimate_pose", "draw_skeleton"}


@pytest.fixture
def study(finished: SmallStudy, tmp_path: Path) -> SmallStudy:
    return finished.copy(tmp_path / "study")


@pytest.fixture
def copied(finished: SmallStudy, tmp_path: Path) -> SmallStudy:
    """Return the same study beside a repository of its own, as fresh as a clone."""
    root = tmp_path / "repository"
    for name in ("rules", "scripts", "config", "profiles", "envs", "report"):
        shutil.copytree(
            finished.root / name,
            root / name,
            copy_function=shutil.copyfile,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    shutil.copyfile(finished.root / "Snakefile", root / "Snakefile")
    return finished.copy(tmp_path / "study", root)


def changed(plan: dict[str, str]) -> set[str]:
    """Return the rules of jobs that have changed themselves; of what comes after them Snakemake asks no further."""
    return {job.split("/")[0] for job, reason in plan.items() if "Params have changed" in reason}


def rules(plan: dict[str, str]) -> set[str]:
    return {job.split("/")[0] for job in plan}


def test_a_new_video_runs_its_own_jobs_and_those_of_the_study(study: SmallStudy) -> None:
    shutil.copy(study.folder / "data/a.mp4", study.folder / "data/b.mp4")
    with (study.folder / "videos.tsv").open("a") as table:
        table.write("b.mp4\tb\n")
    assert set(study.plan()) == {"screen/b", "collect_screening", *OF_STUDY}
    code, said = study.run("--until", "collect_screening")
    assert code == 0, said[-3000:]
    plan = set(study.plan())
    assert plan >= OF_STUDY
    assert {job for job in plan - OF_STUDY if not re.search(r"/b(_|$)", job)} == set()
    assert {job.split("/")[0] for job in plan} >= {"sanitize", "anonymize", "audit", "estimate_pose", *JOINT}
    assert "screen/b" not in plan


def test_another_strength_of_one_method_runs_that_method_and_what_is_joint(study: SmallStudy) -> None:
    plan = study.plan(config=(METHODS, "mask={blur_strength: 0.4}"))
    jobs = {*(f"{rule}/a_blur" for rule in OF_METHOD), *(f"{rule}/a" for rule in OF_METHODS), *OF_STUDY}
    assert set(plan) == jobs
    assert changed(plan) == {"anonymize"}


def test_files_that_were_only_touched_run_nothing(copied: SmallStudy) -> None:
    resources = copied.folder / "resources"
    source = resources.resolve()
    resources.unlink()
    for name in ("models", "libraries"):
        shutil.copytree(source / name, resources / name, copy_function=shutil.copyfile)
    assert copied.plan() == {}
    touched = [
        path
        for folder in (copied.folder / "data", copied.results / "restricted", copied.root, resources)
        for path in folder.rglob("*")
        # Of the results, what is larger than a megabyte goes by its date.
        if path.is_file() and not path.name.startswith(".snakemake")
        if folder != copied.results / "restricted" or path.stat().st_size < 1_000_000
    ]
    assert len(touched) > 200
    for path in touched:
        os.utime(path)
    assert copied.plan() == {}


@pytest.mark.parametrize(
    ("module", "old", "new", "first", "after"),
    [
        ("masking/masks", "_BELL = 0.7", "_BELL = 0.7001", {"anonymize"}, OF_METHOD | OF_METHODS | OF_STUDY),
        ("masking/masks", '"""Hide faces:', '"""Hide every face:', set(), set()),
        ("masking/masks", "# A Gaussian leaves", "# Every Gaussian leaves", set(), set()),
        (
            "audit/pixel_comparison",
            "_SHOWS_THROUGH = 0.7",
            "_SHOWS_THROUGH = 0.69",
            {"audit"},
            {"draw_review", *OF_STUDY},
        ),
        ("report/report_page", "import markupsafe", "import markupsafe as markupsafe", {"report"}, {"publish"}),
    ],
)
def test_an_edit_of_a_module_runs_the_steps_that_use_it(
    copied: SmallStudy, module: str, old: str, new: str, first: set[str], after: set[str]
) -> None:
    path = copied.root / f"scripts/deidpose/{module}.py"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    plan = copied.plan()
    assert changed(plan) == first
    assert rules(plan) == first | after
    assert not {"estimate_pose/a_original", "estimate_pose/a_reencode"} & set(plan)


def test_an_edit_of_a_script_runs_its_own_step(copied: SmallStudy) -> None:
    with (copied.root / "scripts/export.py").open("a") as script:
        script.write("\nprint()\n")
    assert rules(copied.plan()) == {"export", "publish"}
