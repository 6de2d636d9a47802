"""Report how far a study is from the files that are there: while it runs, after it has stopped, and when it is done.

Snakemake is not asked, so nothing is locked and nothing is waited for. A job has begun when its log is there, and is
done when its benchmark is there and not older than the log: the one is written when a job begins, the other when it has
succeeded. What a changed setting will make the next run repeat is not known here; it counts as done until it begins.

Imports the standard library only, because the Snakefile imports this module and every job on a cluster reads the
Snakefile again.
"""

import csv
import itertools
import json
import os
import re
import secrets
import textwrap
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from deidpose import durations
from deidpose.errors import UserError

#: Under the results: what the last run set out to do.
PLAN = "restricted/plan.json"

#: So many of a kind are listed; the rest is counted.
_LISTED = 5
#: The verdict and its reason stand in the first bytes of an audit, above all that it lists.
_HEAD_BYTES = 4096
_WIDTH, _INDENT = 110, 12


class Job(NamedTuple):
    """A job that has begun: ``rule``, its ``name`` (empty where there is only one), and when its log last grew."""

    rule: str
    name: str
    changed_s: float

    def __str__(self) -> str:
        return f"{self.rule}/{self.name}" if self.name else self.rule


class Step(NamedTuple):
    """A rule: how many jobs it has (None where that is not known yet), how many are done, which are under way."""

    rule: str
    total: int | None
    n_done: int
    under_way: list[Job]


# ------------------------------------------------------------------------------------------------ what is to be done


def write_plan(results: str | Path, plan: Mapping[str, Any]) -> None:
    """Write down what a run sets out to do, for `describe`.

    Parameters
    ----------
    results : path
        ``results_dir``.
    plan : mapping
        ``rules``, rule -> its wildcards in the order in which they stand in the names of its files;
        ``video``, ``method`` and ``source`` with the values of these wildcards; ``excluded``, the videos that a
        reviewer has left out; ``withhold``, the verdicts that keep a file from the release; ``only``, by rule, fewer
        values of a wildcard than all rules have; ``imported``, the videos with imported keypoints of the original.

    Raises
    ------
    UserError
        The directory cannot be written, so that no job could do its work.
    """
    path = Path(results) / PLAN
    # A name of its own, because shares of a study begin at the same time.
    partial = path.with_name(f"{path.name}.{secrets.token_hex(8)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(plan) + "\n", encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise UserError(
            f"The directory of the results, {results}, cannot be written: {error.strerror}. Nothing was changed."
        ) from None


def wildcards_in(pattern: str) -> list[str]:
    """Return the names of the wildcards of a path, such as that of a benchmark, in their order."""
    return re.findall(r"\{(\w+)", pattern)


def _plan(results: Path) -> dict[str, Any]:
    try:
        plan: dict[str, Any] = json.loads((results / PLAN).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # from before there were plans
        return {}
    return plan


def _names(wildcards: list[str], plan: Mapping[str, Any], videos: Iterable[str] | None) -> set[str] | None:
    """Return the names of all jobs of a rule; None where they are not known yet."""
    values = {**plan, "video": videos}
    parts = [values.get(wildcard) for wildcard in wildcards]
    if any(part is None for part in parts):
        return None
    return {"_".join(name) for name in itertools.product(*parts)}  # type: ignore[arg-type]  # none is None


# ----------------------------------------------------------------------------------------------------- what was done


def read_steps(results: Path, plan: Mapping[str, Any], rows: Mapping[str, Mapping[str, str]]) -> list[Step]:
    """Return how far each rule is; parameters from `write_plan` and `read_screened`."""
    # While some are not screened, nobody knows how many can be used.
    is_known = "video" in plan and len(rows) == len(plan["video"])
    accepted = [video for video, row in rows.items() if row["status"] == "accepted"]
    usable = [video for video in accepted if video not in plan["excluded"]] if is_known else None
    # A job that is interrupted just after its output was written has no benchmark, and Snakemake does not repeat it.
    # What came before the last publishing and did not fail is done, for publishing waits for everything.
    logs, benchmarks = (_files(results / kind, "publish", False, None) for kind in ("logs", "benchmarks"))
    published = benchmarks.get("", -1.0) if logs.get("", 0.0) <= benchmarks.get("", -1.0) else -1.0
    steps = []
    for rule, wildcards in plan.get("rules", {}).items():
        only = plan.get("only", {}).get(rule, {})
        if not only.get("video", ["any"]):
            continue
        videos = plan.get("video") if rule == "screen" else usable
        if videos is not None and "video" in only:
            videos = [video for video in videos if video in only["video"]]
        names = _names(wildcards, {**plan, **only}, videos)
        logs, benchmarks = (_files(results / kind, rule, bool(wildcards), names) for kind in ("logs", "benchmarks"))
        newer = [Job(rule, name, changed) for name, changed in logs.items() if changed > benchmarks.get(name, -1.0)]
        under_way = [
            job for job in newer if job.changed_s > published or last_line(_log(results, job)).startswith("ERROR")
        ]
        n_done = len(benchmarks.keys() | logs.keys()) - len(under_way)
        steps.append(Step(rule, None if names is None else len(names), n_done, under_way))
    return steps


def _files(folder: Path, rule: str, is_many: bool, names: set[str] | None) -> dict[str, float]:
    """Return the names of a rule's files, without their endings, and when each last changed."""
    found: dict[str, float] = {}
    try:
        with os.scandir(folder / rule if is_many else folder) as entries:
            for entry in entries:
                name, ending = os.path.splitext(entry.name)
                if ending not in (".log", ".tsv") or (not is_many and name != rule):
                    continue
                name = name if is_many else ""
                if names is None or name in names:
                    found[name] = entry.stat().st_mtime
    except FileNotFoundError:  # none yet, or one was removed just now
        pass
    return found


def read_screened(results: Path, plan: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the screening of every video that has been screened, by its id."""
    rows: dict[str, dict[str, str]] = {}
    for path in sorted((results / "restricted" / "screened").glob("*.tsv")):
        if path.name.endswith(".key.tsv"):
            continue
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows |= {row["video"]: row for row in csv.DictReader(file, delimiter="\t")}
        except OSError:  # it is being screened again
            continue
    return {video: row for video, row in rows.items() if video in plan.get("video", rows)}


def last_line(log: Path) -> str:
    """Return the last line of a log, empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _HEAD_BYTES))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line.strip()), "")


