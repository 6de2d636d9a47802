"""What the tests share."""

from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, and no limit of time for one: machines differ.
settings.register_profile("deidpose", derandomize=True, deadline=None)
settings.load_profile("deidpose")


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the top of the repository."""
    return Path(__file__).resolve().parents[1]
