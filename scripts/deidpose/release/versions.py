"""Versions of the packages that a result was made with."""

import platform
from importlib import metadata

import deidpose

#: Packages that a result can depend on.
_PACKAGES = (
    "snakemake",
    "openvino",
    "av",
    "opencv-python-headless",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "matplotlib",
)


def versions() -> dict[str, str]:
    """Return the versions of Python, of deidpose and of the packages that a result can depend on.

    A package that is not installed is left out.
    """
    found = {"python": platform.python_version(), "deidpose": deidpose.__version__}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