def verdicts(results: Path, plan: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return verdict and reason of every audit, by video and method such as ``v1_blur``."""
    wanted = _names(["video", "method"], plan, plan.get("video"))
    found: dict[str, tuple[str, str]] = {}
    for path in sorted((results / "restricted" / "audit").glob("*.json")):
        if wanted is not None and path.stem not in wanted:
            continue
        try:
            with path.open("rb") as file:
                head = file.read(_HEAD_BYTES).decode("utf-8", "replace")
        except OSError:
            continue
        matches = [re.search(rf'^ "{key}": ("(?:[^"\\]|\\.)*")', head, re.MULTILINE) for key in ("verdict", "reason")]
        if matches[0]:
            found[path.stem] = (json.loads(matches[0][1]), json.loads(matches[1][1]) if matches[1] else "")
    return found


# -------------------------------------------------------------------------------------------------------- in words


def describe(results: str | Path, brief: bool = False) -> str:
    """Return in lines of text how far a study is, what has failed, what is rejected and withheld, and where to look.

    Parameters
    ----------
    results : path
        ``results_dir``.
    brief : bool
        Leave out the table of steps, as at the end of a run.

    Raises
    ------
    UserError
        There is no study.
    """
    folder = Path(results)
    if not (folder / "restricted").is_dir() and not (folder / "logs").is_dir():
        raise UserError(f"There is no study in {results}: run the workflow first.")
    plan = _plan(folder)
    rows = read_screened(folder, plan)
    steps = read_steps(folder, plan, rows)
    lines = [f"The study in {results}", "", *_videos(folder, plan, rows)]
    if not brief:
        lines += [
            "",
            *(_table(steps) if steps else _entry("steps", "not known: the study was last run by an older version")),
        ]
    under_way = sorted((job for step in steps for job in step.under_way), key=lambda job: -job.changed_s)
    said = {job: last_line(_log(folder, job)) for job in under_way}
    failed = [job for job in under_way if said[job].startswith("ERROR")]
    begun = [job for job in under_way if job not in failed]
    is_done = not under_way and all(step.n_done == step.total for step in steps if step.total is not None)
    lines += ["", *_jobs(folder, "unfinished", begun, said), *_jobs(folder, "failed", failed, said)]
    lines += _release(folder, plan, is_done)
    return "\n".join(lines)


def _log(results: Path, job: Job) -> Path:
    return results / "logs" / f"{job}.log"


def _entry(title: str, text: str) -> list[str]:
    """Return a title and its text, in lines that are not too long for a terminal; paths are never broken."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=title.ljust(_INDENT),
        subsequent_indent=" " * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _videos(results: Path, plan: Mapping[str, Any], rows: Mapping[str, Mapping[str, str]]) -> list[str]:
    status = Counter(row["status"] for row in rows.values())
    found = f"{len(plan['video'])} found, " if "video" in plan else ""
    text = f"{found}{len(rows)} screened: {status['accepted']} accepted, {status['rejected']} rejected"
    left_out = [video for video in plan.get("excluded", []) if video in rows]
    if left_out:
        text += f"; {len(left_out)} left out by a reviewer"
    lines = _entry("videos", text) + (_entry("", imports(plan, rows)) if plan.get("imported") else [])
    reasons: dict[str, list[str]] = {}
    for video, row in rows.items():
        if row["status"] == "rejected":
            reasons.setdefault(row["reason"], []).append(video)
    for reason, videos in list(reasons.items())[:_LISTED]:
        lines += _entry("", f"rejected: {_several(videos)}. {reason}")
    if len(reasons) > _LISTED:
        lines += _entry("", f"{len(reasons) - _LISTED} more reasons")
    return lines + (_entry("", f"reasons: {results}/restricted/screening.tsv") if reasons else [])


def imports(plan: Mapping[str, Any], rows: Mapping[str, Mapping[str, str]]) -> str:
    """Return in words for how many videos the keypoints of the original are imported, and for which they are not.

    Parameters from `write_plan` and `read_screened`; the rows may be none.
    """
    imported = set(plan["imported"])
    others = [
        video
        for video in plan["video"]
        if video not in imported and rows.get(video, {}).get("status") != "rejected" and video not in plan["excluded"]
    ]
    text = f"keypoints of the original: imported for {len(imported)}"
    return f"{text}, from the backend for {_several(others)}" if others else text


def _several(names: list[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def _table(steps: Iterable[Step]) -> list[str]:
    lines = [f"{'step':<20}{'done':>6}"]
    for step in steps:
        if step.total == 0 and not step.n_done:
            continue
        total = f" of {step.total}" if step.total is not None else ""
        begun = f"{len(step.under_way)} begun" if step.under_way else ""
        lines.append(f"{step.rule:<20}{step.n_done:>6}{total:<12}{begun}".rstrip())
    return lines


def _jobs(results: Path, title: str, jobs: list[Job], said: Mapping[Job, str]) -> list[str]:
    lines = []
    for index, job in enumerate(jobs[:_LISTED]):
        ago = durations.duration_in_words(max(0.0, time.time() - job.changed_s))
        words = said[job].partition(" ")[2] or "nothing in its log"
        lines += _entry("" if index else title, f"{job}, {ago} ago: {words}")
        if title == "failed":
            lines += _entry("", f"log: {_log(results, job)}")
    if len(jobs) > _LISTED:
        lines += _entry("", f"and {len(jobs) - _LISTED} more")
    return lines


def _release(results: Path, plan: Mapping[str, Any], is_done: bool) -> list[str]:
    lines = []
    audits = verdicts(results, plan)
    if audits:
        counts = Counter(verdict for verdict, _ in audits.values())
        lines += _entry("audits", ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
    try:
        manifest = json.loads((results / "release" / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        manifest = None
    if manifest is not None and is_done:
        # Each withheld video is listed twice, with and without skeletons.
        withheld = {
            Path(entry["file"]).stem: (entry["verdict"], entry["reason"])
            for entry in manifest["withheld"]
            if not entry["file"].endswith("_skeleton.mp4")
        }
    else:
        free = {"pass", "review"} - set(plan.get("withhold", []))
        withheld = {name: audit for name, audit in audits.items() if audit[0] not in free}
    for index, (name, (verdict, reason)) in enumerate(list(withheld.items())[:_LISTED]):
        lines += _entry("" if index else "withheld", f"{name} ({verdict}): {reason}")
    if len(withheld) > _LISTED:
        lines += _entry("", f"and {len(withheld) - _LISTED} more")
    page = results / "restricted" / "review" / "index.html"
    review = [f"findings to review: {page} (shows faces)"] if page.exists() else []
    if manifest is None:
        lines += _entry("release", "none yet; it is made when every job has succeeded")
        return lines + [line for text in review for line in _entry("look at", text)]
    if not is_done:
        lines += _entry("release", "there is one of an earlier run; it stays until every job has succeeded")
    else:
        n_lost = sum(not (results / "release" / place).is_file() for place in manifest["files"])
        text = f"complete, {len(manifest['files'])} files"
        if n_lost:  # Snakemake looks at the manifest alone
            text = (
                f"{n_lost} of its {len(manifest['files'])} files are gone; remove {results}/release/manifest.json and "
                "run the workflow again"
            )
        lines += _entry("release", text)
    looks = [f"report: {results}/release/report.html", *review]
    if withheld and is_done:
        looks.append(f"what is withheld: {results}/release/manifest.json")
    for index, text in enumerate(looks):
        lines += _entry("" if index else "look at", text)
    return lines
