"""Print how far a study is, while it runs or after: python tools/show_status.py results."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from deidpose.errors import UserError
from deidpose.workflow import status


def main() -> int:
    """Print it and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", nargs="?", default="results", help="the results_dir of a run (results)")
    results: str = parser.parse_args().results
    try:
        print(status.describe(results.rstrip("/") or "/"))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
