"""The demo on a small Slurm cluster, and whether every file of its release is the same as from one machine.

    python benchmarks/demo_on_slurm.py

It starts a cluster, as `make test-cluster` does, runs the demo on it into results/demo-slurm, and compares the digests
in the manifest with those of results/demo, which `make demo` makes. `make demo-slurm` does both.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("scripts", "tests", ".")]

from fixtures import slurm_cluster


def manifest(results: Path) -> dict[str, Any]:
    """Return the manifest of a release."""
    content: dict[str, Any] = json.loads((results / "release/manifest.json").read_text(encoding="utf-8"))
    return content


def main() -> None:
    """Run the demo and compare."""
    if reason := slurm_cluster.missing():
        sys.exit(reason)
    root = Path(__file__).resolve().parents[1]
    local = manifest(root / "results/demo")
    settings = ["--configfile", "config/demo.yaml", "--config", "results_dir=results/demo-slurm"]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        slurm_cluster.start(Path(folder) / "cluster")
        try:
            command = [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm", *settings]
            done = subprocess.run(command, cwd=root, check=False)
        finally:
            slurm_cluster.stop(Path(folder) / "cluster")
    if done.returncode:
        sys.exit("The demo has failed on Slurm.")
    on_slurm = manifest(root / "results/demo-slurm")
    differ = sorted(
        place
        for place in local["files"].keys() | on_slurm["files"].keys()
        if local["files"].get(place) != on_slurm["files"].get(place)
    )
    print(f"{len(on_slurm['files'])} files from Slurm in {time.monotonic() - began:.0f} s, {len(differ)} differ.")
    print("\n".join(differ))
    if on_slurm != local:
        print("The manifests differ.")
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
