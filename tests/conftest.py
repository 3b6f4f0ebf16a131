"""One setting for all property tests: the same examples every time, no deadline.

`HYPOTHESIS_PROFILE=free pytest` draws other examples at each run.
"""

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None, max_examples=100)
settings.register_profile("free", derandomize=False, deadline=None, max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
