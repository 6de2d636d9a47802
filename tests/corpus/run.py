"""Build the corpus, run the workflow over it and print what it leaves uncovered.

::

    .venv/bin/python tests/corpus/run.py                 the whole corpus
    .venv/bin/python tests/corpus/run.py edge crossing   two clips of it
"""

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from corpus import build, measure

ROOT = Path(__file__).resolve().parents[2]


def run_workflow(corpus: Path, results: Path, names: list[str], cores: int) -> None:
    """Run the workflow over the clips, up to the masked videos of the method ``block``."""
    targets = [f"{results}/restricted/masked/{name}_block.mp4" for name in names]
    settings = [f"dataset={corpus}", f"videos={corpus}/videos.tsv", f"results_dir={results}", "methods=[block]"]
    command = [sys.executable, "-m", "snakemake", *targets, "--cores", str(cores), "--quiet", "all"]
    subprocess.run([*command, "--config", *settings], cwd=ROOT, check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", metavar="clip", help=", ".join(build.CLIPS))
    parser.add_argument("--corpus", type=Path, default=Path("resources/corpus"))
    parser.add_argument("--results", type=Path, default=Path("results/corpus"))
    parser.add_argument("--cores", type=int, default=2)
    arguments = parser.parse_args()
    names = arguments.clips or list(build.CLIPS)
    build.build_all(ROOT / arguments.corpus, names)
    run_workflow(arguments.corpus, arguments.results, names, arguments.cores)
    print(measure.report(measure.of_results(ROOT / arguments.results, ROOT / arguments.corpus)))
    print("\nin the pixels of the delivered videos:")
    print(measure.report(measure.of_results(ROOT / arguments.results, ROOT / arguments.corpus, delivered=True)))
