"""One setting for all property tests: the same examples every time, no deadline; and no leftovers.

`HYPOTHESIS_PROFILE=free pytest` draws other examples at each run.
"""

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# pytest-xdist sets it; a console would keep to it where a test sets another for one command
os.environ.pop("COLUMNS", None)

settings.register_profile("same", derandomize=True, deadline=None, max_examples=100)
settings.register_profile("free", derandomize=False, deadline=None, max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(autouse=True, scope="module")
def let_go() -> Iterator[None]:
    """Mapped journals hold file numbers until they are collected, and `select` takes only 1,024."""
    yield
    gc.collect()
