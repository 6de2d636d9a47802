"""Print the short answer of a study: python tools/show_summary.py results.

For each method the mean over subjects of the difference from the original, and of the difference from the control
where it says net; which method to choose; and what the audit said.
"""

import argparse
import csv
import json
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

#: Angles, measures and the widths of the printed columns; the two angles of the one-video prototype.
_ANGLES = {"left_knee": "left knee", "left_elbow": "left elbow"}
_MEASURES = {
    ("mae_deg", "raw"): "MAE °",
    ("mae_deg", "net"): "net °",
    ("percent_difference", "raw"): "difference %",
    ("confidence_bias", "raw"): "confidence",
}


def main() -> int:
    """Print the table and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, help="the results_dir of a finished run")
    results: Path = parser.parse_args().results
    release = results / "release"
    try:
        summary = _rows(release / "study" / "summary.csv")
        first = next(iter(_rows(release / "study" / "choice.csv")), {})
        manifest = json.loads((release / "manifest.json").read_text(encoding="utf-8"))
    except OSError:
        print(f"There is no finished study in {results}: run the workflow first.", file=sys.stderr)
        return 1
    signal = "filtered" if manifest["settings"]["kinematics"]["filter"] else "unfiltered"
    means = {
        (row["method"], row["angle"], row["measure"], row["basis"]): row["mean"]
        for row in summary
        if row["signal"] == signal and row["condition"] == "all"
    }
    for angle, title in _ANGLES.items():
        print(f"\n{title:<12}" + "".join(f"{name:>14}" for name in _MEASURES.values()))
        for method in dict.fromkeys(method for method, *_ in means):
            cells = [means.get((method, angle, measure, basis), "") for measure, basis in _MEASURES]
            print(f"{method:<12}" + "".join(f"{float(cell):>14.3f}" if cell else f"{'-':>14}" for cell in cells))
    if first:
        answer = f"choose {first['method']}" if first["recommended"] == "True" else "no method can be recommended"
        print("\n" + textwrap.fill(f"{answer}: {first['reason']}", 100))
    print(f"\naudit: {_verdicts(release, manifest)}\nreport: {release / 'report.html'}")
    return 0


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _verdicts(release: Path, manifest: dict[str, Any]) -> str:
    """Return how many masked videos got which verdict, and how many were withheld."""
    verdicts = Counter(
        json.loads(path.read_text(encoding="utf-8"))["verdict"] for path in sorted(release.glob("privacy/*.json"))
    )
    counts = [f"{count} {verdict}" for verdict, count in sorted(verdicts.items())]
    # Each withheld video is listed twice, with and without skeletons.
    withheld = {entry["file"].removesuffix(".mp4").removesuffix("_skeleton") for entry in manifest["withheld"]}
    return ", ".join([*counts, f"{len(withheld)} withheld"])


if __name__ == "__main__":
    sys.exit(main())
