"""Get the clips of the demo: python tools/fetch_demo.py --directory resources/demo."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from deidpose.errors import UserError
from deidpose.workflow import downloads

_LIST = Path(__file__).resolve().parents[1] / "config" / "demo_files.yaml"


def main() -> int:
    """Fetch what is missing and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", default="resources/demo", help="where the clips go (default: %(default)s)")
    directory = parser.parse_args().directory
    try:
        downloads.fetch_all(downloads.load(_LIST), directory)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
